"""Champions as Dagster sees them: a decision at the command line moves one, and the graph must show it."""

from packaging_assets.components.assets.champion import DATA_VERSION_TAG, champion_key, champion_materialization
from packaging_assets.components.assets.champion import data_version as version_of
from packaging_assets.components.model_files import load_models
from packaging_assets.components.serving import serving_champion
from packaging_assets.dagster_storage import open_instance
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.settings import Settings


def announce_decision(settings: Settings, registry: ModelRegistry, model: str) -> None:
    """Show what a decision about a model's version means for the live model of its package type.

    The decision may be about another one: as long as a model that replaces another has no approved version, what is
    decided about the other moves its champion. Of several who decide at once, the last to record what serves looks
    whether it still does. Nothing is recorded where no model is live for the package type.

    Raises:
        ModelSetError: the models' YAML files cannot be read, or contradict one another.
    """
    models, told = load_models(), None
    while (serving := serving_champion(registry, models, model)) != told and serving is not None:
        _announce_champion(settings, *serving)
        told = serving


def _announce_champion(settings: Settings, model: str, champion: ModelVersion | None) -> None:
    """Record the version that serves in place of a live model's, if it is another than that recorded last.

    Predictions by the former one then show as stale. Saying it again, after a decision whose announcement was cut off,
    records what is missing and nothing twice.
    """
    with open_instance(settings.dagster_home) as instance:
        latest = instance.get_latest_materialization_event(champion_key(model))
        recorded = latest.asset_materialization if latest else None
        if not recorded or (recorded.tags or {}).get(DATA_VERSION_TAG) != version_of(model, champion):
            instance.report_runless_asset_event(champion_materialization(model, champion))
