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
