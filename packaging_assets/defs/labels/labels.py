"""`labels`."""

import dagster as dg

from packaging_assets.components.assets.labels import shared_labels_asset
from packaging_assets.partitions import weekly_partitions
from packaging_assets.settings import current_settings


@dg.definitions
def labels_definitions() -> dg.Definitions:
    """Build the asset of the settings in use."""
    weekly = weekly_partitions(current_settings())
    return dg.Definitions(assets=[shared_labels_asset(weekly, ["team:packaging-science"])])
