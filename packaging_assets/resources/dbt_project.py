"""The dbt project as the platform sees it: its manifest, the environment its profile reads, and how it is built."""

import json
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

TARGETS = {"local": "duckdb", "aws": "redshift"}


class DbtProjectError(Exception):
    """The dbt project does not parse; the message carries dbt's own."""


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What `dbt_project/profiles.yml` reads from the environment."""
    return {
        "PACKAGING_WAREHOUSE_PATH": str(settings.warehouse_path),
        "PACKAGING_WAREHOUSE_MEMORY_LIMIT": settings.warehouse_memory_limit,
        "PACKAGING_THREADS": str(settings.threads),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def dbt_manifest(settings: Settings) -> Path:
    """The path of an up-to-date manifest; parses the project only if a source file is newer than the last manifest.

    Raises:
        DbtProjectError: the project does not parse.
    """
    manifest = settings.dbt_target_path / "manifest.json"
    if not manifest.exists() or manifest.stat().st_mtime < _newest_source(settings.dbt_project_path):
        _parse(settings)
    return manifest


def _newest_source(project: Path) -> float:
    folders = ("models", "macros", "seeds", "tests")
    sources = [path for folder in folders for path in (project / folder).rglob("*") if path.is_file()]
    return max(path.stat().st_mtime for path in [*sources, project / "dbt_project.yml", project / "profiles.yml"])


def _parse(settings: Settings) -> None:
    from dbt.cli.main import dbtRunner  # one second of imports, needed only when a source changed

    project, target = str(settings.dbt_project_path), str(settings.dbt_target_path)
    with _environment(dbt_environment(settings)):
        result = dbtRunner().invoke(
            [
                *("parse", "--quiet", "--project-dir", project, "--profiles-dir", project),
                *("--target", TARGETS[settings.env], "--target-path", target, "--log-path", target),
            ]
        )
    if not result.success:
        raise DbtProjectError(f"The dbt project in {project} does not parse: {result.exception or result.result}")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class DbtBuilder:
    """Runs `dbt build` for the assets that a Dagster step selects, in this home's warehouse."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def build(
        self,
        context: "dg.AssetExecutionContext",
        *,
        variables: Mapping[str, object] | None = None,
        is_full_refresh: bool = False,
    ) -> Iterator[Any]:
        """Build the selected models, seeds and tests; yields Dagster's materializations and check results.

        Raises:
            DagsterDbtCliRuntimeError: a model, or a test of severity error, failed.
        """
        from dagster_dbt import DbtCliResource  # dbt takes a second to import

        project = str(self._settings.dbt_project_path)
        dbt = DbtCliResource(project_dir=project, profiles_dir=project, target=TARGETS[self._settings.env])
        args = ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(dict(variables or {}))]
        with _environment({**dbt_environment(self._settings), "DBT_TARGET_PATH": str(self._settings.dbt_target_path)}):
            yield from dbt.cli([*args, "--full-refresh"] if is_full_refresh else args, context=context).stream()
