"""Champions as Dagster sees them: a decision at the command line moves one, and the graph must show it."""

import dagster as dg

from packaging_assets.components.assets.champion import DATA_VERSION_TAG, champion_key, champion_materialization
from packaging_assets.components.assets.champion import data_version as version_of
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.settings import Settings


def announce_champion(settings: Settings, model: str, champion: ModelVersion | None) -> bool:
    """Record the champion in the home's Dagster storage, if it is another than that recorded last.

    Predictions by the former champion then show as stale. Saying it again, after a decision whose announcement was cut
    off, records what is missing and nothing twice.

    Returns:
        Whether something was recorded.
    """
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        latest = instance.get_latest_materialization_event(champion_key(model))
        recorded = latest.asset_materialization if latest else None
        if recorded and (recorded.tags or {}).get(DATA_VERSION_TAG) == version_of(champion):
            return False
        instance.report_runless_asset_event(champion_materialization(model, champion))
        return True
