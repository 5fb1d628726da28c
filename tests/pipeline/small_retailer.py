"""A home in which the demo has run on a small retailer, and what can be asked of it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, warehouse_for
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.runner import QUIET, JobRunner
from packaging_assets.settings import Settings, load_settings

PRODUCTS = 3000
WEEKS = ("2025-01-06", "2025-01-13", "2025-01-20")
LAST_DAY = "2025-01-26"
MONTH = "2025-01-01"
OPTIONS = (
    "--products",
    str(PRODUCTS),
    "--weeks",
    str(len(WEEKS)),
    "--seed",
    "7",
    "--incident",
    "label_rate_shift@3:0.3",
)
PACKAGING = str(Path(sys.executable).parent / "packaging")


@dataclass(frozen=True)
class Home:
    """A home folder."""

    folder: Path

    def copy_to(self, folder: Path) -> "Home":
        shutil.copytree(self.folder, folder)
        return Home(folder)

    @property
    def settings(self) -> Settings:
        return load_settings(self.folder)

    @property
    def registry(self) -> SqliteModelRegistry:
        registry = model_registry_for(self.settings)
        assert isinstance(registry, SqliteModelRegistry)
        return registry

    @property
    def store(self) -> LocalArtifactStore:
        store = artifact_store_for(self.settings)
        assert isinstance(store, LocalArtifactStore)
        return store

    def runner(self) -> JobRunner:
        return JobRunner.for_home(self.settings)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in warehouse_for(self.settings).fetch(query, parameters)]

    def table(self, asset: str, partition: str, files: str = "part-*.parquet") -> pa.Table:
        artifact = self.store.current(asset, partition)
        assert artifact is not None
        return pq.read_table(sorted((self.folder / "artifacts" / artifact.uri).glob(files)))

    def content(self, asset: str, partition: str) -> str:
        artifact = self.store.current(asset, partition)
        assert artifact is not None
        return artifact.content_hash

    def artifacts(self) -> dict[str, str]:
        """URI -> content hash of everything that was ever committed."""
        manifests = (self.folder / "artifacts").glob("[!.]*/**/manifest.json")  # .staging has what a kill left
        uris = (manifest.parent.relative_to(self.folder / "artifacts").as_posix() for manifest in manifests)
        return {uri: self.store.get(uri).content_hash for uri in uris}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A `packaging` command in a process of its own."""
        return subprocess.Popen(  # noqa: S603 - a fixed command
            [PACKAGING, *arguments, "--home", str(self.folder)],
            env={**os.environ, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def demo(self) -> dict[str, Any]:
        """Run the demo (again) and return what it prints."""
        return finished_demo(self.start("demo", *OPTIONS, "--json"))


def finished_demo(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a demo that was started prints, once it has ended."""
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    return json.loads(out)


def materialize(runner: JobRunner, *keys: str, partition: str | None = None) -> dict[str, str]:
    """Materialize some assets, for a partition if they have any; whether each was a cache hit."""
    job = runner.definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=runner.instance,
        asset_selection=[dg.AssetKey(key.split("/")) for key in keys],
        partition_key=partition,
        run_config=QUIET,
    )
    return dict(_cache(result))


def _cache(result: dg.ExecuteInProcessResult) -> Iterator[tuple[str, str]]:
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        if "cache" in materialization.metadata:
            yield "/".join(materialization.asset_key.path), str(materialization.metadata["cache"].value)
