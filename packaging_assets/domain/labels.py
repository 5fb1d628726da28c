"""Labels: what tests and customers say about a product in a package type, resolved to suitable or not.

A package test is an experiment and outranks customer feedback. Feedback exists only for the type that somebody chose
to ship in, so products of safe-looking kinds are over-represented in it; its rows carry a stabilised inverse
propensity weight, P(type shipped) / P(type shipped | category), which restores the mix of categories without letting
rare choices dominate (Robins, Hernan and Brumback, "Marginal structural models", Epidemiology 2000; clipped).
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from packaging_assets.domain.parquet_files import list_parts, read_parquet, write_parquet
from packaging_assets.domain.row_order import in_order, is_before_next
from packaging_assets.domain.written_fields import WrittenFields

GRAIN = ("product_id", "package_type")
SOURCES = ("test", "feedback")

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


class LabelParams(WrittenFields):
    """When customer feedback is evidence enough, and how much one product may count."""

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
    evidence = in_order(_read(inputs["evidence"], EVIDENCE_COLUMNS), GRAIN)
    _check_grain(evidence)
    has_tests = _sum_of(evidence, "tests_passed", "tests_failed") > 0
    label, source = _resolve(evidence, has_tests, params)
    known = {
        **{name: evidence[name] for name in LABEL_SCHEMA.names if name in evidence.column_names},
        "label": pa.array(label),
        "weight": pa.array(_weights(evidence, has_tests, params)),
        "is_random_test": pa.array(_sum_of(evidence, "random_tests_passed", "random_tests_failed") > 0),
        "source": source,
    }
    labels = pa.table([known[name].cast(LABEL_SCHEMA.field(name).type) for name in LABEL_SCHEMA.names], LABEL_SCHEMA)
    write_parquet(labels.filter(source.is_valid()), output / "labels.parquet")
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


def _check_grain(evidence: pa.Table) -> None:
    """Whether there is one row per product and package type, given rows in their order."""
    row = pc.index(is_before_next(evidence, GRAIN), value=False).as_py()
    if row >= 0:
        product_id, package_type = (evidence[name][row].as_py() for name in GRAIN)
        raise LabelError(
            f"the evidence has more than one row for product {product_id!r} in {package_type!r}; "
            "sum it to one row per product and package type"
        )


def _resolve(
    evidence: pa.Table, has_tests: npt.NDArray[np.bool_], params: LabelParams
) -> tuple[np.ndarray, pa.DictionaryArray]:
    """Label (1, 0) and source (of `SOURCES`) per row; the source is null where there is no label."""
    passed, failed = _sum_of(evidence, "tests_passed"), _sum_of(evidence, "tests_failed")
    reports, shipments = _sum_of(evidence, "damage_reports"), _sum_of(evidence, "shipments")
    is_damaged = reports >= params.min_damage_reports
    is_safe = (reports == 0) & (shipments >= params.min_shipments)
    label = np.where(has_tests, passed > failed, is_safe)
    has_label = has_tests | is_damaged | is_safe
    source = pa.array(np.where(has_tests, 0, 1).astype(np.int8), mask=~has_label)
    return label.astype(np.int8), pa.DictionaryArray.from_arrays(source, pa.array(SOURCES))


def _weights(evidence: pa.Table, has_tests: npt.NDArray[np.bool_], params: LabelParams) -> np.ndarray:
    """1 for rows with tests; P(type shipped) / P(type shipped | category), clipped and scaled, for the others."""
    is_shipped = _sum_of(evidence, "shipments", "damage_reports") > 0
    package_type = _rank(evidence["package_type"])
    product, category_of = _products(evidence)
    category = category_of[product]
    groups = package_type * (int(category_of.max(initial=0)) + 1) + category
    products_in_category = np.bincount(category_of)[category]
    shipped = np.bincount(package_type, weights=is_shipped)[package_type]
    shipped_in_category = np.bincount(groups, weights=is_shipped)[groups]
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 for types never shipped: only rows with tests
        weights = (shipped / len(category_of)) / (shipped_in_category / products_in_category)
    limit = params.max_propensity_weight
    return np.where(has_tests, 1.0, params.feedback_weight * np.clip(weights, 1 / limit, limit))


def _products(evidence: pa.Table) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The number of each row's product, shape (rows,), and that of its least category, shape (products,)."""
    is_first = np.ones(len(evidence), dtype=bool)
    ids = evidence["product_id"].combine_chunks()
    is_first[1:] = pc.not_equal(ids[:-1], ids[1:]).to_numpy(zero_copy_only=False)
    return np.cumsum(is_first) - 1, np.minimum.reduceat(_rank(evidence["category"]), np.flatnonzero(is_first))


def _rank(texts: pa.ChunkedArray) -> npt.NDArray[np.intp]:
    """The number of each text among the distinct ones in their order, shape (rows,)."""
    encoded = texts.combine_chunks().dictionary_encode()
    rank = np.empty(len(encoded.dictionary), np.intp)
    rank[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank))
    return rank[encoded.indices.to_numpy()]


def _sum_of(evidence: pa.Table, *columns: str) -> npt.NDArray[np.int64]:
    return functools.reduce(np.add, (evidence[name].to_numpy() for name in columns))
