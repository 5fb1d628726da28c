import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from packaging_assets.domain.average_precision import average_precision
from packaging_assets.domain.performance_estimation import ScoreCounts, calibration_curve


def draw(rows: int, seed: int, a: float = 1.0, b: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.beta(a, b, rows)
    return (rng.random(rows) < scores).astype(int), scores


def counts_of(scores: np.ndarray) -> ScoreCounts:
    counts = ScoreCounts()
    counts.add(scores)
    return counts


@pytest.mark.parametrize("minority_label", [0, 1])
def test_the_estimate_without_labels_is_the_pr_auc_with_them(minority_label: int):
    y, scores = draw(20_000, 1)
    unlabelled_y, unlabelled = draw(50_000, 2)

    counts = ScoreCounts()
    for part in np.array_split(unlabelled, 7):
        counts.add(part)
    estimate = counts.expected_pr_auc(calibration_curve(y, scores), minority_label)

    toward = unlabelled if minority_label else 1 - unlabelled
    assert counts.rows == 50_000
    assert estimate == pytest.approx(average_precision((unlabelled_y == minority_label).astype(int), toward), abs=0.02)


@pytest.mark.parametrize(("a", "b", "minority_label"), [(1.0, 9.0, 1), (2.0, 3.0, 1), (2.0, 3.0, 0)])
def test_the_error_of_the_estimate_is_its_spread_over_samples(a: float, b: float, minority_label: int):
    y, scores = draw(20_000, 1, a, b)
    curve = calibration_curve(y, scores)
    found = [counts_of(draw(1_000, seed, a, b)[1]).estimate(curve, minority_label) for seed in range(2, 152)]

    spread = np.std([estimate.pr_auc for estimate in found])
    assert np.mean([estimate.standard_error for estimate in found]) == pytest.approx(spread, rel=0.2)
    share = a / (a + b) if minority_label else b / (a + b)
    assert np.mean([estimate.expected_rows for estimate in found]) == pytest.approx(1_000 * share, rel=0.05)


def test_scores_that_are_too_sure_are_corrected_by_the_curve():
    y, scores = draw(20_000, 3, 2, 2)
    too_sure = np.where(scores > 0.5, 0.5 + scores / 2, scores / 2)

    counts = ScoreCounts()
    counts.add(too_sure)

    estimate = counts.expected_pr_auc(calibration_curve(y, too_sure), 1)
    assert estimate == pytest.approx(average_precision(y, too_sure), abs=0.02)


def test_harder_products_lower_the_estimate():
    y, scores = draw(20_000, 4, 0.5, 0.5)
    easy, hard = ScoreCounts(), ScoreCounts()
    easy.add(scores)
    hard.add(draw(20_000, 5, 5, 5)[1])
    curve = calibration_curve(y, scores)

    assert hard.expected_pr_auc(curve, 1) < easy.expected_pr_auc(curve, 1) - 0.2


CALIBRATED = {"score": [0.0, 1.0], "rate": [0.0, 1.0]}


def test_the_outermost_scores_are_counted_each_at_the_middle_of_its_bin():
    counts = ScoreCounts()
    counts.add(np.array([0.0, 1.0]))

    assert counts.rows == 2
    expected = 0.99975 * 0.99975 + 0.5 * 0.00025  # precision times rate of either row; the rates add up to 1
    assert counts.expected_pr_auc(CALIBRATED, 1) == pytest.approx(expected, abs=1e-12)


def test_less_than_one_row_of_the_label_can_be_expected():
    counts = ScoreCounts()
    counts.add(np.full(4, 0.1))

    assert counts.expected_pr_auc(CALIBRATED, 1) == pytest.approx(0.10025)


def test_beyond_the_ends_of_the_curve_a_rate_is_the_score_itself():
    counts = ScoreCounts()
    counts.add(np.array([0.1, 0.6, 0.9]))

    found = counts.expected_pr_auc({"score": [0.2, 0.8], "rate": [0.15, 0.85]}, 1)

    rates = np.array([0.90025, 0.15 + 0.7 * 0.40025 / 0.6, 0.10025])
    precision = np.cumsum(rates) / np.arange(1, 4)
    assert found == pytest.approx((precision * rates).sum() / rates.sum(), abs=1e-12)


def test_where_the_label_is_never_expected_there_is_no_estimate():
    counts = ScoreCounts()
    counts.add(np.zeros(5))

    assert counts.expected_pr_auc({"score": [0.1, 0.9], "rate": [0.0, 0.0]}, 1) is None


@given(st.integers(0, 10_000), st.integers(1, 400))
def test_the_curve_never_falls(seed: int, rows: int):
    y, scores = draw(rows, seed)

    curve = calibration_curve(y, scores)

    assert len(curve["score"]) == len(curve["rate"]) <= 20
    assert (np.diff(curve["rate"]) > 0).all()
    assert (np.diff(curve["score"]) >= 0).all()


def test_the_curve_is_isotonic_regression():
    y, scores = draw(20, 6)
    y[np.argsort(scores)[:3]] = 1

    curve = calibration_curve(y, scores)

    order = np.argsort(scores)
    expected = IsotonicRegression().fit_transform(np.arange(20), y[order])
    assert np.unique(expected) == pytest.approx(np.array(curve["rate"]))


def test_bins_are_pooled_by_how_many_rows_they_have():
    rng = np.random.default_rng(8)
    scores, y = np.sort(rng.random(31)), rng.integers(0, 2, 31)  # bins of two rows and of one

    curve = calibration_curve(y, scores)

    bins = np.array_split(np.arange(31), 20)
    weights, rates, means = (
        np.array([of(rows) for rows in bins]) for of in (len, lambda r: y[r].mean(), lambda r: scores[r].mean())
    )
    pooled = IsotonicRegression().fit_transform(np.arange(20), rates, sample_weight=weights)
    blocks = [pooled == rate for rate in np.unique(pooled)]
    assert len(blocks) < 10
    np.testing.assert_allclose(curve["rate"], np.unique(pooled))
    np.testing.assert_allclose(curve["score"], [np.average(means[block], weights=weights[block]) for block in blocks])
