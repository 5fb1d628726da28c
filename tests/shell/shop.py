"""A store and a registry with one champion, and inventories for a day as a test wants them."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
from shell_runs import Run

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import Artifact
from packaging_assets.domain.features import FIT_COLUMNS, FeatureSet, feature_frame, read_features
from packaging_assets.domain.models import TrainParams, load_model, train
from packaging_assets.domain.parquet_files import write_parquet
from packaging_assets.domain.registry import ModelVersion, Registration
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

    def put(self, key: str, partition: str, files: dict[str, str]) -> Artifact:
        """Commit a folder with these files."""
        with self.store.scratch() as scratch:
            (scratch / "out").mkdir()
            for name, text in files.items():
                (scratch / "out" / name).write_text(text)
            return self._commit(key, partition, scratch / "out", "put")

    def _commit(self, key: str, partition: str, folder: Path, step: str) -> Artifact:
        parts = FingerprintParts(step=step, modules={}, libraries={}, params={}, inputs={})
        artifact = self.store.commit(key, partition, folder, parts=parts, provenance={})
        self.store.point(artifact)
        return artifact

    def register(self, scores: np.ndarray[Any, Any], week: str = "2025-02-10", **fields: Any) -> ModelVersion:
        """Approve the model as one whose validation rows had these scores; `fields` may say otherwise."""
        metrics = {"score_profile": describe_scores(self._labels, scores, 1), "pr_auc_standard_error": 0.01}
        given: dict[str, Any] = {
            "model": "box",
            "package_type": "box",
            "training_week": week,
            "fingerprint": self._model.fingerprint if week == "2025-02-10" else "f" * 64,
            "artifact_uri": self._model.uri,
            "metrics_uri": self._model.uri,
            "content_hash": self._model.content_hash,
            "code_version": "test",
            "metrics": metrics,
            "verdict": "approve",
        }
        return self.registry.register(Registration(**{**given, **fields}))

    def receive(self, table: pa.Table, cadence: str = "daily", partition: str = DAY) -> None:
        with self.store.scratch() as scratch:
            (scratch / "out").mkdir()
            write_parquet(table, scratch / "out" / "part-00000.parquet")
            self._commit(f"{cadence}/inventory", partition, scratch / "out", str(table["density_kg_per_l"][0].as_py()))

    def predict(self, materialize: Run) -> dg.ExecuteInProcessResult:
        return materialize("daily/predictions", partition=DAY, **self.resources)

    @property
    def resources(self) -> dict[str, Any]:
        return {"artifact_store": self.store, "model_registry": self.registry, "warehouse": self.warehouse}

    def loaded(self) -> list[dict[str, Any]]:
        return self.warehouse.fetch(
            "select count(*) as n, sum(score) as total from ml.predictions where cadence = 'daily'", {}
        )
