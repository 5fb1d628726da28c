"""The plain steps in the shape of the platform's: a function of input folders and params into an output folder."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from benchmarks.peers import steps

WAREHOUSE = "warehouse.duckdb"


class Params(BaseModel, frozen=True):
    """Of every step here: whose it is."""

    package_type: str = ""


def labels(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    steps.labels(inputs["warehouse"] / WAREHOUSE, output)


def features(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    steps.features(inputs["warehouse"] / WAREHOUSE, output)


def split(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    steps.split(inputs["labels"], inputs["features"], params.package_type, output)


def train(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    steps.train(inputs["split"], output)


def evaluate(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    steps.evaluate(inputs["split"], inputs["model"], params.package_type, output)


def judge(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    steps.judge(inputs["evaluation"], output)


def inventory(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    steps.inventory(inputs["warehouse"] / WAREHOUSE, output)


def predictions(inputs: Mapping[str, Path], params: Params, output: Path) -> None:
    champions = {name: inputs[name] for name in steps.PACKAGE_TYPES}
    steps.predictions(inputs["inventory"], champions, output)
