"""Predictions refuse products, and scores, that are unlike those the champions learned from and were judged by."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from shell_runs import Run, error_of

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import Artifact
from packaging_assets.domain.features import FIT_COLUMNS, FeatureSet, feature_frame, read_features
from packaging_assets.domain.inventory_checks import INVENTORY_CHECKS
from packaging_assets.domain.models import TrainParams, load_model, train
from packaging_assets.domain.parquet_files import write_parquet
from packaging_assets.domain.prediction_checks import PREDICTION_CHECKS
from packaging_assets.domain.registry import Registration
from packaging_assets.domain.score_profiles import describe_scores
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.settings import Settings

DAY = "2025-02-16"
FEATURES = FeatureSet(numeric=("weight_kg", "density_kg_per_l"), categorical=("brand",))


def products(rows: int, seed: int, *, litres_too_small: float = 1.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "product_id": [f"p{row:05d}" for row in range(rows)],
            "weight_kg": rng.normal(size=rows),
            "density_kg_per_l": litres_too_small * rng.lognormal(size=rows),
            "brand": [f"brand {number}" for number in rng.integers(0, 5, rows)],
            "title": ["Box of things"] * rows,
            **dict.fromkeys(FIT_COLUMNS.values(), np.ones(rows, dtype=bool)),
        }
    )


class Shop:
    """A store and a registry with one champion, `box`, and inventories for the day as a test wants them."""

    def __init__(self, folder: Path, home: Settings) -> None:
        self.store = LocalArtifactStore(folder / "artifacts")
        self.registry = SqliteModelRegistry(folder / "registry.db")
        self.warehouse = warehouse_for(home)
        features, split = folder / "features", folder / "split"
        for path in (features, split):
            path.mkdir()
        table = products(4000, 1)
        write_parquet(table, features / "part-00000.parquet")
        weight = table["weight_kg"].to_numpy()
        self._labels = (weight + np.random.default_rng(2).logistic(size=4000) > 0).astype(np.int8)
        rows = {"product_id": table["product_id"], "label": self._labels, "weight": np.ones(4000)}
        write_parquet(pa.table(rows), split / "train.parquet")
        with self.store.scratch() as scratch:
            params = TrainParams(package_type="box", features=FEATURES, seed=1, parameters={"iterations": 20})
            output = scratch / "out"
            output.mkdir()
            train({"features": features, "split": split}, params, output)
            model = load_model(output)
            frame = feature_frame(read_features(features, FEATURES), FEATURES)
            self.scores = model.score(model.prepare(frame))
            self._model = self._commit("box/model", "2025-02-10", output, "model")

    def _commit(self, key: str, partition: str, folder: Path, step: str) -> Artifact:
        parts = FingerprintParts(step=step, modules={}, libraries={}, params={}, inputs={})
        artifact = self.store.commit(key, partition, folder, parts=parts, provenance={})
        self.store.point(artifact)
        return artifact

    def register(self, scores: np.ndarray[Any, Any], week: str = "2025-02-10") -> None:
        """Approve the model as one whose validation rows had these scores."""
        metrics = {"score_profile": describe_scores(self._labels, scores, 1), "pr_auc_standard_error": 0.01}
        self.registry.register(
            Registration(
                model="box",
                package_type="box",
                training_week=week,
                fingerprint=self._model.fingerprint if week == "2025-02-10" else "f" * 64,
                artifact_uri=self._model.uri,
                metrics_uri=self._model.uri,
                content_hash=self._model.content_hash,
                code_version="test",
                metrics=metrics,
                reasons=(),
                verdict="approve",
            )
        )

    def receive(self, table: pa.Table) -> None:
        with self.store.scratch() as scratch:
            (scratch / "out").mkdir()
            write_parquet(table, scratch / "out" / "part-00000.parquet")
            self._commit("daily/inventory", DAY, scratch / "out", str(table["density_kg_per_l"][0].as_py()))

    def predict(self, materialize: Run) -> dg.ExecuteInProcessResult:
        resources = {"artifact_store": self.store, "model_registry": self.registry, "warehouse": self.warehouse}
        return materialize("daily/predictions", partition=DAY, **resources)

    def loaded(self) -> list[dict[str, Any]]:
        return self.warehouse.fetch(
            "select count(*) as n, sum(score) as total from ml.predictions where cadence = 'daily'", {}
        )


@pytest.fixture
def shop(tmp_path: Path, home: Settings) -> Shop:
    shop = Shop(tmp_path, home)
    shop.register(shop.scores)
    return shop


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    events = [event for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    return {event.asset_check_evaluation_data.check_name: event.asset_check_evaluation_data.passed for event in events}


def test_products_like_those_trained_on_are_scored_and_loaded(shop: Shop, materialize: Run) -> None:
    shop.receive(products(1000, 5))

    result = shop.predict(materialize)

    assert result.success
    assert evaluations(result) == {check.name: True for check in PREDICTION_CHECKS}
    assert shop.loaded()[0]["n"] == 1000


def test_products_in_other_units_are_refused_and_the_last_predictions_stay(shop: Shop, materialize: Run) -> None:
    shop.receive(products(1000, 5))
    assert shop.predict(materialize).success
    before = shop.loaded()
    good = shop.store.current("daily/predictions", DAY)
    shop.receive(products(1000, 6, litres_too_small=2.54**3))

    result = shop.predict(materialize)

    name, message = error_of(result)
    assert (result.success, name) == (False, "FailedCheckError")
    assert f"daily/inventory for {DAY} failed" in message
    assert "no predictions were loaded and the last ones keep serving" in message
    assert "Check density_is_stable: box: density_kg_per_l has a population stability index of" in message
    assert "Look for deliveries in other units" in message
    assert shop.loaded() == before
    assert shop.store.current("daily/predictions", DAY) == good


def test_scores_unlike_those_it_was_judged_by_are_recorded_and_not_loaded(shop: Shop, materialize: Run) -> None:
    shop.receive(products(1000, 5))
    assert shop.predict(materialize).success
    before, good = shop.loaded(), shop.store.current("daily/predictions", DAY)
    shop.register(shop.scores**4, week="2025-02-17")
    shop.receive(products(1000, 7))

    result = shop.predict(materialize)

    assert error_of(result)[0] == "FailedCheckError"
    assert evaluations(result)["scores_are_distributed_as_before"] is False
    assert not [event for event in result.all_events if event.is_step_materialization]
    assert shop.loaded() == before
    assert shop.store.current("daily/predictions", DAY) == good


def test_the_first_predictions_can_be_refused_too(shop: Shop, materialize: Run) -> None:
    shop.register(shop.scores**4, week="2025-02-17")
    shop.receive(products(1000, 5))

    assert error_of(shop.predict(materialize))[0] == "FailedCheckError"
    assert shop.loaded()[0]["n"] == 0


@pytest.mark.parametrize("cadence", ["daily", "monthly"])
def test_every_check_is_on_its_asset(graph: Any, cadence: str) -> None:
    for asset, checks in (("inventory", INVENTORY_CHECKS), ("predictions", PREDICTION_CHECKS)):
        found = graph.get_check_keys_for_assets({dg.AssetKey([cadence, asset])})
        assert {check.name for check in found} == {check.name for check in checks}
