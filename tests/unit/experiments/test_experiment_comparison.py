"""Differences on shared rows, and their standard errors."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, log_loss

from packaging_assets.domain.average_precision import paired_average_precision_difference
from packaging_assets.experiments.comparison import (
    CHAMPION,
    ScoredWeek,
    compare_week,
    mean_difference,
    plot_both,
    read_scores,
)
from packaging_assets.experiments.errors import ExperimentError


def scored(rows: range, *, quality: float, seed: int, week: str = "2025-02-03", minority: int = 1) -> ScoredWeek:
    """Products of which one in four has the minority label; a product's label is the same in every week."""
    labels = np.random.default_rng(0).random(1000) < 0.25
    y = labels[rows.start : rows.stop].astype(np.int8)
    logits = quality * (2 * y - 1) + np.random.default_rng(seed).normal(size=len(rows))
    ids = np.array([f"p{row:05d}" for row in rows])
    scores = 1 / (1 + np.exp(-logits))
    if minority == 0:
        return ScoredWeek(week, ids, 1 - y, 1 - scores, 0)
    return ScoredWeek(week, ids, y, scores, 1)


def test_the_difference_is_that_of_a_direct_computation():
    first, second = scored(range(800), quality=1.0, seed=1), scored(range(800), quality=0.5, seed=2)
    found = compare_week(first, second)
    expected = average_precision_score(first.labels, first.scores) - average_precision_score(
        second.labels, second.scores
    )
    paired = paired_average_precision_difference(first.labels, second.scores, first.scores)
    assert found.difference == pytest.approx(expected)
    assert (found.difference, found.standard_error) == tuple(paired)
    assert found.first.log_loss == pytest.approx(log_loss(first.labels, first.scores))
    assert (found.rows, found.note) == (800, "the 800 rows that judge both")


def test_other_splits_are_compared_on_common_rows_in_any_order():
    first, second = scored(range(600), quality=1.0, seed=1), scored(range(300, 1000), quality=0.5, seed=2)
    backwards = ScoredWeek(second.week, second.ids[::-1], second.labels[::-1], second.scores[::-1], 1)
    found = compare_week(first, backwards)
    expected = average_precision_score(first.labels[300:], first.scores[300:])
    assert found.first.pr_auc == pytest.approx(expected)
    assert found.second.pr_auc == pytest.approx(average_precision_score(second.labels[:300], second.scores[:300]))
    assert found.rows == 300
    assert found.note == (
        "300 rows that neither was trained on, of 600 that judge the one and 700 that judge the other"
    )


def test_rows_with_another_label_in_the_second_are_judged_by_the_first_s_and_counted():
    first, second = scored(range(800), quality=1.0, seed=1), scored(range(800), quality=0.5, seed=2)
    labels = second.labels.copy()
    labels[:3] = 1 - labels[:3]
    found = compare_week(first, dataclasses.replace(second, labels=labels))
    assert found.difference == compare_week(first, second).difference
    assert found.note == (
        "the 800 rows that judge both; 3 of them have another label in the second's evaluation, and the first's labels "
        "count"
    )


@pytest.mark.parametrize("grouped", ["first", "second"])
def test_errors_count_with_the_groups_of_a_split(grouped: str):
    """Four variants of each product, all alike: as much evidence as a quarter of the rows."""
    single = scored(range(200), quality=1.0, seed=1), scored(range(200), quality=0.5, seed=2)
    ids = np.array([f"p{row:05d}" for row in range(800)])
    first, second = (ScoredWeek(week.week, ids, np.tile(week.labels, 4), np.tile(week.scores, 4), 1) for week in single)
    groups = np.tile(single[0].ids, 4)
    if grouped == "first":
        first = dataclasses.replace(first, groups=groups)
    else:
        second = dataclasses.replace(second, groups=groups)
    expected = compare_week(*single)
    found, mean = compare_week(first, second), mean_difference([(first, second)])
    assert found.difference == pytest.approx(expected.difference)
    assert found.standard_error == pytest.approx(expected.standard_error)
    assert mean.standard_error == pytest.approx(expected.standard_error)


def test_where_the_rarer_label_is_0_scores_are_turned_round():
    as_one = [scored(range(800), quality=quality, seed=seed) for quality, seed in ((1.0, 1), (0.5, 2))]
    as_zero = [scored(range(800), quality=quality, seed=seed, minority=0) for quality, seed in ((1.0, 1), (0.5, 2))]
    assert compare_week(as_zero[0], as_zero[1]).difference == pytest.approx(compare_week(*as_one).difference)


def test_rows_of_one_label_give_no_difference():
    with pytest.raises(ExperimentError, match="the two share 0 rows that neither was trained on"):
        compare_week(scored(range(300), quality=1, seed=1), scored(range(400, 600), quality=1, seed=1))


def test_a_week_told_twice_is_no_more_evidence_than_once():
    pair = (scored(range(800), quality=1.0, seed=1), scored(range(800), quality=0.8, seed=2))
    once = compare_week(*pair)
    twice = mean_difference([pair, pair])
    assert twice.weeks == 2
    assert twice.difference == pytest.approx(once.difference)
    assert twice.standard_error == pytest.approx(once.standard_error)


def test_weeks_of_different_products_add_up_as_independent_ones():
    pairs = [
        (scored(rows, quality=1.0, seed=1, week=week), scored(rows, quality=0.8, seed=2, week=week))
        for week, rows in (("2025-02-03", range(500)), ("2025-02-10", range(500, 1000)))
    ]
    weeks = [compare_week(*pair) for pair in pairs]
    found = mean_difference(pairs)
    assert found.difference == pytest.approx((weeks[0].difference + weeks[1].difference) / 2)
    assert found.standard_error == pytest.approx(np.hypot(weeks[0].standard_error, weeks[1].standard_error) / 2)


def test_scores_are_read_from_an_evaluation_and_a_missing_champion_is_named(tmp_path):
    table = pa.table(
        {
            "product_id": ["a", "b"],
            "label": pa.array([0, 1], pa.int8()),
            "candidate_score": [0.25, 0.75],
            "champion_score": pa.nulls(2, pa.float64()),
        }
    )
    pq.write_table(table, tmp_path / "scores.parquet")
    found = read_scores(tmp_path, "2025-02-03", 1)
    assert (found.ids.tolist(), found.labels.tolist(), found.scores.tolist()) == (["a", "b"], [0, 1], [0.25, 0.75])
    with pytest.raises(ExperimentError, match="no champion before 2025-02-03"):
        read_scores(tmp_path, "2025-02-03", 1, CHAMPION)


def test_both_curves_are_drawn(tmp_path):
    pair = (scored(range(800), quality=1.0, seed=1), scored(range(800), quality=0.8, seed=2))
    plot_both(tmp_path / "curves.png", *pair, ("one", "other"))
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
