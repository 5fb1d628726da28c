"""A model's scores of rows it was not trained on: what later scores of the same model are held against.

Kept with the metrics of the version, from its validation rows. The scores of its training rows would not do: a model
is surer of those, and over the simulated retailer's unchanged weeks the index against them was .002 to .015, against
.0002 at most with validation rows. Nor would the candidate's scores on the champion's rows: they tell
how a retrain differs, which the paired comparison tells better, while the champion's own scores, then and now, tell
what has changed about the products as far as it matters to a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from packaging_assets.domain.average_precision import FloatArray, Labels
from packaging_assets.domain.performance_estimation import ScoreCounts, calibration_curve
from packaging_assets.domain.profiles import describe_numbers, histogram, population_stability_index


def describe_scores(y: Labels, scores: FloatArray, minority_label: int) -> dict[str, Any]:
    """Describe a model's scores of rows it has not seen.

    Args:
        y: shape (rows,), labels.
        scores: shape (rows,), probabilities of label 1; at least one.
        minority_label: the label whose PR-AUC is estimated.

    Returns:
        `rows`; `edges` and `shares` of at most ten bins; `minority_label`; `calibration`: as `calibration_curve`;
        `estimated_pr_auc`: what `ScoreCounts` makes of these very rows.
    """
    numbers = describe_numbers(scores)
    curve = calibration_curve(y, scores)
    counts = ScoreCounts()
    counts.add(scores)
    return {
        "rows": len(scores),
        "edges": numbers["edges"],
        "shares": numbers["shares"],
        "minority_label": minority_label,
        "calibration": curve,
        "estimated_pr_auc": counts.expected_pr_auc(curve, minority_label),
    }


def score_bins(profile: Mapping[str, Any], scores: FloatArray) -> FloatArray:
    """How many scores fall into each of the profile's bins, shape (bins,); counts of parts may be added up."""
    return histogram(np.asarray(profile["edges"], dtype=np.float64), scores)


def score_index(profile: Mapping[str, Any], counts: FloatArray) -> float:
    """Population stability index of counts made by `score_bins` against the profile."""
    return population_stability_index(np.asarray(profile["shares"], np.float64) * int(profile["rows"]), counts)
