"""The contract of the raw tables, version 2: columns, types and rules. `docs/data-contract.md` is the same in prose.

What belongs here: what a delivered row must be. Not here: how text becomes typed values (`parsing`), what happens to
a row that breaks a rule (`validation`), and how rows relate to rows delivered before (`matching`).

Imports pandera, which is slow to load: import this module on the path of an ingestion only.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute

from packaging_assets.domain.features import EMBEDDING_COLUMNS
from packaging_assets.domain.package_types import PACKAGE_TYPES

pc: Any = pyarrow.compute  # its functions are made at run time, where pyright does not see them

CONTRACT_VERSION = "2"
TABLES = ("products", "package_tests", "customer_feedback")
"""The raw tables, in the order in which deliveries are taken in."""

EARLIEST_EVENT = pd.Timestamp("1900-01-01")
"""The first partition of the warehouse begins here: an earlier event would never be looked at."""
FUTURE_TOLERANCE = dt.timedelta(days=1)
"""How far a sender's clock may be ahead of ours; also covers local times delivered as UTC."""

_ARROW_TYPES = {
    "timestamp": pa.timestamp("us"),
    "double": pa.float64(),
    "real": pa.float32(),
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
}
_PANDAS_TYPES = {"timestamp": "datetime64[us]", "double": "float64", "real": "float32", "boolean": "bool"}


@dataclass(frozen=True)
class RowRule:
    """A rule over several columns of one row.

    Attributes:
        field: the column that a violation is reported under.
        sentence: what the field must be, as in "must not be later than updated_at".
        holds: frame of n rows -> boolean Series (n,), false where the rule is broken.
        columns: the columns that `holds` reads.
    """

    field: str
    sentence: str
    holds: Callable[[pd.DataFrame], "pd.Series[bool]"]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class TableContract:
    """What one raw table's rows must be.

    Attributes:
        name: the table's name in the schema `raw`.
        key: the columns that identify a row.
        event_time: the column whose date says which day the row belongs to.
        columns: one pandera schema over the columns, in the table's order; types, nullability and rules.
        rules: the rules over several columns.
        optional_block: columns that a delivery may leave out, all together; they are null then.
    """

    name: str
    key: tuple[str, ...]
    event_time: str
    columns: pandera.DataFrameSchema
    rules: tuple[RowRule, ...] = ()
    optional_block: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns in the table's order."""
        return tuple(self.columns.columns)

    def sql_type(self, column: str) -> str:
        """The column's type in the warehouse, as `varchar(64)`."""
        return self.columns.columns[column].metadata["sql_type"]

    def arrow_type(self, column: str) -> pa.DataType:
        """The column's type in Parquet; timestamps are UTC without a time zone, in microseconds."""
        return _ARROW_TYPES.get(self.sql_type(column), pa.string())

    def is_nullable(self, column: str) -> bool:
        """Whether the column may be missing from a row."""
        return bool(self.columns.columns[column].nullable)


def table_contract(table: str, received_at: dt.datetime) -> TableContract:
    """The contract of a raw table for a delivery received at `received_at` (naive UTC).

    Raises:
        KeyError: there is no raw table of that name.
    """
    return _CONTRACTS[table](received_at)


def _products(received_at: dt.datetime) -> TableContract:
    columns = {
        "product_id": _text(64, "The retailer's identifier of the product."),
        "updated_at": _timestamp("When this version of the product became true.", _not_in_future(received_at)),
        "created_at": _timestamp("When the product was first seen."),
        "title": _text(500, "The title that customers read."),
        "category": _text(64, "Top level of the catalogue's tree."),
        "subcategory": _text(64, "Second level of the tree."),
        "product_type": _text(64, "Leaf of the tree."),
        "brand": _text(64, "The brand's name."),
        "length_cm": _measure(1000, "cm", "Length of the product without packaging."),
        "width_cm": _measure(1000, "cm", "Width of the product without packaging."),
        "height_cm": _measure(1000, "cm", "Height of the product without packaging."),
        "weight_kg": _measure(2000, "kg", "Weight of the product without packaging."),
        "price_usd": _measure(100_000, "USD", "List price."),
        "is_liquid": _column("boolean", "Whether the product is or contains a liquid that could leak."),
    }
    for name in EMBEDDING_COLUMNS:
        columns[name] = _column("real", f"Component {name[-2:]} of the product image's embedding.", is_nullable=True)
    return TableContract(
        name="products",
        key=("product_id", "updated_at"),
        event_time="updated_at",
        columns=_schema("products", columns),
        rules=(
            RowRule(
                field="created_at",
                sentence="must not be later than updated_at",
                holds=lambda rows: rows["created_at"] <= rows["updated_at"],
                columns=("created_at", "updated_at"),
            ),
            RowRule(
                field=EMBEDDING_COLUMNS[0],
                sentence="must be given with all 64 components of the embedding or with none",
                holds=_is_embedding_whole,
                columns=EMBEDDING_COLUMNS,
            ),
        ),
        optional_block=EMBEDDING_COLUMNS,
    )


def _package_tests(received_at: dt.datetime) -> TableContract:
    columns = {
        "test_id": _text(64, "The identifier of the test."),
        "product_id": _text(64, "The product tested."),
        "package_type": _package_type("The package type tested."),
        "tested_at": _timestamp("When the test ended.", _not_in_future(received_at)),
        "is_passed": _column("boolean", "Whether the product survived in that package."),
        "is_random_sample": _column(
            "boolean", "Whether the product was drawn at random rather than chosen by somebody."
        ),
    }
    return TableContract("package_tests", ("test_id",), "tested_at", _schema("package_tests", columns))


def _customer_feedback(received_at: dt.datetime) -> TableContract:
    at_least_one = pandera.Check.ge(1, error="must be at least 1")
    not_negative = pandera.Check.ge(0, error="must be at least 0")
    columns = {
        "feedback_id": _text(64, "The identifier of the summary: one product, package type and shipping week."),
        "product_id": _text(64, "The product shipped."),
        "package_type": _package_type("The package type it was shipped in."),
        "shipped_at": _timestamp("Start of the shipping period.", _not_in_future(received_at)),
        "shipments": _column("bigint", "Parcels shipped in the period.", at_least_one),
        "damage_reports": _column("bigint", "Parcels of these that customers reported as damaged.", not_negative),
    }
    rule = RowRule(
        field="damage_reports",
        sentence="must not be above shipments",
        holds=lambda rows: rows["damage_reports"] <= rows["shipments"],
        columns=("damage_reports", "shipments"),
    )
    schema = _schema("customer_feedback", columns)
    return TableContract("customer_feedback", ("feedback_id",), "shipped_at", schema, rules=(rule,))


_CONTRACTS: dict[str, Callable[[dt.datetime], TableContract]] = {
    "products": _products,
    "package_tests": _package_tests,
    "customer_feedback": _customer_feedback,
}


def _schema(table: str, columns: dict[str, pandera.Column]) -> pandera.DataFrameSchema:
    title = f"raw.{table}, contract version {CONTRACT_VERSION}"
    return pandera.DataFrameSchema(columns, name=title, strict=True, ordered=True)


def _column(sql_type: str, description: str, *checks: pandera.Check, is_nullable: bool = False) -> pandera.Column:
    dtype = "int64" if sql_type == "bigint" else _PANDAS_TYPES.get(sql_type, "str")
    return pandera.Column(
        dtype, list(checks), nullable=is_nullable, description=description, metadata={"sql_type": sql_type}
    )


def _text(max_bytes: int, description: str) -> pandera.Column:
    def fits(values: "pd.Series[str]") -> "pd.Series[bool]":
        # Redshift counts a varchar's length in bytes of UTF-8, DuckDB does not count at all.
        lengths = pc.binary_length(pa.array(values, type=pa.large_string()))
        return pd.Series(lengths.to_numpy(zero_copy_only=False) <= max_bytes, index=values.index)

    check = pandera.Check(fits, error=f"must be at most {max_bytes} bytes long in UTF-8")
    return _column(f"varchar({max_bytes})", description, check)


def _package_type(description: str) -> pandera.Column:
    check = pandera.Check.isin(PACKAGE_TYPES, error=f"must be one of {', '.join(PACKAGE_TYPES)}")
    return _column("varchar(16)", description, check)


def _measure(largest: int, unit: str, description: str) -> pandera.Column:
    check = pandera.Check.in_range(0, largest, include_min=False, error=f"must be above 0 and at most {largest} {unit}")
    return _column("double", f"{description} Unit: {unit}.", check, is_nullable=True)


def _timestamp(description: str, *checks: pandera.Check) -> pandera.Column:
    not_too_early = pandera.Check.ge(EARLIEST_EVENT, error="must not be before 1900-01-01")
    return _column("timestamp", description, not_too_early, *checks)


def _not_in_future(received_at: dt.datetime) -> pandera.Check:
    latest = pd.Timestamp(received_at + FUTURE_TOLERANCE)
    return pandera.Check.le(latest, error="must not be more than 1 day after the delivery was received")


def _is_embedding_whole(rows: pd.DataFrame) -> "pd.Series[bool]":
    missing = np.zeros(len(rows), dtype=np.int64)
    for name in EMBEDDING_COLUMNS:
        missing += np.isnan(rows[name].to_numpy())
    return pd.Series((missing == 0) | (missing == len(EMBEDDING_COLUMNS)), index=rows.index)
