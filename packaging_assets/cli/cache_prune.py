"""`packaging cache prune`: remove what nothing needs any more."""

import datetime as dt
from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli.models_options import example
from packaging_assets.cli.options import NumberRange, home_option, json_option
from packaging_assets.cli.sizes_and_times import size
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.artifacts.prune import PrunePlan


@click.command(epilog=example("packaging cache prune --older-than 90 --keep 2 --dry-run"))
@click.option(
    "--older-than",
    type=NumberRange(min=0, max=36_500),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Remove only artifacts older than DAYS.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of each partition keep the newest so many.",
)
@click.option("--experiments", is_flag=True, help="Experiments too, by age alone.")
@click.option(
    "--grace",
    type=NumberRange(min=0, max=1_000_000),
    default=60.0,
    show_default=True,
    metavar="MINUTES",
    help="Keep everything created, or touched in .staging, within the last MINUTES.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@home_option
def prune(
    settings: Settings,
    older_than: float,
    keep: int,
    grace: float,
    *,
    experiments: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove artifacts that nothing needs, and what killed runs left in .staging.

    Needed is what is current, what any version in the model registry rests on (its model, metrics and card, whatever
    its status), and everything these were made from. What was removed can be computed again.
    """
    from packaging_assets.artifacts.clock import utc_now
    from packaging_assets.artifacts.prune import PrunePolicy, plan_prune
    from packaging_assets.artifacts.prune import prune as remove
    from packaging_assets.artifacts.store import ArtifactError
    from packaging_assets.resources.environment import artifact_store_for

    store, references, now = artifact_store_for(settings), _references(settings), utc_now()
    policy = PrunePolicy(
        older_than=dt.timedelta(days=older_than),
        keep=keep,
        grace=dt.timedelta(minutes=grace),
        experiments=experiments,
    )
    plan = plan_prune(store, references, policy, now=now)
    if dry_run:
        _report(plan, "would go", as_json=as_json)
        return
    is_empty = not plan.artifacts and not plan.leftovers
    if is_empty and not store.aside():
        _report(plan, "gone", as_json=as_json)
        return
    if not (yes or is_empty):  # of what a killed prune had set aside, that one had asked
        _report(plan, "would go", as_json=False, to_stderr=as_json)
        click.confirm("Remove them?", abort=True, err=True)
    _refuse_while_running(settings)
    try:
        _report(remove(store, references, policy, now=now), "gone", as_json=as_json)
    except ArtifactError as error:
        raise click.ClickException(str(error)) from None


def _references(settings: Settings) -> Callable[[], Set[str]]:
    from packaging_assets.resources.artifact_references import registry_references
    from packaging_assets.resources.environment import artifact_store_for, model_registry_for

    store, registry = artifact_store_for(settings), model_registry_for(settings)
    return lambda: registry_references(registry, store).keys()


def _refuse_while_running(settings: Settings) -> None:
    """A run may rest on what is not current any more: the one before it in the same partition, say."""
    from packaging_assets.abandoned_runs import runs_under_way
    from packaging_assets.dagster_storage import open_instance
    from packaging_assets.resources.environment import artifact_store_for

    if artifact_store_for(settings).is_busy():
        raise click.ClickException("A step is being computed in this environment: prune when it has finished.")
    if not settings.dagster_yaml.is_file():
        return
    with open_instance(settings.dagster_home) as instance:
        under_way = runs_under_way(instance, settings.dagster_home / "locks")
    if under_way:
        runs = ", ".join(f"{run.run_id} ({run.job_name})" for run in under_way)
        raise click.ClickException(
            f"Under way: {runs}. Prune when that has ended; if its process was killed, packaging runs retry it first."
        )


def _report(plan: "PrunePlan", what: str, *, as_json: bool, to_stderr: bool = False) -> None:
    if as_json:
        from packaging_assets.cli.models_output import print_json

        print_json(_as_json(plan, what))
        return
    for uri, count in sorted(plan.artifacts.items()):
        click.echo(f"{size(count):>10}  {uri}", err=to_stderr)
    for name, count in sorted(plan.leftovers.items()):
        click.echo(f"{size(count):>10}  .staging/{name} (left by a killed run)", err=to_stderr)
    click.echo(
        f"{what}: {len(plan.artifacts):,} artifacts and {len(plan.leftovers):,} leftovers, {size(plan.total_bytes)}; "
        f"{len(plan.needed):,} are needed, {len(plan.young):,} are too young",
        err=to_stderr,
    )
    for problem in plan.damaged.values():
        click.echo(f"left alone: {problem}", err=True)


def _as_json(plan: "PrunePlan", what: str) -> dict[str, Any]:
    return {
        "is_done": what == "gone",
        "bytes": plan.total_bytes,
        "artifacts": dict(plan.artifacts),
        "leftovers": dict(plan.leftovers),
        "needed": sorted(plan.needed),
        "too_young": sorted(plan.young),
        "damaged": dict(plan.damaged),
    }
