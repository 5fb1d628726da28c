import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from packaging_assets.domain.average_precision import paired_average_precision_difference
from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy
from packaging_assets.domain.gate_simulation import (
    SimulatedWeeks,
    binormal_pr_auc,
    compare_with_goals,
    draw_scores,
    simulate_week,
    simulate_weeks,
)


def test_the_gates_keep_their_promises():
    """25 weeks of a kind: the limits are those of the goals plus about two weeks by chance."""
    weeks = simulate_weeks(replicates=25, seed=7, sizes=(2_000, 20_000))

    assert len(weeks) == 8
    for week in weeks:
        assert week.reject + week.approve + week.pending == pytest.approx(1)
        if week.minority_rows < 400:
            assert week.pending >= 0.9
        elif week.change == 0:
            assert (week.reject <= 0.1, week.approve >= 0.76) == (True, True), week
        else:
            assert week.approve <= 0.04, week


def test_the_candidates_true_change_is_the_one_asked_for():
    for rate, change in ((0.05, 0.0), (0.4, -0.02), (0.05, -0.02)):
        y, candidate, champion = draw_scores(np.random.default_rng(1), 400_000, rate, change)
        assert average_precision_score(y, champion) == pytest.approx(0.70, abs=0.01)
        difference = paired_average_precision_difference(y, champion, candidate).difference
        assert difference == pytest.approx(change, abs=0.002)
        assert candidate.sum() == pytest.approx(y.sum(), rel=0.02)
        assert champion.sum() == pytest.approx(y.sum(), rel=0.02)


def test_a_retrain_moves_the_comparison_as_much_as_a_real_one():
    y, candidate, champion = draw_scores(np.random.default_rng(2), 2_400, 0.3, 0.0)

    error = paired_average_precision_difference(y, champion, candidate).standard_error
    assert error == pytest.approx(0.003, abs=0.0006)


def test_without_distance_the_pr_auc_is_the_rate():
    assert binormal_pr_auc(0.0, 0.3) == pytest.approx(0.3, abs=1e-4)


def test_the_same_seed_gives_the_same_weeks_in_any_company():
    together = simulate_weeks(replicates=3, seed=5, sizes=(1_000, 2_000), changes=(0.0,))
    calls: list[int] = []

    alone = simulate_weeks(
        replicates=3, seed=5, sizes=(2_000,), changes=(0.0,), minority_rates=(0.4,), on_week=lambda: calls.append(1)
    )

    assert alone[0] in together
    assert len(calls) == 3


def test_the_policy_is_the_judges():
    impossible = GatePolicy.model_validate({"min_pr_auc": 0.9, "max_pr_auc": 0.95})

    for policy, outcome in ((DEFAULT_POLICY, "approve"), (impossible, "reject")):
        assert simulate_week(np.random.default_rng(1), 4_000, 0.4, 0.0, policy).outcome == outcome


def test_goals_are_about_the_worst_of_the_weeks_they_are_about():
    weeks = [
        SimulatedWeeks(2_000, 0.05, 0.0, 0.01, 0.0, 0.99, 100),
        SimulatedWeeks(2_000, 0.40, 0.0, 0.03, 0.89, 0.08, 100),
        SimulatedWeeks(2_000, 0.40, -0.02, 0.9, 0.01, 0.09, 100),
    ]

    goals = compare_with_goals(weeks)

    assert [(goal.share, goal.limit, goal.is_reached) for goal in goals] == [
        (0.03, 0.02, False),
        (0.01, 0.01, True),
        (0.89, 0.90, False),
        (0.99, 0.98, True),
    ]
    assert len(compare_with_goals(weeks[:1])) == 2
