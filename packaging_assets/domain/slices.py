"""Slices of the evaluation rows: where a candidate may be worse though it is as good overall.

In each slice the two models' log-losses are compared row by row. A slice is worse when the mean difference is
significant at Holm's level over all slices tested (Holm 1979) and the slice's log-loss has grown by more than the
policy allows: with many rows every retrain differs significantly somewhere. Where the split has groups, these are what
is independent: a slice needs as many of them as it would need rows, and differences are summed within a group before
they are squared, as in `average_precision`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.average_precision import FloatArray, Groups, Labels
from packaging_assets.domain.features import MISSING
from packaging_assets.domain.gate_policy import GatePolicy

if TYPE_CHECKING:
    import pandas as pd

MAX_Z = 99.0
"""Beyond all doubt, where a difference is the same in every row; JSON has no infinity."""

SMALLEST_ERROR = 1e-12


def log_losses(y: Labels, scores: FloatArray) -> FloatArray:
    """-ln of the probability given to what happened, shape (n,); probabilities kept one rounding error off 0 and 1."""
    tiny = np.finfo(np.float64).eps
    probabilities = np.clip(scores, tiny, 1 - tiny)
    return -np.log(np.where(y == 1, probabilities, 1 - probabilities))


def slice_rows(frame: pd.DataFrame, policy: GatePolicy) -> dict[str, pd.Categorical[Any]]:
    """Which slice of each dimension each row is in.

    Args:
        frame: shape (rows, at least the policy's columns): `slice_categories` as categories, `slice_bands` as numbers.
        policy: which columns, and into how many bands of equally many rows numbers are cut.

    Returns:
        Dimension (the column's name) -> the slice of each row, shape (rows,), named by its category.
    """
    import pandas as pd

    dimensions: dict[str, pd.Categorical[Any]] = {name: pd.Categorical(frame[name]) for name in policy.slice_categories}
    for name in policy.slice_bands:
        dimensions[name] = _bands(frame[name].to_numpy(np.float64), policy.slice_band_count)
    return dimensions


def _bands(values: FloatArray, count: int) -> pd.Categorical[Any]:
    import pandas as pd

    is_present = ~np.isnan(values)
    edges = np.unique(np.quantile(values[is_present], np.linspace(0, 1, count + 1)[1:-1])) if is_present.any() else []
    texts = [f"{edge:.4g}" for edge in edges]
    # Texts of neighbouring edges may be equal, and names must differ: a band of no width keeps its number.
    ends = [f"below {texts[0]}", *map("{} to {}".format, texts, texts[1:]), f"from {texts[-1]}"] if texts else []
    names = [name if ends.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(ends)]
    codes = np.where(is_present, np.searchsorted(edges, values, side="right"), len(names)).clip(max=len(names))
    return pd.Categorical.from_codes(codes, categories=pd.Index([*names, MISSING], dtype=object))


def compare_slices(
    dimensions: Mapping[str, pd.Categorical[Any]],
    y: Labels,
    candidate: FloatArray,
    champion: FloatArray,
    policy: GatePolicy,
    groups: Groups | None = None,
) -> dict[str, Any]:
    """Compare two models on every slice with enough rows of the rarer label, or enough groups with such rows.

    Args:
        dimensions: as made by `slice_rows`.
        y: shape (rows,), 1 for the rarer label.
        candidate: shape (rows,), probabilities of y = 1.
        champion: likewise.
        policy: the least number of rows, and the limits for `is_worse`.
        groups: shape (rows,), see `Groups`; by default each row is independent of all others.

    Returns:
        `policy`: the limits used; `rows`: per slice `dimension`, `value`, `rows`, `minority_rows`,
        `candidate_log_loss`, `champion_log_loss`, `relative_change`, `z` (positive: the candidate is worse),
        `p_value` (one-sided), `p_value_holm` and `is_worse`.
    """
    losses = log_losses(y, candidate), log_losses(y, champion)
    rows: list[dict[str, Any]] = []
    for dimension, values in dimensions.items():
        rows += _compare_dimension(dimension, values, y, losses, policy.slice_min_minority_rows, groups)
    for row, adjusted in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        row["p_value_holm"] = adjusted
        row["is_worse"] = adjusted < policy.slice_significance and row["relative_change"] > policy.slice_worse_error
    return {
        "policy": {
            "min_minority_rows": policy.slice_min_minority_rows,
            "significance": policy.slice_significance,
            "max_relative_change": policy.slice_worse_error,
        },
        "rows": rows,
    }


def _compare_dimension(
    dimension: str,
    values: pd.Categorical[Any],
    y: Labels,
    losses: tuple[FloatArray, FloatArray],
    min_minority_rows: int,
    groups: Groups | None,
) -> list[dict[str, Any]]:
    codes, count = values.codes, len(values.categories)
    sums = [np.bincount(codes, weights=weights, minlength=count) for weights in (np.ones(len(y)), y, *losses)]
    means = (sums[2] - sums[3]) / np.maximum(sums[0], 1)
    units, slice_of = _units(codes, groups)
    deviations = np.bincount(units, weights=losses[0] - losses[1] - means[codes])
    squares = np.bincount(slice_of, weights=deviations**2, minlength=count)
    independent = np.bincount(slice_of, weights=np.bincount(units, weights=y) > 0, minlength=count)
    slices = [
        {"dimension": dimension, "value": str(name), **_compare_slice(*map(float, figures))}
        for name, enough, *figures in zip(values.categories, independent, *sums, squares, strict=True)
        if enough >= min_minority_rows
    ]
    return sorted(slices, key=lambda row: row["value"])


def _units(codes: npt.NDArray[np.integer[Any]], groups: Groups | None) -> tuple[Groups, Groups]:
    """Which unit each row is, shape (rows,): itself, or what its slice has of its group; and the slice of each unit."""
    if groups is None:
        return np.arange(len(codes)), codes
    stride = int(groups.max(initial=0)) + 1
    distinct, unit = np.unique(codes.astype(np.int64) * stride + groups, return_inverse=True)
    return unit, distinct // stride


def _compare_slice(
    rows: float, minority_rows: float, candidate_loss: float, champion_loss: float, squares: float
) -> dict[str, Any]:
    difference = (candidate_loss - champion_loss) / rows
    error = math.sqrt(squares) / rows
    z = max(-MAX_Z, min(MAX_Z, difference / max(error, SMALLEST_ERROR)))
    return {
        "rows": int(rows),
        "minority_rows": int(minority_rows),
        "candidate_log_loss": candidate_loss / rows,
        "champion_log_loss": champion_loss / rows,
        "relative_change": candidate_loss / champion_loss - 1,
        "z": z,
        "p_value": 0.5 * math.erfc(z / math.sqrt(2)),
    }


def holm(p_values: list[float]) -> list[float]:
    """Holm's adjusted p-values: one at most a may be called significant with at most a chance of a of any error."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
