"""A week of synthetic products, and models over plain folders that feed from one another."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.feeder_scores import feeder_input, scores_input
from packaging_assets.domain.models import TrainParams, train
from packaging_assets.domain.out_of_fold import OutOfFoldParams, score_out_of_fold
from packaging_assets.domain.package_types import PACKAGE_TYPES

ROWS = 900
FEATURES = FeatureSet(numeric=("weight_kg", "length_cm"), categorical=("category",))
QUICK = {"iterations": 30, "depth": 4, "learning_rate": 0.3, "rsm": 1, "l2_leaf_reg": 1, "thread_count": 1}


def make_products(rows: int = ROWS, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "product_id": [f"p{row:04d}" for row in range(rows)],
            "weight_kg": random.normal(size=rows),
            "length_cm": random.normal(size=rows),
            "category": random.choice(["toys", "tools", "pets"], rows).tolist(),
            "title": random.choice(["red ball", "blue hammer", "bone"], rows).tolist(),
            **{f"fits_{name}": np.ones(rows, dtype=bool) for name in PACKAGE_TYPES},
        }
    )


def labels_by(products: pa.Table, *weights: float, seed: int = 1) -> np.ndarray:
    """Labels that follow the weighted measures, with noise."""
    measures = np.column_stack([products["weight_kg"].to_numpy(), products["length_cm"].to_numpy()])
    noise = np.random.default_rng(seed).logistic(size=len(products))
    return (measures @ np.array(weights) + 0.7 * noise > 0).astype(np.int8)


@dataclass
class Week:
    """Products in parts of 250 rows; every third validates, and of the others those of `left_out` have no label."""

    folder: Path
    products: pa.Table = field(default_factory=make_products)

    def __post_init__(self) -> None:
        self.features.mkdir(parents=True)
        for number, start in enumerate(range(0, len(self.products), 250)):
            pq.write_table(self.products.slice(start, 250), self.features / f"part-{number:05d}.parquet")

    @property
    def features(self) -> Path:
        return self.folder / "features"

    def split(
        self, name: str, labels: np.ndarray, *, left_out: Sequence[int] = (), group_by: str | None = None
    ) -> Path:
        rows = np.arange(len(self.products))
        folder = self.folder / name / "split"
        folder.mkdir(parents=True)
        for side, is_here in (("train", rows % 3 != 0), ("validation", rows % 3 == 0)):
            mask = pa.array(is_here & ~np.isin(rows, left_out))
            table = pa.table(
                {
                    "product_id": self.products["product_id"],
                    "label": pa.array(labels, pa.int8()),
                    "weight": np.ones(len(rows)),
                    "is_random_test": np.ones(len(rows), dtype=bool),
                }
            )
            pq.write_table(table.filter(mask), folder / f"{side}.parquet")
        (folder / "split.json").write_text(json.dumps({"group_by": group_by} if group_by else {}))
        return folder

    def inputs(self, name: str, *feeds_from: str) -> dict[str, Path]:
        return {
            "split": self.folder / name / "split",
            "features": self.features,
            **{feeder_input(feeder): self.folder / feeder / "model" for feeder in feeds_from},
            **{scores_input(feeder): self.folder / feeder / "out_of_fold_scores" for feeder in feeds_from},
        }

    def train(self, name: str, *feeds_from: str, features: FeatureSet = FEATURES, **changes: Any) -> Path:
        """Train `<name>/model`; its split, and what it feeds from, must be there."""
        seen = FeatureSet(**{**features.model_dump(), "scores": feeds_from})
        given = {"package_type": "box", "features": seen, "parameters": QUICK, "seed": 3, **changes}
        output = self.folder / name / "model"
        output.mkdir(parents=True)
        train(self.inputs(name, *feeds_from), TrainParams(**given), output)
        return output

    def score(self, name: str, *feeds_from: str, folds: int = 4, depth: int = 0) -> Path:
        """Make `<name>/out_of_fold_scores`."""
        output = self.folder / name / "out_of_fold_scores"
        output.mkdir()
        inputs = {**self.inputs(name, *feeds_from), "model": self.folder / name / "model"}
        score_out_of_fold(inputs, OutOfFoldParams(folds=folds, depth=depth), output)
        return output

    def last(self, name: str, labels: np.ndarray, *feeds_from: str, **changes: Any) -> Path:
        """Split and model of one that feeds no other; the model's folder."""
        self.split(name, labels)
        return self.train(name, *feeds_from, **changes)

    def make(self, name: str, labels: np.ndarray, *feeds_from: str, depth: int = 0, **changes: Any) -> Path:
        """Split, model and out-of-fold scores at once; the model's folder."""
        self.split(name, labels)
        model = self.train(name, *feeds_from, **changes)
        self.score(name, *feeds_from, depth=depth)
        return model


def out_of_fold(folder: Path) -> dict[str, np.ndarray]:
    """The columns of scores.parquet."""
    table = pq.read_table(folder / "scores.parquet")
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
