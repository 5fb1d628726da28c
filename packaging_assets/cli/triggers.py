"""`packaging triggers`: runs that are asked for by dropping a file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.options import CommandGroup, home_option, json_option
from packaging_assets.settings import Settings, refuse_absent_home

if TYPE_CHECKING:
    from packaging_assets.defs.triggers.look import Launch, Outcome
    from packaging_assets.runner import JobRunner


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
def triggers() -> None:
    """Launch runs by dropping a JSON file into the home's triggers/ folder, or in AWS below triggers/ in the bucket.

    \b
      {"pipeline": "train", "partition": "2025-01-13", "models": ["mailer"],
       "overrides": {"mailer": {"parameters.depth": 5}}, "requested_by": "ana", "reason": "deeper trees"}

    \b
    pipeline      train, daily or monthly
    partition     the week's Monday, the day, or the month's first day; or `partitions`, a list of them
    models        train these only, with those they feed from (default: all)
    overrides     per model, fields of its YAML to set for this run only, but no gates and no code (import paths);
                  recorded with the version
    use_cache     false: compute every step anew
    requested_by  who asks, and
    reason        why: recorded with the run

    While `packaging ui` is open, its sensor looks every 15 seconds. Without it: packaging triggers run. A file that was
    launched goes to triggers/done/ with its run's id; one that asks for the impossible goes to triggers/rejected/,
    beside a file that says what is wrong, and somebody is told.
    """


@triggers.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
def check(settings: Settings, file: Path) -> None:
    """Say what a trigger file would launch, or what is wrong with it, without launching anything."""
    from packaging_assets.components.model_files import load_models
    from packaging_assets.defs.triggers.plan import plan_runs
    from packaging_assets.domain.triggers import MAX_BYTES, TriggerError, parse_trigger

    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}. Write it again, or elsewhere.") from None
    try:
        planned = plan_runs(parse_trigger(content), load_models(), settings)
    except TriggerError as error:
        raise click.ClickException("\n".join((f"{file} would launch nothing:", *error.problems))) from None
    for run in planned:
        what = f" of {', '.join(run.groups)}" if run.groups else ""
        click.echo(f"would launch the {run.job} job{what} for {run.partition}")


@triggers.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="So many done and rejected, the latest."
)
@json_option
@home_option
def list_triggers(settings: Settings, *, limit: int, as_json: bool) -> None:
    """List the trigger files that wait, are being launched, were launched and were rejected."""
    from packaging_assets.resources.environment import trigger_store_for

    store = trigger_store_for(settings)
    found = store.contents(limit)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, sort_keys=True))
        return
    lines = [
        # Whoever may drop a file chose its name, which must not speak to the terminal.
        *(f"waiting   {name if name.isprintable() else ascii(name)}" for name in found.waiting),
        *(f"taken     {name}" for name in found.taken),
        *(
            f"done      {name}: {', '.join(f'run {run} ({key})' for key, run in runs.items())}"
            for name, runs in found.done.items()
        ),
        *(f"rejected  {name}: {' '.join(problems)}" for name, problems in found.rejected.items()),
    ]
    click.echo("\n".join(lines) or f"No trigger files in {store.place}.")


@triggers.command("run")
@home_option
def run(settings: Settings) -> None:
    """Launch what waits, in this process, and wait for it: for a machine without the Dagster daemon, or for cron.

    Exit code 1 if a file was rejected or a run failed.
    """
    refuse_absent_home(settings)
    from packaging_assets.components.model_files import load_models
    from packaging_assets.defs.triggers.sensor import trigger_look
    from packaging_assets.resources.clock import SystemClock
    from packaging_assets.resources.environment import alert_routes_for, alert_store_for, trigger_store_for
    from packaging_assets.runner import JobRunner

    runner = JobRunner.for_home(settings)
    waiting = trigger_store_for(settings)
    alerts, routes = alert_store_for(settings), alert_routes_for(settings)
    look = trigger_look(settings, load_models(), runner.instance, waiting, alerts, routes, SystemClock())
    outcome = look.take()
    # A launch may wait here for hours while those before it run; another process takes it for lost after minutes.
    failed = [launch for launch in outcome.launches if not look.is_launched(launch) and not _launch(launch, runner)]
    look.take()  # puts away what was launched
    _report(outcome)
    if failed or outcome.rejected or outcome.trouble:
        raise SystemExit(1)


def _launch(launch: "Launch", runner: "JobRunner") -> bool:
    from packaging_assets.defs.triggers.plan import assets_of
    from packaging_assets.runner import JobFailedError

    planned = launch.run
    graph = runner.definitions.resolve_asset_graph()
    try:
        done = runner.run(
            planned.job,
            first=planned.partition,
            tags=planned.tags,
            assets=assets_of(planned, graph) if planned.groups else None,
        )
    except JobFailedError as error:
        click.echo(str(error), err=True)
        return False
    click.echo(f"{planned.job} {planned.partition}: done in {done.seconds:.1f} s (run {done.run_id})")
    return True


def _report(outcome: "Outcome") -> None:
    for name, problems in outcome.rejected.items():
        click.echo(f"{name} launched nothing: {' '.join(problems)}", err=True)
    for trouble in outcome.trouble:
        click.echo(trouble, err=True)
    for name in outcome.unfinished:
        click.echo(f"{name!a} is still being written, or no JSON: look again in some seconds (packaging triggers run).")
    if not (outcome.launches or outcome.rejected or outcome.trouble or outcome.unfinished):
        click.echo("No trigger files are waiting.")
