"""The floor: all steps one after the other in one process, no orchestrator. Usage: floor.py WORK."""

import sys
from pathlib import Path

import steps


def main(work: Path) -> None:
    """Run the job on `work`/warehouse.duckdb."""
    warehouse, data, registry = work / "warehouse.duckdb", work / "data", work / "registry.db"
    steps.labels(warehouse, data / "labels")
    steps.features(warehouse, data / "features")
    for name in steps.PACKAGE_TYPES:
        own = data / name
        steps.split(data / "labels", data / "features", name, own / "split")
        steps.train(own / "split", own / "model")
        steps.evaluate(own / "split", own / "model", name, own / "evaluation")
        steps.judge(own / "evaluation", own / "verdict")
        steps.register(own / "model", own / "verdict", name, registry, own / "version")
        steps.champion(own / "version", own / "champion")
    steps.inventory(warehouse, data / "inventory")
    champions = {name: data / name / "champion" for name in steps.PACKAGE_TYPES}
    steps.predictions(data / "inventory", champions, data / "predictions")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
