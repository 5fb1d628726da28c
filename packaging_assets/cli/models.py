"""`packaging models`: what is in the registry, and the decisions that people take about it."""

import getpass
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.models_output import (
    print_decision,
    print_json,
    print_table,
    print_version,
    transition_json,
    version_json,
)
from packaging_assets.cli.options import home_option, json_option
from packaging_assets.domain.registry import ModelVersion, RegistryError, Status, UnknownVersionError
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.resources.model_registry import ModelRegistry

CHAMPION = "champion"
reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the record.")
actor_option = click.option("--actor", metavar="NAME", default=None, help="Who decides [default: your login name].")
version_argument = click.argument("version", type=click.IntRange(min=1))


def _example(*lines: str) -> str:
    """The end of a command's help; the backspace tells click to leave the lines as they are."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_example(
        "packaging models list --status PendingManualApproval",
        "packaging models show mailer 5",
        'packaging models approve mailer 5 --reason "The drift is the new supplier, checked by hand"',
    ),
)
def models() -> None:
    """List, show, approve, reject, pin and unpin model versions.

    The champion of a model is the version that inference uses: the pinned one, else the approved one of the latest
    training week.
    """


@models.command("list", epilog=_example("packaging models list --model mailer --status Approved"))
@click.option("--model", metavar="MODEL", default=None, help="Only the versions of this model.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in Status], case_sensitive=False),
    default=None,
    help="Only versions with this status.",
)
@json_option
@home_option
def list_versions(settings: Settings, model: str | None, status: str | None, as_json: bool) -> None:
    """List versions, by model and number; * marks the champions."""
    with _told_in_one_sentence():
        registry = _registry(settings)
        if model is not None:
            _check_model(registry, model, settings)
        found = registry.versions(model, None if status is None else Status(status))
    if as_json:
        print_json([version_json(version) for version in found])
    elif found:
        print_table(found)
    else:
        click.echo(f"No such model versions in {settings.home}. Train some: packaging demo.")


@models.command(epilog=_example("packaging models show mailer champion"))
@click.argument("model")
@click.argument("version", metavar="VERSION|champion")
@json_option
@home_option
def show(settings: Settings, model: str, version: str, as_json: bool) -> None:
    """Show one version, or the champion: where it comes from, why it has its status, and what was done to it."""
    with _told_in_one_sentence():
        registry = _registry(settings)
        found = _version(registry, model, version, settings)
        history = [line for line in registry.history(model) if line.version == found.version]
    if as_json:
        print_json({**version_json(found), "history": [transition_json(line) for line in history]})
    else:
        print_version(found, history)


@models.command(
    epilog=_example('packaging models approve mailer 5 --reason "The drift is the new supplier, checked by hand"')
)
@click.argument("model")
@version_argument
@reason_option
@actor_option
@json_option
@home_option
def approve(settings: Settings, model: str, version: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Approve a version that is pending or was rejected; it serves at once if its week is the latest."""
    with _told_in_one_sentence():
        registry = _registry(settings)
        before = registry.get(model, version)
        after = registry.approve(model, version, actor=_actor(actor), reason=reason, expected_status=before.status)
    print_decision(before, after, as_json=as_json)


@models.command(epilog=_example('packaging models reject mailer 5 --reason "Damage reports doubled since Monday"'))
@click.argument("model")
@version_argument
@reason_option
@actor_option
@json_option
@home_option
def reject(settings: Settings, model: str, version: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Reject a version; if it was the champion, the approved version of the week before it serves again."""
    with _told_in_one_sentence():
        registry = _registry(settings)
        before = registry.get(model, version)
        after = registry.reject(model, version, actor=_actor(actor), reason=reason, expected_status=before.status)
    print_decision(before, after, as_json=as_json)


@models.command(epilog=_example('packaging models pin mailer 4 --reason "Version 5 waits for the new scales"'))
@click.argument("model")
@version_argument
@reason_option
@actor_option
@json_option
@home_option
def pin(settings: Settings, model: str, version: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Make an approved version the champion, whatever newer ones there are, until it is unpinned."""
    with _told_in_one_sentence():
        registry = _registry(settings)
        before = registry.get(model, version)
        after = registry.pin(model, version, actor=_actor(actor), reason=reason)
    print_decision(before, after, as_json=as_json)


@models.command(epilog=_example('packaging models unpin mailer --reason "The new scales are in use"'))
@click.argument("model")
@reason_option
@actor_option
@json_option
@home_option
def unpin(settings: Settings, model: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Let the approved version of the latest week be the champion again."""
    with _told_in_one_sentence():
        registry = _registry(settings)
        _check_model(registry, model, settings)
        champion = registry.unpin(model, actor=_actor(actor), reason=reason)
    if as_json:
        print_json({"model": model, "champion": champion and version_json(champion)})
    elif champion is None:
        click.echo(f"{model} is not pinned; no version of it is approved.")
    else:
        click.echo(f"{model} is not pinned; its champion is version {champion.version} ({champion.training_week}).")


def _registry(settings: Settings) -> "ModelRegistry":
    from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

    return SqliteModelRegistry(settings.registry_path)


@contextmanager
def _told_in_one_sentence() -> Generator[None]:
    try:
        yield
    except RegistryError as error:
        raise click.ClickException(str(error)) from None


def _check_model(registry: "ModelRegistry", model: str, settings: Settings) -> None:
    known = registry.models()
    if model not in known:
        names = ", ".join(known) or "none so far (packaging demo trains some)"
        raise UnknownVersionError(f"There is no model {model!r} in {settings.registry_path}; known models: {names}.")


def _version(registry: "ModelRegistry", model: str, version: str, settings: Settings) -> ModelVersion:
    if version.isdecimal():
        return registry.get(model, int(version))
    if version != CHAMPION:
        raise click.BadParameter(f"{version!r} is neither a version's number nor {CHAMPION!r}.", param_hint="VERSION")
    _check_model(registry, model, settings)
    champion = registry.champion(model)
    if champion is None:
        raise UnknownVersionError(
            f"{model} has no champion, since none of its versions is approved: see packaging models list "
            f"--model {model}, and approve one (packaging models approve)."
        )
    return champion


def _actor(actor: str | None) -> str:
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        raise click.UsageError("Your login name is not known here: say who decides with --actor NAME.") from None
