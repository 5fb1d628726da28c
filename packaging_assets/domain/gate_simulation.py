"""Error rates of the gates: weeks without change and weeks with a worse candidate, judged by the real `judge`.

Each week is drawn, not trained. A product's signal is normal with a variance of 1, and further up for the rarer label
by a distance that gives the champion the PR-AUC asked for. Champion and candidate both see that signal, each through
noise of its own, which stands for what retraining on a week's more data changes; a worse candidate sees it through more
noise. Their scores are the exact probabilities given what they see, so they are calibrated. From there on everything is
the real code: metrics, paired difference, slices, index of the scores, label rate, volume, judge.

What has nothing to do with scores is not drawn: features are taken not to drift and nothing to leak.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from packaging_assets.domain.average_precision import FloatArray, Labels
from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy
from packaging_assets.domain.gates import judge
from packaging_assets.domain.label_changes import compare_label_rates, compare_volume
from packaging_assets.domain.score_profiles import describe_scores, score_bins, score_index
from packaging_assets.domain.scored_rows import Scored, compare_with_champion, measure_candidate
from packaging_assets.domain.slices import compare_slices, slice_rows
from packaging_assets.domain.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

SIZES = (2_000, 20_000, 200_000)
MINORITY_RATES = (0.05, 0.40)
CHANGES = (0.0, -0.02)

CHAMPION_PR_AUC = 0.70
"""That of the simulated retailer's models lies between .57 and .79."""

RETRAIN_NOISE = 0.11
"""Standard deviation of what a retrain adds to the signal, in standard deviations of the signal. It gives the paired
difference a standard error of .003 at 700 to 1,000 rows of the rarer label, which is what weekly retrains of the
simulated retailer's models have."""

EVIDENCE_A_WEEK = 250
"""Rows of new evidence, Poisson: what 20,000 products bring."""

TRAINING_ROWS_PER_VALIDATION_ROW = 3
CATEGORIES, BRANDS = 8, 800
WEEK = dt.date(2025, 2, 10)


class SimulatedWeeks(NamedTuple):
    """How the weeks of one kind were judged; `reject`, `approve` and `pending` are shares of `replicates`."""

    rows: int
    minority_rate: float
    change: float
    reject: float
    approve: float
    pending: float
    replicates: int

    @property
    def minority_rows(self) -> int:
        """Rows of the rarer label in each of these weeks."""
        return round(self.rows * self.minority_rate)


class Goal(NamedTuple):
    """What the gates promise, and what was found: the worst share among the weeks that it is about."""

    promise: str
    share: float
    limit: float
    is_reached: bool


def simulate_weeks(
    *,
    replicates: int,
    seed: int,
    policy: GatePolicy = DEFAULT_POLICY,
    sizes: Sequence[int] = SIZES,
    minority_rates: Sequence[float] = MINORITY_RATES,
    changes: Sequence[float] = CHANGES,
    on_week: Callable[[], None] = lambda: None,
) -> list[SimulatedWeeks]:
    """Judge `replicates` weeks of each size, rate of the rarer label, and change of the candidate's PR-AUC.

    Args:
        replicates: weeks of each kind, at least one.
        seed: of every draw; a week's draws depend on the seed, its kind and its number alone.
        policy: the thresholds.
        sizes: validation rows.
        minority_rates: shares of the rarer label.
        changes: the candidate's true PR-AUC less the champion's; zero or less.
        on_week: called after each week.
    """
    kinds = [(rows, rate, change) for change in changes for rate in minority_rates for rows in sizes]
    simulated: list[SimulatedWeeks] = []
    for rows, rate, change in kinds:
        outcomes: Counter[str] = Counter()
        for number in range(replicates):
            rng = np.random.default_rng([seed, rows, round(rate * 1000), round(-change * 1000), number])
            outcomes[simulate_week(rng, rows, rate, change, policy).outcome] += 1
            on_week()
        reject, approve, pending = (outcomes[name] / replicates for name in ("reject", "approve", "pending"))
        simulated.append(SimulatedWeeks(rows, rate, change, reject, approve, pending, replicates))
    return simulated


def simulate_week(
    rng: np.random.Generator, rows: int, minority_rate: float, change: float, policy: GatePolicy
) -> Verdict:
    """Draw one week and judge it; the arguments are those of `simulate_weeks`."""
    y, candidate, champion = draw_scores(rng, rows, minority_rate, change)
    scored = Scored(pa.array(np.arange(rows)), y, candidate, champion, np.ones(rows, dtype=bool))
    y_then, scores_then, _ = draw_scores(rng, rows, minority_rate, 0.0)
    profile = describe_scores(y_then, scores_then, minority_label=1)
    slices = slice_rows(_draw_products(rng, rows, policy), policy)
    metrics: dict[str, Any] = {
        "is_first_model": False,
        **measure_candidate(scored, 1),
        "validation_rows": rows,
        "evaluation": {"sentence": f"The rows that judge are {rows:,} simulated tests."},
        "champion": compare_with_champion(scored, 1, 1),
        "slices": compare_slices(slices, y, candidate, champion, policy),
        "scores": {
            "psi": score_index(profile, score_bins(profile, champion)),
            "rows": rows,
            "reference_rows": rows,
        },
        **_draw_labels(rng, rows, minority_rate),
        **_nothing_else_changed(rows, policy),
    }
    return judge(metrics, policy)


def draw_scores(
    rng: np.random.Generator, rows: int, minority_rate: float, change: float
) -> tuple[Labels, FloatArray, FloatArray]:
    """Labels (1 for the rarer), and the candidate's and the champion's probabilities of 1; shape (rows,) each."""
    distance, worse_noise = _calibrate(minority_rate, change)
    y = np.zeros(rows, dtype=np.int8)
    y[: round(rows * minority_rate)] = 1
    signal = rng.normal(size=rows) + distance * y
    candidate_variance = RETRAIN_NOISE**2 + worse_noise**2
    seen = (
        (signal + np.sqrt(candidate_variance) * rng.normal(size=rows), 1 + candidate_variance),
        (signal + RETRAIN_NOISE * rng.normal(size=rows), 1 + RETRAIN_NOISE**2),
    )
    prior = np.log(minority_rate / (1 - minority_rate))
    candidate, champion = (
        1 / (1 + np.exp(-(prior + (distance * value - distance**2 / 2) / variance))) for value, variance in seen
    )
    return y, candidate, champion


@functools.cache
def _calibrate(minority_rate: float, change: float) -> tuple[float, float]:
    """The distance of the labels' signals that gives the champion its PR-AUC, and the noise that changes it."""
    distance = _solve(
        lambda d: binormal_pr_auc(d / np.sqrt(1 + RETRAIN_NOISE**2), minority_rate) - CHAMPION_PR_AUC, 0.0, 10.0
    )
    variance = 1 + RETRAIN_NOISE**2
    noise = _solve(
        lambda n: CHAMPION_PR_AUC + change - binormal_pr_auc(distance / np.sqrt(variance + n**2), minority_rate),
        0.0,
        5.0,
    )
    return distance, noise if change else 0.0


def binormal_pr_auc(distance: float, minority_rate: float) -> float:
    """PR-AUC of a normal score with unit variance whose mean is `distance` higher for the rarer label."""
    from scipy.special import ndtr

    thresholds = np.linspace(distance + 8, -8, 20_001)
    recall, false_positives = ndtr(distance - thresholds), ndtr(-thresholds)
    true_rows, false_rows = minority_rate * recall, (1 - minority_rate) * false_positives
    precision = true_rows / np.maximum(true_rows + false_rows, 1e-300)
    return float(((precision[1:] + precision[:-1]) / 2 * np.diff(recall)).sum())


def _solve(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is zero, by bisection to 1e-9 of the interval."""
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _draw_products(rng: np.random.Generator, rows: int, policy: GatePolicy) -> pd.DataFrame:
    """What the rows are sliced by: long-tailed values, log-normal sizes, none of which the scores depend on."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for number, name in enumerate(policy.slice_categories):
        weights = np.arange(1.0, (CATEGORIES if number == 0 else BRANDS) + 1) ** -0.8
        codes = rng.choice(len(weights), size=rows, p=weights / weights.sum())
        columns[name] = pd.Categorical.from_codes(
            codes, categories=pd.Index([f"{name} {code}" for code in range(len(weights))])
        )
    columns |= {name: rng.lognormal(size=rows) for name in policy.slice_bands}
    return pd.DataFrame(columns)


def _draw_labels(rng: np.random.Generator, rows: int, minority_rate: float) -> dict[str, Any]:
    training_rows = TRAINING_ROWS_PER_VALIDATION_ROW * rows
    now, then = rng.binomial((rows + training_rows, training_rows), minority_rate)
    evidence = rng.poisson(EVIDENCE_A_WEEK, 5).tolist()
    weeks = {WEEK - dt.timedelta(weeks=back): count for back, count in enumerate(evidence)}
    return {
        "label_rate": compare_label_rates(
            now / (rows + training_rows), rows + training_rows, then / training_rows, training_rows
        ),
        "volume": compare_volume(weeks, WEEK),
    }


def _nothing_else_changed(rows: int, policy: GatePolicy) -> dict[str, Any]:
    no_share = {"share": 0.0, "expected_share": 0.0, "excess": 0.0}
    return {
        "columns_without_values": [],
        "drift": {
            "rows": rows,
            "reference_rows": rows,
            "psi": {policy.density_feature: 0.0},
            "missing": {policy.density_feature: {"share": 0.0, "reference_share": 0.0, "increase": 0.0, "z": 0.0}},
            "unseen": {},
            "title_words": {**no_share, "examples": []},
        },
        "leakage": {
            "shared_products": 0,
            "average_precision": CHAMPION_PR_AUC,
            "feature": "none",
            "max_feature_auc": 0.5,
        },
    }


MAX_FALSE_REJECT = 0.02
MAX_FALSE_APPROVE = 0.01
MIN_APPROVE = 0.90
MINORITY_ROWS_TO_APPROVE = 800


def compare_with_goals(simulated: Iterable[SimulatedWeeks], policy: GatePolicy = DEFAULT_POLICY) -> list[Goal]:
    """The promises that the simulated weeks can tell something about."""
    weeks = list(simulated)
    unchanged = [week for week in weeks if week.change == 0]
    large = [week for week in unchanged if week.minority_rows >= MINORITY_ROWS_TO_APPROVE]
    small = [week for week in weeks if week.minority_rows < policy.min_minority_rows]
    goals = (
        ("an unchanged model is rejected at most", [week.reject for week in unchanged], MAX_FALSE_REJECT, max),
        (
            "a model 2 points worse is approved at most",
            [week.approve for week in weeks if week.change <= -0.02],  # noqa: PLR2004 - the two points
            MAX_FALSE_APPROVE,
            max,
        ),
        (
            f"an unchanged model with {MINORITY_ROWS_TO_APPROVE} minority rows or more is approved at least",
            [week.approve for week in large],
            MIN_APPROVE,
            min,
        ),
        (
            f"with fewer than {policy.min_minority_rows} minority rows the verdict is pending at least",
            [week.pending for week in small],
            1 - MAX_FALSE_REJECT,
            min,
        ),
    )
    return [
        Goal(promise, worst(shares), limit, worst(shares) <= limit if worst is max else worst(shares) >= limit)
        for promise, shares, limit, worst in goals
        if shares
    ]
