"""Recommendations: what the scores of the single package types say together.

Which type is cheapest is decided in the warehouse (dbt model package_recommendations); here is what it needs before.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def monotone_damage(probabilities: FloatArray) -> FloatArray:
    """Make damage probabilities agree with the order of protection: never more damage in a stronger type.

    Four models know nothing of one another, so a product may score safer in a bag than in a box. The closest
    non-increasing values in least squares (isotonic regression) are the min-max of the means of all runs of
    neighbours that hold the type (Robertson, Wright and Dykstra, "Order restricted statistical inference", 1988,
    section 1.4), which is vectorised over the products. The order itself: Gurumoorthy et al., arXiv 2006.03239.

    Args:
        probabilities: shape (products, types), types from weakest to strongest; NaN where a type has no model.

    Returns:
        Same shape; NaN stays NaN and does not influence the others.
    """
    types = probabilities.shape[1]
    means = _means_of_runs(probabilities)
    monotone = np.empty_like(probabilities)
    for column in range(types):
        highest = [_max_of([means[start, end] for end in range(column, types)]) for start in range(column + 1)]
        monotone[:, column] = -_max_of([-values for values in highest])
    monotone[np.isnan(probabilities)] = np.nan
    return monotone


def _means_of_runs(probabilities: FloatArray) -> dict[tuple[int, int], FloatArray]:
    """Mean over the columns start..end (inclusive), NaN left out, for every start <= end."""
    rows, types = probabilities.shape
    present = ~np.isnan(probabilities)
    values = np.where(present, probabilities, 0.0)
    means: dict[tuple[int, int], FloatArray] = {}
    for start in range(types):
        total, count = np.zeros(rows), np.zeros(rows)
        for end in range(start, types):
            total = total + values[:, end]
            count = count + present[:, end]
            means[start, end] = total / np.maximum(count, 1.0)
    return means


def _max_of(columns: list[FloatArray]) -> FloatArray:
    return np.max(columns, axis=0)
