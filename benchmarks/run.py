"""Takes every figure, prints them against their goals, and writes results/latest.json and docs/benchmarks.md."""

import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if __name__ == "__main__":
    # A script finds its own folder; measurements are imported as benchmarks.<module>, here and in the tests.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.machine import describe_machine, load_per_core
from benchmarks.measurements import Measurement, all_measurements, chosen
from benchmarks.measuring import CommandFailedError, report_detail
from benchmarks.results_file import LATEST, Figure, merged, read_results, write_results
from benchmarks.tables import result_table

REPEATS = 5
QUICK_REPEATS = 1
QUICK_OUTPUT = LATEST.with_name("quick.json")
CACHE = Path(__file__).resolve().parents[1] / ".bench"
QUIET = 0.5


@dataclass
class Run:
    """What one run of the benchmarks took, and what went wrong."""

    figures: list[Figure] = field(default_factory=list[Figure])
    failures: list[str] = field(default_factory=list[str])


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, metavar="NAME", help="Only measurements whose name begins so; can be repeated.")
@click.option("--quick", is_flag=True, help="Everything at small sizes, once: shows that it runs, not how fast.")
@click.option("--repeats", type=click.IntRange(min=1), help=f"Runs of each; medians are taken.  [default: {REPEATS}]")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Another file than results/latest.json."
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=CACHE,
    help="Where inputs that take long to make stay from run to run.  [default: .bench/]",
)
@click.option("--list", "is_list", is_flag=True, help="List the measurements and end.")
@click.option("--report", "is_report", is_flag=True, help="Measure nothing: print and write what the results say.")
def main(
    only: tuple[str, ...],
    *,
    quick: bool,
    repeats: int | None,
    output: Path | None,
    cache: Path,
    is_list: bool,
    is_report: bool,
) -> None:
    """Measure what the platform costs on top of the work itself.

    Each figure is a ratio: what ours cost over what a floor cost, a plain
    script that does the same work without the platform, run in turns with
    ours. Smaller is better, and each has a goal.

    Every figure is kept as soon as it is taken: after Ctrl-C, go on with
    --only. Figures are only worth something on a machine that does nothing
    else.

    \b
      make bench                                 everything, one to two hours
      make bench ARGS="--only training"          the measurements of training
      make bench ARGS="--only inference.memory --repeats 3"
      make bench ARGS=--quick                    everything small, minutes
      make bench-peers                           other orchestrators (peers/)

    Results: benchmarks/results/latest.json (with --quick: quick.json), plots
    and the tables of docs/benchmarks.md.
    """
    console = Console()
    try:
        measurements = chosen(all_measurements(), only)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if is_list:
        for measurement in measurements:
            console.print(f"{measurement.name:34} {measurement.what}", highlight=False, soft_wrap=True)
        return
    file = output or (QUICK_OUTPUT if quick else LATEST)
    failures: list[str] = []
    if not is_report:
        _warn_if_busy(console)
        # By default Python keeps what it has compiled; told not to, each command that is measured would compile ours.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        run = take(measurements, repeats or (QUICK_REPEATS if quick else REPEATS), quick=quick, file=file, cache=cache)
        failures = run.failures
    figures = read_results(file)
    console.print(result_table(figures))
    if file.resolve() == LATEST:
        write_documentation(figures)
    for failure in failures:
        console.print(f"[red]failed[/red] {escape(failure)}", soft_wrap=True)
    if failures:
        raise SystemExit(1)


def take(
    measurements: Sequence[Measurement],
    repeats: int,
    *,
    quick: bool,
    file: Path,
    cache: Path,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Run:
    """Take the measurements one after the other; each writes its figures when it ends, and one that fails stops none.

    Figures that the file already has and that are not measured now stay as they are.
    """
    run = Run()
    for measurement, detail in _shown(measurements):
        token = report_detail.set(detail)
        started, load = time.perf_counter(), load_per_core()
        try:
            figures = measurement.take(repeats, quick=quick, cache=cache)
        except (CommandFailedError, AssertionError, OSError, ValueError) as error:
            run.failures.append(f"{measurement.name}: {error}")
            continue
        finally:
            report_detail.reset(token)
        about = {
            "measurement": measurement.name,
            "measured_at": now().isoformat(timespec="seconds"),
            "seconds_to_measure": round(time.perf_counter() - started, 1),
            "load_before": round(load, 2),
            "machine": describe_machine(),
        }
        run.figures.extend({**figure, **about} for figure in figures)
        write_results(merged(read_results(file), run.figures), file)
    return run


def write_documentation(figures: Sequence[Figure]) -> None:
    """The plots and the generated parts of docs/benchmarks.md."""
    from benchmarks.page import write_page

    write_page(figures)


def _warn_if_busy(console: Console) -> None:
    load = load_per_core()
    if load > QUIET:
        console.print(f"[yellow]{load:.1f} processes per core want to run already: the figures will be worth little.")


@contextmanager
def _progress(total: int) -> Iterator[tuple[Progress, Any]]:
    columns = SpinnerColumn(), TextColumn("{task.completed}/{task.total}"), TextColumn("{task.description}")
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        yield progress, progress.add_task("", total=total)


def _shown(measurements: Sequence[Measurement]) -> Iterator[tuple[Measurement, Callable[[str], None]]]:
    with _progress(len(measurements)) as (progress, task):
        for measurement in measurements:

            def show(detail: str, name: str = measurement.name) -> None:
                progress.update(task, description=f"{name} [dim]{detail}")

            show("")
            started = time.perf_counter()
            yield measurement, show
            progress.console.print(f"{measurement.name} took {time.perf_counter() - started:.0f} s")
            progress.advance(task)


if __name__ == "__main__":
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "true")
    main()
