"""The truth about each product, kept apart from the deliveries."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.simulator.catalogue import Bools, Products
from packaging_assets.simulator.tables import TRUTH, product_ids
from packaging_assets.simulator.world import Floats

TRUTH_FILE = "truth.parquet"


class TruthError(LookupError):
    """A product is asked for that the retailer does not have."""


def truth_table(
    products: Products, bayes: dict[str, Floats], suitable: dict[str, Bools], eligible: dict[str, Bools]
) -> pa.Table:
    """One row per product of a block."""
    columns = [product_ids(products.number)]
    for values in (bayes, suitable, eligible):
        columns += [pa.array(values[name]) for name in PACKAGE_TYPES]
    return pa.table(columns, schema=TRUTH)


def read_truth(folder: Path, product_ids: Sequence[str] | None = None) -> pa.Table:
    """The truth of the given products, in their order (all of them in order of id, if none are given).

    Columns: product_id and, per package type, bayes_<type> (P(suitable | what can be observed)), true_<type> (is it),
    eligible_<type> (does it fit).

    Raises:
        TruthError: a product is not there; the message names the first.
    """
    table = pq.read_table(folder / TRUTH_FILE)
    if product_ids is None:
        return table
    wanted = pa.array(product_ids, pa.string())
    found = pc.index_in(wanted, value_set=table["product_id"].combine_chunks())
    if found.null_count:
        missing = wanted.filter(pc.is_null(found))[0].as_py()
        raise TruthError(f"{folder / TRUTH_FILE}: product_id {missing!r} is not one of its {table.num_rows} products.")
    return table.take(found)
