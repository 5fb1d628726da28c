"""The platform: each step an artifact behind its cache, run by its runner on its executor and Dagster storage.

`python platform_assets.py` runs the job, `python platform_assets.py resume` goes on with the last run where it failed
or was killed; it loads and ends as `packaging run` does. Registering and naming the champion are not artifacts but the
asset's own work, as in the platform: they run each time, and change nothing when nothing has changed.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from benchmarks.peers import platform_steps, steps
from packaging_assets.artifacts.content import content_hash, describe_files, file_hash
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.step import Input, Step
from packaging_assets.cli.program import end_at_once
from packaging_assets.collector import resting_collector
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.home import DAGSTER_YAML
from packaging_assets.jobs import WEEKLY_JOB
from packaging_assets.resources.compute import InProcessCompute
from packaging_assets.runner import NO_COMPUTE_LOGS, JobFailedError, JobRunner
from packaging_assets.sqlite_storage import with_home_storage
from packaging_assets.threads.executor import threaded_executor

WORK = Path(os.environ["PEER_WORK"])
WAREHOUSE, REGISTRY, DATA = WORK / "warehouse.duckdb", WORK / "registry.db", WORK / "data"
WEEK = "2025-01-06"
WEEKS = dg.StaticPartitionsDefinition([WEEK])
STORE = LocalArtifactStore(DATA / "artifacts")


@dataclass(frozen=True)
class FileInput:
    """A file, by its content; opened as its folder."""

    file: Path

    @property
    def content_hash(self) -> str:
        return file_hash(self.file)

    def open(self, scratch: Path) -> Path:
        del scratch
        return self.file.parent


@dataclass(frozen=True)
class FolderInput:
    """A folder, by the content of its files."""

    folder: Path

    @property
    def content_hash(self) -> str:
        return content_hash(describe_files(self.folder))

    def open(self, scratch: Path) -> Path:
        del scratch
        return self.folder


def artifact_asset(
    key: list[str], step: Step, deps: Mapping[str, list[str]], outside: Mapping[str, Input] | None = None
) -> dg.AssetsDefinition:
    """An asset whose artifact is what the step makes of other assets' and of inputs from outside."""
    params = platform_steps.Params(package_type=key[0] if len(key) > 1 else "")

    @dg.asset(key=dg.AssetKey(key), deps=[dg.AssetKey(dep) for dep in deps.values()], partitions_def=WEEKS)
    def artifact(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runner = StepRunner(context, STORE, InProcessCompute())
        inputs = {name: runner.upstream("/".join(dep)) for name, dep in deps.items()}
        return materialized(runner.run(step, inputs={**inputs, **(outside or {})}, params=params))

    return artifact


def assets_of(name: str) -> list[dg.AssetsDefinition]:
    """The chain of one package type."""
    own = DATA / name

    @dg.asset(
        key=dg.AssetKey([name, "version"]),
        deps=[dg.AssetKey([name, "model"]), dg.AssetKey([name, "verdict"])],
        partitions_def=WEEKS,
    )
    def version(context: dg.AssetExecutionContext) -> None:
        runner = StepRunner(context, STORE, InProcessCompute())
        model, verdict = (runner.upstream(f"{name}/{asset}").open(own) for asset in ("model", "verdict"))
        steps.register(model, verdict, name, REGISTRY, own / "version")

    @dg.asset(key=dg.AssetKey([name, "champion"]), deps=[version], partitions_def=WEEKS)
    def champion() -> None:
        steps.champion(own / "version", own / "champion")

    return [
        artifact_asset([name, "split"], platform_steps.split, {"labels": ["labels"], "features": ["features"]}),
        artifact_asset([name, "model"], platform_steps.train, {"split": [name, "split"]}),
        artifact_asset(
            [name, "evaluation"], platform_steps.evaluate, {"split": [name, "split"], "model": [name, "model"]}
        ),
        artifact_asset([name, "verdict"], platform_steps.judge, {"evaluation": [name, "evaluation"]}),
        version,
        champion,
    ]


@dg.asset(
    deps=[dg.AssetKey("inventory"), *(dg.AssetKey([name, "champion"]) for name in steps.PACKAGE_TYPES)],
    partitions_def=WEEKS,
)
def predictions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    runner = StepRunner(context, STORE, InProcessCompute())
    champions = {name: FolderInput(DATA / name / "champion") for name in steps.PACKAGE_TYPES}
    inputs = {"inventory": runner.upstream("inventory"), **champions}
    return materialized(runner.run(platform_steps.predictions, inputs=inputs, params=platform_steps.Params()))


def definitions() -> dg.Definitions:
    warehouse: dict[str, Any] = {"warehouse": FileInput(WAREHOUSE)}
    assets = [
        artifact_asset(["labels"], platform_steps.labels, {}, warehouse),
        artifact_asset(["features"], platform_steps.features, {}, warehouse),
        artifact_asset(["inventory"], platform_steps.inventory, {}, warehouse),
        *(asset for name in steps.PACKAGE_TYPES for asset in assets_of(name)),
        predictions,
    ]
    job = dg.define_asset_job(WEEKLY_JOB.name, selection="*", partitions_def=WEEKS)
    return dg.Definitions(assets=assets, jobs=[job], executor=threaded_executor)


def main(command: str = "run") -> None:
    """Run the job, or go on with the last run."""
    home = WORK / "home" / "platform"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    ref = InstanceRef.from_dir(str(home), overrides=NO_COMPUTE_LOGS)
    instance = dg.DagsterInstance.from_ref(with_home_storage(ref))
    with resting_collector(keeps_all=True):
        runner = JobRunner(definitions(), instance, home)
    try:
        runner.run("weekly", first=WEEK) if command == "run" else runner.retry("last")
    except JobFailedError as error:
        sys.exit(str(error))
    end_at_once(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
