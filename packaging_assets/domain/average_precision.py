"""Average precision, its curve, and the standard error of its difference between two models on the same rows.

Ties: rows with equal scores enter together, as in `sklearn.metrics.average_precision_score`. `N_i` counts the rows
that score at least as much as row i, `Prec_i` is the share of positives among them, and AP is the mean of `Prec_i`
over the positives.

Sums are numpy's own, never a BLAS product: that one adds in an order which depends on the number of threads, so its
last digit is not the same on every machine.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer[Any]]
Groups = npt.NDArray[np.integer[Any]]
"""A number from 0 for each row: rows that have the same one are not independent of one another."""


class _Ranking(NamedTuple):
    """Rows in descending order of score. `order` (n,) puts them so; the others, (n,) too, follow that order.

    Rows may have weights; `positives` is that of a row with y = 1, and 0 of another. Without weights each counts as 1.
    """

    order: npt.NDArray[np.intp]
    is_positive: FloatArray
    positives: FloatArray
    rows_above: FloatArray
    precision: FloatArray


class PrecisionRecallCurve(NamedTuple):
    """One point per distinct score, recall increasing; shape (distinct scores,) each."""

    recall: FloatArray
    precision: FloatArray


class PairedDifference(NamedTuple):
    """`difference` = AP of the second scores minus AP of the first, with its standard error."""

    difference: float
    standard_error: float


def _rank(y: Labels, scores: FloatArray, weights: FloatArray | None = None) -> _Ranking:
    order = np.argsort(-scores, kind="stable")
    is_positive = y[order].astype(np.float64)
    ends = _tie_ends(scores[order])
    if weights is None:
        positives, rows_above = is_positive, (ends + 1).astype(np.float64)
    else:
        positives, rows_above = is_positive * weights[order], np.cumsum(weights[order])[ends]
    return _Ranking(order, is_positive, positives, rows_above, np.cumsum(positives)[ends] / rows_above)


def _tie_ends(sorted_scores: FloatArray) -> npt.NDArray[np.intp]:
    """For each row the position of the last row with the same score, shape (n,)."""
    last_of_tie = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, np.ones(min(len(sorted_scores), 1), bool)))
    return np.repeat(last_of_tie, np.diff(last_of_tie, prepend=-1))


def average_precision(y: Labels, scores: FloatArray, weights: FloatArray | None = None) -> float:
    """Average precision of the rows with y = 1; NaN where there are none. Shapes (n,)."""
    ranking = _rank(y, scores, weights)
    positives = ranking.positives.sum()
    return float((ranking.precision * ranking.positives).sum() / positives) if positives else float("nan")


def precision_recall_curve(y: Labels, scores: FloatArray) -> PrecisionRecallCurve:
    """Precision and recall at every distinct score, the highest first. Shapes (n,); at least one y = 1."""
    ranking = _rank(y, scores)
    ends = np.unique(ranking.rows_above.astype(np.intp)) - 1
    return PrecisionRecallCurve(
        recall=np.cumsum(ranking.is_positive)[ends] / ranking.is_positive.sum(), precision=ranking.precision[ends]
    )


def recall_at_precision(y: Labels, scores: FloatArray, precision: float) -> float:
    """The largest recall at which precision is still at least `precision`; 0 where it never is."""
    curve = precision_recall_curve(y, scores)
    return float(curve.recall[curve.precision >= precision].max(initial=0.0))


def influence(y: Labels, scores: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Derivative of average precision with respect to each row's weight, shape (n,), in the order of the input.

    Row k's weight moves the precision at every positive that scores no more than it does:
    `U_k = [y_k (Prec_k - AP) + y_k A_k - B_k] / P`, with `A_k` the sum of `1 / N_i` and `B_k` that of `Prec_i / N_i`
    over those positives i, and P the number of positives. The influences add up to zero. Where rows have weights from
    the start, positives and `N_i` are sums of them, and it is the influences times the weights that add up to zero.
    """
    ranking = _rank(y, scores, weights)
    is_positive, rows_above, precision = ranking.is_positive, ranking.rows_above, ranking.precision
    positives = ranking.positives.sum()
    area = (precision * ranking.positives).sum() / positives
    starts = _tie_starts(rows_above)
    from_here_down = sum_from(ranking.positives / rows_above)[starts]
    weighted_from_here_down = sum_from(ranking.positives * precision / rows_above)[starts]
    influences = np.empty(len(y))
    influences[ranking.order] = (
        is_positive * (precision - area + from_here_down) - weighted_from_here_down
    ) / positives
    return influences


def _tie_starts(rows_above: FloatArray) -> npt.NDArray[np.intp]:
    """For each row the position of the first row with the same score, shape (n,)."""
    return np.searchsorted(rows_above, rows_above, side="left")


def sum_from(values: FloatArray) -> FloatArray:
    """Of each value the sum of itself and all after it, shape (n,)."""
    return np.cumsum(values[::-1])[::-1]


def paired_average_precision_difference(
    y: Labels, first_scores: FloatArray, second_scores: FloatArray, groups: Groups | None = None
) -> PairedDifference:
    """AP of `second_scores` minus AP of `first_scores` on the same rows, with a standard error.

    The error is the infinitesimal jackknife's (Jaeckel 1972; Efron 1982): the root of the summed squares of the
    differences in influence. It replaces a bootstrap of hundreds of resamples at the cost of two sorts.

    Args:
        y: shape (n,), 1 for the class that is to be found, 0 for the other; at least one 1.
        first_scores: shape (n,), higher means more likely 1.
        second_scores: shape (n,), likewise.
        groups: shape (n,), see `Groups`; by default each row is independent of all others. Influences are summed within
            a group before they are squared (Liang and Zeger, Biometrika 73, 1986).
    """
    difference = average_precision(y, second_scores) - average_precision(y, first_scores)
    influences = influence(y, second_scores) - influence(y, first_scores)
    return PairedDifference(difference, error_of_sum(influences, groups))


def average_precision_error(y: Labels, scores: FloatArray, groups: Groups | None = None) -> float:
    """Standard error of one average precision, likewise. Shapes (n,)."""
    return error_of_sum(influence(y, scores), groups)


def error_of_sum(values: FloatArray, groups: Groups | None = None) -> float:
    """Standard error of the sum of values around zero, shape (n,); those of a group are added up before squaring."""
    parts = values if groups is None else np.bincount(groups, weights=values)
    return float(np.sqrt((parts**2).sum()))


def error_of_mean(values: FloatArray, groups: Groups | None = None) -> float:
    """Standard error of the mean of values, shape (n,); NaN where all are of one group."""
    units = len(values) if groups is None else len(np.unique(groups))
    if units < 2:  # noqa: PLR2004 - nothing varies in one
        return float("nan")
    return error_of_sum(values - values.mean(), groups) / len(values) * float(np.sqrt(units / (units - 1)))


class AreaAtRate(NamedTuple):
    """An average precision with its standard error."""

    area: float
    standard_error: float


def average_precision_at_rate(y: Labels, scores: FloatArray, rate: float) -> AreaAtRate:
    """Average precision as it would be if the share `rate` of the rows had y = 1.

    Precision depends on how common the label is: a model that reaches .70 where 12% have it reaches .63 where 8% have
    it, without being any worse. The rows of each label are weighed to make up for that. The error is the infinitesimal
    jackknife's, for so many rows of either label as there are: the weights undo what their numbers tell.

    Args:
        y: shape (n,), 1 for the class that is to be found, 0 for the other; at least one of each.
        scores: shape (n,), higher means more likely 1.
        rate: between 0 and 1, exclusive.
    """
    observed = float(y.mean())
    weights = np.where(y == 1, rate / observed, (1 - rate) / (1 - observed))
    parts = weights * influence(y, scores, weights)
    squares = sum(float(((parts[y == label] - parts[y == label].mean()) ** 2).sum()) for label in (0, 1))
    return AreaAtRate(average_precision(y, scores, weights), float(np.sqrt(squares)))


def area_under_roc(y: Labels, scores: FloatArray) -> float:
    """Probability that a row with y = 1 scores above one with y = 0, ties counting half. NaN with one class only."""
    positives, negatives = np.sort(scores[y == 1]), np.sort(scores[y != 1])
    pairs = len(positives) * len(negatives)
    if not pairs:
        return float("nan")
    below = np.searchsorted(negatives, positives, side="left").sum()
    not_above = np.searchsorted(negatives, positives, side="right").sum()
    return float((below + not_above) / (2 * pairs))
