import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, log_loss, precision_recall_curve, roc_auc_score

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.catboost import CatBoostArchitecture
from packaging_assets.domain.average_precision import average_precision_error, paired_average_precision_difference
from packaging_assets.domain.features import FeatureError, FeatureSet
from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy
from packaging_assets.domain.gates import judge
from packaging_assets.domain.metrics import EvaluateParams, EvaluationError, evaluate
from packaging_assets.domain.models import TrainParams, train
from packaging_assets.domain.scored_rows import calibration
from packaging_assets.domain.verdicts import Verdict

ROWS = 3000
WEEK = dt.date(2025, 2, 10)
FEATURES = FeatureSet(numeric=("weight_kg", "density_kg_per_l"), categorical=("brand",))
SETTINGS = {"min_minority_rows": 50, "slice_categories": ("brand",), "slice_bands": ("weight_kg",)}
POLICY = GatePolicy.model_validate(SETTINGS)
OUTPUTS = ["calibration.svg", "metrics.json", "pr_curve.svg", "scores.parquet", "verdict.json"]


def make_products(seed: int = 1) -> pa.Table:
    """Products whose label depends on weight and brand with noise; a quarter of them is suitable."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=ROWS)
    brand = rng.integers(0, 5, ROWS)
    label = (1.6 * weight + 0.6 * (brand - 2) + rng.logistic(size=ROWS)) > 1.8
    return pa.table(
        {
            "product_id": [f"p{row:05d}" for row in range(ROWS)],
            "weight_kg": weight,
            "density_kg_per_l": np.exp(rng.normal(size=ROWS)),
            "brand": [f"brand {number}" for number in brand],
            "title": [f"Brand {number} Thing" for number in brand],
            "label": label.astype(np.int8),
            "weight": np.ones(ROWS),
            "is_random_test": np.ones(ROWS, dtype=bool),
        }
    )


def write_week(folder: Path, products: pa.Table) -> dict[str, Path]:
    """The inputs that every evaluation has; one product in three validates."""
    inputs = {name: folder / name for name in ("split", "features", "labels")}
    for path in inputs.values():
        path.mkdir(parents=True)
    validates = np.arange(len(products)) % 3 == 0
    sides = products.select(["product_id", "label", "weight", "is_random_test"])
    pq.write_table(sides.filter(pa.array(~validates)), inputs["split"] / "train.parquet")
    pq.write_table(sides.filter(pa.array(validates)), inputs["split"] / "validation.parquet")
    pq.write_table(
        products.select(["product_id", "title", *FEATURES.columns]), inputs["features"] / "part-00000.parquet"
    )
    weeks = [WEEK - dt.timedelta(weeks=back) for back in range(5)]
    evidence = pa.table({"package_type": ["box"] * 5, "week": weeks, "evidence_rows": [200, 200, 210, 190, 205]})
    pq.write_table(evidence, inputs["labels"] / "volume.parquet")
    return inputs


def train_model(folder: Path, inputs: dict[str, Path], features: FeatureSet = FEATURES, iterations: int = 40) -> Path:
    folder.mkdir()
    params = TrainParams(
        package_type="box",
        features=features,
        seed=1,
        parameters={"iterations": iterations, "learning_rate": 0.2, "rsm": 1, "l2_leaf_reg": 3, "thread_count": 1},
    )
    train({"split": inputs["split"], "features": inputs["features"]}, params, folder)
    return folder


def params_of(champion_version: int | None = None, **changes: Any) -> EvaluateParams:
    return EvaluateParams(
        **{
            "package_type": "box",
            "week": WEEK,
            "features": FEATURES,
            "policy": POLICY,
            "champion_version": champion_version,
            "champion_model": champion_version and "box",
            **changes,
        }
    )


def run(inputs: dict[str, Path], params: EvaluateParams, output: Path) -> tuple[dict[str, Any], Verdict]:
    output.mkdir()
    if params.champion_version is None:
        inputs = {name: path for name, path in inputs.items() if name != "champion_metrics"}
    evaluate(inputs, params, output)
    verdict = Verdict.model_validate_json((output / "verdict.json").read_text())
    return json.loads((output / "metrics.json").read_text()), verdict


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("week")
    inputs = write_week(folder / "week", make_products())
    inputs |= {"candidate": train_model(folder / "model", inputs)}
    run(inputs, params_of(), folder / "metrics")
    return inputs | {"champion_metrics": folder / "metrics"}


def test_a_first_model_is_measured_by_itself_and_approved(week: dict[str, Path], tmp_path: Path):
    metrics, verdict = run(week, params_of(), tmp_path / "out")

    scores = pq.read_table(tmp_path / "out" / "scores.parquet")
    y, score = scores["label"].to_numpy(), scores["candidate_score"].to_numpy()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == OUTPUTS
    assert (metrics["week"], metrics["package_type"], metrics["minority_label"]) == ("2025-02-10", "box", 1)
    assert (metrics["training_rows"], metrics["validation_rows"], len(scores)) == (2000, 1000, 1000)
    assert metrics["minority_rows"] == y.sum()
    assert metrics["minority_rate"] == metrics["constant_baseline"]["pr_auc"] == pytest.approx(y.mean())
    assert metrics["pr_auc"] == pytest.approx(average_precision_score(y, score))
    assert metrics["log_loss"] == pytest.approx(log_loss(y, score))
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(y, score))
    precision, recall, _ = precision_recall_curve(y, score)
    assert metrics["recall_at_95_precision"] == pytest.approx(recall[precision >= 0.95].max())
    assert 0 < metrics["recall_at_95_precision"] < 1
    assert metrics["calibration"]["expected"] == pytest.approx(score.sum())
    assert metrics["leakage"]["shared_products"] == 0
    assert metrics["leakage"]["feature"] == "weight_kg"
    assert metrics["volume"] == {"rows": 200, "weeks": 4, "median": 202.5, **_ignoring(metrics["volume"])}
    assert [metrics[key] for key in ("champion", "label_rate", "drift", "slices", "scores", "score_psi")] == [None] * 6
    assert scores["champion_score"].null_count == 1000
    assert verdict == judge(metrics, POLICY)
    assert verdict.outcome == "approve", verdict


def _ignoring(volume: dict[str, float]) -> dict[str, float]:
    return {key: volume[key] for key in ("log_ratio", "z")}


def test_the_same_evaluation_twice_is_the_same_bytes(week: dict[str, Path], tmp_path: Path):
    for name in ("first", "second"):
        run(week | {"champion": week["candidate"]}, params_of(1), tmp_path / name)

    for name in OUTPUTS:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_model_against_itself_differs_by_nothing_and_is_approved(week: dict[str, Path], tmp_path: Path):
    metrics, verdict = run(week | {"champion": week["candidate"]}, params_of(7), tmp_path / "out")

    assert metrics["champion"] == {
        "model": "box",
        "version": 7,
        "pr_auc": metrics["pr_auc"],
        "roc_auc": metrics["roc_auc"],
        "log_loss": metrics["log_loss"],
        "difference": 0.0,
        "standard_error": 0.0,
    }
    assert metrics["drift"]["psi"]["density_kg_per_l"] < 0.01
    assert metrics["label_rate"]["champion_rows"] == 2000
    assert verdict.outcome == "approve", verdict


def test_wrong_units_for_three_products_in_ten_are_rejected_by_their_density(week: dict[str, Path], tmp_path: Path):
    products = make_products(seed=2)
    density = products["density_kg_per_l"].to_numpy() * np.where(np.arange(ROWS) % 10 < 3, 2.54**3, 1)
    inches = write_week(tmp_path / "inches", products.set_column(2, "density_kg_per_l", pa.array(density)))
    candidate = train_model(tmp_path / "model", inches)

    metrics, verdict = run(
        inches | {"candidate": candidate, "champion": week["candidate"], "champion_metrics": week["champion_metrics"]},
        params_of(1),
        tmp_path / "out",
    )

    failed = [check.name for check in verdict.checks if not check.is_passed and check.severity == "ERROR"]
    assert metrics["drift"]["psi"]["density_kg_per_l"] > 0.35
    assert set(failed) >= {"density_is_stable", "feature_distributions_are_stable"}
    assert verdict.outcome == "reject"


def test_products_that_a_fault_made_unfit_still_count_as_drifted(week: dict[str, Path], tmp_path: Path):
    products = make_products()
    is_faulty = np.arange(ROWS) % 10 < 3
    density = products["density_kg_per_l"].to_numpy() * np.where(is_faulty, 2.54**3, 1)
    inputs = write_week(tmp_path / "week", products.set_column(2, "density_kg_per_l", pa.array(density)))
    for side in ("train", "validation"):  # the faulty ones no longer fit: they have left the split, not the features
        rows = pq.read_table(week["split"] / f"{side}.parquet")
        number = pc.cast(pc.utf8_slice_codeunits(rows["product_id"], 1), pa.int64()).to_numpy()
        pq.write_table(rows.filter(pa.array(~is_faulty[number])), inputs["split"] / f"{side}.parquet")
    candidate = train_model(tmp_path / "model", inputs)

    metrics, verdict = run(
        inputs | {"candidate": candidate, "champion": week["candidate"], "champion_metrics": week["champion_metrics"]},
        params_of(1),
        tmp_path / "out",
    )

    assert metrics["validation_rows"] == 700
    assert metrics["drift"]["rows"] == 700 + 2000  # this week's products and all that trained the champion
    assert metrics["drift"]["psi"]["density_kg_per_l"] == pytest.approx(0.239, abs=0.01)
    assert "density_is_stable" in verdict.failures[0]


def test_a_much_worse_candidate_is_rejected_by_the_comparison(week: dict[str, Path], tmp_path: Path):
    blind = FeatureSet(numeric=("density_kg_per_l",), categorical=("brand",))
    candidate = train_model(tmp_path / "model", week, blind)

    metrics, verdict = run(
        week | {"candidate": candidate, "champion": week["candidate"]},
        params_of(1, features=blind, policy=GatePolicy.model_validate({**SETTINGS, "min_pr_auc": 0.0})),
        tmp_path / "out",
    )

    assert metrics["champion"]["difference"] < -0.2
    assert set(metrics["drift"]["psi"]) == {"weight_kg", "density_kg_per_l"}  # the champion's features
    assert [reason.split(":")[0] for reason in verdict.failures] == [
        "pr_auc_not_below_champion",
        "no_slice_is_worse_than_champion",
    ]


def test_products_that_trained_the_champion_do_not_judge(week: dict[str, Path], tmp_path: Path):
    champion = train_model(tmp_path / "champion", week)
    trained_on = pa.table({"product_id": [f"p{row:05d}" for row in range(300)]})
    pq.write_table(trained_on, champion / "training_ids.parquet")

    metrics, _ = run(week | {"champion": champion}, params_of(1), tmp_path / "out")

    judging = pq.read_table(tmp_path / "out" / "scores.parquet")["product_id"].to_pylist()
    assert metrics["excluded_champion_training_rows"] == 100
    assert metrics["validation_rows"] == len(judging) == 900
    assert min(judging) == "p00300"


def test_where_the_split_has_groups_their_rows_are_not_taken_for_independent(week: dict[str, Path], tmp_path: Path):
    champion = train_model(tmp_path / "champion", week, iterations=10)
    plain, _ = run(week | {"champion": champion}, params_of(1), tmp_path / "plain")
    grouped = tmp_path / "split"
    grouped.mkdir()
    for side in ("train", "validation"):
        rows = pq.read_table(week["split"] / f"{side}.parquet")
        families = [f"f{int(product_id[1:]) // 30}" for product_id in rows["product_id"].to_pylist()]
        pq.write_table(rows.append_column("group", pa.array(families)), grouped / f"{side}.parquet")

    metrics, _ = run(week | {"champion": champion, "split": grouped}, params_of(1), tmp_path / "grouped")

    scores = pq.read_table(tmp_path / "grouped" / "scores.parquet")
    y, *both = (scores[name].to_numpy() for name in ("label", "candidate_score", "champion_score"))
    number = np.array([int(product_id[1:]) // 30 for product_id in scores["product_id"].to_pylist()])
    paired = paired_average_precision_difference(y, both[1], both[0], number)
    assert metrics["minority_label"] == 1
    assert metrics["champion"]["standard_error"] == pytest.approx(paired.standard_error)
    assert metrics["champion"]["standard_error"] != pytest.approx(plain["champion"]["standard_error"], rel=0.01)
    assert metrics["pr_auc_standard_error"] == pytest.approx(average_precision_error(y, both[0], number))
    assert metrics["pr_auc"] == plain["pr_auc"]
    assert metrics["calibration"] == calibration(y, both[0], number)
    assert metrics["calibration"]["z"] != plain["calibration"]["z"]
    assert metrics["minority_groups"] == len({*number[y == 1].tolist()}) == 95
    assert plain["minority_groups"] is None
    assert [row["z"] for row in metrics["slices"]["rows"]] != [row["z"] for row in plain["slices"]["rows"]]
    _, position = np.unique(number, return_index=True)
    assert len(np.unique(scores["group"].to_numpy())) == len(position)
    assert (np.diff(scores["group"].to_numpy()) == 0)[np.diff(number) == 0].all()
    assert "group" not in pq.read_schema(tmp_path / "plain" / "scores.parquet").names


def test_products_on_both_sides_are_counted_and_rejected(week: dict[str, Path], tmp_path: Path):
    inputs = write_week(tmp_path / "week", make_products())
    sides = {side: pq.read_table(inputs["split"] / f"{side}.parquet") for side in ("train", "validation")}
    pq.write_table(
        pa.concat_tables([sides["train"], sides["validation"][:5]]).sort_by("product_id"),
        inputs["split"] / "train.parquet",
    )
    candidate = train_model(tmp_path / "model", inputs)

    metrics, verdict = run(inputs | {"candidate": candidate}, params_of(), tmp_path / "out")

    assert metrics["leakage"]["shared_products"] == 5
    assert [reason.split(":")[0] for reason in verdict.failures] == ["train_and_validation_are_disjoint"]


def test_where_unsuitable_is_rarer_it_is_what_is_looked_for(tmp_path: Path):
    products = make_products()
    turned = products.set_column(5, "label", pa.array(1 - products["label"].to_numpy(), pa.int8()))
    inputs = write_week(tmp_path / "week", turned)
    candidate = train_model(tmp_path / "model", inputs)

    run(inputs | {"candidate": candidate}, params_of(), tmp_path / "first")
    both = {"candidate": candidate, "champion": candidate, "champion_metrics": tmp_path / "first"}
    metrics, _ = run(inputs | both, params_of(1), tmp_path / "out")

    assert metrics["score_psi"] == 0.0
    scores = pq.read_table(tmp_path / "out" / "scores.parquet")
    y, score = 1 - scores["label"].to_numpy(), 1 - scores["candidate_score"].to_numpy()
    assert metrics["minority_label"] == 0
    assert metrics["minority_rate"] < 0.5
    assert metrics["pr_auc"] == metrics["champion"]["pr_auc"] == pytest.approx(average_precision_score(y, score))
    assert metrics["calibration"]["observed"] == y.sum()


def test_empty_columns_are_named_and_rejected(tmp_path: Path):
    products = make_products()
    products = products.set_column(2, "density_kg_per_l", pa.nulls(ROWS, pa.float64()))
    products = products.set_column(3, "brand", pa.nulls(ROWS, pa.string()))
    inputs = write_week(tmp_path / "week", products)

    metrics, verdict = run(
        inputs | {"candidate": train_model(tmp_path / "model", inputs)}, params_of(), tmp_path / "out"
    )

    assert metrics["columns_without_values"] == ["density_kg_per_l", "brand"]
    assert [reason.split(":")[0] for reason in verdict.failures] == ["no_column_went_missing"]


def test_a_champion_and_its_metrics_come_together(week: dict[str, Path], tmp_path: Path):
    inputs = {name: path for name, path in week.items() if name != "champion_metrics"}

    with pytest.raises(EvaluationError, match="`champion` and `champion_metrics` belong together"):
        run(inputs | {"champion": week["candidate"]}, params_of(1), tmp_path / "out")


def test_the_slices_and_scores_of_a_model_against_itself(week: dict[str, Path], tmp_path: Path):
    metrics, _ = run(week | {"champion": week["candidate"]}, params_of(1), tmp_path / "out")

    rows = metrics["slices"]["rows"]
    assert [row["value"] for row in rows if row["dimension"] == "brand"] == [f"brand {number}" for number in range(5)]
    assert {(row["relative_change"], row["z"], row["is_worse"]) for row in rows} == {(0.0, 0.0, False)}
    assert metrics["scores"] == {"psi": 0.0, "rows": 1000, "reference_rows": 1000}
    assert metrics["drift"]["title_words"]["share"] == 0.0
    estimated = metrics["score_profile"]["estimated_pr_auc"]
    assert estimated == pytest.approx(metrics["pr_auc"], abs=0.03)


def test_a_champion_that_was_judged_before_scores_were_kept_leaves_the_decision_to_a_person(
    week: dict[str, Path], tmp_path: Path
):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "metrics.json").write_text("{}")

    metrics, verdict = run(
        week | {"champion": week["candidate"], "champion_metrics": tmp_path / "old"}, params_of(1), tmp_path / "out"
    )

    assert metrics["scores"] == {"psi": None, "rows": 1000, "reference_rows": None}
    assert verdict.outcome == "pending"
    assert [reason.split(":")[0] for reason in verdict.warnings] == ["scores_are_distributed_as_before"]


def test_a_policy_without_slices_and_products_without_titles_can_be_evaluated(week: dict[str, Path], tmp_path: Path):
    inputs = dict(week) | {"features": tmp_path / "features"}
    inputs["features"].mkdir()
    table = pq.read_table(week["features"] / "part-00000.parquet").drop_columns(["title"])
    pq.write_table(table, inputs["features"] / "part-00000.parquet")
    policy = GatePolicy.model_validate({**SETTINGS, "slice_categories": (), "slice_bands": ()})

    metrics, verdict = run(inputs | {"champion": week["candidate"]}, params_of(1, policy=policy), tmp_path / "out")

    assert metrics["slices"]["rows"] == []
    assert [reason.split(":")[0] for reason in verdict.warnings] == ["title_words_are_known"]


@pytest.mark.parametrize(
    ("random_share", "source", "rows"),
    [(1.0, "random_tests", 1000), (0.5, "random_tests", 500), (0.1, "all_validation_rows", 1000)],
)
def test_randomly_chosen_tests_judge_when_they_are_enough(
    week: dict[str, Path], tmp_path: Path, random_share: float, source: str, rows: int
):
    inputs = dict(week) | {"split": tmp_path / "split"}
    inputs["split"].mkdir()
    for side in ("train", "validation"):
        table = pq.read_table(week["split"] / f"{side}.parquet")
        is_random = pa.array(np.arange(len(table)) < random_share * len(table))
        pq.write_table(table.set_column(3, "is_random_test", is_random), inputs["split"] / f"{side}.parquet")
    policy = GatePolicy.model_validate({**SETTINGS, "min_random_minority_rows": 80})

    metrics, verdict = run(inputs | {"champion": week["candidate"]}, params_of(1, policy=policy), tmp_path / "out")

    assert (metrics["evaluation"]["source"], metrics["validation_rows"]) == (source, rows)
    assert metrics["evaluation"]["random_test_rows"] == random_share * 1000
    scores = pq.read_table(tmp_path / "out" / "scores.parquet")
    assert len(scores) == rows
    assert scores["champion_score"].equals(scores["candidate_score"])
    assert (metrics["champion"]["difference"], metrics["champion"]["standard_error"]) == (0.0, 0.0)
    assert metrics["scores"]["rows"] == 1000  # of the champion's scores, whatever rows judge
    sliced = [row for row in metrics["slices"]["rows"] if row["dimension"] == "weight_kg"]
    assert {row["rows"] for row in sliced} == {rows // 4}
    said = "randomly chosen package tests among 1,000" if source == "random_tests" else "are too few"
    assert said in verdict.checks[0].sentence


def test_random_tests_of_one_label_are_not_called_too_few(week: dict[str, Path], tmp_path: Path):
    inputs = dict(week) | {"split": tmp_path / "split"}
    shutil.copytree(week["split"], inputs["split"])
    table = pq.read_table(inputs["split"] / "validation.parquet")
    is_random = pc.equal(table["label"], 1)
    pq.write_table(table.set_column(3, "is_random_test", is_random), inputs["split"] / "validation.parquet")
    rows = pc.sum(is_random).as_py()

    policy = GatePolicy.model_validate({**SETTINGS, "min_random_minority_rows": 80})
    metrics, _ = run(inputs, params_of(policy=policy), tmp_path / "out")

    found = metrics["evaluation"]
    assert (found["source"], found["random_minority_rows"]) == ("all_validation_rows", rows)
    assert f"the {rows} randomly chosen package tests among them have no other label, with {rows}" in found["sentence"]


def test_randomly_chosen_tests_judge_a_first_model_too(week: dict[str, Path], tmp_path: Path):
    policy = GatePolicy.model_validate({**SETTINGS, "min_random_minority_rows": 80})

    metrics, verdict = run(week, params_of(policy=policy), tmp_path / "out")

    assert (metrics["evaluation"]["source"], metrics["validation_rows"]) == ("random_tests", 1000)
    assert metrics["champion"] is None
    assert verdict.outcome == "approve"


def test_a_champion_and_its_version_come_together(week: dict[str, Path], tmp_path: Path):
    with pytest.raises(EvaluationError, match="champion_version is 3 and the input `champion` is absent"):
        run(week, params_of(3), tmp_path / "out")


def test_the_features_must_be_the_candidates(week: dict[str, Path], tmp_path: Path):
    with pytest.raises(EvaluationError, match="was trained on other features"):
        run(week, params_of(features=FeatureSet(numeric=("weight_kg",))), tmp_path / "out")


@pytest.mark.parametrize(("scale", "shown"), [(np.nan, "nan"), (3.0, "[12]")])
def test_a_model_whose_scores_are_no_probabilities_is_not_judged(
    week: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float, shown: str
):
    given = CatBoostArchitecture.predict_proba
    monkeypatch.setattr(CatBoostArchitecture, "predict_proba", lambda self, prepared: scale * given(self, prepared))

    with pytest.raises(ArchitectureError, match=rf"the candidate in .*/model scores product 'p\d+' with {shown}"):
        run(week, params_of(), tmp_path / "out")


def test_a_product_without_features_is_named(week: dict[str, Path], tmp_path: Path):
    lost = pq.read_table(week["split"] / "validation.parquet")["product_id"][0]
    parts = [pq.read_table(part) for part in sorted(week["features"].glob("*.parquet"))]
    table = pa.concat_tables(parts)
    pq.write_table(table.filter(pc.not_equal(table["product_id"], lost)), tmp_path / "part-00000.parquet")

    with pytest.raises(FeatureError, match=rf"rows for \d+ products asked for, '{lost.as_py()}' among them"):
        run({**week, "features": tmp_path}, params_of(), tmp_path / "out")


def test_a_champion_trained_on_every_validation_row_leaves_nothing_to_judge_by(week: dict[str, Path], tmp_path: Path):
    champion = train_model(tmp_path / "champion", week)
    pq.write_table(make_products().select(["product_id"]), champion / "training_ids.parquet")

    with pytest.raises(EvaluationError, match="box, week 2025-02-10: the 0 validation rows"):
        run(week | {"champion": champion}, params_of(1), tmp_path / "out")


def test_scores_of_zero_leave_calibration_unknown_and_so_unapproved():
    assert calibration(np.array([0, 1]), np.zeros(2)) == {"expected": 0.0, "observed": 1, "ratio": None, "z": None}


def test_calibration_counts_with_groups_where_they_have_something_in_common():
    rng = np.random.default_rng(6)
    scores = rng.uniform(0.1, 0.9, 400)
    y = (rng.random(400) < scores).astype(int)
    copies = rng.permutation(np.repeat(np.arange(400), 4))
    z = (y.sum() - scores.sum()) / np.sqrt((scores * (1 - scores)).sum())

    assert calibration(y, scores)["z"] == pytest.approx(z)
    assert calibration(y, scores, np.arange(400)) == calibration(y, scores)
    assert calibration(y[copies], scores[copies])["z"] == pytest.approx(2 * z)
    assert calibration(y[copies], scores[copies], copies)["z"] == pytest.approx(z, rel=0.1)
    residuals = y - scores  # pairs of a row that came out high and one that came out low are no surer than rows are
    opposites = np.empty(400, int)
    opposites[np.argsort(residuals)] = np.r_[np.arange(200), np.arange(200)[::-1]]
    assert calibration(y, scores, opposites) == calibration(y, scores)


def test_parameters_have_defaults_and_refuse_what_they_do_not_know():
    params = EvaluateParams(package_type="box", week=WEEK)

    assert params.policy == DEFAULT_POLICY
    assert len(params.features.columns) == 84
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        params_of(threshold=3)


TITLES = FeatureSet(text=("title",))


@pytest.fixture(scope="module")
def titled_week(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A week in which a word of the title tells much of the label."""
    products = make_products()
    rng = np.random.default_rng(3)
    hint = (products["label"].to_numpy() == 1) ^ (rng.random(ROWS) < 0.15)
    titles = [f"{'Sturdy' if is_sturdy else 'Fragile'} Thing" for is_sturdy in hint]
    place = products.column_names.index("title")
    return write_week(tmp_path_factory.mktemp("titled"), products.set_column(place, "title", pa.array(titles)))


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [
        ("catboost_multimodal", {"iterations": 20, "learning_rate": 0.2, "thread_count": 1}),
        ("sklearn", {"estimator": "sklearn.linear_model.LogisticRegression"}),
    ],
)
def test_a_model_of_texts_only_is_judged_like_any_other(
    titled_week: dict[str, Path], tmp_path: Path, architecture: str, parameters: dict[str, Any]
):
    model = tmp_path / "model"
    model.mkdir()
    params = TrainParams(package_type="box", architecture=architecture, parameters=parameters, features=TITLES)
    train({name: titled_week[name] for name in ("split", "features")}, params, model)
    inputs = titled_week | {"candidate": model}

    first, verdict_of_first = run(inputs, params_of(features=TITLES), tmp_path / "first")
    champion = {"champion": model, "champion_metrics": tmp_path / "first"}
    metrics, verdict = run(inputs | champion, params_of(1, features=TITLES), tmp_path / "second")

    assert (first["leakage"]["feature"], first["leakage"]["max_feature_auc"]) == (None, None)
    assert first["columns_without_values"] == []
    assert verdict_of_first.outcome == "approve", verdict_of_first
    assert {part: metrics["drift"][part] for part in ("rows", "reference_rows", "psi", "missing", "unseen")} == {
        "rows": 3000,
        "reference_rows": 2000,
        "psi": {},
        "missing": {},
        "unseen": {},
    }
    assert metrics["drift"]["title_words"]["share"] == 0.0
    assert verdict.outcome == "approve", verdict
