"""Rows scored by candidate and champion, and every figure that follows from labels and scores alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from packaging_assets.domain.average_precision import (
    FloatArray,
    Groups,
    Labels,
    area_under_roc,
    average_precision,
    average_precision_error,
    error_of_sum,
    paired_average_precision_difference,
    recall_at_precision,
)
from packaging_assets.domain.slices import log_losses

if TYPE_CHECKING:
    import numpy.typing as npt

RECALL_PRECISION = 0.95
"""Precision at which recall is reported: one wrong package in twenty."""


class Scored(NamedTuple):
    """The rows that judge, with probabilities P(suitable), shape (rows,) each; `groups` where the split has groups."""

    ids: pa.Array
    y: Labels
    candidate: FloatArray
    champion: FloatArray | None
    is_random_test: npt.NDArray[np.bool_]
    groups: Groups | None = None

    def only(self, mask: npt.NDArray[np.bool_]) -> Scored:
        """The rows where `mask`, shape (rows,), is true."""
        return Scored(
            self.ids.filter(pa.array(mask)),
            self.y[mask],
            self.candidate[mask],
            None if self.champion is None else self.champion[mask],
            self.is_random_test[mask],
            None if self.groups is None else self.groups[mask],
        )


def finite(value: float) -> float | None:
    """JSON has no NaN; what could not be computed is null, and null evidence fails its check."""
    return float(value) if math.isfinite(value) else None


def toward(minority_label: int, y: Labels, scores: FloatArray) -> tuple[Labels, FloatArray]:
    """Labels and scores as seen from the minority: 1 is the minority label."""
    return (y, scores) if minority_label == 1 else (1 - y, 1 - scores)


def measure_candidate(scored: Scored, minority_label: int) -> dict[str, Any]:
    """How good the candidate is by itself."""
    y, scores = toward(minority_label, scored.y, scored.candidate)
    return {
        "minority_label": minority_label,
        "minority_rows": int(y.sum()),
        "minority_groups": None if scored.groups is None else len(np.unique(scored.groups[y == 1])),
        "minority_rate": float(y.mean()),
        **_quality(y, scores),
        "pr_auc_standard_error": average_precision_error(y, scores, scored.groups),
        "recall_at_95_precision": recall_at_precision(y, scores, RECALL_PRECISION),
        # Average precision of a constant score: every row is in one tie.
        "constant_baseline": {"pr_auc": float(y.mean())},
        "calibration": calibration(y, scores, scored.groups),
    }


def _quality(y: Labels, scores: FloatArray) -> dict[str, Any]:
    return {
        "pr_auc": average_precision(y, scores),
        "roc_auc": area_under_roc(y, scores),
        "log_loss": float(log_losses(y, scores).mean()),
    }


def calibration(y: Labels, scores: FloatArray, groups: Groups | None = None) -> dict[str, Any]:
    """Whether the scores, shape (n,), add up to the number of rows with y = 1; null where that cannot be said.

    The variance is that which the scores promise; with `groups` also what rows of one group have turned out to have
    in common, if that makes it larger.
    """
    expected, observed = float(scores.sum()), int(y.sum())
    variance = float((scores * (1 - scores)).sum())
    if groups is not None:
        residuals = y - scores - (y - scores).mean()
        variance += max(0.0, error_of_sum(residuals, groups) ** 2 - error_of_sum(residuals) ** 2)
    spread = math.sqrt(variance)
    return {
        "expected": expected,
        "observed": observed,
        "ratio": finite(observed / expected) if expected > 0 else None,
        "z": finite((observed - expected) / spread) if spread > 0 else None,
    }


def compare_with_champion(scored: Scored, minority_label: int, version: int | None) -> dict[str, Any] | None:
    """The champion on the same rows, and the paired difference; None without a champion."""
    if scored.champion is None:
        return None
    y, candidate = toward(minority_label, scored.y, scored.candidate)
    _, champion = toward(minority_label, scored.y, scored.champion)
    paired = paired_average_precision_difference(y, champion, candidate, scored.groups)
    return {
        "version": version,
        **_quality(y, champion),
        "difference": paired.difference,
        "standard_error": paired.standard_error,
    }
