"""`packaging models approve`, `reject`, `pin`, `unpin`, `roll-back` and `undo`.

Each records who decided, when and why, moves the champion at once, and shows the move in Dagster's graph.
"""

from typing import TYPE_CHECKING

import click

from packaging_assets.cli import models_options
from packaging_assets.cli.models_options import (
    actor_option,
    check_model,
    decider,
    example,
    get_version,
    reason_option,
    version_argument,
)
from packaging_assets.cli.models_output import print_decision, print_json, version_json
from packaging_assets.cli.options import home_option, json_option
from packaging_assets.domain.plain_text import first_line
from packaging_assets.domain.registry import ModelVersion, decisions_of
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.resources.model_registry import ModelRegistry


@click.command(
    epilog=example('packaging models approve mailer 5 --reason "The drift is the new supplier, checked by hand"')
)
@click.argument("model")
@version_argument
@reason_option
@actor_option
@json_option
@home_option
def approve(settings: Settings, model: str, version: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Approve a version that is pending or was rejected; it serves at once if its week is the latest."""
    registry = models_options.open_registry(settings)
    before = get_version(registry, model, version, settings)
    after = registry.approve(model, version, actor=decider(actor), reason=reason, expected_status=before.status)
    show_in_graph(settings, registry, model)
    print_decision(before, after, as_json=as_json)


@click.command(epilog=example('packaging models reject mailer 5 --reason "Damage reports doubled since Monday"'))
@click.argument("model")
@version_argument
@reason_option
@actor_option
@json_option
@home_option
def reject(settings: Settings, model: str, version: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Reject a version; if it was the champion, the latest approved version serves instead."""
    registry = models_options.open_registry(settings)
    before = get_version(registry, model, version, settings)
    after = registry.reject(model, version, actor=decider(actor), reason=reason, expected_status=before.status)
    show_in_graph(settings, registry, model)
    print_decision(before, after, as_json=as_json)


@click.command(epilog=example('packaging models pin mailer 4 --reason "Version 5 waits for the new scales"'))
@click.argument("model")
@version_argument
@reason_option
@actor_option
@json_option
@home_option
def pin(settings: Settings, model: str, version: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Make an approved version the champion, whatever newer ones there are, until it is unpinned."""
    registry = models_options.open_registry(settings)
    seen = len(decisions_of(registry.history(model)))
    get_version(registry, model, version, settings)
    after = registry.pin(model, version, actor=decider(actor), reason=reason, expected_decisions=seen)
    show_in_graph(settings, registry, model)
    if as_json:
        print_json(version_json(after))
    else:
        _print_champion(model, after, f"{model} is pinned", as_json=False)


@click.command(epilog=example('packaging models unpin mailer --reason "The new scales are in use"'))
@click.argument("model")
@reason_option
@actor_option
@json_option
@home_option
def unpin(settings: Settings, model: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Let the approved version of the latest week be the champion again."""
    registry = models_options.open_registry(settings)
    check_model(registry, model, settings)
    seen = len(decisions_of(registry.history(model)))
    champion = registry.unpin(model, actor=decider(actor), reason=reason, expected_decisions=seen)
    show_in_graph(settings, registry, model)
    _print_champion(model, champion, f"{model} is not pinned", as_json=as_json)


@click.command("roll-back", epilog=example('packaging models roll-back mailer 6 --reason "Damage reports doubled"'))
@click.argument("model")
@version_argument
@reason_option
@actor_option
@json_option
@home_option
def roll_back(settings: Settings, model: str, version: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Roll back from a champion: pin the approved version that served before it, until it is unpinned.

    If VERSION does not serve (any more), nothing changes.
    """
    registry = models_options.open_registry(settings)
    check_model(registry, model, settings)
    before = registry.champion(model)
    champion = registry.roll_back(model, version, actor=decider(actor), reason=reason)
    show_in_graph(settings, registry, model)
    is_done = before is not None and champion is not None and before.version != champion.version
    what = f"{model} is rolled back and pinned" if is_done else f"version {version} of {model} did not serve"
    _print_champion(model, champion, what, as_json=as_json)


@click.command(epilog=example('packaging models undo mailer --reason "It was version 4 that I meant"'))
@click.argument("model")
@reason_option
@actor_option
@json_option
@home_option
def undo(settings: Settings, model: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Take back the last decision about a model: restore the status or the pin that it changed.

    A decision is taken back once; a second undo changes nothing. Versions registered since then stay.
    """
    registry = models_options.open_registry(settings)
    check_model(registry, model, settings)
    decisions = decisions_of(registry.history(model))
    champion = registry.undo(model, actor=decider(actor), reason=reason, expected_decisions=len(decisions))
    is_done = len(decisions_of(registry.history(model))) > len(decisions)
    show_in_graph(settings, registry, model)
    last = decisions[-1] if decisions else None
    what = "there is nothing to undo"
    if is_done and last:
        name = last.action.replace("_", "-")  # as the command is called
        what = f"the decision {name!r} about version {last.version} is undone"
    _print_champion(model, champion, what, as_json=as_json)


DECISIONS = (approve, reject, pin, unpin, roll_back, undo)


def show_in_graph(settings: Settings, registry: "ModelRegistry", model: str) -> None:
    """Tell the home's Dagster storage, if it has one, which version serves now; the decision stands in any case."""
    if settings.dagster_yaml.exists():
        from packaging_assets.champion_events import announce_decision  # imports Dagster

        try:
            announce_decision(settings, registry, model)
        except Exception as error:  # noqa: BLE001 - whatever it is, it undoes no decision
            click.echo(
                f"The decision is recorded, but Dagster's graph does not show it yet: {first_line(error)}", err=True
            )


def _print_champion(model: str, champion: ModelVersion | None, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"model": model, "champion": champion and version_json(champion)})
    elif champion is None:
        click.echo(f"{what}; no version of it is approved.")
    else:
        click.echo(f"{what}; its champion is version {champion.version} ({champion.training_week}).")
