"""What the commands of `packaging models` share: the registry, options, and how their errors reach the terminal."""

import getpass
from typing import TYPE_CHECKING

import click

from packaging_assets.domain.registry import ModelVersion, UnknownVersionError
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.resources.model_cards import CardPage
    from packaging_assets.resources.model_registry import ModelRegistry

CHAMPION = "champion"

CARDS = "cards"
"""Folder of the home for pages that were fetched from where the artifacts are."""

reason_option = click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the record.")
actor_option = click.option("--actor", metavar="NAME", default=None, help="Who decides [default: your login name].")
version_argument = click.argument("version", type=click.IntRange(min=1))


def example(*lines: str) -> str:
    """The end of a command's help; the backspace tells click to leave the lines as they are."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def open_registry(settings: Settings) -> "ModelRegistry":
    """The environment's registry."""
    from packaging_assets.resources.environment import model_registry_for

    return model_registry_for(settings)


def place_of(settings: Settings) -> str:
    """Which environment it is, in words: the home's folder, or the name under which AWS knows it."""
    return str(settings.home) if settings.env == "local" else f"the environment {settings.environment_name} of AWS"


def how_to_train(settings: Settings) -> str:
    """What to do in an environment without any version: one that has data is not sent to the demo."""
    if settings.env != "local":
        return "train a week by the job weekly_training in the UI, or by a trigger file"
    if settings.warehouse_path.exists():
        return "train a week: packaging run weekly --partition MONDAY"
    return "take in data (packaging ingest), or simulate a retailer (packaging demo)"


def card_of(settings: Settings, version: ModelVersion) -> "CardPage | None":
    """The version's model card, fetched if it is elsewhere; None if there is none that can be shown."""
    from packaging_assets.artifacts.store import ArtifactError
    from packaging_assets.resources.environment import artifact_store_for
    from packaging_assets.resources.model_cards import fetch_model_card

    try:
        return fetch_model_card(artifact_store_for(settings), version, settings.home / CARDS)
    except ArtifactError:  # damaged, or a registry without its artifacts: whoever looks goes on without the card
        return None


def check_model(registry: "ModelRegistry", model: str, settings: Settings) -> None:
    """Whether there is such a model.

    Raises:
        UnknownVersionError: there is none; the message names those there are.
    """
    known = registry.models()
    if model not in known:
        names = ", ".join(known) or f"none so far; {how_to_train(settings)}"
        raise UnknownVersionError(f"There is no model {model!r} in {place_of(settings)}; known models: {names}.")


def find_version(registry: "ModelRegistry", model: str, version: str, settings: Settings) -> ModelVersion:
    """A version by its number or as the champion.

    Raises:
        UnknownVersionError: there is no such version, or no champion.
    """
    if version.isdecimal():
        return registry.get(model, int(version))
    if version != CHAMPION:
        raise click.BadParameter(f"{version!r} is neither a version's number nor {CHAMPION!r}.", param_hint="VERSION")
    check_model(registry, model, settings)
    champion = registry.champion(model)
    if champion is None:
        raise UnknownVersionError(
            f"{model} has no champion, since none of its versions is approved: see packaging models list "
            f"--model {model}, and approve one (packaging models approve)."
        )
    return champion


def decider(actor: str | None) -> str:
    """Who decides: the name given, else the login name."""
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        raise click.UsageError("Your login name is not known here: say who decides with --actor NAME.") from None
