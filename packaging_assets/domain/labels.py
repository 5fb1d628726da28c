"""Labels: what tests and customers say about a product in a package type, resolved to suitable or not.

A package test is an experiment and outranks customer feedback. Feedback exists only for the type that somebody chose
to ship in, so products of safe-looking kinds are over-represented in it; its rows carry a stabilised inverse
propensity weight, P(type shipped) / P(type shipped | category), which restores the mix of categories without letting
rare choices dominate (Robins, Hernan and Brumback, "Marginal structural models", Epidemiology 2000; clipped).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.parquet_files import list_parts, read_parquet, write_parquet

if TYPE_CHECKING:
    import pandas as pd

COUNT_COLUMNS = (
    "tests_passed",
    "tests_failed",
    "random_tests_passed",
    "random_tests_failed",
    "shipments",
    "damage_reports",
)
EVIDENCE_COLUMNS = ("product_id", "package_type", "category", *COUNT_COLUMNS, "first_evidence_at", "last_evidence_at")
VOLUME_COLUMNS = ("package_type", "week", "evidence_rows")

LABEL_SCHEMA = pa.schema(
    [
        pa.field("product_id", pa.string()),
        pa.field("package_type", pa.string()),
        pa.field("label", pa.int8()),
        pa.field("weight", pa.float64()),
        pa.field("is_random_test", pa.bool_()),
        pa.field("source", pa.string()),
        pa.field("first_evidence_at", pa.timestamp("us")),
        pa.field("last_evidence_at", pa.timestamp("us")),
        *(pa.field(name, pa.int64()) for name in COUNT_COLUMNS),
    ]
)
"""One row per product and package type with a label: 1 suitable, 0 not."""


class LabelError(ValueError):
    """The evidence cannot be resolved to labels; the message names file, row and remedy."""


class LabelParams(BaseModel):
    """When customer feedback is evidence enough, and how much one product may count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_damage_reports: int = Field(
        default=2, ge=1, description="Damage reports from which a package type is unsuitable."
    )
    min_shipments: int = Field(
        default=30, ge=1, description="Shipments without any damage report that make it suitable."
    )
    max_propensity_weight: float = Field(
        default=20.0, ge=1, description="Propensity weights are clipped to [1 / this, this]; 1 does without them."
    )
    feedback_weight: float = Field(
        default=1.0, gt=0, le=1000, description="What a label from feedback weighs, where one from a test weighs 1."
    )


def resolve_labels(inputs: Mapping[str, Path], params: LabelParams, output: Path) -> None:
    """Turn evidence into at most one label per product and package type.

    Tests decide by majority, a tie for unsuitable. Without tests, `min_damage_reports` decide for unsuitable and
    `min_shipments` without a report for suitable; anything between is no label.

    Args:
        inputs: `evidence`: Parquet parts of `EVIDENCE_COLUMNS`, one row per product and package type, and in its
            folder `volume` those of `VOLUME_COLUMNS`, new evidence rows per package type and week.
        params: thresholds and the clip of the weights.
        output: gets labels.parquet (`LABEL_SCHEMA`, by product_id and package_type) and volume.parquet.

    Raises:
        LabelError: a file or column is absent, a value is null, or a product and package type come twice.
    """
    evidence = _read(inputs["evidence"], EVIDENCE_COLUMNS).to_pandas()
    evidence = evidence.sort_values(["product_id", "package_type"], ignore_index=True)
    _check_grain(evidence)
    evidence["weight"] = _weights(evidence, params)
    evidence["label"], evidence["source"] = _resolve(evidence, params)
    evidence["is_random_test"] = (evidence["random_tests_passed"] + evidence["random_tests_failed"]) > 0
    labels = evidence[evidence["source"] != ""]
    write_parquet(
        pa.Table.from_pandas(labels[LABEL_SCHEMA.names], LABEL_SCHEMA, preserve_index=False),
        output / "labels.parquet",
    )
    volume = _read(inputs["evidence"] / "volume", VOLUME_COLUMNS).sort_by(
        [("package_type", "ascending"), ("week", "ascending")]
    )
    write_parquet(volume, output / "volume.parquet")


def _read(folder: Path, columns: tuple[str, ...]) -> pa.Table:
    parts = list_parts(folder)
    if not parts:
        raise LabelError(f"{folder} holds no Parquet file; materialize the evidence again")
    tables = [read_parquet(part) for part in parts]
    for part, table in zip(parts, tables, strict=True):
        absent = [name for name in columns if name not in table.column_names]
        if absent:
            raise LabelError(f"{part} lacks the column {absent[0]!r}; the query for the evidence must select it")
        with_nulls = [name for name in columns if table[name].null_count]
        if with_nulls:
            raise LabelError(f"{part} has nulls in {with_nulls[0]!r}; no evidence of a kind is a count of 0")
    return pa.concat_tables([table.select(columns) for table in tables])


def _check_grain(evidence: pd.DataFrame) -> None:
    is_repeated = evidence.duplicated(["product_id", "package_type"])
    if is_repeated.any():
        row = evidence[is_repeated].iloc[0]
        raise LabelError(
            f"the evidence has more than one row for product {row['product_id']!r} in {row['package_type']!r}; "
            "sum it to one row per product and package type"
        )


def _resolve(evidence: pd.DataFrame, params: LabelParams) -> tuple[np.ndarray, np.ndarray]:
    """Label (1, 0) and source per row; the source is empty where there is no label."""
    has_tests = (evidence["tests_passed"] + evidence["tests_failed"]) > 0
    is_damaged = evidence["damage_reports"] >= params.min_damage_reports
    is_safe = (evidence["damage_reports"] == 0) & (evidence["shipments"] >= params.min_shipments)
    label = np.where(has_tests, evidence["tests_passed"] > evidence["tests_failed"], is_safe)
    source = np.select([has_tests, is_damaged | is_safe], ["test", "feedback"], default="")
    return label.astype(np.int8), source


def _weights(evidence: pd.DataFrame, params: LabelParams) -> np.ndarray:
    """1 for rows with tests; P(type shipped) / P(type shipped | category), clipped and scaled, for the others."""
    is_shipped = (evidence["shipments"] > 0) | (evidence["damage_reports"] > 0)
    category_of = evidence.groupby("product_id")["category"].min()
    category = evidence["product_id"].map(category_of)
    products = len(category_of)
    products_in_category = evidence["product_id"].groupby(category).transform("nunique")
    shipped = is_shipped.groupby(evidence["package_type"]).transform("sum")
    shipped_in_category = is_shipped.groupby([evidence["package_type"], category]).transform("sum")
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 for types never shipped: only rows with tests
        weights = (shipped / products).to_numpy() / (shipped_in_category / products_in_category).to_numpy()
    limit = params.max_propensity_weight
    has_tests = ((evidence["tests_passed"] + evidence["tests_failed"]) > 0).to_numpy()
    return np.where(has_tests, 1.0, params.feedback_weight * np.clip(weights, 1 / limit, limit))
