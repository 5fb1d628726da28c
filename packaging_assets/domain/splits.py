"""Splits: which labelled products train a model and which judge it.

With the hash method a product's side depends on its id and the seed alone: it is the same in every week and for every
package type, so a champion was never trained on the rows that later judge its challenger. Variants of one product
(sizes, colours) are almost the same row, and a model that has seen one of them knows the others: with `group_by` the
side depends on a column that they share in place of the id, as in scikit-learn's GroupShuffleSplit.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, model_validator

from packaging_assets.domain.features import FIT_COLUMNS, PackageType
from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.domain.parquet_files import list_parts, read_parquet, write_parquet

SPLIT_COLUMNS = ("product_id", "label", "weight", "is_random_test")
"""Of train.parquet and validation.parquet, in the order of `product_id`; label: 1 suitable, 0 not."""

GROUP = "group"
"""A column more, of splits with `group_by`: what decided on the row's side."""

SUMMARY = "split.json"

BITS_OF_HASH = 64

GROUPS_NEED_HASH = (
    "`group_by` belongs to the split method 'hash': by time, a product's side is decided by when it was first seen; "
    "take out one of the two"
)


class SplitError(ValueError):
    """The labels cannot be split so that a model can be trained and judged; the message says why and what to do."""


class SplitParams(BaseModel):
    """Which rows go where."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: PackageType
    method: Literal["hash", "time"] = Field(
        default="hash",
        description="hash: by product id, the same in every week; time: products first seen lately validate.",
    )
    validation_fraction: float = Field(default=0.25, gt=0, lt=1, description="Share of products that validate (hash).")
    seed: int = Field(
        default=20250106, ge=0, lt=10**16, description="Another seed draws other validation products (hash)."
    )
    group_by: str | None = Field(
        default=None,
        description="Text column of the features; products that have the same value are on the same side (hash).",
    )
    validation_weeks: int = Field(
        default=4, ge=1, description="Products first seen in the last so many weeks validate (time)."
    )
    week: dt.date | None = Field(default=None, description="Monday of the training week, needed by the time method.")

    @model_validator(mode="after")
    def _time_needs_week(self) -> SplitParams:
        if self.method == "time" and self.week is None:
            raise ValueError("the split method 'time' needs `week`, the Monday of the training week")
        if self.method == "time" and self.group_by is not None:
            raise ValueError(GROUPS_NEED_HASH)
        return self


def split(inputs: Mapping[str, Path], params: SplitParams, output: Path) -> None:
    """Divide the labelled products of one package type that fit into it.

    Products that do not fit by their measures are left out: the answer is known without a model, and easy rows would
    flatter it.

    Args:
        inputs: `labels` (labels.parquet) and `features` (Parquet parts with `product_id`, `fits_<type>` and the column
            of `group_by`).
        params: package type and method.
        output: gets train.parquet and validation.parquet (`SPLIT_COLUMNS`, and `GROUP` where there are groups) and
            split.json (rows, positives, label rate and groups of both sides, and how many labels were left out for
            which reason).

    Raises:
        SplitError: a side is empty or has one class only, or there is no text column `group_by`.
    """
    columns = ("package_type", *SPLIT_COLUMNS, "first_evidence_at")
    every_type = read_parquet(inputs["labels"] / "labels.parquet", columns, dictionary=("package_type",))
    labels = every_type.filter(pc.equal(every_type["package_type"], params.package_type)).sort_by("product_id")
    kept, excluded = _keep_fitting(labels, inputs["features"], params)
    is_validation = pa.array(_is_validation(kept, every_type, params))
    sides = {"train": kept.filter(pc.invert(is_validation)), "validation": kept.filter(is_validation)}
    columns, unsaid = ((*SPLIT_COLUMNS, GROUP), None) if params.group_by else (SPLIT_COLUMNS, {"group_by"})
    summary: dict[str, Any] = {"excluded": excluded, **params.model_dump(mode="json", exclude=unsaid)}
    for side, of_side in sides.items():
        rows = of_side.select(columns)
        summary[side] = _summarise(rows)
        _check_side(side, summary, params)
        write_parquet(rows, output / f"{side}.parquet")
    write_json(output / SUMMARY, summary)


def read_group_by(folder: Path) -> str | None:
    """By which column of the features a split in `folder` keeps products together; None if each is by itself."""
    return read_json(folder / SUMMARY).get("group_by")


def group_numbers(rows: pa.Table) -> npt.NDArray[np.int32] | None:
    """A number from 0 for the group of each row of a split, shape (rows,); None where the split has no groups."""
    return rows[GROUP].combine_chunks().dictionary_encode().indices.to_numpy() if GROUP in rows.column_names else None


def read_groups(features: Path, group_by: str | None, more: Sequence[str] = ()) -> pa.Table:
    """What products are divided by.

    Args:
        features: Parquet parts.
        group_by: a text column of theirs; None divides product by product.
        more: further columns of theirs.

    Returns:
        One row per product: `product_id`, `GROUP` (the value of `group_by`, the product id where there is none), and
        the columns of `more`.

    Raises:
        SplitError: there is no text column `group_by`.
    """
    columns = dict.fromkeys(("product_id", *more, *((group_by,) if group_by else ())))
    parts = list_parts(features)
    if group_by:
        _check_is_text(group_by, pq.read_schema(parts[0]))
    known = pa.concat_tables([read_parquet(part, tuple(columns)) for part in parts])
    group = pc.coalesce(known[group_by], known["product_id"]) if group_by else known["product_id"]
    return known.select(["product_id", *more]).append_column(GROUP, group)


def _check_is_text(group_by: str, schema: pa.Schema) -> None:
    texts = [field.name for field in schema if pa.types.is_string(field.type) and field.name != "product_id"]
    if group_by not in texts:
        found = f"is of type {schema.field(group_by).type}" if group_by in schema.names else "is not there"
        raise SplitError(
            f"the split's `group_by` names the features' column {group_by!r}, which {found}; name one of "
            f"{', '.join(texts)}, or name it in a model's YAML and materialize the week's features again"
        )


def _keep_fitting(labels: pa.Table, features: Path, params: SplitParams) -> tuple[pa.Table, dict[str, int]]:
    fits = FIT_COLUMNS[params.package_type]
    known = read_groups(features, params.group_by, (fits,))
    position = pc.index_in(labels["product_id"], value_set=known["product_id"])
    grouped = labels.append_column(GROUP, known[GROUP].take(position))
    kept = grouped.filter(known[fits].take(position))
    no_features = position.null_count
    return kept, {"no_features": no_features, "does_not_fit": len(labels) - no_features - len(kept)}


def _count(mask: pa.ChunkedArray) -> int:
    return pc.sum(mask, min_count=0).as_py()


def _first_seen(labels: pa.Table) -> pa.Table:
    """When evidence about a product, in whichever package type, came first."""
    return labels.group_by("product_id").aggregate([("first_evidence_at", "min")])


def _is_validation(rows: pa.Table, every_type: pa.Table, params: SplitParams) -> npt.NDArray[np.bool_]:
    if params.week is None or params.method == "hash":
        return hash_to_unit_interval(rows[GROUP], params.seed) < params.validation_fraction
    monday = params.week + dt.timedelta(weeks=1 - params.validation_weeks)
    boundary = pa.scalar(dt.datetime.combine(monday, dt.time()), pa.timestamp("us"))
    first_seen = _first_seen(every_type)
    position = pc.index_in(rows["product_id"], value_set=first_seen["product_id"])
    seen_at = first_seen["first_evidence_at_min"].take(position)
    return pc.greater_equal(seen_at, boundary).to_numpy()


def hash_to_unit_interval(ids_or_groups: pa.ChunkedArray, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) per product or group, which depends on it and the seed only (SipHash with the seed as key)."""
    import pandas as pd

    ids = np.asarray(ids_or_groups.to_pylist(), dtype=object)
    hashes = pd.util.hash_array(ids, hash_key=f"{seed:016d}", categorize=False)
    return np.ldexp((hashes >> np.uint64(11)).astype(np.float64), 11 - BITS_OF_HASH)  # 53 bits: exact, never 1.0


def _summarise(rows: pa.Table) -> dict[str, Any]:
    positives = pc.sum(rows["label"], min_count=0).as_py()
    return {
        "rows": len(rows),
        "positives": positives,
        "label_rate": positives / len(rows) if len(rows) else None,
        "random_tests": _count(rows["is_random_test"]),
        **({"groups": len(rows[GROUP].unique())} if GROUP in rows.column_names else {}),
    }


def _check_side(side: str, summary: Mapping[str, Any], params: SplitParams) -> None:
    rows, positives = summary[side]["rows"], summary[side]["positives"]
    if 0 < positives < rows:
        return
    what = "no rows" if rows == 0 else f"{rows} rows, all with the label {int(positives > 0)}"
    excluded = ", ".join(f"{reason} {count}" for reason, count in summary["excluded"].items())
    remedy = "validation_fraction" if params.method == "hash" else "validation_weeks"
    raise SplitError(
        f"the {side} side of {params.package_type} has {what} (labels left out: {excluded}); "
        f"wait for more labels, or change `{remedy}` of the split"
    )
