"""The tables as the retailer delivers them: names, column order and Arrow types."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.simulator.constants import EMBEDDING_WIDTH

_TIME = pa.timestamp("us")

EMBEDDING_COLUMNS: tuple[str, ...] = tuple(f"image_embedding_{index:02d}" for index in range(EMBEDDING_WIDTH))

PRODUCTS = pa.schema(
    [
        ("product_id", pa.string()),
        ("updated_at", _TIME),
        ("created_at", _TIME),
        ("title", pa.string()),
        ("category", pa.string()),
        ("subcategory", pa.string()),
        ("product_type", pa.string()),
        ("brand", pa.string()),
        ("length_cm", pa.float64()),
        ("width_cm", pa.float64()),
        ("height_cm", pa.float64()),
        ("weight_kg", pa.float64()),
        ("price_usd", pa.float64()),
        ("is_liquid", pa.bool_()),
        *((column, pa.float32()) for column in EMBEDDING_COLUMNS),
    ]
)
PACKAGE_TESTS = pa.schema(
    [
        ("test_id", pa.string()),
        ("product_id", pa.string()),
        ("package_type", pa.string()),
        ("tested_at", _TIME),
        ("is_passed", pa.bool_()),
        ("is_random_sample", pa.bool_()),
    ]
)
CUSTOMER_FEEDBACK = pa.schema(
    [
        ("feedback_id", pa.string()),
        ("product_id", pa.string()),
        ("package_type", pa.string()),
        ("shipped_at", _TIME),
        ("shipments", pa.int64()),
        ("damage_reports", pa.int64()),
    ]
)
TABLES: dict[str, pa.Schema] = {
    "products": PRODUCTS,
    "package_tests": PACKAGE_TESTS,
    "customer_feedback": CUSTOMER_FEEDBACK,
}
"""Table name -> schema, in the order in which a delivery lists them."""

TRUTH = pa.schema(
    [
        ("product_id", pa.string()),
        *((f"bayes_{name}", pa.float64()) for name in PACKAGE_TYPES),
        *((f"true_{name}", pa.bool_()) for name in PACKAGE_TYPES),
        *((f"eligible_{name}", pa.bool_()) for name in PACKAGE_TYPES),
    ]
)
"""`bayes_<type>`: P(suitable | observed); `true_<type>`: is it; `eligible_<type>`: does it fit."""


def padded(number: np.ndarray) -> pa.Array:
    """Product numbers as ten digits."""
    return pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), 10, "0")


def product_ids(number: np.ndarray) -> pa.Array:
    """`P0000012345` for 12345."""
    return pc.binary_join_element_wise("P", padded(number), "")


def times(time_us: np.ndarray) -> pa.Array:
    """Microseconds since 1970 as timestamps without a time zone (UTC)."""
    return pa.array(time_us, pa.int64()).cast(_TIME)
