"""Confidence-based performance estimation: the PR-AUC a model should have on rows whose labels are not known.

If a calibrated score says .8, eight in ten such rows have the label; counting each row as that share of one gives
every figure in expectation (Guo et al. 2017 on calibration; known as CBPE). It sees products that are harder to tell
apart. It does not see that the same products have come to behave differently: no method without labels does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from packaging_assets.domain.average_precision import FloatArray, Labels, sum_from

SCORE_BINS = 2_000
"""Scores are counted in bins of .0005, which moves an average precision by less than .0005."""

CALIBRATION_BINS = 20


def calibration_curve(y: Labels, scores: FloatArray) -> dict[str, list[float]]:
    """Observed rates of label 1 over scores: at most 20 bins of equally many rows, made non-decreasing.

    Neighbouring bins that fall are pooled (Ayer et al. 1955), which is isotonic regression.

    Args:
        y: shape (rows,), labels; at least one row.
        scores: shape (rows,), probabilities of label 1.

    Returns:
        `score` and `rate`, the same length, both non-decreasing.
    """
    pooled: list[tuple[float, float, int]] = []
    for rows in np.array_split(np.argsort(scores, kind="stable"), min(CALIBRATION_BINS, len(scores))):
        score, rate, count = float(scores[rows].mean()), float(y[rows].mean()), len(rows)
        while pooled and pooled[-1][1] >= rate:
            other_score, other_rate, other_count = pooled.pop()
            total = count + other_count
            score = (score * count + other_score * other_count) / total
            rate = (rate * count + other_rate * other_count) / total
            count = total
        pooled.append((score, rate, count))
    return {"score": [bin_[0] for bin_ in pooled], "rate": [bin_[1] for bin_ in pooled]}


class Estimate(NamedTuple):
    """A PR-AUC to be expected, its standard error over samples of so many rows, and the rows of the label expected."""

    pr_auc: float
    standard_error: float
    expected_rows: float


class ScoreCounts:
    """Counts scores part by part; memory does not grow with their number."""

    def __init__(self) -> None:
        self._counts = np.zeros(SCORE_BINS)

    @property
    def rows(self) -> int:
        """Scores counted."""
        return int(self._counts.sum())

    def add(self, scores: FloatArray) -> None:
        """Count some scores, between 0 and 1."""
        bins = np.minimum((scores * SCORE_BINS).astype(np.intp), SCORE_BINS - 1)
        self._counts += np.bincount(bins, minlength=SCORE_BINS)

    def expected_pr_auc(self, calibration: Mapping[str, Any], minority_label: int) -> float | None:
        """The PR-AUC of `estimate`, or None if none of the label is expected."""
        estimate = self.estimate(calibration, minority_label)
        return None if estimate is None else estimate.pr_auc

    def estimate(self, calibration: Mapping[str, Any], minority_label: int) -> Estimate | None:
        """Average precision of the minority label in expectation, or None if none of it is expected.

        The error is the infinitesimal jackknife's, as in `average_precision.influence`, of rows that are in part of
        the label and in part not.

        Args:
            calibration: as made by `calibration_curve`.
            minority_label: 0 or 1.
        """
        rates, counts = self._from_the_top(calibration, minority_label)
        rows = np.maximum(np.cumsum(counts), 1.0)
        expected = np.cumsum(rates * counts)
        total = expected[-1]
        if total <= 0:
            return None
        precision = expected / rows
        area = float((precision * rates * counts).sum() / total)
        from_here_down = sum_from(rates * counts / rows)
        weighted_from_here_down = sum_from(precision * rates * counts / rows)
        influences = (rates * (precision - area + from_here_down) - weighted_from_here_down) / total
        return Estimate(area, float(np.sqrt((counts * influences**2).sum())), float(total))

    def _from_the_top(self, calibration: Mapping[str, Any], minority_label: int) -> tuple[FloatArray, FloatArray]:
        """Per bin, those first that speak most for the label: the share of rows that have it, and the rows."""
        middles = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
        rates = np.interp(middles, calibration["score"], calibration["rate"])
        # The curve's ends would make the outermost scores all alike; beyond them the score itself goes on.
        rates = np.where(middles < calibration["score"][0], np.minimum(rates, middles), rates)
        rates = np.where(middles > calibration["score"][-1], np.maximum(rates, middles), rates)
        return (rates[::-1], self._counts[::-1]) if minority_label == 1 else (1 - rates, self._counts)
