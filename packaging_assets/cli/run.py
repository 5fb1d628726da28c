"""`packaging run`: jobs for their partitions, in this process and without a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.options import home_option
from packaging_assets.collector import resting_collector
from packaging_assets.domain.spelling import meant_or_all
from packaging_assets.settings import Settings, refuse_absent_home

if TYPE_CHECKING:
    from rich.console import Console

    from packaging_assets.runner import JobRun

JOB_NAMES = ("warehouse", "weekly", "daily", "monthly", "daily_shadow", "monthly_shadow")


@dataclass(frozen=True)
class AskedJob:
    """A job and its partition, or the range from `first` to `last`."""

    name: str
    first: str
    last: str | None = None


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB[@PARTITION]...")
@click.option("--partition", help="The week's Monday, the day, or the month's first day, as YYYY-MM-DD.")
@click.option("--from", "first", help="First day of a range (warehouse only).")
@click.option("--to", "last", help="Last day of a range (warehouse only).")
@click.option("--no-cache", is_flag=True, help="Compute every artifact, also where it is there already.")
@home_option
def run(
    settings: Settings,
    jobs: tuple[str, ...],
    partition: str | None,
    first: str | None,
    last: str | None,
    *,
    no_cache: bool,
) -> None:
    """Run jobs through Dagster, each for one partition or a range of days.

    JOB is warehouse, weekly, daily, monthly, daily_shadow or monthly_shadow.

    \b
    The order for new data:
      packaging run warehouse --from 2025-01-06 --to 2025-01-12   the week's days into the warehouse's models
      packaging run weekly --partition 2025-01-06                 train, judge and register every model
      packaging run daily --partition 2025-01-12                  score the day's products
      packaging run monthly --partition 2025-01-01                score the whole inventory
      packaging run daily_shadow --partition 2025-01-12           score the day's products with the shadow models

    \b
    Several in one process, one after another, which saves loading the project again; the first that fails ends it:
      packaging run warehouse@2025-01-06..2025-01-12 weekly@2025-01-06 monthly@2025-01-01

    What was computed before from the same inputs and code is taken from the cache. With --no-cache it is computed
    again: a result that is identical keeps its artifact, and one that differs is reported. After a failure go on with
    packaging runs retry last, or run the same command again.
    """
    asked = [asked_job(job, partition, first, last) for job in jobs]
    if len(asked) > 1 and (partition or first or last):
        raise click.UsageError("Of several jobs each says its own partition: JOB@PARTITION, without options.")
    if no_cache and any(job.name == "warehouse" for job in asked):
        raise click.UsageError("--no-cache is for artifacts; the warehouse builds whatever is not up to date.")
    refuse_absent_home(settings)
    _run(settings, asked, no_cache=no_cache)


def asked_job(job: str, partition: str | None, first: str | None, last: str | None) -> AskedJob:
    """What an argument and the options ask for.

    Raises:
        click.UsageError: there is no such job, or its partition is not said exactly once.
    """
    name, at, window = job.partition("@")
    if name not in JOB_NAMES:
        raise click.BadParameter(f"there is no job {name!r}{meant_or_all(name, JOB_NAMES)}", param_hint="JOB")
    if bool(at) + bool(partition) + bool(first or last) != 1 or bool(first) != bool(last):
        ranges = ", or --from and --to" if name == "warehouse" else ""
        raise click.UsageError(f"Say the partition of {name} once: {name}@PARTITION or --partition{ranges}.")
    if at:
        partition, dots, last = window.partition("..")
        if not partition or (dots and not last):
            raise click.UsageError(f"{job!r} lacks a day: write {name}@2025-01-06, or a range 2025-01-06..2025-01-12.")
    if last and name != "warehouse":
        raise click.UsageError(f"Ranges are for the warehouse; give one partition for {name}.")
    return AskedJob(name, partition or str(first), last or None)


def _run(settings: Settings, asked: Sequence[AskedJob], *, no_cache: bool) -> None:
    from rich.console import Console  # kept out of `packaging --help`

    console = Console(stderr=True)
    with console.status("loading definitions") as status:
        with resting_collector(keeps_all=True):
            from packaging_assets.components.step_asset import NO_CACHE_TAG  # imports Dagster
            from packaging_assets.runner import JobFailedError, JobRunner, UnknownPartitionError

            runner = JobRunner.for_home(settings)
        try:
            for job in asked:
                runner.check(job.name, first=job.first, last=job.last)  # all of them, before the first takes its hours
            for job in asked:
                outcome = runner.run(
                    job.name,
                    first=job.first,
                    last=job.last,
                    on_step=lambda step, name=job.name: status.update(f"{name}: {step}"),
                    tags=NO_CACHE_TAG if no_cache else {},
                )
                print_outcome(console, outcome)
        except (JobFailedError, UnknownPartitionError) as error:
            raise click.ClickException(str(error)) from None


def print_outcome(console: "Console", outcome: "JobRun") -> None:
    """What a job did, in a line, and a line for each step that is not deterministic."""
    hits = sum(value == "hit" for value in outcome.cache.values())
    cached = f", {hits} of {len(outcome.cache)} steps from the cache" if outcome.cache else ""
    console.print(f"{outcome.job} {outcome.partition}: done in {outcome.seconds:.1f} s{cached} (run {outcome.run_id})")
    for asset, files in outcome.differing.items():
        console.print(
            f"[yellow]{asset} was computed again and differs in {', '.join(files)}: its step is not deterministic. "
            "The artifact that was there is kept.[/]"
        )
