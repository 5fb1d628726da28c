"""`packaging models`: what is in the registry, and the decisions that people take about it."""

import click

from packaging_assets.cli import models_options
from packaging_assets.cli.models_check import check
from packaging_assets.cli.models_compare import compare
from packaging_assets.cli.models_decisions import DECISIONS
from packaging_assets.cli.models_new import new
from packaging_assets.cli.models_options import (
    card_of,
    check_model,
    example,
    find_version,
    how_to_train,
    place_of,
    which_serves,
)
from packaging_assets.cli.models_output import (
    SHORT_STATUSES,
    card_json,
    place_of_card,
    print_json,
    print_table,
    print_version,
    transition_json,
    version_json,
)
from packaging_assets.cli.models_promote import promote
from packaging_assets.cli.models_review import review
from packaging_assets.cli.options import CommandGroup, home_option, json_option
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.registry import STAGES, Status, decisions_of
from packaging_assets.settings import Settings

STATUSES = {**{status.value: status for status in Status}, SHORT_STATUSES[Status.PENDING]: Status.PENDING}
"""Statuses by the words for them."""


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example(
        "packaging models review",
        "packaging models compare mailer:5 mailer:champion",
        'packaging models approve mailer 5 --reason "The drift is the new supplier, checked by hand"',
    ),
)
def models() -> None:
    """Add and check models; review, compare, approve, reject and pin their versions.

    The champion of a model is the version that inference uses as long as the model is live: the pinned one, else the
    approved one of the latest training week. A shadow model has none: it is tried out beside the live one.
    """


for _command in (new, check, review, compare, promote, *DECISIONS):
    models.add_command(_command)


@models.command(
    "list",
    epilog=example(
        "packaging models list --model mailer --status Approved",
        "packaging models list --package-type mailer --stage shadow",
    ),
)
@click.option("--model", metavar="MODEL", default=None, help="Only the versions of this model.")
@click.option(
    "--package-type", type=click.Choice(PACKAGE_TYPES), default=None, help="Only models that decide on this type."
)
@click.option("--stage", type=click.Choice(STAGES), default=None, help="Only versions judged as this.")
@click.option(
    "--status",
    type=click.Choice(list(STATUSES), case_sensitive=False),
    default=None,
    help="Only versions with this status; Pending is short for PendingManualApproval.",
)
@json_option
@home_option
def list_versions(
    settings: Settings,
    model: str | None,
    package_type: str | None,
    stage: str | None,
    status: str | None,
    as_json: bool,
) -> None:
    """List versions, by model and number; * marks the champions.

    Below the table is the first reason of each version that is not approved, and, where several models for one package
    type have a champion, which of them serves.
    """
    registry = models_options.open_registry(settings)
    if model is not None:
        check_model(registry, model, settings)
    found = [
        version
        for version in registry.versions(model, None if status is None else STATUSES[status])
        if package_type in (None, version.package_type) and stage in (None, version.stage)
    ]
    is_empty = not registry.models()
    if as_json:
        print_json([version_json(version) for version in found])
    elif found:
        print_table(found)
        for line in which_serves(registry, found):
            click.echo(line)
    elif is_empty:
        click.echo(f"There are no model versions in {place_of(settings)} yet; {how_to_train(settings)}.")
    else:
        click.echo(f"No such model versions in {place_of(settings)}.")


@models.command(epilog=example("packaging models show mailer champion"))
@click.argument("model")
@click.argument("version", metavar="VERSION|champion")
@click.option("--all", "is_whole", is_flag=True, help="Also the drift of each feature; --json always has it.")
@json_option
@home_option
def show(settings: Settings, model: str, version: str, *, is_whole: bool, as_json: bool) -> None:
    """Show one version, or the champion: where it comes from, why it has its status, and what was done to it."""
    registry = models_options.open_registry(settings)
    found = find_version(registry, model, version, settings)
    everything = registry.history(model)
    card = card_of(settings, found)
    history = [line for line in everything if line.version == found.version]
    decisions = len(decisions_of(everything))
    if as_json:
        lines = [transition_json(line) for line in history]
        print_json({**version_json(found), **card_json(card), "history": lines, "decisions_about_model": decisions})
    else:
        print_version(found, history, is_whole=is_whole)
        if card is not None:
            click.echo(f"Model card: {place_of_card(card)}")
        click.echo(f"Decisions about {model} so far: {decisions}.")
