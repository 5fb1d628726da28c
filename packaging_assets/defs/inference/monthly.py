"""`monthly/inventory` and `monthly/predictions`."""

import dagster as dg

from packaging_assets.components.inference import inventory_asset, predictions_asset
from packaging_assets.components.package_model import PackageModel
from packaging_assets.partitions import monthly_partitions
from packaging_assets.settings import current_settings

INVENTORY = """Every product of the catalogue with its features as known by the month's end.

One row per product, in Parquet chunks."""
PREDICTIONS = """The scores of the whole inventory by the champion of each package type, also loaded into the warehouse.

One row per product and package type."""


@dg.definitions
def monthly_inference(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the monthly assets for all models of the project."""
    specs = [component.spec for component in context.component_tree.get_all_components(of_type=PackageModel)]
    monthly = monthly_partitions(current_settings())
    return dg.Definitions(
        assets=[
            inventory_asset("monthly", monthly, INVENTORY, specs),
            predictions_asset("monthly", monthly, PREDICTIONS, specs),
        ]
    )
