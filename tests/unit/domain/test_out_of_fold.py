import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fed_week import FEATURES, QUICK, ROWS, Week, files_of, labels_by, make_products, out_of_fold
from pydantic import ValidationError
from sklearn.metrics import log_loss, roc_auc_score

from packaging_assets.domain.features import read_features
from packaging_assets.domain.feeder_scores import FeederError
from packaging_assets.domain.models import ModelError, load_model, read_train_params, score_table
from packaging_assets.domain.out_of_fold import OutOfFoldParams, fold_of, fold_sets, score_out_of_fold

TRAINED = np.arange(ROWS) % 3 != 0
OVERFITTED = {**QUICK, "iterations": 200, "depth": 6, "l2_leaf_reg": 0.1}
CHAIN = (("box", (), 2, (2, 1)), ("bag", ("box",), 1, (1, 2)), ("sioc", ("bag",), 0, (1, 1)))
"""Name, what it feeds from, depth, and what its labels follow."""


@pytest.fixture
def week(tmp_path: Path) -> Week:
    return Week(tmp_path)


def scores_of(week: Week, name: str) -> dict[str, np.ndarray]:
    return out_of_fold(week.folder / name / "out_of_fold_scores")


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(roc_auc_score(labels, scores))


def test_every_product_of_the_week_has_a_fold_and_a_score(week: Week):
    labels = labels_by(week.products, 2, 1)
    week.make("box", labels)

    folder = week.folder / "box" / "out_of_fold_scores"
    scores = scores_of(week, "box")
    assert pq.read_schema(folder / "scores.parquet") == pa.schema(
        [("product_id", pa.string()), ("fold", pa.int8()), ("score", pa.float64())]
    )
    assert scores["product_id"].tolist() == week.products["product_id"].to_pylist()
    assert scores["fold"].tolist() == fold_of(week.products["product_id"], 4).tolist()
    counts = np.bincount(scores["fold"]).tolist()
    assert json.loads((folder / "out_of_fold.json").read_text()) == {
        "folds": 4,
        "depth": 0,
        "model_digest": load_model(week.folder / "box" / "model").digest,
        "rows": ROWS,
        "training_rows": 600,
        "rows_per_fold": counts,
    }
    assert min(counts) > 190
    assert auc(labels[TRAINED], scores["score"][TRAINED]) > 0.85
    assert auc(labels[~TRAINED], scores["score"][~TRAINED]) > 0.85


def test_the_scores_of_a_fold_are_those_of_a_model_trained_on_the_others(week: Week):
    labels = labels_by(week.products, 2, 1)
    week.make("box", labels)
    fold = fold_of(week.products["product_id"], 4)
    week.split("other", labels, left_out=np.flatnonzero(fold == 2).tolist())
    without = load_model(week.train("other"))

    expected = score_table([without], read_features(week.features, FEATURES))[:, 0]

    assert scores_of(week, "box")["score"][fold == 2].tolist() == expected[fold == 2].tolist()


@pytest.mark.parametrize("fold", [0, 3])
def test_no_label_of_a_fold_moves_the_folds_own_scores_by_a_bit_not_even_through_a_chain(tmp_path: Path, fold: int):
    before, after = Week(tmp_path / "before"), Week(tmp_path / "after")
    is_flipped = fold_of(before.products["product_id"], 4) == fold
    for name, feeds_from, depth, weights in CHAIN:
        labels = labels_by(before.products, *weights)
        before.make(name, labels, *feeds_from, depth=depth)
        after.make(name, np.where(is_flipped, 1 - labels, labels), *feeds_from, depth=depth)

    for name in ("box", "bag", "sioc"):
        one, other = scores_of(before, name), scores_of(after, name)
        without = [column for column in one if column == "score" or f"_{fold}" in column]
        assert {column: one[column][is_flipped].tobytes() for column in without} == {
            column: other[column][is_flipped].tobytes() for column in without
        }
        assert (one["score"][~is_flipped] != other["score"][~is_flipped]).mean() > 0.99


def test_products_of_one_group_are_in_one_fold_and_those_of_none_in_their_own(tmp_path: Path):
    products = make_products()
    families = [None if row % 10 == 0 else f"f{row // 3:03d}" for row in range(ROWS)]
    week = Week(tmp_path, products.append_column("family", pa.array(families)))
    week.split("box", labels_by(products, 2, 1), group_by="family")
    week.train("box")
    week.score("box")

    fold = dict(zip(products["product_id"].to_pylist(), scores_of(week, "box")["fold"].tolist(), strict=True))
    keys = [family or product_id for family, product_id in zip(families, fold, strict=True)]
    assert list(fold.values()) == fold_of(pa.chunked_array([keys]), 4).tolist()
    assert list(fold.values()) != fold_of(products["product_id"], 4).tolist()


def test_a_copy_of_a_product_betrays_its_label_unless_both_are_in_one_fold(tmp_path: Path):
    labels = np.random.default_rng(5).integers(0, 2, ROWS // 3).astype(np.int8)
    copies = pa.concat_tables([make_products(ROWS // 3)] * 3)  # the same products thrice, under other ids
    families = copies["product_id"].combine_chunks()
    products = copies.set_column(0, "product_id", pa.array([f"p{row:04d}" for row in range(ROWS)]))
    week = Week(tmp_path, products.append_column("family", families))
    found = {}
    for group_by in (None, "family"):
        name = group_by or "each"
        week.split(name, np.tile(labels, 3), group_by=group_by)
        week.train(name, parameters=OVERFITTED)
        week.score(name)
        found[group_by] = auc(np.tile(labels, 3)[TRAINED], scores_of(week, name)["score"][TRAINED])

    assert found[None] > 0.7
    assert found["family"] == pytest.approx(0.5, abs=0.06)


def test_with_a_depth_further_folds_are_left_out(week: Week):
    labels = labels_by(week.products, 2, 1)
    week.make("box", labels, depth=1)
    scores, fold = scores_of(week, "box"), fold_of(week.products["product_id"], 4)
    week.split("other", labels, left_out=np.flatnonzero(np.isin(fold, (1, 2))).tolist())
    without = score_table([load_model(week.train("other"))], read_features(week.features, FEATURES))[:, 0]

    assert list(scores) == ["product_id", "fold", "score", *(f"score_without_{number}" for number in range(4))]
    assert scores["score_without_1"][fold == 2].tolist() == without[fold == 2].tolist()
    assert scores["score_without_2"][fold == 1].tolist() == without[fold == 1].tolist()
    assert scores["score_without_1"][fold == 1].tolist() == scores["score"][fold == 1].tolist()
    assert not any(np.isnan(scores[column]).any() for column in scores if column.startswith("score"))
    plain = Week(week.folder / "plain")
    plain.make("box", labels)
    assert scores_of(plain, "box")["score"].tolist() == scores["score"].tolist()


def test_the_sets_of_folds():
    assert fold_sets(3, 0, 2) == [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]
    assert len(fold_sets(4, 1, 2)) == 10


def test_labels_that_are_pure_chance_stay_unknown_out_of_fold(week: Week):
    labels = np.random.default_rng(5).integers(0, 2, ROWS).astype(np.int8)
    model = load_model(week.make("box", labels, parameters=OVERFITTED))

    in_sample = score_table([model], read_features(week.features, FEATURES))[TRAINED, 0]

    assert auc(labels[TRAINED], in_sample) > 0.95
    assert auc(labels[TRAINED], scores_of(week, "box")["score"][TRAINED]) == pytest.approx(0.5, abs=0.05)


def test_a_model_fed_out_of_fold_does_not_trust_what_its_feeder_has_learned_by_heart(week: Week):
    labels = np.random.default_rng(5).integers(0, 2, ROWS).astype(np.int8)
    feeder = load_model(week.make("box", labels, parameters=OVERFITTED))
    table = read_features(week.features, FEATURES)
    week.split("ours", labels)
    ours = load_model(week.train("ours", "box"))
    knowing = score_table([feeder], table)[:, 0]  # what the model says of the rows that it was trained on
    by_heart = pa.table({"product_id": week.products["product_id"], "score": knowing})
    pq.write_table(by_heart, week.folder / "box" / "out_of_fold_scores" / "scores.parquet")
    week.split("theirs", labels)
    theirs = load_model(week.train("theirs", "box"))

    scores = dict(zip(("ours", "theirs"), score_table([ours, theirs], table).T, strict=True))

    assert auc(labels[TRAINED], scores["theirs"][TRAINED]) > 0.95
    assert auc(labels[~TRAINED], scores["theirs"][~TRAINED]) == pytest.approx(0.5, abs=0.07)
    loss = {name: log_loss(labels[~TRAINED], score[~TRAINED]) for name, score in scores.items()}
    assert loss["theirs"] > 1.4  # sure of what it cannot know
    assert loss["ours"] < 0.8  # a constant score has .693
    importance = {
        name: json.loads((week.folder / name / "model" / "model.json").read_text())["feature_importance"]["score_box"]
        for name in ("ours", "theirs")
    }
    assert importance["theirs"] > 60
    assert importance["ours"] < 40


def test_a_feeder_that_sees_more_helps(week: Week):
    hidden = np.random.default_rng(6).normal(size=ROWS)
    seeing = Week(week.folder / "seeing", week.products.append_column("hidden", pa.array(hidden)))
    labels = labels_by(week.products, 0.5, 0.5) | (hidden > 0.8).astype(np.int8)
    wider = FEATURES.model_copy(update={"numeric": (*FEATURES.numeric, "hidden")})
    seeing.make("box", labels, features=wider)
    for name, feeds_from in (("fed", ("box",)), ("alone", ())):
        seeing.split(name, labels)
        seeing.train(name, *feeds_from)

    models = [load_model(seeing.folder / name / "model") for name in ("fed", "alone")]
    fed, alone = score_table(models, read_features(seeing.features, wider)).T

    assert auc(labels[~TRAINED], fed[~TRAINED]) > auc(labels[~TRAINED], alone[~TRAINED]) + 0.05


def test_scoring_twice_gives_the_same_bytes_and_parts_do_not_matter(tmp_path: Path):
    first, second = Week(tmp_path / "first"), Week(tmp_path / "second")
    labels = labels_by(first.products, 2, 1)
    for week in (first, second):
        week.make("box", labels)
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    fold = fold_of(first.products["product_id"], 4)
    start = int(np.flatnonzero(fold == 0)[0])
    pq.write_table(first.products.slice(0, start), pieces / "part-00000.parquet")
    pq.write_table(first.products.slice(start, 1), pieces / "part-00001.parquet")  # of one fold only
    pq.write_table(first.products.slice(start + 1), pieces / "part-00002.parquet")
    (tmp_path / "out").mkdir()

    inputs = {**first.inputs("box"), "model": first.folder / "box" / "model", "features": pieces}
    score_out_of_fold(inputs, OutOfFoldParams(), tmp_path / "out")

    expected = files_of(first.folder / "box" / "out_of_fold_scores")
    assert files_of(second.folder / "box" / "out_of_fold_scores") == expected
    assert files_of(tmp_path / "out") == expected


def test_folds_are_about_equal_and_do_not_follow_from_the_rows_around():
    ids = pa.chunked_array([[f"p{number}" for number in range(20_000)]])

    fold = fold_of(ids, 5)

    assert np.bincount(fold).tolist() == pytest.approx([4000] * 5, rel=0.05)
    assert fold[7:].tolist() == fold_of(pa.chunked_array([ids.to_pylist()[7:50], ids.to_pylist()[50:]]), 5).tolist()


def test_scores_of_another_version_of_the_feeder_are_refused(week: Week):
    labels = labels_by(week.products, 2, 1)
    week.make("box", labels)
    (week.folder / "box" / "model").rename(week.folder / "box" / "old")
    week.train("box", seed=4)
    week.split("bag", labels)

    with pytest.raises(FeederError, match=r"belong to another version of it .* materialize box/model and box/out_of"):
        week.train("bag", "box")


def test_scores_that_lack_a_product_are_refused(week: Week):
    labels = labels_by(week.products, 2, 1)
    week.make("box", labels)
    path = week.folder / "box" / "out_of_fold_scores" / "scores.parquet"
    pq.write_table(pq.read_table(path).slice(2), path)
    week.split("bag", labels)

    with pytest.raises(FeederError, match=r"'box' lack 1 of 600 products, 'p0001' among them: materialize box/out_of"):
        week.train("bag", "box")


def test_scores_without_the_depth_that_a_chain_needs_are_refused(week: Week):
    labels = labels_by(week.products, 2, 1)
    week.make("box", labels)

    with pytest.raises(FeederError, match="'box' have no column 'score_without_0', which a chain of models needs"):
        week.make("bag", labels, "box")


def test_a_model_of_other_rows_than_the_split_is_refused(week: Week):
    labels = labels_by(week.products, 2, 1)
    week.split("box", labels)
    week.train("box")
    (week.folder / "box" / "split").rename(week.folder / "box" / "old")
    week.split("box", labels, left_out=[1])

    with pytest.raises(FeederError, match=r"was trained on 600 other rows than the 599 of .*split: materialize"):
        week.score("box")


def test_a_fold_that_has_all_of_a_label_is_refused(week: Week):
    fold = fold_of(week.products["product_id"], 4)
    week.split("box", ((fold == 1) & TRAINED).astype(np.int8))
    week.train("box")

    with pytest.raises(FeederError, match=r"without fold 1 of 4, the \d+ training rows of box do not have both labels"):
        week.score("box")


def test_a_model_that_does_not_say_how_it_was_trained_is_refused(week: Week):
    week.make("box", labels_by(week.products, 2, 1))
    path = week.folder / "box" / "model" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seed": -1}))

    with pytest.raises(ModelError, match=r"(?s)model.json does not say how to train .*; train it again"):
        read_train_params(path.parent)


@pytest.mark.parametrize(
    ("folds", "depth", "message"),
    [
        (1, 0, "greater than or equal to 2"),
        (3, 2, "with 3 folds and a depth of 2 nothing would be left to train on; give at least 4 folds"),
    ],
)
def test_something_must_be_left_to_train_on(folds: int, depth: int, message: str):
    with pytest.raises(ValidationError, match=message):
        OutOfFoldParams(folds=folds, depth=depth)
