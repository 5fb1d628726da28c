"""`packaging models review`: what waits for a person, why, and the person's decision."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli import models_options
from packaging_assets.cli.models_decisions import show_in_graph
from packaging_assets.cli.models_options import (
    actor_option,
    card_of,
    check_model,
    decider,
    example,
)
from packaging_assets.cli.models_output import (
    card_json,
    figure,
    place_of_card,
    print_decision,
    print_json,
    version_json,
)
from packaging_assets.cli.options import home_option, json_option, typed_home
from packaging_assets.domain.plain_text import one_line
from packaging_assets.domain.registry import ModelVersion, RegistryError, Status
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.resources.model_registry import ModelRegistry

APPROVE, REJECT, SKIP = "approve", "reject", "skip"


@click.command(
    epilog=example(
        "packaging models review",
        "packaging models review mailer 6 --list",
        'packaging models review mailer 6 --approve --reason "The drift is the new supplier, checked by hand"',
    )
)
@click.argument("model", required=False)
@click.argument("version", type=click.IntRange(min=1), required=False)
@click.option("--approve", is_flag=True, help="Approve MODEL VERSION.")
@click.option("--reject", is_flag=True, help="Reject MODEL VERSION.")
@click.option("--reason", metavar="TEXT", default=None, help="Why; required with a decision, kept in the record.")
@actor_option
@click.option(
    "--interactive/--list", default=None, help="Ask about each version, or list only [default: ask on a terminal]."
)
@json_option
@home_option
def review(
    settings: Settings,
    model: str | None,
    version: int | None,
    approve: bool,
    reject: bool,
    reason: str | None,
    actor: str | None,
    interactive: bool | None,
    as_json: bool,
) -> None:
    """Show which versions wait for a person and why, and decide about them.

    On a terminal each is shown in turn, and you approve, reject or skip it. Elsewhere they are listed; decide with
    --approve or --reject and a --reason. What somebody else has decided meanwhile is told and left alone. With MODEL
    VERSION it is that version, decided or not.
    """
    decision = _decision(approve=approve, reject=reject, interactive=interactive)
    registry = models_options.open_registry(settings)
    pending = _pending(registry, model, version, settings)
    if decision is not None:
        _decide_by_flags(settings, registry, pending, (model, version), decision, reason, actor, as_json=as_json)
        return
    if as_json:
        print_json([{**version_json(item), **card_json(card_of(settings, item))} for item in pending])
        return
    if not pending:
        click.echo("Nothing waits for a person.")
        look = f"packaging models review {model or 'MODEL'} VERSION --list{typed_home(settings)}"
        click.echo(f"To look at a version that was decided: {look}")
        return
    asks = sys.stdin.isatty() if interactive is None else interactive
    for item in pending:
        _show(settings, item)
        if asks:
            _ask(settings, registry, item, reason, actor)
    first = pending[0]
    if not asks and _waits(first):
        decide = f'packaging models review {first.model} {first.version} --approve --reason "..."{typed_home(settings)}'
        click.echo(f"\nDecide: {decide}  (or --reject)")


def _decision(*, approve: bool, reject: bool, interactive: bool | None) -> str | None:
    """What the flags decide; None if they ask to look.

    Raises:
        click.UsageError: they contradict one another.
    """
    if approve + reject + (interactive is not None) > 1:
        raise click.UsageError(
            "Give one of --approve, --reject, --interactive and --list: each asks for another thing."
        )
    return APPROVE if approve else REJECT if reject else None


def _pending(
    registry: "ModelRegistry", model: str | None, version: int | None, settings: Settings
) -> list[ModelVersion]:
    if model is not None:
        check_model(registry, model, settings)
    if model is not None and version is not None:
        return [registry.get(model, version)]
    return [found for found in registry.versions(model, Status.PENDING) if _waits(found)]


def _waits(version: ModelVersion) -> bool:
    """Whether it waits for a person. A shadow's good versions stay pending: nobody can approve them."""
    return version.status is Status.PENDING and version.stage != "shadow"


def _decide_by_flags(
    settings: Settings,
    registry: "ModelRegistry",
    found: Sequence[ModelVersion],
    named: tuple[str | None, int | None],
    decision: str,
    reason: str | None,
    actor: str | None,
    *,
    as_json: bool,
) -> None:
    if None in named:
        raise click.UsageError(f"--{decision} needs a model and a version: packaging models review mailer 6 ...")
    if reason is None:
        raise click.UsageError(f"--{decision} needs a --reason.")
    _decide(settings, registry, found[0], decision, reason, decider(actor), as_json=as_json)


def _decide(
    settings: Settings,
    registry: "ModelRegistry",
    seen: ModelVersion,
    decision: str,
    reason: str,
    actor: str,
    *,
    as_json: bool = False,
) -> None:
    act = registry.approve if decision == APPROVE else registry.reject
    after = act(seen.model, seen.version, actor=actor, reason=reason, expected_status=seen.status)
    show_in_graph(settings, registry, seen.model)
    print_decision(seen, after, as_json=as_json)


def _show(settings: Settings, version: ModelVersion) -> None:
    figures: Mapping[str, str] = {
        "PR-AUC": figure(version, "pr_auc", ".4f"),
        "to champion": figure(version, "champion.difference", "+.4f"),
        "standard error": figure(version, "champion.standard_error", ".4f"),
    }
    click.echo(f"\n{version.model} version {version.version}, week of {version.training_week}: {version.status}")
    click.echo("  " + ", ".join(f"{name} {value}" for name, value in figures.items() if value != "-"))
    for reason in version.reasons or ("The record gives no reason.",):
        click.echo(f"  - {one_line(reason)}")
    card = card_of(settings, version)
    if card is not None:
        click.echo(f"  model card: {place_of_card(card)}")


def _ask(
    settings: Settings, registry: "ModelRegistry", version: ModelVersion, reason: str | None, actor: str | None
) -> None:
    answer: Any = click.prompt(
        "  Decision", type=click.Choice([APPROVE, REJECT, SKIP]), default=SKIP, show_default=True
    )
    if answer == SKIP:
        return
    why = reason or click.prompt("  Why (kept in the record)")
    try:
        _decide(settings, registry, version, answer, why, decider(actor))
    except RegistryError as error:  # told, and on to the next
        click.echo(f"  {error}", err=True)
