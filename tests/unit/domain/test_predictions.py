import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.catboost import CatBoostArchitecture
from packaging_assets.domain.features import FeatureError, FeatureSet, feature_frame, read_features
from packaging_assets.domain.json_files import write_json
from packaging_assets.domain.models import TrainedModel, load_model
from packaging_assets.domain.predictions import (
    PREDICTION_SCHEMA,
    NoApprovedModel,
    PredictionCountError,
    PredictModel,
    PredictParams,
    check_count,
    predict,
)

AS_OF = dt.datetime.fromisoformat("2025-02-10")
SHARED = FeatureSet(numeric=("weight_kg", "length_cm"), categorical=("category",))
OTHER = FeatureSet(numeric=("length_cm", "price_usd"), categorical=("brand",))
FITS = ("fits_mailer", "fits_bag", "fits_box", "fits_sioc")


def catalogue(rows: int, seed=0) -> pa.Table:
    random = np.random.default_rng(seed)
    numbers = {name: random.normal(size=rows) for name in ("weight_kg", "length_cm", "price_usd")}
    return pa.table(
        {
            "product_id": [f"p{i:05d}" for i in range(rows)],
            **numbers,
            "category": random.choice(["toys", "tools"], rows).tolist(),
            "brand": random.choice(["acme", "apex", "axle"], rows).tolist(),
            **{name: random.random(rows) < 0.8 for name in FITS},
        }
    )


def write_inventory(folder: Path, *tables: pa.Table) -> Path:
    folder.mkdir()
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{number:05d}.parquet")
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """Three models on one feature set, and that of `sioc` on another."""
    root = tmp_path_factory.mktemp("models")
    table = catalogue(500, seed=9)
    for seed, package_type in enumerate(("mailer", "bag", "box", "sioc")):
        features = OTHER if package_type == "sioc" else SHARED
        frame = feature_frame(table, features)
        labels = np.random.default_rng(seed).integers(0, 2, 500).astype(np.int8)
        model = CatBoostArchitecture(features, {"iterations": 5}).fit(
            frame, labels, sample_weight=np.ones(500), seed=seed
        )
        files = root / package_type / "model"
        files.mkdir(parents=True)
        model.save(files)
        description = {"package_type": package_type, "architecture": "catboost", "minority_label": 1}
        write_json(files.parent / "model.json", {**description, "features": features.model_dump()})
    return {package_type: root / package_type for package_type in ("mailer", "bag", "box", "sioc")}


def params_for(*package_types: str, threshold=0.5) -> PredictParams:
    return PredictParams(
        models=tuple(
            PredictModel(package_type=name, model=name, version=number, threshold=threshold, input_name=f"{name}_model")
            for number, name in enumerate(package_types, start=1)
        ),
        as_of=AS_OF,
    )


def run_predict(models, inventory: Path, output: Path, params: PredictParams) -> pd.DataFrame:
    output.mkdir()
    inputs = {"inventory": inventory, **{f"{name}_model": folder for name, folder in models.items()}}
    predict(inputs, params, output)
    parts = [pq.read_table(path) for path in sorted(output.glob("*.parquet"))]
    assert all(part.schema == PREDICTION_SCHEMA for part in parts)
    return pa.concat_tables(parts).to_pandas()


def test_every_product_has_one_prediction_per_model_in_a_fixed_order(tmp_path, models):
    inventory = write_inventory(tmp_path / "inventory", catalogue(50).slice(0, 30), catalogue(50).slice(30))

    predictions = run_predict(models, inventory, tmp_path / "out", params_for("sioc", "box", "mailer", "bag"))

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "part-00000.parquet",
        "part-00001.parquet",
        "predictions.json",
    ]
    assert pq.read_metadata(tmp_path / "out" / "part-00000.parquet").num_rows == 120
    assert predictions["product_id"].tolist() == [f"p{i:05d}" for i in range(50) for _ in range(4)]
    assert predictions["package_type"].tolist() == ["mailer", "bag", "box", "sioc"] * 50
    assert predictions["model"].tolist() == ["mailer", "bag", "box", "sioc"] * 50
    assert predictions["model_version"].tolist() == [3, 4, 2, 1] * 50


def test_scores_are_those_of_each_model_on_its_own_features(tmp_path, models):
    inventory = write_inventory(tmp_path / "inventory", catalogue(50))

    predictions = run_predict(models, inventory, tmp_path / "out", params_for("mailer", "sioc"))

    for package_type in ("mailer", "sioc"):
        model = load_model(models[package_type])
        frame = feature_frame(read_features(inventory, model.features), model.features)
        expected = model.score(model.prepare(frame))
        assert predictions.query("package_type == @package_type")["score"].tolist() == expected.tolist()


@pytest.mark.parametrize("stage", ["live", "shadow"])
def test_what_is_no_probability_is_not_written(tmp_path, models, monkeypatch, stage):
    """Also of a product that does not fit, or where nothing is held against the scores later, as of shadow models."""
    products = catalogue(50).drop_columns(["fits_bag"]).append_column("fits_bag", pa.array([False] * 50))
    inventory = write_inventory(tmp_path / "inventory", products)
    given = CatBoostArchitecture.predict_proba

    def broken(self, prepared):
        scores = given(self, prepared)
        scores[7] = np.nan
        return scores

    monkeypatch.setattr(CatBoostArchitecture, "predict_proba", broken)
    params = params_for("bag").model_copy(update={"stage": stage})
    with pytest.raises(ArchitectureError, match="bag version 1 scores product 'p00007' with nan, and 1 of 50 products"):
        run_predict(models, inventory, tmp_path / "out", params)
    assert list((tmp_path / "out").glob("*.parquet")) == []


def test_suitable_means_a_score_from_the_threshold_on_and_a_fit(tmp_path, models):
    table = catalogue(50)
    inventory = write_inventory(tmp_path / "inventory", table)

    predictions = run_predict(models, inventory, tmp_path / "out", params_for("box", threshold=0.5))

    fits = table["fits_box"].to_numpy()
    assert predictions["is_suitable"].tolist() == ((predictions["score"] >= 0.5).to_numpy() & fits).tolist()
    assert 0 < predictions["is_suitable"].sum() < fits.sum()
    summary = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert summary == {
        "as_of": "2025-02-10T00:00:00",
        "inventory_rows": 50,
        "rows": 50,
        "models": [
            {
                "package_type": "box",
                "model": "box",
                "version": 1,
                "rows": 50,
                "suitable": int(predictions["is_suitable"].sum()),
            }
        ],
    }


def test_a_score_that_just_reaches_the_threshold_is_suitable(tmp_path, models):
    inventory = write_inventory(tmp_path / "inventory", catalogue(50))
    scores = run_predict(models, inventory, tmp_path / "scored", params_for("box"))["score"]
    threshold = float(np.sort(scores)[25])

    predictions = run_predict(models, inventory, tmp_path / "out", params_for("box", threshold=threshold))

    fits = catalogue(50)["fits_box"].to_numpy()
    reaches = (scores == threshold).to_numpy() & fits
    assert reaches.any()
    assert predictions["is_suitable"][reaches].all()


def test_no_value_of_a_prediction_may_be_missing():
    assert not any(field.nullable for field in PREDICTION_SCHEMA)


def test_a_product_whose_fit_is_unknown_is_not_suitable(tmp_path, models):
    table = catalogue(2)
    table = table.set_column(table.column_names.index("fits_box"), "fits_box", pa.array([None, True]))
    inventory = write_inventory(tmp_path / "inventory", table)

    predictions = run_predict(models, inventory, tmp_path / "out", params_for("box", threshold=0))

    assert predictions["is_suitable"].tolist() == [False, True]


def test_damage_never_grows_with_protection(tmp_path, models):
    inventory = write_inventory(tmp_path / "inventory", catalogue(50))

    predictions = run_predict(models, inventory, tmp_path / "out", params_for("mailer", "bag", "box", "sioc"))

    wide = predictions.pivot_table(index="product_id", columns="package_type", values="damage_probability")
    assert (np.diff(wide[["sioc", "bag", "mailer", "box"]].to_numpy(), axis=1) <= 0).all()
    scores = predictions.pivot_table(index="product_id", columns="package_type", values="score")
    assert (1 - scores).mean(axis=1).tolist() == pytest.approx(wide.mean(axis=1).tolist())
    assert (np.diff(1 - scores[["sioc", "bag", "mailer", "box"]].to_numpy(), axis=1) > 0).any()


def test_models_that_can_share_prepared_rows_do(tmp_path, models, monkeypatch):
    prepared = []
    original = TrainedModel.prepare

    def count(self, frame):
        prepared.append(self.package_type)
        return original(self, frame)

    monkeypatch.setattr(TrainedModel, "prepare", count)
    inventory = write_inventory(tmp_path / "inventory", catalogue(20).slice(0, 10), catalogue(20).slice(10))

    run_predict(models, inventory, tmp_path / "out", params_for("mailer", "bag", "box", "sioc"))

    assert prepared == ["mailer", "sioc"] * 2


def test_chunking_and_repetition_change_nothing(tmp_path, models):
    table = catalogue(60)
    whole = write_inventory(tmp_path / "whole", table)
    pieces = write_inventory(tmp_path / "pieces", *(table.slice(start, 25) for start in (0, 25, 50)))
    params = params_for("mailer", "bag", "box", "sioc")

    first = run_predict(models, whole, tmp_path / "first", params)
    again = run_predict(models, whole, tmp_path / "again", params)
    in_pieces = run_predict(models, pieces, tmp_path / "in_pieces", params)

    assert first.equals(in_pieces)
    assert first.equals(again)
    assert (tmp_path / "first/part-00000.parquet").read_bytes() == (tmp_path / "again/part-00000.parquet").read_bytes()


def test_an_inventory_without_products_gives_no_predictions(tmp_path, models):
    inventory = write_inventory(tmp_path / "inventory", catalogue(1).slice(0, 0))

    predictions = run_predict(models, inventory, tmp_path / "out", params_for("mailer", "sioc"))

    assert len(predictions) == 0
    summary = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [(model["model"], model["rows"]) for model in summary["models"]] == [("mailer", 0), ("sioc", 0)]


def test_no_approved_model_is_an_error(tmp_path):
    with pytest.raises(NoApprovedModel, match="no package type has an approved model"):
        predict({"inventory": tmp_path}, PredictParams(models=(), as_of=AS_OF), tmp_path)


def test_an_inventory_without_a_feature_of_some_model_is_refused(tmp_path, models):
    inventory = write_inventory(tmp_path / "inventory", catalogue(5).drop_columns(["brand"]))

    with pytest.raises(FeatureError, match="lacks the column 'brand'"):
        run_predict(models, inventory, tmp_path / "out", params_for("mailer", "sioc"))


def test_lost_predictions_are_noticed():
    check_count(8, products=2, models=4)
    with pytest.raises(
        PredictionCountError, match="7 predictions were written for 2 products and 4 models, 8 were due"
    ):
        check_count(7, products=2, models=4)


def test_two_models_of_one_type_are_refused():
    (one,) = params_for("box").models
    other = one.model_copy(update={"model": "box_text"})
    with pytest.raises(ValidationError, match="at most one model per package type can be applied, got box, box"):
        PredictParams(models=(one, other), as_of=AS_OF)


def test_shadow_models_of_one_type_stand_side_by_side_and_by_themselves(tmp_path, models):
    inventory = write_inventory(tmp_path / "inventory", catalogue(30))
    shadows = {"box_b": ("box", "box", 2), "box_a": ("box", "bag", 5), "mail": ("mailer", "mailer", 1)}
    params = PredictParams(
        models=tuple(
            PredictModel(
                package_type=package_type, model=name, version=version, threshold=0.5, input_name=f"{folder}_model"
            )
            for name, (package_type, folder, version) in shadows.items()
        ),
        stage="shadow",
        as_of=AS_OF,
    )

    predictions = run_predict(models, inventory, tmp_path / "out", params)

    assert predictions["model"].tolist() == ["mail", "box_a", "box_b"] * 30
    assert predictions["package_type"].tolist() == ["mailer", "box", "box"] * 30
    assert predictions["model_version"].tolist() == [1, 5, 2] * 30
    assert predictions["damage_probability"].tolist() == (1 - predictions["score"]).tolist()
    box = load_model(models["box"])
    frame = feature_frame(read_features(inventory, box.features), box.features)
    assert predictions.query("model == 'box_b'")["score"].tolist() == box.score(box.prepare(frame)).tolist()


def test_a_shadow_model_is_applied_once():
    twice = params_for("box").models * 2
    with pytest.raises(ValidationError, match="at most one model per name can be applied, got box, box"):
        PredictParams(models=twice, stage="shadow", as_of=AS_OF)
