import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fed_week import FEATURES, Week, labels_by

from packaging_assets.domain.features import FeatureSet, read_features
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.metrics import EvaluateParams, evaluate
from packaging_assets.domain.model_folders import feeder_folders
from packaging_assets.domain.models import load_model, score_table

MONDAY = dt.date(2025, 2, 10)
POLICY = GatePolicy(min_minority_rows=50, slice_categories=("category",), slice_bands=())
SCORES_ONLY = FeatureSet(scores=("box",)).without_scores()


def judge(
    week: Week, name: str, candidate: Path, *, champion: Path | None = None, label: str = "first"
) -> dict[str, Any]:
    """The metrics of `candidate`, held against `champion`."""
    volume = week.folder / "labels"
    volume.mkdir(exist_ok=True)
    weeks = [MONDAY - dt.timedelta(weeks=back) for back in range(5)]
    evidence = {"package_type": ["box"] * 5, "week": weeks, "evidence_rows": [200] * 5}
    pq.write_table(pa.table(evidence), volume / "volume.parquet")
    output = week.folder / name / f"metrics_{label}"
    output.mkdir()
    inputs = {**week.inputs(name), "labels": volume, "candidate": candidate}
    if champion is not None:
        inputs |= {"champion": champion, "champion_metrics": week.folder / name / "metrics_first"}
    params = EvaluateParams(
        package_type="box",
        week=MONDAY,
        features=load_model(candidate).features,
        policy=POLICY,
        champion_version=None if champion is None else 1,
        champion_model=None if champion is None else "box",
    )
    evaluate(inputs, params, output)
    return json.loads((output / "metrics.json").read_text())


@pytest.fixture
def week(tmp_path: Path) -> Week:
    week = Week(tmp_path)
    week.make("box", labels_by(week.products, 2, 1))
    week.split("bag", labels_by(week.products, 1, 2))
    return week


@pytest.mark.parametrize("features", [FEATURES, SCORES_ONLY])
def test_candidate_and_champion_are_scored_each_with_the_feeders_they_carry(week: Week, features: FeatureSet):
    champion = week.train("bag", "box", features=features)
    judge(week, "bag", champion)
    champion = champion.rename(week.folder / "bag" / "champion")
    (week.folder / "box").rename(week.folder / "old_box")
    week.make("box", labels_by(week.products, 2, 1.2), seed=8)
    candidate = week.train("bag", "box", features=features)

    metrics = judge(week, "bag", candidate, champion=champion, label="second")

    scores = pq.read_table(week.folder / "bag" / "metrics_second" / "scores.parquet")
    table = read_features(week.features, FEATURES, product_ids=scores["product_id"].combine_chunks())
    expected = score_table([load_model(candidate), load_model(champion)], table)
    assert scores["candidate_score"].to_pylist() == expected[:, 0].tolist()
    assert scores["champion_score"].to_pylist() == expected[:, 1].tolist()
    assert load_model(candidate).feeders[0].digest != load_model(champion).feeders[0].digest
    assert metrics["architectures"] == ["catboost"]
    assert sorted(metrics["drift"]["psi"]) == ["length_cm", "weight_kg"]
    assert metrics["drift"]["psi"]["weight_kg"] < 0.05
    assert metrics["drift"]["rows"] == 900
    assert metrics["leakage"]["feature"] in {"length_cm", "weight_kg"}
    assert (metrics["leakage"]["shared_products"], metrics["columns_without_values"]) == (0, [])
    assert metrics["validation_rows"] == 300


def test_a_validation_product_that_trained_a_feeder_counts_as_shared(week: Week):
    candidate = week.train("bag", "box")
    path = feeder_folders(candidate)["box"] / "training_ids.parquet"
    ids = pq.read_table(path)["product_id"].to_pylist()
    pq.write_table(pa.table({"product_id": sorted([*ids, "p0000", "p0003"])}), path)

    metrics = judge(week, "bag", candidate)

    verdict = json.loads((week.folder / "bag" / "metrics_first" / "verdict.json").read_text())
    assert metrics["leakage"]["shared_products"] == 2
    assert [reason.split(":")[0] for reason in verdict["failures"]] == ["train_and_validation_are_disjoint"]


def test_what_trained_the_champions_feeder_does_not_judge_but_is_not_taken_for_its_training_rows(week: Week):
    champion = week.train("bag", "box")
    judge(week, "bag", champion)
    path = feeder_folders(champion)["box"] / "training_ids.parquet"
    ids = pq.read_table(path)["product_id"].to_pylist()
    pq.write_table(pa.table({"product_id": sorted([*ids, *(f"p{row:04d}" for row in range(0, 60, 3))])}), path)

    metrics = judge(week, "bag", champion, champion=champion, label="second")

    assert (metrics["excluded_champion_training_rows"], metrics["validation_rows"]) == (20, 280)
    assert metrics["drift"]["reference_rows"] == 600
