"""`packaging runs`: what was run, and going on with what failed."""

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli.models_options import example
from packaging_assets.cli.options import CommandGroup, Utf8Text, home_option, json_option
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

SUCCEEDED, KILLED = "SUCCESS", "KILLED"
FORCE = "Retry although it cannot be verified that the run's process has ended; check in the UI first."


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("packaging runs list --failed", "packaging runs retry last"),
)
def runs() -> None:
    """List runs, and go on with one that failed or was killed.

    Runs started here, from the UI and by schedules and triggers are all listed.
    """


@runs.command("list", epilog=example("packaging runs list --failed --limit 5"))
@click.option("--failed", is_flag=True, help="Only those that did not succeed: failed, cancelled, killed, unfinished.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=20, show_default=True, help="The latest so many.")
@json_option
@home_option
def list_runs(settings: Settings, limit: int, *, failed: bool, as_json: bool) -> None:
    """List runs, latest first; KILLED are those whose process was ended from outside."""
    found = _latest_runs(settings, limit, failed=failed)
    if as_json:
        from packaging_assets.cli.models_output import print_json

        print_json(found)
    elif found:
        _print_table(found)
    else:
        click.echo(f"No such runs in {settings.home}.")


@runs.command(epilog=example("packaging runs retry last", "packaging runs retry 3f9a2c41"))
@click.argument("run", type=Utf8Text(), metavar="RUN_ID|last")
@click.option("--force", is_flag=True, help=FORCE)
@home_option
def retry(settings: Settings, run: str, *, force: bool) -> None:
    """Go on with the run RUN_ID from the step that failed: with its partition, its overrides and its config.

    What had finished is not run again. The beginning of the id is enough; "last" is the latest run that did not
    succeed, and is neither under way nor queued. A run that was killed is first recorded as failed. One that Dagster
    counts as unfinished, and whose process cannot be verified to have ended, is refused without --force.
    """
    if not settings.dagster_yaml.is_file():
        raise click.ClickException(f"Nothing was ever run in {settings.home}: there is nothing to retry.")
    from rich.console import Console  # kept out of `packaging --help`

    from packaging_assets.cli.run import print_outcome

    console = Console(stderr=True)
    with console.status("loading definitions") as status:
        from packaging_assets.run_records import RunRecordError  # imports Dagster
        from packaging_assets.runner import JobFailedError, JobRunner

        try:
            outcome = JobRunner.for_home(settings).retry(run, force=force, on_step=status.update)
        except (RunRecordError, JobFailedError) as error:
            raise click.ClickException(str(error)) from None
    print_outcome(console, outcome)


def _latest_runs(settings: Settings, limit: int, *, failed: bool) -> list[dict[str, Any]]:
    import dagster as dg

    from packaging_assets.dagster_storage import open_instance

    if not settings.dagster_yaml.is_file():
        return []
    wanted = [status for status in dg.DagsterRunStatus if not (failed and status.value == SUCCEEDED)]
    with open_instance(settings.dagster_home) as instance:
        records = instance.get_run_records(dg.RunsFilter(statuses=wanted), limit=limit)
        return [_described(instance, record, settings) for record in records]


def _described(instance: "dg.DagsterInstance", record: "dg.RunRecord", settings: Settings) -> dict[str, Any]:
    from packaging_assets.abandoned_runs import Standing, standing_of
    from packaging_assets.run_records import partition_of
    from packaging_assets.runner import short_name

    run = record.dagster_run
    standing = standing_of(instance, run, settings.dagster_home / "locks")
    return {
        "run": run.run_id,
        "job": short_name(run.job_name),
        "partition": partition_of(run),
        "status": KILLED if standing == Standing.GONE else run.status.value,
        "started_at": _iso(record.start_time),
        "seconds": round(record.end_time - record.start_time, 1) if record.start_time and record.end_time else None,
        "retry_of": run.parent_run_id,
    }


def _iso(seconds: float | None) -> str | None:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds") if seconds else None


def _print_table(found: list[dict[str, Any]]) -> None:
    """A line per run, in 80 columns; the run that it retries has a column where one is a retry."""
    from rich.text import Text

    from packaging_assets.cli.models_output import light_table, print_whole
    from packaging_assets.cli.sizes_and_times import age_of

    retries = any(line["retry_of"] for line in found)
    table = light_table()
    for heading in ("run", "job", "partition", "status", "started (UTC)", "seconds", *["retry of"] * retries):
        table.add_column(heading, justify="right" if heading == "seconds" else "left", no_wrap=True)
    for line in found:
        table.add_row(
            line["run"][:8],
            Text(line["job"]),
            line["partition"],
            Text(line["status"], style="green" if line["status"] == SUCCEEDED else "red"),
            age_of(line["started_at"] or "-"),
            "-" if line["seconds"] is None else str(line["seconds"]),
            *[(line["retry_of"] or "")[:8]] * retries,
        )
    print_whole(table)
