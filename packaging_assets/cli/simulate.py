"""`packaging simulate`: write a synthetic retailer's deliveries to files."""

from pathlib import Path

import click

from packaging_assets.cli.options import NamedFolder, refusals_in, told_in_one_sentence


@click.command(short_help="Write a synthetic retailer's deliveries to files.")
@click.option(
    "--out",
    type=NamedFolder(),
    required=True,
    help="Folder to write; an earlier simulation in it is replaced, anything else is refused.",
)
@click.option(
    "--products", type=click.IntRange(1, 1_000_000_000), default=20_000, show_default=True, help="Products at the end."
)
@click.option("--weeks", type=click.IntRange(1, 520), default=6, show_default=True, help="Simulated weeks.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Seed of every draw.")
@click.option(
    "--incident",
    "incidents",
    multiple=True,
    metavar="KIND@WEEK[:SHARE]",
    help="A fault in a week (counted from 1), such as cm_to_inch@5 or null_column@3:0.2; may be repeated.",
)
@told_in_one_sentence
def simulate(out: Path, products: int, weeks: int, seed: int, incidents: tuple[str, ...]) -> None:
    """Write a synthetic retailer's deliveries to files.

    One folder per delivery: history/, then one per week, each with products, package_tests and customer_feedback as
    Parquet, ready for `packaging ingest`. The truth is kept apart, in truth/. The same options give the same bytes.
    """
    from pydantic import ValidationError  # `--help` stays quick
    from rich.console import Console
    from rich.progress import Progress

    from packaging_assets import simulator

    console = Console(stderr=True)
    try:
        parsed = tuple(simulator.parse_incident(text) for text in incidents)
        asked = {"products": products, "weeks": weeks, "seed": seed, "incidents": parsed}
        config = simulator.RetailerConfig.model_validate(asked)
        with Progress(console=console) as bar:
            task = bar.add_task("products", total=products)
            retailer = simulator.simulate(
                config, out, progress=lambda _stage, done, _total: bar.update(task, completed=done)
            )
    except ValidationError as error:
        raise click.ClickException(refusals_in(error)) from None
    except (simulator.IncidentError, simulator.SimulationError) as error:
        raise click.ClickException(str(error)) from None
    console.print(
        f"{products:,} products, {len(retailer.deliveries)} deliveries from {retailer.first_week} to "
        f"{retailer.last_day} in {out}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
