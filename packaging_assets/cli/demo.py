"""`packaging demo`: the main job on a simulated retailer."""

import json
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli.options import NamedFolder, json_option, refusals_in, told_in_one_sentence, typed_home

if TYPE_CHECKING:
    from packaging_assets.settings import Settings

DEFAULT_INCIDENT = "cm_to_inch@5"
NO_INCIDENT = "none"


@click.command()
@click.option("--products", type=click.IntRange(500, 1_000_000_000), default=20_000, show_default=True)
@click.option("--weeks", type=click.IntRange(1, 60), default=6, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option(
    "--incident",
    "incidents",
    multiple=True,
    metavar="KIND@WEEK[:SHARE]",
    help=f"A fault to inject, repeatable, or {NO_INCIDENT!r}.  [default: {DEFAULT_INCIDENT}, given five weeks]",
)
@click.option("--home", type=NamedFolder(), help="The home folder.")
@json_option
@told_in_one_sentence
def demo(products: int, weeks: int, seed: int, incidents: tuple[str, ...], home: Path | None, as_json: bool) -> None:
    """Run the whole job on a simulated retailer: raw tables to recommendations.

    Week by week the simulator's deliveries are ingested, built by dbt, trained on, judged and registered, and the
    products of the week's Sunday are scored; when a month ends, and at the end, the whole inventory is. Everything runs
    through Dagster, so that `packaging ui` shows it afterwards. A second run in the same home recomputes nothing.

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
        show_report(report, console, home=str(run.settings.home), next_steps=next_steps(run.settings))


def next_steps(settings: "Settings") -> tuple[tuple[str, str], ...]:
    """Commands for this home that can be typed as they are, and what each does."""
    from packaging_assets.settings import PROJECT_ROOT

    command, home = command_here(), typed_home(settings)
    ui = f"{command} ui{home}"
    if not home and settings.env == "local" and Path.cwd() == PROJECT_ROOT and (PROJECT_ROOT / "Makefile").exists():
        ui = f"make ui, or {ui}"
    return ((ui, "opens this home in the Dagster UI"), (f"{command} models list{home}", "shows every version"))


def command_here() -> str:
    """How this command is called in the shell at hand: its name where the PATH has it, else its path."""
    own, found = Path(sys.executable).with_name("packaging"), shutil.which("packaging")
    if not own.exists() or (found is not None and Path(found).samefile(own)):
        return "packaging"
    here = Path.cwd()
    return shlex.quote(str(own.relative_to(here) if own.is_relative_to(here) else own))


def _run(products: int, weeks: int, seed: int, incidents: tuple[str, ...], home: Path | None) -> Any:
    from pydantic import ValidationError

    from packaging_assets.demo.pipeline import DemoError, run_demo, units_of_work
    from packaging_assets.demo.progress import TerminalProgress
    from packaging_assets.runner import JobFailedError
    from packaging_assets.settings import SettingsError
    from packaging_assets.simulator import IncidentError, RetailerConfig, SimulationError, parse_incident

    asked = incidents or ((DEFAULT_INCIDENT,) if weeks >= 5 else ())  # noqa: PLR2004 - the incident's week
    try:
        faults = tuple(parse_incident(text) for text in asked if text != NO_INCIDENT)
        config = RetailerConfig(products=products, weeks=weeks, seed=seed, incidents=faults)
        with TerminalProgress(units_of_work(config)) as progress:
            return run_demo(home, config, progress)
    except ValidationError as error:
        raise click.UsageError(refusals_in(error)) from None
    except (DemoError, IncidentError, JobFailedError, SettingsError, SimulationError) as error:
        raise click.ClickException(str(error)) from None
