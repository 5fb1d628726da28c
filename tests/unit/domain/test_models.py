import datetime as dt
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.features import FeatureSet, feature_frame, read_features
from packaging_assets.domain.models import ModelError, TrainParams, load_model, train

FEATURES = FeatureSet(numeric=("weight_kg", "length_cm"), categorical=("category",))
PARAMS = TrainParams(
    package_type="box",
    parameters={"iterations": 20, "learning_rate": 0.3, "rsm": 1, "l2_leaf_reg": 3},
    features=FEATURES,
    seed=5,
)


def write_inputs(folder: Path, rows=300, positive_share=0.3) -> dict[str, Path]:
    random = np.random.default_rng(0)
    inputs = {"split": folder / "split", "features": folder / "features"}
    for path in inputs.values():
        path.mkdir(parents=True)
    weight = random.normal(size=rows)
    table = pa.table(
        {
            "product_id": [f"p{i:04d}" for i in range(rows)],
            "updated_at": pa.array([dt.datetime.fromisoformat("2025-01-06")] * rows, pa.timestamp("us")),
            "length_cm": random.normal(size=rows),
            "weight_kg": weight,
            "category": random.choice(["toys", "tools"], rows).tolist(),
        }
    )
    for number, start in enumerate(range(0, rows, 100)):
        pq.write_table(table.slice(start, 100), inputs["features"] / f"part-{number:05d}.parquet")
    is_trained_on = np.arange(rows) % 4 != 0
    train_rows = pa.table(
        {
            "product_id": table["product_id"].filter(is_trained_on),
            "label": pa.array((weight < np.quantile(weight, positive_share))[is_trained_on].astype(np.int8)),
            "weight": np.ones(is_trained_on.sum()),
            "is_random_test": np.zeros(is_trained_on.sum(), dtype=bool),
        }
    )
    pq.write_table(train_rows, inputs["split"] / "train.parquet")
    return inputs


def run_train(inputs, output: Path) -> Path:
    output.mkdir()
    train(inputs, PARAMS, output)
    return output


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_folder_says_what_was_trained_on_what(tmp_path):
    inputs = write_inputs(tmp_path)

    folder = run_train(inputs, tmp_path / "out")

    assert sorted(files_of(folder)) == [
        "catalogue_profile.json",
        "model.json",
        "model/model.cbm",
        "profile.json",
        "training_ids.parquet",
    ]
    description = json.loads((folder / "model.json").read_text())
    importance = description.pop("feature_importance")
    assert description == {
        "package_type": "box",
        "architecture": "catboost",
        "parameters": {"iterations": 20, "learning_rate": 0.3, "rsm": 1, "l2_leaf_reg": 3},
        "features": {
            "numeric": ["weight_kg", "length_cm"],
            "embedding": [],
            "scores": [],
            "categorical": ["category"],
            "text": [],
        },
        "class_weights": None,
        "seed": 5,
        "rows": 225,
        "label_rate": pytest.approx(0.3, abs=0.05),
        "minority_label": 1,
    }
    assert max(importance, key=importance.get) == "weight_kg"
    trained_on = pq.read_table(inputs["split"] / "train.parquet")
    assert pq.read_table(folder / "training_ids.parquet") == trained_on.select(["product_id"])
    assert json.loads((folder / "profile.json").read_text())["rows"] == 225
    assert json.loads((folder / "catalogue_profile.json").read_text())["rows"] == 300


def test_the_minority_is_the_rarer_label(tmp_path):
    folder = run_train(write_inputs(tmp_path, positive_share=0.8), tmp_path / "out")

    assert load_model(folder).minority_label == 0


def test_training_twice_gives_equal_folders(tmp_path):
    inputs = write_inputs(tmp_path)

    assert files_of(run_train(inputs, tmp_path / "a")) == files_of(run_train(inputs, tmp_path / "b"))


def test_a_loaded_model_scores_products_by_their_own_features(tmp_path):
    inputs = write_inputs(tmp_path)
    model = load_model(run_train(inputs, tmp_path / "out"))

    table = read_features(inputs["features"], FEATURES)
    scores = model.score(model.prepare(feature_frame(table, model.features)))

    assert (model.package_type, model.features, model.minority_label) == ("box", FEATURES, 1)
    assert model.preparation == ("catboost", FEATURES, ())
    assert (model.inventory_features, model.architectures) == (FEATURES, ("catboost",))
    assert scores.shape == (300,)
    light = np.array(table["weight_kg"]) < -1
    assert scores[light].mean() > 0.8
    assert scores[~light].mean() < 0.4


def test_bad_parameters_are_refused_before_any_data_is_read(tmp_path):
    params = PARAMS.model_copy(update={"parameters": {"iteration": 3}})

    with pytest.raises(ArchitectureError, match="unknown CatBoost parameter 'iteration'"):
        train({}, params, tmp_path)


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        TrainParams(package_type="box", sed=1)


@pytest.mark.parametrize("damage", ["absent", "not json", "lacks a key"])
def test_a_folder_that_describes_no_model_is_refused(tmp_path, damage):
    folder = run_train(write_inputs(tmp_path), tmp_path / "out")
    path = folder / "model.json"
    if damage == "absent":
        path.unlink()
    else:
        path.write_text("{" if damage == "not json" else "{}")

    with pytest.raises(ModelError, match=r"model.json does not describe a model .*; train it again"):
        load_model(folder)


def test_a_folder_without_the_learners_files_is_refused(tmp_path):
    folder = run_train(write_inputs(tmp_path), tmp_path / "out")
    shutil.rmtree(folder / "model")

    with pytest.raises(ArchitectureError, match=r"model.cbm is not a model that CatBoost can load"):
        load_model(folder)
