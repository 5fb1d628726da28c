"""Comparing experiments with one another, with the unchanged model and with the champion."""

import dataclasses
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from experiment_bench import WEEKS, bench_over
from sklearn.metrics import average_precision_score

from packaging_assets.components.model_set import ModelSet
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.experiment import run_experiment
from packaging_assets.experiments.records import Evaluation
from packaging_assets.experiments.side_by_side import compare
from packaging_assets.experiments.workbench import Workbench


def pr_auc_of(bench: Workbench, side: Evaluation, column: str = "candidate_score") -> float:
    with bench.store.scratch() as scratch:
        folder = bench.store.local_path(bench.store.get(side.metrics_uri), scratch)
        scores = pq.read_table(folder / "scores.parquet")
    y, values = scores["label"].to_numpy(), scores[column].to_numpy()
    return average_precision_score(y, values) if side.minority_label else average_precision_score(1 - y, 1 - values)


def test_against_the_unchanged_model_the_champion_and_another_experiment(bench: Workbench, tmp_path):
    deep = run_experiment(bench, "mailer", {"parameters.depth": 5})
    short = run_experiment(bench, "mailer", {"parameters.iterations": 3})
    mine, unchanged = deep.weeks[0].candidate, deep.weeks[0].baseline
    direct = {
        "baseline": pr_auc_of(bench, mine) - pr_auc_of(bench, unchanged),
        "champion": pr_auc_of(bench, mine) - pr_auc_of(bench, mine, "champion_score"),
        short.id: pr_auc_of(bench, mine) - pr_auc_of(bench, short.weeks[0].candidate),
    }
    found = {other: compare(bench, deep.id, other) for other in direct}
    for other, expected in direct.items():
        assert found[other].weeks[0].difference == pytest.approx(expected)
        assert found[other].mean is None
    assert found["baseline"].names == (deep.id, "mailer as in its YAML")
    assert found[short.id].overrides == ({"parameters.depth": 5}, {"parameters.iterations": 3})
    first, second = found["baseline"].contenders[0]
    assert (first.verdict, first.training_seconds) == (mine.verdict, mine.training_seconds)
    assert second.verdict == unchanged.verdict
    assert found["champion"].contenders[0][1].verdict is None
    found["champion"].plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_several_weeks_have_a_mean_over_those_in_common(bench: Workbench):
    both = run_experiment(bench, "mailer", {"parameters.depth": 5}, WEEKS)
    last = run_experiment(bench, "mailer", {"parameters.iterations": 3}, WEEKS[1:])
    found = compare(bench, both.id)
    assert found.mean is not None
    assert found.mean.difference == pytest.approx(sum(week.difference for week in found.weeks) / 2)
    assert [week.week for week in compare(bench, both.id, last.id).weeks] == [WEEKS[1]]
    assert (found.warning, compare(bench, both.id, last.id).warning) == ("", "")


def test_the_weeks_that_had_a_champion_are_held_against_it_and_the_others_are_named(bench: Workbench):
    both = run_experiment(bench, "mailer", {"parameters.depth": 5}, WEEKS)
    found = compare(bench, both.id, "champion")
    difference = pr_auc_of(bench, both.weeks[1].candidate) - pr_auc_of(bench, both.weeks[1].candidate, "champion_score")
    assert [(week.week, week.difference) for week in found.weeks] == [(WEEKS[1], pytest.approx(difference))]
    assert found.mean is None
    assert found.warning == "Left out, since there was no champion before: 2025-02-03."
    first = run_experiment(bench, "mailer", {"parameters.depth": 5}, WEEKS[:1])
    with pytest.raises(
        ExperimentError, match="There was no champion before 2025-02-03 to compare with: compare with b"
    ):
        compare(bench, first.id, "champion")


def test_what_cannot_be_compared_is_told_in_one_sentence(bench: Workbench):
    mine = run_experiment(bench, "mailer", {"parameters.depth": 5}, WEEKS[1:])
    earlier = run_experiment(bench, "mailer", {"parameters.depth": 5}, WEEKS[:1])
    box = run_experiment(bench, "box", {"parameters.depth": 5}, WEEKS[1:])
    for other, sentence in (
        ("0123456789", "There is no experiment '0123456789'"),
        (mine.id, "was named twice"),
        (earlier.id, f"{mine.id} is of 2025-02-10 and {earlier.id} of 2025-02-03: run both for one week"),
        (box.id, f"{mine.id} decides on mailer and {box.id} on box"),
    ):
        with pytest.raises(ExperimentError, match=sentence):
            compare(bench, mine.id, other)


def test_experiments_on_another_state_of_the_model_are_told(bench: Workbench, tmp_path: Path):
    deep = run_experiment(bench, "mailer", {"parameters.depth": 5}, WEEKS)
    short = run_experiment(bench, "mailer", {"parameters.iterations": 3}, WEEKS[1:])
    assert compare(bench, deep.id, short.id).warning == ""
    edited = bench_over(tmp_path / "home", features={"numeric": ["weight_kg"]})
    again = run_experiment(edited, "mailer", {"parameters.iterations": 3}, WEEKS[1:])
    assert again.id == short.id
    warning = compare(edited, deep.id, short.id).warning
    assert warning.startswith("mailer as in its YAML was not the same for 2025-02-10 when the two were run: ")
    assert warning.endswith("Run both again, which keeps their ids.")
    assert compare(edited, short.id).warning == ""
    run_experiment(edited, "mailer", {"parameters.depth": 5}, WEEKS)
    assert compare(edited, deep.id, short.id).warning == ""


def test_gates_that_changed_in_between_do_not_matter_to_a_comparison(bench: Workbench, tmp_path: Path):
    deep = run_experiment(bench, "mailer", {"parameters.depth": 5})
    gates = {"slice_categories": [], "slice_bands": [], "min_minority_rows": 20}
    edited = bench_over(tmp_path / "home", gates=gates)
    short = run_experiment(edited, "mailer", {"parameters.iterations": 3})
    assert compare(edited, deep.id, short.id).warning == ""


def test_pruned_artifacts_are_made_again_by_the_same_experiment(bench: Workbench, tmp_path):
    mine = run_experiment(bench, "mailer", {"parameters.depth": 5})
    shutil.rmtree(tmp_path / "home" / "artifacts" / "experiments")
    with pytest.raises(ExperimentError, match="Run the experiment again: No artifact experiments/mailer/metrics"):
        compare(bench, mine.id)
    again = run_experiment(bench, "mailer", {"parameters.depth": 5})
    assert again.weeks[0].to_baseline == mine.weeks[0].to_baseline
    assert compare(bench, mine.id).weeks[0].rows == mine.weeks[0].candidate.validation_rows


def test_a_comparison_needs_no_model_of_the_project(bench: Workbench):
    mine = run_experiment(bench, "mailer", {"parameters.depth": 5})
    without = dataclasses.replace(bench, models=ModelSet({}))
    assert compare(without, mine.id).weeks[0].difference == compare(bench, mine.id).weeks[0].difference
