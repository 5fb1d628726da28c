"""An experiment trains and judges beside the main area: what it re-uses, what it records, what it leaves alone."""

import dataclasses
import datetime as dt
import shutil
from pathlib import Path

import pytest
from experiment_bench import NOW, WEEKS, bench_over, score_in_main, spec, state_of, train_in_main
from fixed_clock import FixedClock

from packaging_assets.components.checks import stored_verdict
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.experiment import read_evaluation_scores, run_experiment
from packaging_assets.experiments.records import Evaluation
from packaging_assets.experiments.workbench import Workbench

DEEPER = {"parameters.depth": 5}


def hits(side: Evaluation) -> dict[str, bool]:
    return {step.asset_key: step.is_cache_hit for step in side.steps}


def uris(side: Evaluation) -> dict[str, str]:
    return {step.asset_key: step.uri for step in side.steps}


def test_another_depth_re_uses_the_split_and_trains_anew(bench: Workbench):
    (week,) = run_experiment(bench, "mailer", DEEPER).weeks
    assert week.week == WEEKS[1]
    assert hits(week.candidate) == {"mailer/split": True, "mailer/model": False, "mailer/metrics": False}
    assert hits(week.baseline) == {"mailer/split": True, "mailer/model": True, "mailer/metrics": True}
    assert uris(week.candidate)["mailer/split"].startswith("mailer/split/2025-02-10/")
    assert uris(week.candidate)["mailer/model"].startswith("experiments/mailer/model/2025-02-10/")


def test_another_split_trains_anew_and_is_compared_on_common_rows(bench: Workbench):
    (week,) = run_experiment(bench, "mailer", {"split.validation_fraction": 0.2}).weeks
    assert hits(week.candidate) == {"mailer/split": False, "mailer/model": False, "mailer/metrics": False}
    assert week.to_baseline is not None
    assert week.to_baseline.rows == week.candidate.validation_rows < week.baseline.validation_rows
    assert week.to_baseline.note.startswith(f"{week.to_baseline.rows} rows that neither was trained on")


def test_the_same_experiment_again_is_the_same_id_and_all_hits(bench: Workbench):
    first = run_experiment(bench, "mailer", DEEPER, label="deeper")
    later = dataclasses.replace(bench, clock=FixedClock(NOW + dt.timedelta(days=1)))
    again = run_experiment(later, "mailer", DEEPER)
    assert (again.cache_hits, again.steps) == (6, 6)
    assert (again.id, again.label, again.created_at) == (first.id, "deeper", NOW)
    assert [uris(week.candidate) for week in again.weeks] == [uris(week.candidate) for week in first.weeks]
    assert again.weeks[0].candidate.training_seconds == first.weeks[0].candidate.training_seconds
    assert bench.records.all() == [again]


def test_a_second_experiment_re_uses_the_steps_of_the_first(bench: Workbench):
    run_experiment(bench, "mailer", {"split.validation_fraction": 0.2})
    (week,) = run_experiment(bench, "mailer", {"split.validation_fraction": 0.2, "gates.min_minority_rows": 20}).weeks
    assert hits(week.candidate) == {"mailer/split": True, "mailer/model": True, "mailer/metrics": False}


def test_registry_and_pointers_and_artifacts_of_the_home_stay_byte_for_byte(bench: Workbench, tmp_path: Path):
    before = state_of(tmp_path / "home")
    run_experiment(bench, "mailer", DEEPER, WEEKS)
    assert state_of(tmp_path / "home") == before
    side = tmp_path / "home" / "artifacts" / "experiments"
    assert not list(side.rglob("current"))
    assert {path.parts[-3] for path in side.glob("mailer/*/*/*")} == {"model", "metrics"}


def test_it_is_judged_against_the_champion_before_the_week(bench: Workbench):
    first, second = run_experiment(bench, "mailer", DEEPER, WEEKS).weeks
    assert first.champion is None
    assert second.champion is not None
    assert (second.champion.model, second.champion.version) == ("mailer", 1)
    assert second.champion.difference.rows == second.candidate.validation_rows
    with bench.store.scratch() as scratch:
        folder = bench.store.local_path(bench.store.get(second.candidate.metrics_uri), scratch)
        verdict = stored_verdict(folder)
    assert (second.candidate.verdict, second.candidate.reasons) == (
        verdict.outcome,
        (*verdict.failures, *verdict.warnings),
    )
    assert any(reason.startswith("enough_minority_rows: ") for reason in second.candidate.reasons)


def test_nothing_set_is_the_model_itself(bench: Workbench):
    record = run_experiment(bench, "mailer", {})
    assert (record.cache_hits, record.weeks[0].candidate) == (6, record.weeks[0].baseline)
    assert record.weeks[0].to_baseline is not None
    assert (record.weeks[0].to_baseline.difference, record.weeks[0].to_baseline.standard_error) == (0.0, 0.0)


def test_what_a_model_is_fed_with_is_made_where_the_main_area_lacks_it(untrained: Path, tmp_path: Path):
    shutil.copytree(untrained, tmp_path / "home")
    bench = bench_over(tmp_path / "home")
    (week,) = run_experiment(bench, "mailer", {"feeds_from": ["box"]}).weeks
    assert list(hits(week.candidate)) == [
        "mailer/split",
        "box/split",
        "box/model",
        "box/out_of_fold_scores",
        "mailer/model",
        "mailer/metrics",
    ]
    assert not (tmp_path / "home" / "artifacts" / "box").exists()


def test_the_main_area_s_feeding_model_is_taken_where_it_is_there(bench: Workbench):
    train_in_main(bench, "box", WEEKS[1])
    (week,) = run_experiment(bench, "mailer", {"feeds_from": ["box"]}).weeks
    assert "box/model" not in hits(week.candidate)
    assert hits(week.candidate)["box/out_of_fold_scores"] is False


def test_scores_of_a_longer_chain_than_the_main_area_s_are_made_anew(bench: Workbench):
    fed = spec("mailer", name="fed", stage="shadow", feeds_from=["box"])
    last = spec("mailer", name="last", stage="shadow")
    chain = dataclasses.replace(bench, models=ModelSet.of([*bench.models.specs.values(), fed, last]))
    train_in_main(chain, "box", WEEKS[1])
    score_in_main(chain, "box", WEEKS[1])
    assert "box/out_of_fold_scores" not in hits(run_experiment(chain, "fed", {}).weeks[0].candidate)
    (week,) = run_experiment(chain, "last", {"feeds_from": ["fed"]}).weeks
    assert [key for key in hits(week.candidate) if not key.startswith(("last", "fed"))] == ["box/out_of_fold_scores"]


def test_scores_of_other_folds_than_the_yaml_s_are_made_anew(bench: Workbench):
    train_in_main(bench, "box", WEEKS[1])
    score_in_main(bench, "box", WEEKS[1])
    assert "box/out_of_fold_scores" not in hits(
        run_experiment(bench, "mailer", {"feeds_from": ["box"]}).weeks[0].candidate
    )
    edited = [spec("mailer", score_folds=5), spec("box", score_folds=5)]
    (week,) = run_experiment(
        dataclasses.replace(bench, models=ModelSet.of(edited)), "mailer", {"feeds_from": ["box"]}
    ).weeks
    assert hits(week.candidate)["box/out_of_fold_scores"] is False


def trained_chain(bench: Workbench) -> None:
    train_in_main(bench, "box", WEEKS[1])
    score_in_main(bench, "box", WEEKS[1])


def test_a_feeding_model_whose_yaml_was_edited_since_is_trained_as_the_yaml_has_it(bench: Workbench):
    trained_chain(bench)
    fewer = {"iterations": 5, "depth": 3, "learning_rate": 0.3, "thread_count": 1}
    edited = ModelSet.of([spec("mailer"), spec("box", parameters=fewer)])
    (week,) = run_experiment(dataclasses.replace(bench, models=edited), "mailer", {"feeds_from": ["box"]}).weeks
    assert {key: hit for key, hit in hits(week.candidate).items() if key.startswith("box")} == {
        "box/split": True,
        "box/model": False,
        "box/out_of_fold_scores": False,
    }


def test_a_feeding_model_of_another_split_than_the_yaml_s_is_not_taken(bench: Workbench):
    """Its training rows would be among those that validate."""
    trained_chain(bench)
    edited = ModelSet.of([spec(name, split={"seed": 3}) for name in ("mailer", "box")])
    (week,) = run_experiment(dataclasses.replace(bench, models=edited), "mailer", {"feeds_from": ["box"]}).weeks
    assert hits(week.candidate)["box/split"] is False
    assert not [reason for reason in week.candidate.reasons if reason.startswith("train_and_validation_are_disjoint")]


def test_a_model_between_is_trained_anew_with_the_one_it_feeds_from(bench: Workbench):
    fed, last = spec("mailer", name="fed", stage="shadow", feeds_from=["box"]), spec("mailer", feeds_from=["fed"])
    chain = dataclasses.replace(bench, models=ModelSet.of([spec("box"), fed, last]))
    trained_chain(chain)
    train_in_main(chain, "fed", WEEKS[1])
    score_in_main(chain, "fed", WEEKS[1])
    assert not [key for key in hits(run_experiment(chain, "mailer", {}).weeks[0].candidate) if "mailer" not in key]
    edited = dataclasses.replace(chain, models=ModelSet.of([spec("box", seed=5), fed, last]))
    (week,) = run_experiment(edited, "mailer", {}).weeks
    assert [key for key, hit in hits(week.candidate).items() if not hit] == [
        "box/model",
        "box/out_of_fold_scores",
        "fed/model",
        "fed/out_of_fold_scores",
        "mailer/model",
        "mailer/metrics",
    ]


def test_the_error_to_the_unchanged_model_counts_with_the_split_s_groups(bench: Workbench):
    """As the error to the champion, which is of the same rows, does."""
    (week,) = run_experiment(bench, "mailer", {"split.group_by": "brand", "split.validation_fraction": 0.5}).weeks
    side = read_evaluation_scores(bench, week.week, week.candidate, "candidate_score")
    assert side.groups is not None
    assert set(side.groups.tolist()) < {f"brand {number}" for number in range(4)}
    assert read_evaluation_scores(bench, week.week, week.baseline, "candidate_score").groups is None


def test_what_feeds_from_a_model_does_not_hinder_experiments_with_it(untrained: Path, tmp_path: Path):
    shutil.copytree(untrained, tmp_path / "home")
    bench = bench_over(tmp_path / "home", feeds_from=["box"])
    assert run_experiment(bench, "box", {"split.seed": 3}).weeks[0].candidate.pr_auc > 0
    with pytest.raises(ExperimentError, match="give both the same `split`"):
        run_experiment(bench, "mailer", {"split.seed": 3})


@pytest.mark.parametrize(
    ("model", "overrides", "weeks", "sentence"),
    [
        ("bag", {}, (), "There is no model 'bag'; there is mailer, box"),
        ("mailer", {"dept": 3}, (), "a model has no field 'dept'; there is "),
        ("mailer", {"split.validation_fraction": 1.5}, (), "mailer: split.validation_fraction = 1.5 cannot be: "),
        ("mailer", {"parameters.dept": 3}, (), "mailer for 2025-02-10: unknown CatBoost parameter 'dept'"),
        (
            "mailer",
            {"feeds_from": ["siok"]},
            (),
            "model 'mailer' feeds from 'siok', and there is no such model; there is mailer, box",
        ),
        ("mailer", {"feeds_from": ["bax"]}, (), "and there is no such model; did you mean 'box'?"),
        ("mailer", {"name": "post"}, (), "name says what the model is and cannot be set for one run"),
        (
            "mailer",
            {},
            ("2024-01-01",),
            "no labels and features for '2024-01-01'; there are for 2025-02-03, 2025-02-10.",
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(
    bench: Workbench, model: str, overrides: dict[str, object], weeks: tuple[str, ...], sentence: str
):
    with pytest.raises(ExperimentError) as caught:
        run_experiment(bench, model, overrides, weeks)
    assert sentence in str(caught.value)
    assert bench.records.all() == []


def test_a_damaged_week_hinders_no_experiment_with_another_and_is_told_by_its_own(bench: Workbench):
    features = bench.store.current("features", WEEKS[0])
    assert features is not None
    shutil.rmtree(bench.store.locate(features, ""))
    record = run_experiment(bench, "mailer", {}, [WEEKS[1]])
    assert [week.week for week in record.weeks] == [WEEKS[1]]
    with pytest.raises(ExperimentError, match="which is not there: materialize features for this partition again"):
        run_experiment(bench, "mailer", {}, [WEEKS[0]])


def test_without_any_data_it_says_how_to_get_some(tmp_path: Path):
    with pytest.raises(ExperimentError, match="No week has labels and features yet: packaging run weekly"):
        run_experiment(bench_over(tmp_path / "home"), "mailer", {})


def test_labels_of_a_model_s_own_are_asked_for(bench: Workbench):
    own = ModelSpec.model_validate({"package_type": "mailer", "labels": {"min_shipments": 50}})
    with pytest.raises(ExperimentError, match="No week has mailer/labels and features yet"):
        bench.check_weeks(own, [])
