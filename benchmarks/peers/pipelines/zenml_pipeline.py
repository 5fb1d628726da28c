"""ZenML: a pipeline of steps with caching, as it comes, on the default local stack (SQLite and a folder).

`python zenml_pipeline.py` runs it, again after a failure too: steps whose code and inputs are unchanged are taken from
the cache (https://docs.zenml.io/concepts/steps_and_pipelines/advanced_features#caching).
"""

import os
import sys
from pathlib import Path

from zenml import pipeline, step

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import steps

WORK = Path(os.environ["PEER_WORK"])
WAREHOUSE, REGISTRY, DATA = WORK / "warehouse.duckdb", WORK / "registry.db", WORK / "data"


@step
def labels(warehouse: str) -> str:
    steps.labels(Path(warehouse), DATA / "labels")
    return str(DATA / "labels")


@step
def features(warehouse: str) -> str:
    steps.features(Path(warehouse), DATA / "features")
    return str(DATA / "features")


@step
def split(labels: str, features: str, name: str) -> str:
    steps.split(Path(labels), Path(features), name, DATA / name / "split")
    return str(DATA / name / "split")


@step
def train(split: str, name: str) -> str:
    steps.train(Path(split), DATA / name / "model")
    return str(DATA / name / "model")


@step
def evaluate(split: str, model: str, name: str) -> str:
    steps.evaluate(Path(split), Path(model), name, DATA / name / "evaluation")
    return str(DATA / name / "evaluation")


@step
def judge(evaluation: str, name: str) -> str:
    steps.judge(Path(evaluation), DATA / name / "verdict")
    return str(DATA / name / "verdict")


@step
def register(model: str, verdict: str, name: str) -> str:
    steps.register(Path(model), Path(verdict), name, REGISTRY, DATA / name / "version")
    return str(DATA / name / "version")


@step
def champion(version: str, name: str) -> str:
    steps.champion(Path(version), DATA / name / "champion")
    return str(DATA / name / "champion")


@step
def inventory(warehouse: str) -> str:
    steps.inventory(Path(warehouse), DATA / "inventory")
    return str(DATA / "inventory")


@step
def predictions(inventory: str, mailer: str, bag: str, box: str, sioc: str) -> str:
    champions = {"mailer": Path(mailer), "bag": Path(bag), "box": Path(box), "sioc": Path(sioc)}
    steps.predictions(Path(inventory), champions, DATA / "predictions")
    return str(DATA / "predictions")


@pipeline
def packaging() -> None:
    """Labels to predictions."""
    labelled, described = labels(str(WAREHOUSE)), features(str(WAREHOUSE))
    champions = {}
    for name in steps.PACKAGE_TYPES:
        rows = split(labelled, described, name)
        model = train(rows, name)
        verdict = judge(evaluate(rows, model, name), name)
        champions[name] = champion(register(model, verdict, name), name)
    predictions(inventory(str(WAREHOUSE)), **champions)


if __name__ == "__main__":
    packaging()
