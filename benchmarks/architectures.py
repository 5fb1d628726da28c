"""Quality and speed of every architecture: share of the best possible PR-AUC, CPU to train, rows scored per second.

One week of the demo's retailer makes labels, features and splits. Every architecture is trained on the same rows of
each package type with all kinds of features that it takes, and judged on the same validation rows by their observed
labels, as is the exact Bayes score of the simulator: the share is the first PR-AUC over the second, of the rarer label.
`stacked` learns from two of the others, out of three folds. PyTorch is measured if it is installed.
Usage: python benchmarks/architectures.py [products] [architecture ...]
"""

import importlib.util
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from packaging_assets.demo.pipeline import run_demo
from packaging_assets.domain.architectures import Architecture, architecture_class, feature_kinds
from packaging_assets.domain.average_precision import average_precision
from packaging_assets.domain.features import (
    DEFAULT_FEATURES,
    EMBEDDING_COLUMNS,
    FeatureSet,
    feature_frame,
    read_features,
)
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.parquet_files import read_parquet
from packaging_assets.resources.environment import artifact_store_for
from packaging_assets.simulator import RetailerConfig, read_truth

PRODUCTS = 100_000
SEED = 20250106
GOAL = 0.90
GOAL_ROWS_PER_SECOND = 400_000
FOLDS = 3
ROWS_SCORED = 100_000
REPEATS = 3
RESULT = Path(__file__).parent / "results" / "architectures.json"

CATEGORICAL = ("category", "subcategory", "product_type", "brand", "liquid")
FEATURES = FeatureSet(
    numeric=tuple(c for c in DEFAULT_FEATURES.columns if c not in {*EMBEDDING_COLUMNS, *CATEGORICAL, "title"}),
    embedding=EMBEDDING_COLUMNS,
    categorical=CATEGORICAL,
    text=("title",),
)
LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"max_iter": 300}}
MEASURED: dict[str, tuple[str, dict[str, Any]]] = {
    "catboost": ("catboost", {}),
    "catboost_multimodal": ("catboost_multimodal", {}),
    "sklearn": ("sklearn", {}),
    "sklearn, LogisticRegression": ("sklearn", LOGISTIC),
    "torch_fusion": ("torch_fusion", {}),
    "stacked": ("stacked", {}),
}
FEEDERS = ("catboost_multimodal", "sklearn, LogisticRegression")


@dataclass(frozen=True)
class Rows:
    """Rows of one side of a split: what is observed of them, and the best possible score."""

    table: pa.Table
    labels: np.ndarray
    weight: np.ndarray
    bayes: np.ndarray

    def __len__(self) -> int:
        """How many rows."""
        return len(self.labels)


class NoProgress:
    """The demo's progress, shown to nobody."""

    def advance(self, what: str) -> None:
        """Say nothing."""

    def detail(self, what: str) -> None:
        """Say nothing."""


def main() -> None:
    """Measure, print and write the figures."""
    products = int(sys.argv[1]) if len(sys.argv) > 1 else PRODUCTS
    wanted = sys.argv[2:] or list(MEASURED)
    if importlib.util.find_spec("torch") is None:
        wanted = [name for name in wanted if name != "torch_fusion"]
    with tempfile.TemporaryDirectory() as folder:
        sides = make_rows(Path(folder), products)
    figures = {name: {kind: measure(name, *sides[kind]) for kind in PACKAGE_TYPES} for name in wanted}
    result = {
        "name": "architectures",
        "goal_bayes_share": GOAL,
        "goal_rows_per_second_per_core": GOAL_ROWS_PER_SECOND,
        "products": products,
        "rows": {kind: {"train": len(train), "validation": len(valid)} for kind, (train, valid) in sides.items()},
        "architectures": figures,
    }
    text = json.dumps(result, indent=2, sort_keys=True) + "\n"
    if len(sys.argv) == 1:  # a trial of fewer products or architectures is shown, not kept
        RESULT.write_text(text)
    sys.stdout.write(text)


def make_rows(home: Path, products: int) -> dict[str, tuple[Rows, Rows]]:
    """Training and validation rows per package type, made by the platform's own steps."""
    run = run_demo(home, RetailerConfig(products=products, weeks=1), NoProgress())
    store, week = artifact_store_for(run.settings), run.retailer.weeks[0]
    sides: dict[str, tuple[Rows, Rows]] = {}
    with store.scratch() as scratch:
        features = store.local_path(store.current("features", week), scratch)
        for kind in PACKAGE_TYPES:
            split = store.local_path(store.current(f"{kind}/split", week), scratch)
            train, valid = (
                _read_rows(split / f"{side}.parquet", features, run.retailer.truth, kind)
                for side in ("train", "validation")
            )
            sides[kind] = train, valid
    return sides


def _read_rows(file: Path, features: Path, truth: Path, kind: str) -> Rows:
    rows = read_parquet(file)
    table = read_features(features, FEATURES, product_ids=rows["product_id"])
    bayes = read_truth(truth, rows["product_id"].to_pylist())[f"bayes_{kind}"].to_numpy()
    return Rows(table, rows["label"].to_numpy().astype(np.int8), rows["weight"].to_numpy(), bayes)


def measure(name: str, train: Rows, valid: Rows) -> dict[str, float]:
    """One architecture on one package type."""
    architecture, parameters = MEASURED[name]
    frames = _stacked_frames(train, valid) if architecture == "stacked" else _frames(architecture, train, valid)
    features, train_frame, valid_frame = frames
    started = time.process_time()
    model = _fit(architecture, parameters, features, train_frame, train.labels, train.weight)
    seconds = time.process_time() - started
    scores, rate = _score_timed(model, valid_frame)
    figures = {
        "pr_auc": round(_pr_auc(train, valid, scores), 4),
        "bayes_share": round(_pr_auc(train, valid, scores) / _pr_auc(train, valid, valid.bayes), 4),
        "fit_cpu_seconds": round(seconds, 1),
        "rows_per_second_per_core": round(rate),
        "model_kb": round(_saved_bytes(model) / 1000, 1),
    }
    sys.stderr.write(f"{name}: {figures}\n")
    return figures


def _frames(architecture: str, train: Rows, valid: Rows) -> tuple[FeatureSet, pd.DataFrame, pd.DataFrame]:
    taken = feature_kinds(architecture_class(architecture))
    features = FeatureSet(**{kind: getattr(FEATURES, kind) for kind in FEATURES.kinds if kind in taken})
    return features, feature_frame(train.table, features), feature_frame(valid.table, features)


def _stacked_frames(train: Rows, valid: Rows) -> tuple[FeatureSet, pd.DataFrame, pd.DataFrame]:
    """Out-of-fold scores of `FEEDERS` for the training rows, scores of feeders trained on all for the others."""
    in_training, in_validation = {}, {}
    for place, name in enumerate(FEEDERS):
        architecture, parameters = MEASURED[name]
        features, train_frame, valid_frame = _frames(architecture, train, valid)
        fold = np.arange(len(train)) % FOLDS
        scores = np.empty(len(train))
        for held_out in range(FOLDS):
            others = fold != held_out
            model = _fit(
                architecture, parameters, features, train_frame[others], train.labels[others], train.weight[others]
            )
            scores[~others] = _scores(model, train_frame[~others])
        in_training[f"score_feeder_{place}"] = scores.astype(np.float32)
        model = _fit(architecture, parameters, features, train_frame, train.labels, train.weight)
        in_validation[f"score_feeder_{place}"] = _scores(model, valid_frame).astype(np.float32)
    features = FeatureSet(scores=tuple(f"feeder_{place}" for place in range(len(FEEDERS))))
    return features, pd.DataFrame(in_training), pd.DataFrame(in_validation)


def _fit(
    architecture: str,
    parameters: dict[str, Any],
    features: FeatureSet,
    frame: pd.DataFrame,
    labels: np.ndarray,
    weight: np.ndarray,
) -> Architecture:
    return architecture_class(architecture)(features, parameters).fit(frame, labels, sample_weight=weight, seed=SEED)


def _scores(model: Architecture, frame: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(model.prepare(frame))[:, 1]


def _score_timed(model: Architecture, frame: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Scores, and rows per CPU second, preparation included, on as many rows as a part of the inventory has."""
    many = pd.concat([frame] * -(-ROWS_SCORED // len(frame)), ignore_index=True)
    seconds: list[float] = []
    for _ in range(REPEATS):
        started = time.process_time()
        _scores(model, many)
        seconds.append(time.process_time() - started)
    return _scores(model, frame), len(many) / min(seconds)


def _pr_auc(train: Rows, valid: Rows, scores: np.ndarray) -> float:
    if train.labels.mean() > 0.5:  # noqa: PLR2004 - a half: the label that is rarer in training, as in the metrics
        return average_precision(1 - valid.labels, 1 - scores)
    return average_precision(valid.labels, scores)


def _saved_bytes(model: Architecture) -> int:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        return sum(path.stat().st_size for path in Path(folder).iterdir())


if __name__ == "__main__":
    main()
