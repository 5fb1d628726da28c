"""What a command and the definitions import: heavy libraries cost seconds in every process that does not need them."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from dagster.components.core import package_entry
from dagster.components.core.component_tree import ComponentTree

from packaging_assets.component_tree import ProjectTree
from packaging_assets.definitions import build_definitions
from packaging_assets.home import prepare_dagster_home
from packaging_assets.settings import Settings

HEAVY = {
    *("boto3", "botocore", "catboost", "dagster_aws", "dagster_dbt", "dbt", "matplotlib", "networkx", "optuna"),
    *("pandas", "pandera", "sagemaker", "scipy", "sklearn", "skops", "torch"),
}
SHOW = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
HELP = """
import contextlib, io
from packaging_assets.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["--help"])
"""
LOAD = """
from pathlib import Path
from packaging_assets.component_tree import ProjectTree
from packaging_assets.definitions import build_definitions
from packaging_assets.settings import load_settings
build_definitions(load_settings(Path({home!r}))).resolve_job_def("weekly_training")
"""
OPEN = """
from pathlib import Path
from packaging_assets.dagster_storage import open_instance
with open_instance(Path({home!r})) as instance:
    instance.get_runs_count()
"""


def imported(code: str) -> set[str]:
    """The top-level packages that a fresh process has imported after running the code."""
    process = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code + SHOW], capture_output=True, text=True, check=True, env={**os.environ}
    )
    return set(json.loads(process.stdout.splitlines()[-1]))


def test_help_imports_neither_dagster_nor_anything_that_computes() -> None:
    found = imported(HELP)
    assert "click" in found
    assert found & {*HEAVY, "dagster", "duckdb", "numpy", "pyarrow", "rich", "sqlalchemy"} == set()


@pytest.mark.usefixtures("definitions")  # dbt's project is parsed, its specs are kept
def test_loading_the_definitions_imports_nothing_heavy_but_dagster(settings: Settings) -> None:
    found = imported(LOAD.format(home=str(settings.home)))
    assert "dagster" in found
    assert found & HEAVY == set()


def test_opening_the_storage_imports_neither_the_daemon_nor_what_colours_errors(settings: Settings) -> None:
    prepare_dagster_home(settings)
    found = imported(OPEN.format(home=str(settings.dagster_home)))
    assert {"dagster", "alembic", "mako"} <= found
    assert found & {"pygments", "rich", "structlog"} == set()


def test_running_jobs_imports_neither_the_daemon_nor_what_colours_errors() -> None:
    found = imported("import packaging_assets.runner\n")
    assert {"dagster", "alembic", "mako"} <= found
    assert found & {"pygments", "rich", "structlog"} == set()


def test_only_our_own_components_are_described(settings: Settings) -> None:
    """Fails when Dagster asks for installed components by another way than the one that `own_components` replaces."""
    loaded = build_definitions(settings)
    described = (loaded.metadata or {})["plugin_component_types_json"].value
    assert [package["name"] for package in described] == ["packaging_assets"]
    assert [component["name"] for component in described[0]["componentTypes"]] == [
        "packaging_assets.components.PackageModel"
    ]
    assert {key.namespace for key in package_entry.discover_entry_point_package_objects()} == {
        "packaging_assets.components"
    }


def test_the_files_of_the_project_are_gone_through_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when Dagster asks for all declarations by another way than the one that `component_tree` overrides."""
    asked: list[ComponentTree] = []
    find = ComponentTree.find_root_decl

    def counted(tree: ComponentTree) -> Any:
        asked.append(tree)
        return find(tree)

    monkeypatch.setattr(ComponentTree, "find_root_decl", counted)
    build_definitions(settings)
    assert [type(tree) for tree in asked] == [ProjectTree]


def test_the_repository_is_made_while_the_collector_rests(settings: Settings) -> None:
    assert build_definitions(settings).has_resolved_repository_def()
