"""Reference statistics of a model's training features, and how far other rows have drifted from them.

A profile is plain JSON of a few kilobytes, kept beside the model it describes, so that drift is always measured
against what the model really learned from. Limits on drift are not here: they are the gates' business.

The population stability index of two histograms is PSI = sum((q - p) ln(q / p)), p the reference's shares and q those
of the rows compared. Half a row is added to every bin on both sides, so that an empty bin gives a finite PSI which
still grows with the number of rows that say so. Between two samples of one population, of n and m rows in ten bins,
PSI (1/n + 1/m)^-1 is chi-square with 9 degrees of freedom (Yurdakul and Naranjo, "Statistical properties of the
population stability index", 2020): mean 18/n for n = m.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.features import MISSING, FeatureSet

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
"""Bins of equal share per numeric feature; fewer where values repeat so much that quantiles coincide."""

SMOOTHING_ROWS = 0.5
"""Rows added to each bin before shares are compared."""

FloatArray = npt.NDArray[np.float64]


def build_profile(frame: pd.DataFrame, features: FeatureSet, scores: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    """Describe the rows a model was trained on.

    Args:
        frame: shape (rows, features), as made by `feature_frame`: numeric columns with NaN where missing, categorical
            ones with `MISSING`.
        features: which of its columns to describe.
        scores: shape (rows,), the model's probabilities for these rows. A model is surer of rows it learned from than
            of others, so compare them with scores of rows it has not seen only with that in mind.

    Returns:
        `rows`; `numeric`: per feature its inner bin `edges` (at most 9, increasing, a value equal to an edge belongs
        above it), `shares` (one more than edges) and `missing_share`; `categorical`: per feature the known values'
        `shares`, `missing_share` and `singleton_share`; `score`: `edges` and `shares`.
    """
    return {
        "rows": len(frame),
        "numeric": {name: _describe_numbers(_numbers(frame, name)) for name in features.numeric},
        "categorical": {name: _describe_values(frame[name]) for name in features.categorical},
        "score": _describe_numbers(np.asarray(scores, dtype=np.float64)),
    }


def compare(
    profile: Mapping[str, Any], frame: pd.DataFrame, scores: npt.NDArray[np.floating[Any]] | None = None
) -> dict[str, Any]:
    """Measure how far `frame` has drifted from the rows that `profile` describes.

    Args:
        profile: as made by `build_profile`.
        frame: shape (rows, features), at least one row; has every feature of the profile.
        scores: shape (any,), the same model's probabilities to hold against the profile's; none to leave them out.

    Returns:
        `rows`, `reference_rows`; `psi`: per numeric feature, over its rows with a value; `missing`: per feature
        `share`, `reference_share`, `increase` (a share, not percent) and `z` of that increase; `unseen`: per
        categorical feature the `share` of rows whose value the profile does not know, the `expected_share` of such
        rows were nothing changed, and the `excess` of the one over the other; `score_psi`, or None without scores.
    """
    reference_rows = int(profile["rows"])
    drift: dict[str, Any] = {"rows": len(frame), "reference_rows": reference_rows, "psi": {}, "missing": {}}
    for name, reference in profile["numeric"].items():
        values = _numbers(frame, name)
        drift["psi"][name] = _psi_against(reference, values, reference_rows)
        drift["missing"][name] = _missingness(float(np.isnan(values).mean()), reference, len(frame), reference_rows)
    drift["unseen"] = {}
    for name, reference in profile["categorical"].items():
        shares = _value_shares(frame[name])
        drift["missing"][name] = _missingness(shares.pop(MISSING, 0.0), reference, len(frame), reference_rows)
        drift["unseen"][name] = _unseen(shares, reference)
    drift["score_psi"] = (
        None if scores is None else _psi_against(profile["score"], np.asarray(scores, np.float64), reference_rows)
    )
    return drift


def population_stability_index(reference: FloatArray, observed: FloatArray) -> float:
    """PSI of two histograms given as counts, shape (bins,) each, half a row added to each bin."""
    expected = (reference + SMOOTHING_ROWS) / (reference.sum() + SMOOTHING_ROWS * len(reference))
    actual = (observed + SMOOTHING_ROWS) / (observed.sum() + SMOOTHING_ROWS * len(observed))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def _numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    return frame[name].to_numpy(dtype=np.float64)


def _describe_numbers(values: FloatArray) -> dict[str, Any]:
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1])) if len(present) else np.empty(0)
    return {
        "edges": edges.tolist(),
        "shares": (_histogram(edges, present) / max(len(present), 1)).tolist(),
        "missing_share": _share(len(values) - len(present), len(values)),
    }


def _histogram(edges: FloatArray, present: FloatArray) -> FloatArray:
    return np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1).astype(np.float64)


def _describe_values(column: pd.Series[Any]) -> dict[str, Any]:
    counts = column.value_counts()
    counts = counts[counts > 0]
    shares = _value_shares(column)
    missing_share = shares.pop(MISSING, 0.0)
    return {
        "shares": shares,
        "missing_share": missing_share,
        # Good (1953), "The population frequencies of species": the share of values not seen yet is about the share
        # of rows whose value was seen once. Long-tailed features such as brand have new values every week.
        "singleton_share": _share(int((counts == 1).sum()), len(column)),
    }


def _value_shares(column: pd.Series[Any]) -> dict[str, float]:
    counts = column.value_counts()
    return {
        str(value): _share(int(count), len(column)) for value, count in sorted(counts.to_dict().items()) if count > 0
    }


def _share(count: int, rows: int) -> float:
    return count / rows if rows else 0.0


def _psi_against(reference: Mapping[str, Any], values: FloatArray, reference_rows: int) -> float:
    present = values[~np.isnan(values)]
    present_in_reference = reference_rows * (1 - float(reference["missing_share"]))
    expected = np.asarray(reference["shares"], dtype=np.float64) * present_in_reference
    observed = _histogram(np.asarray(reference["edges"], dtype=np.float64), present)
    return population_stability_index(expected, observed)


def _missingness(share: float, reference: Mapping[str, Any], rows: int, reference_rows: int) -> dict[str, float]:
    before = float(reference["missing_share"])
    pooled = (share * rows + before * reference_rows) / (rows + reference_rows)
    error = np.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / reference_rows))
    increase = share - before
    return {
        "share": share,
        "reference_share": before,
        "increase": increase,
        "z": float(increase / error) if error > 0 else 0.0,
    }


def _unseen(shares: Mapping[str, float], reference: Mapping[str, Any]) -> dict[str, float]:
    share = sum(share for value, share in shares.items() if value not in reference["shares"])
    expected = float(reference["singleton_share"])
    return {"share": share, "expected_share": expected, "excess": share - expected}
