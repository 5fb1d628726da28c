"""Which version serves a package type: the live model's champion, else that of the model it replaces, and so on.

And which version of a shadow model predicts beside it.
"""

from collections.abc import Sequence

from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.domain.registry import ModelVersion, choose_shadow
from packaging_assets.resources.model_registry import ModelRegistry


def serving_version(registry: ModelRegistry, names: Sequence[str]) -> ModelVersion | None:
    """The champion of the first of `names` (see `ModelSet.serving_names`) that has one."""
    champions = (registry.champion(name) for name in names)
    return next((version for version in champions if version is not None), None)


def serving_before(registry: ModelRegistry, names: Sequence[str], week: str) -> ModelVersion | None:
    """The version that a candidate of `week` is compared with: as `serving_version`, of the weeks before it."""
    champions = (registry.champion_before(name, week) for name in names)
    return next((version for version in champions if version is not None), None)


def serving_versions(registry: ModelRegistry, models: ModelSet) -> dict[str, ModelVersion]:
    """The version that serves each package type, by package type; one for which none is approved is left out."""
    types = sorted(spec.package_type for spec in models.live().values())
    versions = {name: serving_version(registry, models.serving_names(name)) for name in types}
    return {name: version for name, version in versions.items() if version is not None}


def shadow_versions(registry: ModelRegistry, models: ModelSet) -> dict[str, ModelVersion]:
    """The version of each shadow model that predicts beside those that serve, by model.

    See `choose_shadow`. A model that has stepped back and whose champion serves on, until its successor has one, is
    left out as long as that very version is the one to predict.
    """
    serving = {(version.model, version.version) for version in serving_versions(registry, models).values()}
    versions = {name: choose_shadow(registry.versions(name)) for name in models.shadows()}
    return {
        name: version
        for name, version in versions.items()
        if version is not None and (name, version.version) not in serving
    }


def spec_of_version(models: ModelSet, version: ModelVersion) -> ModelSpec:
    """By whose thresholds and gates a version is applied: its own model's, or, where that has gone, the live model's.

    Raises:
        IndexError: no model of the version's package type is live.
    """
    if version.model in models.specs:
        return models.specs[version.model]
    return models.specs[models.serving_names(version.package_type)[0]]


def serving_champion(registry: ModelRegistry, models: ModelSet, model: str) -> tuple[str, ModelVersion | None] | None:
    """The live model of the package type that `model` decides on, and the version that serves in its place.

    `model` may be any in the registry, also one that the project has no more. None where no model is live.
    """
    versions = registry.versions(model)
    spec = models.specs.get(model)
    package_type = spec.package_type if spec is not None else versions[0].package_type if versions else model
    names = models.serving_names(package_type)
    return (names[0], serving_version(registry, names)) if names else None
