"""Peak memory of the prediction step at two sizes of inventory, each in a process of its own.

Four models are trained on random rows of the default features; the inventory is random too, in parts of 100,000 rows.
Usage: python benchmarks/inference_memory.py [small] [large]
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from packaging_assets.domain.features import DEFAULT_FEATURES, FIT_COLUMNS
from packaging_assets.domain.models import TrainParams, train
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.parquet_files import part_name, write_parquet
from packaging_assets.domain.predictions import PredictModel, PredictParams, predict

ROWS_PER_PART = 100_000
TRAINING_ROWS = 5_000
BRANDS = 800
AS_OF = "2025-03-01T00:00:00"
RESULT = Path(__file__).parent / "results" / "inference_memory.json"


def main() -> None:
    """Measure, print and write the figures."""
    sizes = [int(text) for text in sys.argv[1:3]] or [200_000, 2_000_000]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        train_models(root)
        figures = [measure(root, size) for size in sizes]
    ratio = figures[1]["peak_rss_mb"] / figures[0]["peak_rss_mb"]
    result = {"name": "inference_memory", "ratio": round(ratio, 3), "goal": 1.2, "sizes": figures}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2, sort_keys=True) + "\n")
    sys.stdout.write(json.dumps(result, indent=2, sort_keys=True) + "\n")


def train_models(root: Path) -> None:
    """One small model per package type under `root/model_<type>`."""
    write_inventory(root / "training", TRAINING_ROWS)
    ids = pa.array([f"P{number:010d}" for number in range(TRAINING_ROWS)])
    labels = np.random.default_rng(1).integers(0, 2, TRAINING_ROWS, dtype=np.int8)
    split = pa.table({"product_id": ids, "label": labels, "weight": np.ones(TRAINING_ROWS)})
    (root / "split").mkdir()
    write_parquet(split, root / "split" / "train.parquet")
    for package_type in PACKAGE_TYPES:
        output = root / f"model_{package_type}"
        output.mkdir()
        inputs = {"split": root / "split", "features": root / "training"}
        train(inputs, TrainParams(package_type=package_type, seed=1), output)


def write_inventory(folder: Path, rows: int) -> None:
    """Random products, in parts."""
    folder.mkdir()
    for number, first in enumerate(range(0, rows, ROWS_PER_PART)):
        count = min(ROWS_PER_PART, rows - first)
        rng = np.random.default_rng(number)
        columns: dict[str, object] = {"product_id": [f"P{first + row:010d}" for row in range(count)]}
        columns |= {name: rng.random(count, dtype=np.float32) for name in DEFAULT_FEATURES.numeric}
        columns |= {
            name: pa.array([f"v{value}" for value in rng.integers(0, BRANDS, count)])
            for name in DEFAULT_FEATURES.categorical
        }
        columns |= dict.fromkeys(FIT_COLUMNS.values(), np.ones(count, dtype=bool))
        write_parquet(pa.table(columns), folder / part_name(number))


def measure(root: Path, rows: int) -> dict[str, float]:
    """Peak resident memory and wall seconds of the step, in a fresh process."""
    write_inventory(root / f"inventory_{rows}", rows)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(predict_once, (root, rows))


def predict_once(root: Path, rows: int) -> dict[str, float]:
    """Run the step; `ru_maxrss` is in KiB on Linux."""
    models = tuple(
        PredictModel(package_type=name, version=1, threshold=0.5, input_name=f"model_{name}") for name in PACKAGE_TYPES
    )
    inputs = {model.input_name: root / model.input_name for model in models}
    output = root / f"predictions_{rows}"
    output.mkdir()
    started = time.perf_counter()
    params = PredictParams.model_validate({"models": models, "as_of": AS_OF})
    predict({"inventory": root / f"inventory_{rows}", **inputs}, params, output)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"products": rows, "peak_rss_mb": round(peak, 1), "seconds": round(seconds, 2)}


if __name__ == "__main__":
    main()
