"""Prefect: a flow of tasks, results persisted and cached by inputs and code, so that a re-run computes what is missing.

`python prefect_flow.py`. The API server is the temporary one that Prefect starts for a run without a server. Tasks are
submitted to the thread pool, as https://docs.prefect.io/v3/how-to-guides/workflows/run-work-concurrently describes; the
cache policy is INPUTS + TASK_SOURCE (https://docs.prefect.io/v3/how-to-guides/workflows/cache-workflow-steps).
"""

import os
import sys
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import steps

WORK = Path(os.environ["PEER_WORK"])
WAREHOUSE, REGISTRY, DATA = WORK / "warehouse.duckdb", WORK / "registry.db", WORK / "data"

cached = task(cache_policy=INPUTS + TASK_SOURCE, persist_result=True)


@cached
def labels(warehouse: Path) -> Path:
    steps.labels(warehouse, DATA / "labels")
    return DATA / "labels"


@cached
def features(warehouse: Path) -> Path:
    steps.features(warehouse, DATA / "features")
    return DATA / "features"


@cached
def split(labels: Path, features: Path, name: str) -> Path:
    steps.split(labels, features, name, DATA / name / "split")
    return DATA / name / "split"


@cached
def train(split: Path, name: str) -> Path:
    steps.train(split, DATA / name / "model")
    return DATA / name / "model"


@cached
def evaluate(split: Path, model: Path, name: str) -> Path:
    steps.evaluate(split, model, name, DATA / name / "evaluation")
    return DATA / name / "evaluation"


@cached
def judge(evaluation: Path, name: str) -> Path:
    steps.judge(evaluation, DATA / name / "verdict")
    return DATA / name / "verdict"


@cached
def register(model: Path, verdict: Path, name: str) -> Path:
    steps.register(model, verdict, name, REGISTRY, DATA / name / "version")
    return DATA / name / "version"


@cached
def champion(version: Path, name: str) -> Path:
    steps.champion(version, DATA / name / "champion")
    return DATA / name / "champion"


@cached
def inventory(warehouse: Path) -> Path:
    steps.inventory(warehouse, DATA / "inventory")
    return DATA / "inventory"


@cached
def predictions(inventory: Path, champions: dict[str, Path]) -> Path:
    steps.predictions(inventory, champions, DATA / "predictions")
    return DATA / "predictions"


@flow(log_prints=False)
def packaging() -> None:
    """Labels to predictions."""
    labelled, described = labels.submit(WAREHOUSE), features.submit(WAREHOUSE)
    champions = {}
    for name in steps.PACKAGE_TYPES:
        rows = split.submit(labelled, described, name)
        model = train.submit(rows, name)
        verdict = judge.submit(evaluate.submit(rows, model, name), name)
        champions[name] = champion.submit(register.submit(model, verdict, name), name)
    predictions.submit(inventory.submit(WAREHOUSE), champions).result()


if __name__ == "__main__":
    packaging()
