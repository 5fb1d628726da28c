"""A search: what judges its trials, that it goes on where it was, and what it refuses."""

import fcntl
import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from experiment_bench import WEEKS, bench_over, state_of

from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.search_space import SearchRange
from packaging_assets.domain.feeder_scores import FeederError
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.studies import Study, open_study
from packaging_assets.experiments.trials import Bench, Measure
from packaging_assets.experiments.tuning import Search, Tuned, tune
from packaging_assets.experiments.workbench import Workbench
from packaging_assets.resources.sagemaker_errors import JobFailedError, JobServiceError

SPACE = {
    "parameters.depth": {"int": [2, 4]},
    "parameters.learning_rate": {"float": [0.05, 0.5], "log": True},
    "class_weights": {"choice": ["balanced", None]},
}


def space_of(given: dict[str, Any]) -> dict[str, SearchRange]:
    return {key: SearchRange.model_validate(values) for key, values in given.items()}


def search(**changes: Any) -> Search:
    return Search(**{"model": "mailer", "space": space_of(SPACE), "trials": 4, **changes})


def trials_of(tuned: Tuned) -> list[tuple[dict[str, Any], float | None]]:
    return [(dict(trial.overrides), trial.pr_auc) for trial in tuned.trials]


@pytest.fixture(scope="module")
def uninterrupted(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workbench, Tuned]:
    home = tmp_path_factory.mktemp("tuned") / "home"
    shutil.copytree(trained, home)
    bench = bench_over(home)
    return bench, tune(bench, search())


def test_the_best_trial_becomes_an_experiment(uninterrupted: tuple[Workbench, Tuned]):
    _, tuned = uninterrupted
    assert [trial.number for trial in tuned.trials] == [1, 2, 3, 4]
    assert tuned.best.pr_auc == max(trial.pr_auc or 0 for trial in tuned.trials)
    assert (tuned.record.overrides, tuned.record.label) == (dict(tuned.best.overrides), "tuned")
    assert [week.week for week in tuned.record.weeks] == [tuned.week] == [WEEKS[1]]
    for overrides, pr_auc in trials_of(tuned):
        assert list(overrides) == sorted(SPACE)
        assert overrides["parameters.depth"] in {2, 3, 4}
        assert 0.05 <= overrides["parameters.learning_rate"] <= 0.5
        assert len(repr(overrides["parameters.learning_rate"])) <= len("0.0xxxx")
        assert overrides["class_weights"] in {"balanced", None}
        assert pr_auc is not None


def test_trials_are_judged_by_training_rows_that_they_were_not_trained_on(uninterrupted: tuple[Workbench, Tuned]):
    bench, tuned = uninterrupted
    split = bench.store.current("mailer/split", WEEKS[1])
    assert split is not None
    (inner,) = bench.store.committed("experiments/mailer/tuning_split", WEEKS[1])
    with bench.store.scratch() as scratch:
        sides = [
            {
                side: set(
                    pq.read_table(bench.store.local_path(found, scratch) / f"{side}.parquet")["product_id"].to_pylist()
                )
                for side in ("train", "validation")
            }
            for found in (split, inner)
        ]
        models = bench.store.committed("experiments/mailer/tuning_model", WEEKS[1])
        trained_on = [
            set(
                pq.read_table(bench.store.local_path(model, scratch) / "training_ids.parquet")["product_id"].to_pylist()
            )
            for model in models
        ]
    outer, held = sides
    assert held["train"] | held["validation"] == outer["train"]
    assert not held["train"] & held["validation"]
    assert len(held["validation"]) == tuned.unchanged.rows
    assert 0.2 < len(held["validation"]) / len(outer["train"]) < 0.3
    assert len(models) == 5  # four trials and the model as it is
    assert all(ids == held["train"] for ids in trained_on)


def test_the_same_search_again_runs_nothing(uninterrupted: tuple[Workbench, Tuned]):
    bench, tuned = uninterrupted
    told: list[int] = []
    again = tune(bench, search(), on_trial=told.append)
    assert (trials_of(again), told) == (trials_of(tuned), [4])
    assert (again.record.cache_hits, again.unchanged.is_cache_hit) == (6, True)


def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(
    bench: Workbench, uninterrupted: tuple[Workbench, Tuned]
):
    class Killed(BaseException):
        pass

    def kill(finished: int) -> None:
        if finished == 2:
            raise Killed

    def kill_while_running(study: Study, *_: Any) -> None:
        raise Killed

    with pytest.raises(Killed):
        tune(bench, search(), on_trial=kill)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Study, "tell", kill_while_running)
        with pytest.raises(Killed):
            tune(bench, search())
    told: list[int] = []
    assert trials_of(tune(bench, search(), on_trial=told.append)) == trials_of(uninterrupted[1])
    assert told == [2, 3, 4]


def test_more_trials_later_go_on_from_those_there_are(bench: Workbench, uninterrupted: tuple[Workbench, Tuned]):
    first = tune(bench, search(trials=2))
    more = tune(bench, search(trials=4))
    assert trials_of(first) == trials_of(more)[:2]
    assert trials_of(more) == trials_of(uninterrupted[1])


def test_another_seed_space_or_share_is_another_search(bench: Workbench):
    found = [
        tune(bench, search(trials=1, **changes)).study
        for changes in ({}, {"seed": 5}, {"hold_out": 0.5}, {"space": space_of({"parameters.depth": {"int": [2, 4]}})})
    ]
    assert len(set(found)) == 4


def test_nothing_of_the_home_changes(bench: Workbench, tmp_path: Path):
    before = state_of(tmp_path / "home")
    tune(bench, search(trials=1))
    assert state_of(tmp_path / "home") == before


def test_no_trial_begins_after_the_time_is_up_but_one_always_runs(bench: Workbench):
    moments = iter([0.0, 1.0, 5.0])
    assert len(tune(bench, search(seconds=3.0), seconds_now=lambda: next(moments)).trials) == 2
    assert len(tune(bench, search(seconds=0.0, seed=8)).trials) == 1


def test_values_that_the_model_refuses_are_a_trial_that_failed(bench: Workbench):
    features = {"choice": [{"numeric": ["weight_kg"]}, {"numeric": ["weight_kg", "volume_l"]}]}
    tuned = tune(bench, search(trials=6, space=space_of({"features": features})))
    refused = [trial for trial in tuned.trials if trial.pr_auc is None]
    assert 0 < len(refused) < 6
    assert all("volume_l" in trial.refused for trial in refused)
    assert tuned.best.overrides == {"features": {"numeric": ["weight_kg"]}}
    assert trials_of(tune(bench, search(trials=6, space=space_of({"features": features})))) == trials_of(tuned)


def failing_at_depth_4(error: Exception) -> Callable[..., Measure]:
    """Measures as ever, but for values at which a learner of one's own would fail."""
    measure = Bench.measure

    def measured(self: Bench, spec: ModelSpec, overrides: dict[str, Any]) -> Measure:
        if overrides.get("parameters.depth") == 4:
            raise error
        return measure(self, spec, overrides)

    return measured


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("Out of range float values are not JSON compliant: nan"), "ValueError: Out of range float"),
        (FloatingPointError("overflow"), "FloatingPointError: overflow"),
        (MemoryError("Unable to allocate 38 GiB"), "MemoryError: Unable to allocate 38 GiB"),
        (JobFailedError("Training job t-1 failed: exit code: 1\nThe end of its log:\n..."), "JobFailedError: Training"),
    ],
)
def test_an_error_of_the_learner_ends_the_trial_and_not_the_search(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
):
    monkeypatch.setattr(Bench, "measure", failing_at_depth_4(error))
    depths = search(trials=6, space=space_of({"parameters.depth": {"int": [2, 4]}}))
    tuned = tune(bench, depths)
    refused = [trial for trial in tuned.trials if trial.pr_auc is None]
    assert 0 < len(refused) < 6
    assert all(trial.refused.startswith(told) and "\n" not in trial.refused for trial in refused)
    assert tuned.best.overrides["parameters.depth"] in {2, 3}
    assert trials_of(tune(bench, depths)) == trials_of(tuned)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (JobServiceError("SageMaker did not answer"), JobServiceError),
        (pa.ArrowInvalid("part-00000.parquet is no Parquet file"), pa.ArrowInvalid),
        (OSError(28, "No space left on device"), OSError),
        (ExperimentError("box/model needs features"), ExperimentError),
    ],
)
def test_an_error_of_home_data_or_machines_ends_the_search(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception]
):
    monkeypatch.setattr(Bench, "measure", failing_at_depth_4(error))
    with pytest.raises(raised, match=str(error.args[-1])):
        tune(bench, search(trials=6, space=space_of({"parameters.depth": {"int": [2, 4]}})))


def test_a_model_can_be_searched_for_what_it_feeds_from(bench: Workbench):
    feeders = {"feeds_from": {"choice": [[], ["box"]]}}
    tuned = tune(bench, search(trials=5, space=space_of(feeders)))
    assert {json.dumps(trial.overrides["feeds_from"]) for trial in tuned.trials} == {"[]", '["box"]'}


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({}, "There is nothing to search for mailer: give `search` in its YAML"),
        ({"split.seed": {"int": [1, 9]}}, "split.seed cannot be tuned, since it does not change what is learned"),
        ({"parameters.depth.more": {"int": [1, 9]}}, "a model has no field 'parameters.depth.more'"),
        ({"feeds_from": {"choice": [["mailer"], []]}}, "search: mailer: feeds_from"),
        (
            {"parameters.dept": {"int": [1, 9]}},
            "refused the values of all 4 trials, .* unknown CatBoost parameter 'dept'",
        ),
    ],
)
def test_a_space_that_cannot_be_searched_is_told_in_one_sentence(
    bench: Workbench, space: dict[str, Any], sentence: str
):
    with pytest.raises(ExperimentError, match=sentence):
        tune(bench, search(space=space_of(space)))


def test_too_few_rows_to_hold_out_are_told(bench: Workbench):
    with pytest.raises(ExperimentError, match=r"mailer for 2025-02-10: of the \d+ training rows, the 0 for validation"):
        tune(bench, search(hold_out=0.0001))


def test_what_a_trial_cannot_be_made_of_is_told_in_one_sentence(bench: Workbench, monkeypatch: pytest.MonkeyPatch):
    measure = Bench.measure

    def measured(self: Bench, spec: ModelSpec, overrides: dict[str, Any]) -> Measure:
        if overrides:
            raise FeederError("the out-of-fold scores of 'box' lack 3 of 900 products")
        return measure(self, spec, overrides)

    monkeypatch.setattr(Bench, "measure", measured)
    with pytest.raises(ExperimentError, match="mailer for 2025-02-10: the out-of-fold scores of 'box' lack 3"):
        tune(bench, search())


def test_two_processes_cannot_run_one_search(tmp_path: Path):
    (tmp_path / ".study.lock").touch()
    with (tmp_path / ".study.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            pytest.raises(ExperimentError, match="Another process is running the search study"),
            open_study(tmp_path, "study", {}, 1),
        ):
            pass


def test_two_searches_that_begin_at_once_make_one_database(tmp_path: Path):
    names, barrier = ["mailer", "bag", "box", "sioc"], threading.Barrier(4)

    def begin(name: str) -> int:
        barrier.wait()
        with open_study(tmp_path, name, space_of(SPACE), 1) as study:
            study.tell(study.ask(), 0.5)
            return len(study.finished())

    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(begin, names)) == [1, 1, 1, 1]


def test_a_database_of_studies_that_is_damaged_is_told_by_its_name(tmp_path: Path):
    (tmp_path / "studies.db").write_bytes(b"no database at all" * 100)
    sentence = rf"{tmp_path}/studies.db cannot be used \(\(sqlite3.DatabaseError\) file is not a database\)"
    with pytest.raises(ExperimentError, match=sentence), open_study(tmp_path, "study", {}, 1):
        pass
