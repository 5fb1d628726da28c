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
from packaging_assets.domain.title_words import WordCounter, describe_words

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BINS = 10
"""Bins of equal share per numeric feature; fewer where values repeat so much that quantiles coincide."""

QUANTILE_ROWS = 20_000
"""Values that say where bins end: of 10 bins each holds 10% of all values, give or take .2. Shares are of all."""

SMOOTHING_ROWS = 0.5
"""Rows added to each bin before shares are compared."""

FloatArray = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.floating[Any]]


def build_profile(
    frame: pd.DataFrame, features: FeatureSet, titles: pa.ChunkedArray | pa.Array | None = None
) -> dict[str, Any]:
    """Describe the rows a model was trained on.

    Scores are not part of it: a model is surer of the rows it learned from than of any others, so their scores are no
    measure for those of other rows (`score_profiles` keeps those of the validation rows).

    Args:
        frame: shape (rows, features), as made by `feature_frame`: numeric columns with NaN where missing, categorical
            ones with `MISSING`.
        features: which of its columns to describe.
        titles: shape (rows,), the products' titles; none where they are not known.

    Returns:
        `rows`; `numeric`: per feature its inner bin `edges` (at most 9, increasing, a value equal to an edge belongs
        above it), `shares` (one more than edges) and `missing_share`; `categorical`: per feature the known values'
        `shares`, `missing_share` and `singleton_share`; `title`: as `title_words.describe_words` gives it, or None.
    """
    return {
        "rows": len(frame),
        "numeric": {
            name: describe_numbers(frame[name].to_numpy()) for name in (*features.numeric, *features.embedding)
        },
        "categorical": {name: _describe_values(frame[name]) for name in features.categorical},
        "title": None if titles is None else describe_words(titles),
    }


def compare(
    profile: Mapping[str, Any], frame: pd.DataFrame, titles: pa.ChunkedArray | pa.Array | None = None
) -> dict[str, Any]:
    """Measure how far `frame` has drifted from the rows that `profile` describes.

    Args:
        profile: as made by `build_profile`.
        frame: shape (rows, features); has every feature of the profile.
        titles: shape (rows,); none to leave them out.

    Returns:
        As `ProfileComparison.drift`.
    """
    comparison = ProfileComparison(profile)
    comparison.add(frame, titles)
    return comparison.drift()


class ProfileComparison:
    """Compares rows with a profile, part by part: what it holds does not grow with the number of rows."""

    def __init__(self, profile: Mapping[str, Any]) -> None:
        self._profile = profile
        self._rows = 0
        self._bins = {name: np.zeros(len(column["shares"])) for name, column in profile["numeric"].items()}
        self._missing = dict.fromkeys((*profile["numeric"], *profile["categorical"]), 0)
        self._unseen = dict.fromkeys(profile["categorical"], 0)
        self._words = WordCounter(profile["title"]) if profile.get("title") else None
        self._has_titles = True

    def add(self, frame: pd.DataFrame, titles: pa.ChunkedArray | pa.Array | None = None) -> None:
        """Count some rows; without `titles`, words are left out of the comparison as a whole."""
        self._rows += len(frame)
        for name in self._bins:
            values = frame[name].to_numpy()
            bins = histogram(np.asarray(self._profile["numeric"][name]["edges"], dtype=np.float64), values)
            self._bins[name] += bins
            self._missing[name] += len(values) - int(bins.sum())
        for name in self._unseen:
            counts_by_value = _value_counts(frame[name])
            self._missing[name] += counts_by_value.pop(MISSING, 0)
            known = self._profile["categorical"][name]["shares"]
            self._unseen[name] += sum(count for value, count in counts_by_value.items() if value not in known)
        self._has_titles = self._has_titles and titles is not None
        if self._words is not None and titles is not None:
            self._words.add(titles)

    def drift(self) -> dict[str, Any]:
        """How far the rows counted so far have drifted.

        Returns:
            `rows`, `reference_rows`; `psi`: per numeric feature, over its rows with a value; `missing`: per feature
            `share`, `reference_share`, `increase` (a share, not percent) and `z` of that increase; `unseen`: per
            categorical feature the `share` of rows whose value the profile does not know, the `expected_share` of
            such rows were nothing changed, and the `excess` of the one over the other; `title_words`: the same of
            words, or None where the profile or some rows have no titles.
        """
        return {
            "rows": self._rows,
            "reference_rows": int(self._profile["rows"]),
            "psi": {name: self._index(name) for name in self._bins},
            "missing": {name: self._missingness(name) for name in self._missing},
            "unseen": {name: self._unseen_values(name) for name in self._unseen},
            "title_words": self._words.compare() if self._words is not None and self._has_titles else None,
        }

    def _index(self, name: str) -> float:
        reference = self._profile["numeric"][name]
        present = int(self._profile["rows"]) * (1 - float(reference["missing_share"]))
        expected = np.asarray(reference["shares"], dtype=np.float64) * present
        return population_stability_index(expected, self._bins[name])

    def _missingness(self, name: str) -> dict[str, float]:
        kind = "numeric" if name in self._bins else "categorical"
        before = float(self._profile[kind][name]["missing_share"])
        rows, reference_rows = self._rows, int(self._profile["rows"])
        share = _share(self._missing[name], rows)
        pooled = (self._missing[name] + before * reference_rows) / max(rows + reference_rows, 1)
        error = np.sqrt(pooled * (1 - pooled) * (1 / max(rows, 1) + 1 / max(reference_rows, 1)))
        increase = share - before
        return {
            "share": share,
            "reference_share": before,
            "increase": increase,
            "z": float(increase / error) if error > 0 else 0.0,
        }

    def _unseen_values(self, name: str) -> dict[str, float]:
        share = _share(self._unseen[name], self._rows)
        expected = float(self._profile["categorical"][name]["singleton_share"])
        return {"share": share, "expected_share": expected, "excess": share - expected}


def population_stability_index(reference: FloatArray, observed: FloatArray) -> float:
    """PSI of two histograms given as counts, shape (bins,) each, half a row added to each bin."""
    expected = (reference + SMOOTHING_ROWS) / (reference.sum() + SMOOTHING_ROWS * len(reference))
    actual = (observed + SMOOTHING_ROWS) / (observed.sum() + SMOOTHING_ROWS * len(observed))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def describe_numbers(values: Numbers) -> dict[str, Any]:
    """`edges`, `shares` and `missing_share` of values, shape (n,), NaN where missing; see `build_profile`."""
    edges = _inner_quantiles(values)
    bins = histogram(edges, values)
    present = int(bins.sum())
    return {
        "edges": edges.tolist(),
        "shares": (bins / max(present, 1)).tolist(),
        "missing_share": _share(len(values) - present, len(values)),
    }


def histogram(edges: FloatArray, values: Numbers) -> FloatArray:
    """How many values are in each bin, NaN in none; shape (edges + 1,). A value at an edge is in the bin above.

    Comparing all values with each of some nine edges takes a thirtieth of the time of sorting them.
    """
    present = len(values) - int(np.count_nonzero(np.isnan(values)))
    below = [np.count_nonzero(values < edge) for edge in _least_not_below(edges, values.dtype)]
    return np.diff(below, prepend=0, append=present).astype(np.float64)


def _least_not_below(edges: FloatArray, dtype: np.dtype[np.floating[Any]]) -> Numbers:
    """The least numbers of a type that are not below the edges: just the same values are less than those."""
    rounded = edges.astype(dtype)
    return np.where(rounded < edges, np.nextafter(rounded, np.array(np.inf, dtype)), rounded)


def _inner_quantiles(values: Numbers) -> FloatArray:
    """The distinct values that divide those present into `BINS` of equal share, interpolated linearly (at most 9).

    At most `QUANTILE_ROWS` of them are looked at, evenly spaced. Sorting float32 takes a third of the time of asking
    for nine quantiles in float64.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return np.empty(0)
    ascending = np.sort(present[:: -(-len(present) // QUANTILE_ROWS)])
    positions = np.arange(1, BINS) / BINS * (len(ascending) - 1)
    below = np.floor(positions).astype(np.intp)
    low = ascending[below].astype(np.float64)
    high = ascending[np.minimum(below + 1, len(ascending) - 1)].astype(np.float64)
    return np.unique(low + (high - low) * (positions - below))


def _describe_values(column: pd.Series[Any]) -> dict[str, Any]:
    counts = _value_counts(column)
    missing = counts.pop(MISSING, 0)
    # Good (1953), "The population frequencies of species": the share of values not seen yet is about the share of
    # rows whose value was seen once. Long-tailed features such as brand have new values every week.
    singletons = sum(count == 1 for count in counts.values())
    return {
        "shares": {value: _share(count, len(column)) for value, count in counts.items()},
        "missing_share": _share(missing, len(column)),
        "singleton_share": _share(singletons, len(column)),
    }


def _value_counts(column: pd.Series[Any]) -> dict[str, int]:
    """Rows per value that occurs, in the order of the values."""
    counts = column.value_counts().to_dict()
    return {str(value): int(count) for value, count in sorted(counts.items()) if count > 0}


def _share(count: int, rows: int) -> float:
    return count / rows if rows else 0.0
