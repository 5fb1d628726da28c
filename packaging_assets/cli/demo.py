"""`packaging demo`: the main job on a simulated retailer."""

import json
import time
from pathlib import Path
from typing import Any

import click

from packaging_assets.cli.options import json_option

DEFAULT_INCIDENT = "cm_to_inch@5"
NO_INCIDENT = "none"


@click.command()
@click.option("--products", type=click.IntRange(min=500), default=20_000, show_default=True)
@click.option("--weeks", type=click.IntRange(1, 60), default=6, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option(
    "--incident",
    "incidents",
    multiple=True,
    metavar="KIND@WEEK[:SHARE]",
    help=f"A fault to inject, repeatable, or {NO_INCIDENT!r}.  [default: {DEFAULT_INCIDENT}, given five weeks]",
)
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="The home folder.")
@json_option
def demo(products: int, weeks: int, seed: int, incidents: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Run the whole job on a simulated retailer: raw tables to recommendations.

    Week by week the simulator's deliveries are ingested, built by dbt, trained on, judged and registered; then the
    last day's products and the whole inventory are scored. Everything runs through Dagster, so that
    `packaging ui` shows it afterwards. A second run in the same home recomputes nothing.

    \b
    packaging demo --products 5000 --weeks 3 --home /tmp/small
    packaging demo --incident late_delivery@3 --incident cm_to_inch@5:0.1 --home /tmp/incidents
    """
    started = time.perf_counter()
    from rich.console import Console  # kept out of `packaging --help`

    from packaging_assets.demo.display import show_report
    from packaging_assets.demo.report import build_report  # Dagster and pyarrow take a second

    console = Console(stderr=as_json)
    run = _run(products, weeks, seed, incidents, home)
    with run.stage("report"):
        report = build_report(run)
    report["seconds"]["total"] = round(time.perf_counter() - started, 3)
    if as_json:
        click.echo(json.dumps(report, sort_keys=True))
    else:
        show_report(report, console, home=str(run.settings.home), is_local=run.settings.env == "local")


def _run(products: int, weeks: int, seed: int, incidents: tuple[str, ...], home: Path | None) -> Any:
    from pydantic import ValidationError

    from packaging_assets.demo.pipeline import DemoError, run_demo, units_of_work
    from packaging_assets.demo.progress import TerminalProgress
    from packaging_assets.runner import JobFailedError
    from packaging_assets.settings import SettingsError
    from packaging_assets.simulator import IncidentError, RetailerConfig, parse_incident

    asked = incidents or ((DEFAULT_INCIDENT,) if weeks >= 5 else ())  # noqa: PLR2004 - the incident's week
    try:
        faults = tuple(parse_incident(text) for text in asked if text != NO_INCIDENT)
        config = RetailerConfig(products=products, weeks=weeks, seed=seed, incidents=faults)
        with TerminalProgress(units_of_work(config)) as progress:
            return run_demo(home, config, progress)
    except ValidationError as error:
        raise click.UsageError("; ".join(problem["msg"] for problem in error.errors())) from None
    except (DemoError, IncidentError, JobFailedError, SettingsError) as error:
        raise click.ClickException(str(error)) from None
