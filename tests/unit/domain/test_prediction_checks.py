import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain import prediction_checks
from packaging_assets.domain.gate_policy import DEFAULT_POLICY
from packaging_assets.domain.gate_simulation import draw_scores
from packaging_assets.domain.performance_estimation import ScoreCounts
from packaging_assets.domain.prediction_checks import (
    PREDICTION_CHECKS,
    CheckPredictionsParams,
    ScoredModel,
    check_predictions,
    estimated_pr_auc_is_as_validated,
)
from packaging_assets.domain.score_profiles import describe_scores
from packaging_assets.domain.verdicts import Verdict

TYPES = {"mailer": "mailer", "box_text": "box"}


def beta(rows: int, seed: int, a: float = 1.0, b: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).beta(a, b, rows)


def profile(seed: int = 1) -> dict[str, Any]:
    scores = beta(4000, seed)
    return describe_scores((np.random.default_rng(seed + 1).random(4000) < scores).astype(int), scores, 1)


def run(folder: Path, mailer: np.ndarray, box: np.ndarray, fits: np.ndarray | None = None, **changes: Any) -> Verdict:
    rows = len(mailer)
    for name in ("inventory", "predictions", "out"):
        (folder / name).mkdir()
    fits = np.ones(rows, dtype=bool) if fits is None else fits
    inventory = pa.table({"product_id": [f"p{row:05d}" for row in range(rows)], "fits_mailer": fits, "fits_box": fits})
    predictions = pa.table({"model": ["mailer", "box_text"] * rows, "score": np.column_stack([mailer, box]).ravel()})
    for number, start in enumerate(range(0, max(rows, 1), 1500)):
        name = f"part-{number:05d}.parquet"
        pq.write_table(inventory.slice(start, 1500), folder / "inventory" / name)
        pq.write_table(predictions.slice(2 * start, 3000), folder / "predictions" / name, row_group_size=1000)
    (folder / "predictions" / "predictions.json").write_text('{"models": [{"model": "mailer"}, {"model": "box_text"}]}')
    fields = {"policy": DEFAULT_POLICY, "score_profile": profile(), "pr_auc_standard_error": 0.01, **changes}
    params = CheckPredictionsParams(
        models=tuple(ScoredModel(package_type=t, model=name, **fields) for name, t in TYPES.items())
    )
    check_predictions(
        {"inventory": folder / "inventory", "predictions": folder / "predictions"}, params, folder / "out"
    )
    return Verdict.model_validate_json((folder / "out" / "verdict.json").read_text())


def failed(verdict: Verdict) -> dict[str, str]:
    return {outcome.name: outcome.severity for outcome in verdict.checks if not outcome.is_passed}


def test_scores_like_those_of_validation_pass(tmp_path: Path):
    verdict = run(tmp_path, beta(4000, 11), beta(4000, 12))

    assert failed(verdict) == {}
    assert [outcome.name for outcome in verdict.checks] == [definition.name for definition in PREDICTION_CHECKS]
    figures = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert figures["mailer"]["scores"]["rows"] == figures["box_text"]["estimate"]["rows"] == 4000


@pytest.mark.parametrize("rows", [0, 1, 40, 300])
def test_quiet_days_raise_no_alarm(tmp_path: Path, rows: int):
    for seed in range(10):
        (tmp_path / str(seed)).mkdir()
        assert failed(run(tmp_path / str(seed), beta(rows, seed), beta(rows, seed + 50))) == {}


def test_one_models_changed_scores_are_an_error_that_names_it(tmp_path: Path):
    verdict = run(tmp_path, beta(4000, 11), beta(4000, 12, 2.0, 2.0))

    assert failed(verdict)["scores_are_distributed_as_before"] == "ERROR"
    assert verdict.failures[0].startswith("scores_are_distributed_as_before: box_text: The champion's scores have a")


@pytest.mark.parametrize("does_not", [False, None])
def test_products_that_do_not_fit_or_perhaps_not_do_not_count(tmp_path: Path, *, does_not: bool | None):
    is_fit = np.arange(8000) < 4000
    fits, scores = np.where(is_fit, is_fit, does_not), np.where(is_fit, beta(8000, 11), 0.999)

    assert failed(run(tmp_path, scores, scores, fits)) == {}


@pytest.mark.parametrize(
    ("unlike_validation", "failures"), [(lambda seen: ~seen, set()), (lambda seen: seen, {"ERROR"})]
)
def test_of_many_products_row_groups_are_looked_at_in_even_distances(
    tmp_path: Path, monkeypatch, unlike_validation, failures
):
    monkeypatch.setattr(prediction_checks, "CHECKED_PRODUCTS", 1500)
    seen = np.arange(6000) // 500 % 4 == 0  # of four groups of 500 products one
    scores = np.where(unlike_validation(seen), 0.999, beta(6000, 11))

    verdict = run(tmp_path, scores, scores)

    assert set(failed(verdict).values()) & {"ERROR"} == failures
    assert [outcome.rows for outcome in verdict.checks] == [1500, 1500]


def test_scores_that_tell_less_apart_are_a_warning(tmp_path: Path):
    unsure = beta(4000, 11, 10.0, 20.0)

    verdict = run(tmp_path, unsure, unsure)

    assert failed(verdict)["estimated_pr_auc_is_as_validated"] == "WARN"
    outcome = verdict.checks[1]
    assert outcome.value is not None
    assert outcome.limit is not None
    assert outcome.value < outcome.limit < 0


@pytest.mark.parametrize(("rows", "is_told"), [(50, False), (100, False), (200, False), (1000, True), (4000, True)])
def test_a_rare_label_is_estimated_from_enough_rows_and_with_its_own_error(tmp_path: Path, rows: int, *, is_told: bool):
    """5% have it: the spread is twice that of a label which 14% have, and not normal for a few rows of it."""
    rare = draw_scores(np.random.default_rng(0), 6000, 0.05, 0.0)
    fields = {"score_profile": describe_scores(rare[0], rare[2], 1), "pr_auc_standard_error": 0.01}
    warned = []
    for seed in range(12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        rng = np.random.default_rng(seed)
        scores = [rng.choice(draw_scores(rng, 20_000, 0.05, 0.0)[2], rows) for _ in range(2)]
        verdict = run(folder, *scores, **fields)
        warned += [*failed(verdict)]
        assert (verdict.checks[1].value is not None) == is_told
    assert warned == []


def test_what_is_expected_of_too_few_products_is_told(tmp_path: Path):
    verdict = run(tmp_path, beta(60, 11), beta(60, 12))

    assert verdict.checks[1].sentence.endswith(
        "are expected to have the rarer label: too few to estimate a PR-AUC from, 30 are needed."
    )
    figures = json.loads((tmp_path / "out" / "scores.json").read_text())["mailer"]["estimate"]
    assert figures["expected_rows"] == pytest.approx(beta(60, 11).sum(), rel=0.1)
    assert figures["standard_error"] > 0


def test_a_version_without_a_profile_of_its_scores_is_a_warning(tmp_path: Path):
    verdict = run(tmp_path, beta(100, 1), beta(100, 2), score_profile=None)

    assert failed(verdict) == {"scores_are_distributed_as_before": "WARN"}


@pytest.mark.parametrize(
    ("expected_rows", "drop", "severity", "change"),
    [(30.0, 0.125, "WARN", -0.25), (29.99, 0.125, None, None), (30.0, 0.25, None, -0.25)],
    ids=["as few as may be", "too few", "as much less as may be"],
)
def test_the_estimate_is_told_from_thirty_rows_on_and_warned_of_beyond_the_limit(
    expected_rows: float, drop: float, severity: str | None, change: float | None
):
    estimate = {"pr_auc": 0.5, "reference_pr_auc": 0.75, "standard_error": 0.0, "reference_standard_error": 0.0}
    metrics = {"estimate": {**estimate, "rows": 100, "expected_rows": expected_rows}}

    finding = estimated_pr_auc_is_as_validated(metrics, DEFAULT_POLICY.model_copy(update={"estimate_drop": drop}))

    assert (finding.failed_as, finding.value) == (severity, change)


def test_of_a_single_model_each_score_is_held_against_its_own_product(tmp_path: Path):
    is_fit = np.arange(3000) % 2 == 0
    (tmp_path / "inventory").mkdir()
    (tmp_path / "predictions").mkdir()
    pq.write_table(pa.table({"fits_box": is_fit}), tmp_path / "inventory" / "part-00000.parquet")
    scores = pa.table({"score": np.where(is_fit, 0.25, 1.0)})
    pq.write_table(scores, tmp_path / "predictions" / "part-00000.parquet", row_group_size=1000)
    (tmp_path / "predictions" / "predictions.json").write_text('{"models": [{"model": "box"}]}')
    box = ScoredModel(
        package_type="box", model="box", policy=DEFAULT_POLICY, score_profile=profile(), pr_auc_standard_error=0.01
    )

    check_predictions(
        {name: tmp_path / name for name in ("inventory", "predictions")},
        CheckPredictionsParams(models=(box,)),
        tmp_path,
    )

    estimate = json.loads((tmp_path / "scores.json").read_text())["box"]["estimate"]
    alone = ScoreCounts()
    alone.add(np.full(1500, 0.25))
    expected = alone.estimate(profile()["calibration"], 1)
    assert expected is not None
    assert (estimate["rows"], estimate["pr_auc"]) == (1500, expected.pr_auc)
