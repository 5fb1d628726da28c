"""Labels to predictions as Kedro nodes; one modular pipeline for each package type."""

import os
import sys
from pathlib import Path

from kedro.pipeline import Pipeline, node, pipeline

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))
import steps

WORK = Path(os.environ["PEER_WORK"])
WAREHOUSE, REGISTRY, DATA = WORK / "warehouse.duckdb", WORK / "registry.db", WORK / "data"


def labels() -> str:
    steps.labels(WAREHOUSE, DATA / "labels")
    return str(DATA / "labels")


def features() -> str:
    steps.features(WAREHOUSE, DATA / "features")
    return str(DATA / "features")


def inventory() -> str:
    steps.inventory(WAREHOUSE, DATA / "inventory")
    return str(DATA / "inventory")


def predictions(inventory: str, *champions: str) -> str:
    by_name = {name: Path(path) for name, path in zip(steps.PACKAGE_TYPES, champions, strict=True)}
    steps.predictions(Path(inventory), by_name, DATA / "predictions")
    return str(DATA / "predictions")


def nodes_of(name: str) -> Pipeline:
    """The chain of one package type."""
    own = DATA / name

    def split(labels: str, features: str) -> str:
        steps.split(Path(labels), Path(features), name, own / "split")
        return str(own / "split")

    def train(split: str) -> str:
        steps.train(Path(split), own / "model")
        return str(own / "model")

    def evaluate(split: str, model: str) -> str:
        steps.evaluate(Path(split), Path(model), name, own / "evaluation")
        return str(own / "evaluation")

    def judge(evaluation: str) -> str:
        steps.judge(Path(evaluation), own / "verdict")
        return str(own / "verdict")

    def register(model: str, verdict: str) -> str:
        steps.register(Path(model), Path(verdict), name, REGISTRY, own / "version")
        return str(own / "version")

    def champion(version: str) -> str:
        steps.champion(Path(version), own / "champion")
        return str(own / "champion")

    def path(step: str) -> str:
        return f"{name}_{step}_path"

    return pipeline(
        [
            node(split, ["labels_path", "features_path"], path("split"), name=f"{name}_split"),
            node(train, path("split"), path("model"), name=f"{name}_train"),
            node(evaluate, [path("split"), path("model")], path("evaluation"), name=f"{name}_evaluate"),
            node(judge, path("evaluation"), path("verdict"), name=f"{name}_judge"),
            node(register, [path("model"), path("verdict")], path("version"), name=f"{name}_register"),
            node(champion, path("version"), path("champion"), name=f"{name}_champion"),
        ]
    )


def register_pipelines() -> dict[str, Pipeline]:
    """The one pipeline, which `kedro run` runs."""
    whole = pipeline(
        [
            node(labels, None, "labels_path", name="labels"),
            node(features, None, "features_path", name="features"),
            node(inventory, None, "inventory_path", name="inventory"),
            node(
                predictions,
                ["inventory_path", *(f"{name}_champion_path" for name in steps.PACKAGE_TYPES)],
                "predictions_path",
                name="predictions",
            ),
        ]
    )
    for name in steps.PACKAGE_TYPES:
        whole += nodes_of(name)
    return {"__default__": whole}
