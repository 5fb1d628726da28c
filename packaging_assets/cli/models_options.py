"""What the commands of `packaging models` share: the registry, options, and how their errors reach the terminal."""

import getpass
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.options import typed_home
from packaging_assets.domain.registry import ModelVersion, UnknownVersionError
from packaging_assets.domain.registry_record import unknown_model
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.resources.model_cards import CardPage
    from packaging_assets.resources.model_registry import ModelRegistry

CHAMPION = "champion"

CARDS = "cards"
"""Folder of the home for pages that were fetched from where the artifacts are."""

MOST_DIGITS = 18
"""Of a version's number; Python itself refuses to read thousands."""

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
        return f"train a week: packaging run weekly --partition MONDAY{typed_home(settings)}"
    return "take in data (packaging ingest), or simulate a retailer (packaging demo)"


def which_serves(registry: "ModelRegistry", shown: Sequence[ModelVersion]) -> list[str]:
    """A line for each package type of a champion that is shown, if several models have one: which of them serves.

    A model that was replaced, or whose file was deleted, keeps its champion.
    """
    asked = {version.package_type for version in shown if version.is_champion}
    if not asked:
        return []
    champions = [version for version in registry.versions() if version.is_champion]
    several = [name for name, count in Counter(one.package_type for one in champions).items() if count > 1]
    serving = _serving(registry) if asked.intersection(several) else {}
    return [
        f"{name}: {serving[name].model} {serving[name].version} serves; other champions are of models that do not."
        for name in sorted(asked.intersection(several, serving))
    ]


def _serving(registry: "ModelRegistry") -> Mapping[str, ModelVersion]:
    from packaging_assets.components.model_files import load_models
    from packaging_assets.components.model_set import ModelSetError
    from packaging_assets.components.serving import serving_versions
    from packaging_assets.domain.feature_sets import FeatureSetError

    try:
        return serving_versions(registry, load_models())
    except (FeatureSetError, ModelSetError):  # told by the commands that need them
        return {}


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
    """Whether there is any version of such a model.

    Raises:
        UnknownVersionError: there is none; the message says how to train it if the project has it, else it names the
            model that is meant, or those there are.
    """
    known = registry.models()
    if model in known:
        return
    there = f"There is no model {model!r} in {place_of(settings)}"
    if not known:
        raise UnknownVersionError(f"{there}; known models: none so far; {how_to_train(settings)}.")
    if model in _models_of_the_project():
        raise UnknownVersionError(f"{there} yet, since it was never trained; {how_to_train(settings)}.")
    raise unknown_model(model, known, place_of(settings))


def _models_of_the_project() -> Collection[str]:
    from packaging_assets.components.model_files import load_models
    from packaging_assets.components.model_set import ModelSetError
    from packaging_assets.domain.feature_sets import FeatureSetError

    try:
        return load_models().specs
    except (FeatureSetError, ModelSetError):  # told by the commands that need them
        return ()


def get_version(registry: "ModelRegistry", model: str, version: int, settings: Settings) -> ModelVersion:
    """A version by its number; of an unknown model see `check_model`.

    Raises:
        UnknownVersionError: there is no such version, or no such model.
    """
    try:
        return registry.get(model, version)
    except UnknownVersionError:
        check_model(registry, model, settings)
        raise


def find_version(registry: "ModelRegistry", model: str, version: str, settings: Settings) -> ModelVersion:
    """A version by its number or as the champion.

    Raises:
        UnknownVersionError: there is no such version, or no champion.
    """
    if version.isdecimal() and len(version) <= MOST_DIGITS:
        return get_version(registry, model, int(version), settings)
    if version != CHAMPION:
        raise click.BadParameter(f"{version!r} is neither a version's number nor {CHAMPION!r}.", param_hint="VERSION")
    check_model(registry, model, settings)
    champion = registry.champion(model)
    if champion is None and all(known.stage == "shadow" for known in registry.versions(model)):
        raise UnknownVersionError(
            f"{model} has no champion, since all its versions were judged as shadows, and a shadow never serves: name "
            f"one by its number (packaging models list --model {model})."
        )
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
