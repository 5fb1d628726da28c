"""`monthly/inventory` and `monthly/predictions`."""

import dagster as dg

from packaging_assets.components.inference import inventory_asset, predictions_asset
from packaging_assets.components.package_model import model_set
from packaging_assets.partitions import monthly_partitions
from packaging_assets.settings import current_settings

INVENTORY = """Every product of the catalogue with its features as known by the month's end.

One row per product, in Parquet chunks."""
PREDICTIONS = """The scores of the whole inventory by the versions that serve, also loaded into the warehouse.

One row per product and package type."""


@dg.definitions
def monthly_inference(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the monthly assets for all models of the project."""
    models = model_set(context)
    monthly = monthly_partitions(current_settings())
    return dg.Definitions(
        assets=[
            inventory_asset("monthly", monthly, INVENTORY, models),
            predictions_asset("monthly", monthly, PREDICTIONS, models),
        ]
    )
