import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fed_week import FEATURES, ROWS, Week, files_of, labels_by

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.catboost import CatBoostArchitecture
from packaging_assets.domain.features import FeatureSet, feature_frame, read_features
from packaging_assets.domain.model_folders import (
    CONTENT,
    feeder_folders,
    inventory_features,
    model_digest,
    trained_on,
    union_of_features,
)
from packaging_assets.domain.models import ModelError, TrainedModel, load_model, score_table

SCORES_ONLY = FeatureSet(scores=("any",)).without_scores()


class BlindToScores(CatBoostArchitecture):
    """Takes numbers and categories, and no scores."""

    name = "blind"
    feature_kinds = frozenset({"numeric", "categorical"})


class OnlyScores(CatBoostArchitecture):
    """Takes scores and nothing else."""

    name = "only_scores"
    feature_kinds = frozenset({"scores"})


class CountingCatBoost(CatBoostArchitecture):
    """Says how often it prepared and scored."""

    prepared: ClassVar[list[tuple[str, ...]]] = []
    scored: ClassVar[list[tuple[str, ...]]] = []

    def prepare(self, X):
        self.prepared.append(self._features.columns)
        return super().prepare(X)

    def predict_proba(self, prepared):
        self.scored.append(self._features.columns)
        return super().predict_proba(prepared)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A chain of three: box feeds bag, and both feed sioc, which sees scores only."""
    week = Week(tmp_path_factory.mktemp("chain"))
    week.make("box", labels_by(week.products, 2, 1), depth=1)
    week.make("bag", labels_by(week.products, 1, 2), "box")
    week.last("sioc", labels_by(week.products, 1, 1), "box", "bag", features=SCORES_ONLY)
    return week


def model(week: Week, name: str) -> TrainedModel:
    return load_model(week.folder / name / "model")


def test_a_model_carries_copies_of_what_it_feeds_from_and_of_what_these_feed_from(week: Week):
    box, bag, sioc = (files_of(week.folder / name / "model") for name in ("box", "bag", "sioc"))

    assert sorted(box) == [
        "catalogue_profile.json",
        "model.json",
        "model/model.cbm",
        "profile.json",
        "training_ids.parquet",
    ]
    assert {name: content for name, content in bag.items() if name.startswith("feeders/")} == {
        f"feeders/box/{name}": content for name, content in box.items()
    }
    assert {name for name in sioc if name.startswith("feeders/")} == {
        *(f"feeders/box/{name}" for name in box),
        *(f"feeders/bag/{name}" for name in bag),
    }
    assert sioc["feeders/bag/feeders/box/model/model.cbm"] == box["model/model.cbm"]
    assert json.loads(bag["model.json"])["features"]["scores"] == ["box"]
    assert "score_box" in json.loads(bag["model.json"])["feature_importance"]


def test_what_an_artifact_store_adds_to_a_folder_is_not_carried_along(week: Week, tmp_path: Path):
    own = Week(tmp_path / "week")
    folder = own.make("box", labels_by(own.products, 2, 1))
    before = model_digest(folder)
    (folder / "provenance.json").write_text("{}")
    bag = own.last("bag", labels_by(own.products, 1, 2), "box")

    assert sorted(path.name for path in feeder_folders(bag)["box"].iterdir()) == sorted({*CONTENT} - {"feeders"})
    assert before == model_digest(folder) == model_digest(feeder_folders(bag)["box"])
    assert files_of(bag) == files_of(week.folder / "bag" / "model")  # the same bytes in another folder


def test_a_loaded_model_brings_its_feeders(week: Week):
    box, bag, sioc = (model(week, name) for name in ("box", "bag", "sioc"))

    assert [feeder.digest for feeder in sioc.feeders] == [box.digest, bag.digest]
    assert [feeder.digest for feeder in sioc.feeders[1].feeders] == [box.digest]
    assert sioc.features == FeatureSet(scores=("box", "bag"))
    assert sioc.inventory_features == FEATURES == inventory_features(week.folder / "sioc" / "model")
    assert sioc.preparation == ("catboost", sioc.features, (box.digest, bag.digest))
    assert sioc.architectures == ("catboost",)


def test_the_profiles_of_a_model_that_sees_scores_only_are_of_what_its_feeders_read(week: Week):
    folder = week.folder / "sioc" / "model"
    profile = json.loads((folder / "profile.json").read_text())

    assert (sorted(profile["numeric"]), sorted(profile["categorical"])) == (["length_cm", "weight_kg"], ["category"])
    assert profile == json.loads((week.folder / "box" / "model" / "profile.json").read_text())
    assert json.loads((folder / "catalogue_profile.json").read_text())["rows"] == ROWS


def test_a_model_has_been_trained_on_what_its_feeders_were_trained_on(tmp_path: Path):
    own = Week(tmp_path / "week")
    own.split("box", labels_by(own.products, 2, 1), left_out=[1])
    own.train("box")
    own.score("box")
    own.split("bag", labels_by(own.products, 1, 2), left_out=[2])
    bag = own.train("bag", "box")

    ids = trained_on(bag).unique().to_pylist()

    assert sorted(ids) == [f"p{row:04d}" for row in range(ROWS) if row % 3]
    assert "p0002" not in pq.read_table(bag / "training_ids.parquet")["product_id"].to_pylist()


def test_a_model_is_scored_after_its_feeders_with_their_scores(week: Week):
    box, bag, sioc = (model(week, name) for name in ("box", "bag", "sioc"))
    table = read_features(week.features, FEATURES)
    by_box = box.score(box.prepare(feature_frame(table, box.features)))
    with_box = table.append_column("score_box", pa.array(by_box))
    by_bag = bag.score(bag.prepare(feature_frame(with_box, bag.features)))
    with_both = with_box.append_column("score_bag", pa.array(by_bag))
    by_sioc = sioc.score(sioc.prepare(feature_frame(with_both, sioc.features)))

    scores = score_table([sioc, box, bag], table)

    assert scores.shape == (ROWS, 3)
    assert scores.tolist() == np.column_stack([by_sioc, by_box, by_bag]).tolist()
    assert score_table([sioc], table)[:, 0].tolist() == by_sioc.tolist()
    assert score_table([sioc], table.slice(0, 0)).shape == (0, 1)


def test_each_distinct_model_is_scored_once_and_each_preparation_made_once(tmp_path: Path):
    own = Week(tmp_path / "week")
    counting = f"{__name__}:CountingCatBoost"
    own.make("box", labels_by(own.products, 2, 1), architecture=counting)
    own.last("mailer", labels_by(own.products, 2, 2), architecture=counting)
    own.last("bag", labels_by(own.products, 1, 2), "box", architecture=counting)
    own.last("sioc", labels_by(own.products, 1, 1), "box", architecture=counting)
    models = [model(own, name) for name in ("bag", "sioc", "mailer", "box")]
    CountingCatBoost.prepared.clear()
    CountingCatBoost.scored.clear()

    score_table(models, read_features(own.features, FEATURES))

    fed = ("weight_kg", "length_cm", "score_box", "category")
    assert CountingCatBoost.prepared == [FEATURES.columns, fed]  # box and mailer share one, bag and sioc another
    assert sorted(CountingCatBoost.scored) == sorted([FEATURES.columns] * 2 + [fed] * 2)


def test_when_the_feeder_moves_on_the_fed_models_scores_stay_as_they_are(tmp_path: Path, week: Week):
    table = read_features(week.features, FEATURES)
    later = Week(tmp_path / "later")
    later.make("box", labels_by(later.products, -2, 1, seed=9))
    box, bag, moved = model(week, "box"), model(week, "bag"), model(later, "box")

    before, after = score_table([box, bag], table), score_table([moved, bag], table)

    assert before[:, 1].tobytes() == after[:, 1].tobytes()
    assert (before[:, 0] != after[:, 0]).mean() > 0.99


def test_an_architecture_that_takes_no_scores_is_refused_before_anything_is_read(tmp_path: Path):
    own = Week(tmp_path / "week")

    with pytest.raises(ArchitectureError, match=r"takes no scores features \(box\); it takes categorical, numeric"):
        own.train("bag", "box", architecture=f"{__name__}:BlindToScores")


def test_an_architecture_that_takes_scores_only_can_be_fed(tmp_path: Path):
    own = Week(tmp_path / "week")
    own.make("box", labels_by(own.products, 2, 1))
    own.split("bag", labels_by(own.products, 1, 2))

    own.train("bag", "box", features=SCORES_ONLY, architecture=f"{__name__}:OnlyScores")

    bag = model(own, "bag")
    assert bag.architectures == ("catboost", f"{__name__}:OnlyScores")
    scores = score_table([bag], read_features(own.features, bag.inventory_features))
    assert np.unique(scores).size > 20


def test_a_model_that_has_lost_a_feeder_is_refused(tmp_path: Path):
    own = Week(tmp_path / "week")
    own.make("box", labels_by(own.products, 2, 1))
    bag = own.last("bag", labels_by(own.products, 1, 2), "box")
    feeder_folders(bag)["box"].rename(tmp_path / "elsewhere")

    with pytest.raises(ModelError, match=r"bag/model/feeders/box/model.json does not describe a model .*; train it"):
        load_model(bag)


@pytest.mark.parametrize(
    ("description", "lacking"),
    [({"architecture": "catboost"}, "features"), ({"features": {"numeric": ["weight_kg"]}}, "architecture")],
)
def test_a_description_that_lacks_a_key_is_refused(tmp_path: Path, description: dict[str, object], lacking: str):
    (tmp_path / "model.json").write_text(json.dumps(description))

    with pytest.raises(ModelError, match=rf"model.json does not describe a model \(KeyError\('{lacking}'\)\)"):
        load_model(tmp_path)


def test_the_union_of_feature_sets_has_each_column_once():
    union = union_of_features(
        [
            FeatureSet(numeric=("weight",), embedding=("image_0",), text=("title",), scores=("box",)),
            FeatureSet(numeric=("image_0", "length"), categorical=("title", "brand")),
        ]
    )

    assert union == FeatureSet(numeric=("weight", "length"), embedding=("image_0",), categorical=("title", "brand"))
    assert union_of_features([FEATURES]) == FEATURES
