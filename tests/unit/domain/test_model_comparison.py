"""Two versions side by side: on which rows, and by how much they differ."""

import datetime as dt
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, log_loss

from packaging_assets.domain.average_precision import paired_average_precision_difference
from packaging_assets.domain.model_comparison import (
    ComparedVersion,
    ComparisonError,
    check_comparable,
    comparison_page,
    differences,
    differences_in_making,
    names_apart,
    shared_scores,
    side_by_side,
    subject_of,
)
from packaging_assets.domain.registry import ModelVersion, Status
from packaging_assets.domain.slices import log_losses

NOON = dt.datetime(2025, 2, 3, 12, tzinfo=dt.UTC)
ROWS = 400


def scores(seed: int, y: np.ndarray, noise: float) -> np.ndarray:
    return np.clip(0.3 + 0.4 * (y - 0.3) + np.random.default_rng(seed).normal(0, noise, len(y)), 0.001, 0.999)


def compared(
    folder: Path, number: int, week: str, *, ids: range, champion: int | None = None, minority: int = 1, model="mailer"
) -> ComparedVersion:
    place = folder / f"{model} {number}"
    (place / "model").mkdir(parents=True)
    y = (np.arange(ROWS * 2) % 10 < 3).astype(np.int8)[list(ids)]
    table = {
        "product_id": [f"p{row:04d}" for row in ids],
        "label": pa.array(y, pa.int8()),
        "candidate_score": scores(number, y, 0.1 * number),
        "champion_score": scores(9, y, 0.5) if champion else pa.nulls(len(y), pa.float64()),
    }
    pq.write_table(pa.table(table), place / "scores.parquet")
    description = {
        "architecture": "catboost",
        "seed": 1,
        "minority_label": minority,
        "parameters": {"depth": 6, "border_count": 32, "rsm": 1} if number == 1 else {"rsm": 1, "langevin": True},
        "features": {"numeric": ["a", "e", "d", "b"] if number > 1 else ["a"], "categorical": ["c"]},
    }
    (place / "model" / "model.json").write_text(json.dumps(description))
    version = ModelVersion(
        model=model,
        package_type=model,
        training_week=week,
        fingerprint=f"f{number}",
        verdict="approve",
        artifact_uri="a",
        metrics_uri="m",
        content_hash=f"c{number}",
        code_version="1",
        metrics={
            "pr_auc": 0.5 + number / 100,
            "minority_label": minority,
            "validation_rows": 1234,
            "champion": champion and {"version": champion, "difference": 0.01},
        },
        version=number,
        status=Status.APPROVED,
        actor="gates",
        created_at=NOON,
        updated_at=NOON,
    )
    return ComparedVersion(version, place / "model", place)


def test_a_challenger_and_its_champion_are_compared_on_the_challengers_rows_in_either_order(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = compared(tmp_path, 2, "2025-01-13", ids=range(ROWS), champion=1)
    table = pq.read_table(second.metrics / "scores.parquet")

    shared = shared_scores(first, second)
    assert shared is not None
    np.testing.assert_array_equal(shared.first, table["champion_score"].to_numpy())
    np.testing.assert_array_equal(shared.second, table["candidate_score"].to_numpy())
    assert "scored by both in the evaluation of version 2, whose champion version 1 was" in shared.note
    turned = shared_scores(second, first)
    assert turned is not None
    np.testing.assert_array_equal(turned.first, shared.second)


def test_others_are_compared_on_the_rows_that_judged_both(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = compared(tmp_path, 2, "2025-01-13", ids=range(100, 100 + ROWS))
    shared = shared_scores(first, second)
    assert shared is not None
    assert len(shared.y) == 300
    mine = pq.read_table(first.metrics / "scores.parquet")["candidate_score"].to_numpy()[100:]
    theirs = pq.read_table(second.metrics / "scores.parquet")["candidate_score"].to_numpy()[:300]
    np.testing.assert_array_equal(shared.first, mine)
    np.testing.assert_array_equal(shared.second, theirs)

    average, loss = differences(shared)
    assert average.first == pytest.approx(average_precision_score(shared.y, mine))
    assert average.difference == pytest.approx(average_precision_score(shared.y, theirs) - average.first)
    assert average.standard_error > 0
    assert loss.difference == pytest.approx(log_loss(shared.y, theirs) - log_loss(shared.y, mine))
    gap = -np.log(np.where(shared.y == 1, theirs, 1 - theirs)) + np.log(np.where(shared.y == 1, mine, 1 - mine))
    assert loss.standard_error == pytest.approx(gap.std(ddof=1) / math.sqrt(300))


@pytest.mark.parametrize("is_first_later", [False, True])
def test_a_label_that_has_changed_is_that_of_the_later_week(tmp_path: Path, *, is_first_later: bool):
    weeks = ("2025-01-13", "2025-01-06") if is_first_later else ("2025-01-06", "2025-01-13")
    first = compared(tmp_path, 1, weeks[0], ids=range(ROWS))
    second = compared(tmp_path, 2, weeks[1], ids=range(100, 100 + ROWS))
    later, rows = (first, slice(100, 400)) if is_first_later else (second, slice(0, 300))
    path = later.metrics / "scores.parquet"
    table = pq.read_table(path)
    changed = pa.array(1 - table["label"].to_numpy(), pa.int8())
    pq.write_table(table.set_column(1, "label", changed), path)

    shared = shared_scores(first, second)

    assert shared is not None
    np.testing.assert_array_equal(shared.y, changed.to_numpy()[rows])


def test_scores_are_turned_toward_the_rarer_label(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS), minority=0)
    second = compared(tmp_path, 2, "2025-01-13", ids=range(ROWS), minority=0)
    shared = shared_scores(first, second)
    assert shared is not None
    assert shared.y.sum() == ROWS * 0.7
    stored = pq.read_table(first.metrics / "scores.parquet")["candidate_score"].to_numpy()
    np.testing.assert_allclose(shared.first, 1 - stored)


@pytest.mark.parametrize("ids", [range(ROWS, 2 * ROWS), range(ROWS - 1, 2 * ROWS)])
def test_without_shared_rows_of_both_labels_there_is_no_difference(tmp_path: Path, ids: range):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = compared(tmp_path, 2, "2025-01-13", ids=ids)
    assert shared_scores(first, second) is None
    assert "On the same rows" not in comparison_page(first, second)


def with_groups(version: ComparedVersion, groups: np.ndarray) -> None:
    path = version.metrics / "scores.parquet"
    pq.write_table(pq.read_table(path).append_column("group", pa.array(groups, pa.int32())), path)


@pytest.mark.parametrize("of", ["both", "earlier", "later"])
@pytest.mark.parametrize("champion", [1, None])
def test_where_the_split_has_groups_their_rows_are_not_taken_for_independent(
    tmp_path: Path, of: str, champion: int | None
):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = compared(tmp_path, 2, "2025-01-13", ids=range(100, 100 + ROWS), champion=champion)
    for version, start in ((first, 0), (second, 100)):
        # Each evaluation numbers the groups in its own way.
        if of == "both" or (of == "earlier") == (version is first):
            with_groups(version, np.arange(start, start + ROWS) // 20 + 7 * start)
    shared = shared_scores(first, second)
    assert shared is not None

    found = differences(shared)

    if champion and of == "earlier":
        assert shared.groups is None  # the rows are the later one's
        return
    rows = np.arange(100, 100 + ROWS if champion else ROWS)
    families = rows // 20
    paired = paired_average_precision_difference(shared.y, shared.first, shared.second, families)
    assert found[0].standard_error == pytest.approx(paired.standard_error)
    gap = log_losses(shared.y, shared.second) - log_losses(shared.y, shared.first)
    means = gap.reshape(-1, 20).mean(axis=1)
    assert found[1].standard_error == pytest.approx(means.std(ddof=1) / math.sqrt(len(means)))
    plain = differences(replace(shared, groups=None))
    assert [each.difference for each in found] == [each.difference for each in plain]


def test_figures_stand_side_by_side_and_those_that_neither_has_are_left_out(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = compared(tmp_path, 2, "2025-01-13", ids=range(ROWS), champion=1)
    rows = {name: (one, other) for name, one, other in side_by_side(first.version, second.version)}
    assert rows["PR-AUC"] == ("0.5100", "0.5200")
    assert rows["validation rows"] == ("1,234", "1,234")
    assert rows["champion it was held against"] == ("-", "1")
    assert rows["champion of its model"] == ("no", "no")
    assert "log loss" not in rows


def test_what_was_made_differently_is_named(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = compared(tmp_path, 2, "2025-01-13", ids=range(ROWS))
    assert differences_in_making(first.model, second.model) == [
        ("border_count", "32", "default"),
        ("depth", "6", "default"),
        ("langevin", "default", "True"),
        ("only its numeric features", "", "b, d, e"),
    ]
    assert differences_in_making(first.model, first.model) == []


def test_models_that_differ_in_class_weights_only_are_not_told_to_be_made_alike(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = replace(first, version=replace(first.version, version=2), model=tmp_path / "weighed")
    second.model.mkdir()
    description = json.loads((first.model / "model.json").read_text())
    weighed = {**description, "class_weights": {"suitable": 1.0, "not_suitable": 3.0}}
    (second.model / "model.json").write_text(json.dumps(weighed))

    assert differences_in_making(first.model, second.model) == [("class weights", "none", "suitable 1, not suitable 3")]
    assert "are the same" not in comparison_page(first, second)
    assert "class weights and features are the same" in comparison_page(first, replace(second, model=first.model))


def test_the_page_shows_the_difference_and_the_curves(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS))
    second = compared(tmp_path, 2, "2025-01-13", ids=range(ROWS), champion=1)
    text = comparison_page(first, second)
    shared = shared_scores(first, second)
    assert shared is not None
    assert "mailer: versions 1 and 2" in text
    assert f"{differences(shared)[0].difference:+.4f}" in text
    assert text.count("<svg") == 2
    assert text == comparison_page(first, second)


def test_versions_that_cannot_be_compared_are_refused(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS)).version
    other = compared(tmp_path, 3, "2025-01-06", ids=range(ROWS), model="bag").version
    with pytest.raises(ComparisonError, match="mailer:1 decides on mailer and bag:3 on bag: name two versions"):
        check_comparable(first, other)
    with pytest.raises(ComparisonError, match="mailer:1 was named twice"):
        check_comparable(first, first)
    check_comparable(first, compared(tmp_path, 2, "2025-01-13", ids=range(ROWS)).version)


def shadow(folder: Path, champion: str) -> ComparedVersion:
    """Version 1 of a shadow model for mailers, held against version 1 of `champion`."""
    other = compared(folder, 1, "2025-01-13", ids=range(ROWS), champion=1, model="mailer_text")
    metrics = {**other.version.metrics, "champion": {"model": champion, "version": 1, "difference": 0.01}}
    return replace(other, version=replace(other.version, package_type="mailer", stage="shadow", metrics=metrics))


def test_a_shadow_and_the_champion_that_it_was_held_against_are_compared_on_its_rows(tmp_path: Path):
    first, second = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS)), shadow(tmp_path, "mailer")
    table = pq.read_table(second.metrics / "scores.parquet")

    assert subject_of(second.version, first.version) == "mailer"
    assert subject_of(second.version, replace(second.version, version=2)) == "mailer_text"
    check_comparable(first.version, second.version)
    shared = shared_scores(first, second)

    assert shared is not None
    np.testing.assert_array_equal(shared.first, table["champion_score"].to_numpy())
    assert "in the evaluation of mailer_text 1, whose champion mailer 1 was" in shared.note
    assert ("stage", "live", "shadow") in side_by_side(first.version, second.version)
    assert ("champion it was held against", "-", "mailer 1") in side_by_side(first.version, second.version)
    page = comparison_page(first, second)
    assert "mailer: mailer 1 and mailer_text 1" in page
    assert "mailer_text 1 minus mailer 1" in page


def test_a_champion_of_another_model_with_the_same_number_is_not_mistaken_for_it(tmp_path: Path):
    first, second = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS)), shadow(tmp_path, "mailer_old")
    shared = shared_scores(first, second)
    assert shared is not None
    assert "each version was scored in its own week" in shared.note


def test_versions_of_one_model_are_told_apart_by_number(tmp_path: Path):
    first = compared(tmp_path, 1, "2025-01-06", ids=range(ROWS)).version
    assert (subject_of(first, first), names_apart(first, first)) == ("mailer", ("version 1", "version 1"))
    assert subject_of(first, shadow(tmp_path, "mailer").version) == "mailer"
    assert not [row for row in side_by_side(first, first) if row[0] == "stage"]
