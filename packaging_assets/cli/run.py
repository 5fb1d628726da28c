"""`packaging run`: the jobs for a partition, in this process and without a server."""

import click

from packaging_assets.cli.options import home_option
from packaging_assets.settings import Settings

JOB_NAMES = ("warehouse", "weekly", "daily", "monthly")


@click.command()
@click.argument("job", type=click.Choice(JOB_NAMES))
@click.option("--partition", help="The week's Monday, the day, or the month's first day, as YYYY-MM-DD.")
@click.option("--from", "first", help="First day of a range (warehouse only).")
@click.option("--to", "last", help="Last day of a range (warehouse only).")
@home_option
def run(settings: Settings, job: str, partition: str | None, first: str | None, last: str | None) -> None:
    """Run a job through Dagster, for one partition or a range of days.

    \b
    The order for new data:
      packaging run warehouse --from 2025-01-06 --to 2025-01-12   the week's days into the warehouse's models
      packaging run weekly --partition 2025-01-06                 train, judge and register every model
      packaging run daily --partition 2025-01-12                  score the day's products
      packaging run monthly --partition 2025-01-01                score the whole inventory

    What was computed before from the same inputs and code is taken from the cache. After a failure, run the same
    command again: it goes on where it failed.
    """
    if bool(partition) == bool(first and last):
        raise click.UsageError("Give either --partition, or --from and --to.")
    if last and job != "warehouse":
        raise click.UsageError(f"--from and --to are for the warehouse; give --partition for {job}.")
    _run(settings, job, first=partition or str(first), last=last)


def _run(settings: Settings, job: str, *, first: str, last: str | None) -> None:
    from rich.console import Console  # kept out of `packaging --help`

    console = Console(stderr=True)
    with console.status(f"{job}: loading definitions") as status:
        from packaging_assets.runner import JobFailedError, JobRunner, UnknownPartitionError  # imports Dagster

        try:
            runner = JobRunner.for_home(settings)
            outcome = runner.run(job, first=first, last=last, on_step=lambda step: status.update(f"{job}: {step}"))
        except (JobFailedError, UnknownPartitionError) as error:
            raise click.ClickException(str(error)) from None
    hits = sum(value == "hit" for value in outcome.cache.values())
    console.print(
        f"{job} {outcome.partition}: done in {outcome.seconds:.1f} s, {hits} of {len(outcome.cache)} steps "
        f"from the cache (run {outcome.run_id})"
    )
