"""`packaging gates`: how often the gates are wrong."""

import json
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.options import CommandGroup, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging_assets.domain.gate_simulation import Goal, SimulatedWeeks


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
def gates() -> None:
    """Find out how often the gates are wrong."""


@gates.command()
@click.option("--replicates", type=click.IntRange(min=1), default=200, show_default=True, help="Weeks of each kind.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Seed of every draw.")
@click.option(
    "--rows",
    "sizes",
    type=click.IntRange(min=1_000),
    multiple=True,
    help="Validation rows, repeatable.  [default: 2000, 20000, 200000]",
)
@json_option
def simulate(replicates: int, seed: int, sizes: tuple[int, ...], as_json: bool) -> None:
    """Judge simulated weeks with the real gates: weeks without change, and weeks with a model 2 points worse.

    The table tells which share of them was rejected, approved and left to a person. With 200 replicates and all three
    sizes it takes five to ten minutes, nearly all for 200,000 rows.

    \b
    packaging gates simulate --replicates 500 --rows 2000 --rows 20000
    packaging gates simulate --json > gates.json
    """
    from rich.console import Console  # kept out of `packaging --help`
    from rich.progress import Progress

    from packaging_assets.domain.gate_simulation import (
        CHANGES,
        MINORITY_RATES,
        SIZES,
        compare_with_goals,
        simulate_weeks,
    )

    asked = sizes or SIZES
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("weeks", total=len(asked) * len(MINORITY_RATES) * len(CHANGES) * replicates)
        weeks = simulate_weeks(
            replicates=replicates, seed=seed, sizes=asked, on_week=lambda: bar.update(task, advance=1)
        )
    if as_json:
        click.echo(json.dumps([week._asdict() for week in weeks]))
    else:
        _show(weeks, compare_with_goals(weeks))


def _show(weeks: "Sequence[SimulatedWeeks]", goals: "Sequence[Goal]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"How {weeks[0].replicates:,} weeks of each kind were judged")
    for name in ("validation rows", "rarer label", "change of PR-AUC", "reject", "approve", "pending"):
        table.add_column(name, justify="right")
    for week in weeks:
        shares = (f"{share:.1%}" for share in (week.reject, week.approve, week.pending))
        table.add_row(f"{week.rows:,}", f"{week.minority_rate:.0%}", f"{week.change:+.2f}", *shares)
    console = Console()
    console.print(table)
    for goal in goals:
        mark = "[green]reached[/]" if goal.is_reached else "[red]not reached[/]"
        console.print(f"{mark}: {goal.promise} {goal.limit:.0%}: {goal.share:.1%}", highlight=False, soft_wrap=True)
