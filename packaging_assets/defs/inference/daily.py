"""`daily/inventory` and `daily/predictions`."""

import dagster as dg

from packaging_assets.components.inference import inventory_asset, predictions_asset
from packaging_assets.components.package_model import model_set
from packaging_assets.partitions import daily_partitions
from packaging_assets.settings import current_settings

INVENTORY = """The products that were added or changed on the day, with their features as known by its end.

One row per product, in Parquet chunks."""
PREDICTIONS = """The scores of the day's products by the versions that serve, also loaded into the warehouse.

One row per product and package type."""


@dg.definitions
def daily_inference(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the daily assets for all models of the project."""
    models = model_set(context)
    daily = daily_partitions(current_settings())
    return dg.Definitions(
        assets=[
            inventory_asset("daily", daily, INVENTORY, models),
            predictions_asset("daily", daily, PREDICTIONS, models),
        ]
    )
