import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from packaging_assets.domain.average_precision import (
    area_under_roc,
    average_precision,
    average_precision_at_rate,
    average_precision_error,
    error_of_mean,
    influence,
    paired_average_precision_difference,
    precision_recall_curve,
    recall_at_precision,
)

# Few distinct scores, so that most examples have ties within and across the labels.
rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda pairs: 0 < sum(y for y, _ in pairs) < len(pairs)
)
# No deadline: scikit-learn's first call takes what it takes.


def as_arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    y, scores = zip(*pairs, strict=True)
    return np.array(y), np.array(scores) / 6


@given(rows)
@settings(deadline=None)
def test_average_precision_and_roc_area_equal_those_of_scikit_learn_also_with_ties(pairs: list[tuple[int, int]]):
    y, scores = as_arrays(pairs)

    assert average_precision(y, scores) == pytest.approx(average_precision_score(y, scores), abs=1e-12)
    assert area_under_roc(y, scores) == pytest.approx(roc_auc_score(y, scores), abs=1e-12)


@given(rows, st.data())
@settings(max_examples=50, deadline=None)
def test_influence_is_the_derivative_with_respect_to_a_rows_weight(pairs: list[tuple[int, int]], data: st.DataObject):
    y, scores = as_arrays(pairs)
    row = data.draw(st.integers(0, len(y) - 1))
    step = 1e-6

    def with_weight(weight: float) -> float:
        weights = np.ones(len(y))
        weights[row] = weight
        return average_precision_score(y, scores, sample_weight=weights)

    assert influence(y, scores)[row] == pytest.approx(
        (with_weight(1 + step) - with_weight(1 - step)) / (2 * step), abs=1e-6
    )
    assert influence(y, scores).sum() == pytest.approx(0, abs=1e-9)


def test_the_paired_standard_error_is_within_a_tenth_of_that_of_a_bootstrap():
    rng = np.random.default_rng(7)
    n, replicates = 1500, 300
    y = (rng.random(n) < 0.15).astype(int)
    first = y + rng.normal(0, 0.8, n)
    second = 0.7 * first + 0.3 * y + rng.normal(0, 0.3, n)
    differences = []
    for _ in range(replicates):
        drawn = rng.integers(0, n, n)
        differences.append(average_precision(y[drawn], second[drawn]) - average_precision(y[drawn], first[drawn]))

    paired = paired_average_precision_difference(y, first, second)

    assert paired.difference == pytest.approx(
        average_precision_score(y, second) - average_precision_score(y, first), abs=1e-12
    )
    assert paired.standard_error == pytest.approx(np.std(differences), rel=0.1)
    assert paired.standard_error < average_precision_error(y, second)


def noisy(rng: np.random.Generator, suitable: int, others: int) -> tuple[np.ndarray, np.ndarray]:
    y = np.repeat([1, 0], [suitable, others])
    return y, np.round(y + rng.normal(0, 0.8, len(y)), 1)  # with ties


def test_copies_of_rows_make_nothing_surer_if_they_are_one_group():
    rng = np.random.default_rng(11)
    y = (rng.random(400) < 0.3).astype(int)
    first, second = y + rng.normal(0, 0.8, 400), y + rng.normal(0, 0.9, 400)
    rows = rng.permutation(np.repeat(np.arange(400), 4))  # each row four times
    alone = paired_average_precision_difference(y, first, second)

    grouped = paired_average_precision_difference(y[rows], first[rows], second[rows], rows)
    independent = paired_average_precision_difference(y[rows], first[rows], second[rows])

    assert grouped.difference == pytest.approx(alone.difference)
    assert grouped.standard_error == pytest.approx(alone.standard_error)
    assert independent.standard_error == pytest.approx(alone.standard_error / 2)
    assert average_precision_error(y[rows], first[rows], rows) == pytest.approx(average_precision_error(y, first))


def test_the_error_of_a_mean_counts_groups_and_one_group_tells_nothing():
    values = np.array([1.0, 2.0, 4.0, 7.0])

    assert error_of_mean(values) == pytest.approx(values.std(ddof=1) / 2)
    assert error_of_mean(values, np.array([5, 0, 3, 1])) == pytest.approx(error_of_mean(values))
    pairs = np.array([2, 2, 0, 0])  # means of 1.5 and 5.5
    assert error_of_mean(values, pairs) == pytest.approx(np.std([1.5, 5.5], ddof=1) / np.sqrt(2))
    assert np.isnan(error_of_mean(values, np.zeros(4, int)))


def test_at_another_rate_the_area_is_that_of_weighed_rows_with_a_standard_error_within_a_tenth_of_a_bootstraps():
    y, scores = noisy(np.random.default_rng(3), 300, 900)

    found = average_precision_at_rate(y, scores, 0.1)

    weights = np.where(y == 1, 0.1 / 0.25, 0.9 / 0.75)
    assert found.area == pytest.approx(average_precision_score(y, scores, sample_weight=weights), abs=1e-12)
    rng = np.random.default_rng(4)
    areas = [
        average_precision(y, scores[np.r_[rng.integers(0, 300, 300), rng.integers(300, 1200, 900)]], weights)
        for _ in range(300)
    ]
    assert found.standard_error == pytest.approx(np.std(areas), rel=0.1)


def test_at_its_own_rate_the_area_is_the_same_and_at_that_of_other_rows_about_theirs():
    rng = np.random.default_rng(5)
    (y, scores), (other_y, other_scores) = noisy(rng, 2_000, 6_000), noisy(rng, 2_000, 18_000)

    assert average_precision_at_rate(y, scores, 0.25).area == pytest.approx(average_precision(y, scores), abs=1e-12)
    there = average_precision(other_y, other_scores)
    assert there < average_precision(y, scores) - 0.1
    assert average_precision_at_rate(y, scores, 0.1).area == pytest.approx(there, abs=0.03)


def test_a_model_against_itself_differs_by_nothing_with_no_error():
    y = np.array([0, 1, 0, 1, 1])
    scores = np.array([0.1, 0.4, 0.4, 0.8, 0.2])

    assert paired_average_precision_difference(y, scores, scores) == (0.0, 0.0)


def test_a_constant_score_has_the_positive_rate_as_average_precision():
    assert average_precision(np.array([1, 0, 0, 0]), np.full(4, 0.3)) == 0.25


def test_without_positives_there_is_no_average_precision_and_with_one_label_no_roc_area():
    assert np.isnan(average_precision(np.zeros(3, int), np.arange(3.0)))
    assert np.isnan(area_under_roc(np.ones(3, int), np.arange(3.0)))


def test_the_curve_has_one_point_per_distinct_score():
    y = np.array([1, 1, 0, 1, 0])
    scores = np.array([0.9, 0.7, 0.7, 0.4, 0.1])

    curve = precision_recall_curve(y, scores)

    np.testing.assert_allclose(curve.recall, [1 / 3, 2 / 3, 1, 1])
    np.testing.assert_allclose(curve.precision, [1, 2 / 3, 3 / 4, 3 / 5])
    assert recall_at_precision(y, scores, 0.95) == pytest.approx(1 / 3)
    assert recall_at_precision(y, scores, 0.7) == 1.0
    assert recall_at_precision(np.array([0, 1]), np.array([0.9, 0.1]), 0.95) == 0.0
