"""`dg` accepts the project as it is, and refuses YAML that says what it must not, with file, line and key."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import dagster as dg
import pytest
import yaml

from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.resources.environment import resources_for
from packaging_assets.settings import PROJECT_ROOT, Settings, use_settings

ROOT_MODULE = 'root_module = "packaging_assets"'
DG = Path(sys.executable).parent / "dg"


def run_dg(settings: Settings, *arguments: str, project: Path = PROJECT_ROOT) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PACKAGING_HOME": str(settings.home),
        "DAGSTER_HOME": str(settings.dagster_home),  # where telemetry is off, of which dg would tell in its first run
        "NO_COLOR": "1",
        "VIRTUAL_ENV": sys.prefix,
    }
    return subprocess.run(  # noqa: S603 - a fixed command
        [str(DG), *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own package with the four models' YAML and nothing else."""
    root = tmp_path / f"shop_{uuid.uuid4().hex}"
    pyproject = (PROJECT_ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(pyproject.replace(ROOT_MODULE, f'root_module = "{root.name}"'))
    for name in PACKAGE_TYPES:
        folder = root / "defs" / name
        folder.mkdir(parents=True)
        shutil.copy(PROJECT_ROOT / "packaging_assets" / "defs" / name / "defs.yaml", folder)
    for folder in (root, root / "defs"):
        (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return root


def load(project: Path, settings: Settings) -> dg.Definitions:
    with use_settings(settings):
        loaded = dg.load_from_defs_folder(path_within_project=project)
    return dg.Definitions.merge(loaded, dg.Definitions(resources=resources_for(settings)))


def append(project: Path, package_type: str, *lines: str) -> Path:
    path = project / "defs" / package_type / "defs.yaml"
    path.write_text(path.read_text() + "".join(f"  {line}\n" for line in lines))
    return path


def test_check_yaml_passes(settings: Settings) -> None:
    result = run_dg(settings, "check", "yaml")
    assert (result.returncode, result.stderr) == (0, "")
    assert "All component YAML validated successfully." in result.stdout


def test_check_defs_passes(settings: Settings) -> None:
    result = run_dg(settings, "check", "defs")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All definitions loaded successfully." in result.stdout


def test_list_defs_lists_every_asset(settings: Settings) -> None:
    result = run_dg(settings, "list", "defs", "--json")
    assert result.returncode == 0, result.stderr
    listed = json.loads(result.stdout)
    assert {"mailer/champion", "labels", "package_recommendations"} <= {
        asset["asset_key"] for asset in listed["assets"]
    }
    assert {job["name"] for job in listed["jobs"]} >= {"warehouse", "weekly_training", "train_sioc"}
    assert {schedule["name"] for schedule in listed["schedules"]} == {
        "weekly_training_schedule",
        "monthly_inference_schedule",
        "daily_inference_schedule",
    }


def test_check_yaml_names_file_line_and_key(project: Path, settings: Settings) -> None:
    path = append(project, "box", "suitable_from: 7", "architechture: catboost")
    # Without a path `dg check yaml` (1.13) looks at one component of each type only.
    result = run_dg(settings, "check", "yaml", str(project / "defs" / "box"), project=project)
    line = len(path.read_text().splitlines())
    assert result.returncode == 1
    assert f"{path}:{line - 1} - packaging_assets.components.PackageModel attributes.suitable_from" in result.stdout
    assert f"{path}:{line} - packaging_assets.components.PackageModel attributes.architechture" in result.stdout


@pytest.mark.parametrize(
    ("package_type", "lines", "key", "why"),
    [
        ("mailer", ["colour: red"], "attributes.colour", "Extra inputs are not permitted"),
        ("bag", ["suitable_from: 1.5"], "attributes.suitable_from", "less than or equal to 1"),
        ("sioc", ["split:", "  methd: hash"], "attributes.split.methd", "Extra inputs are not permitted"),
        ("box", ["gates:", "  min_pr_auc: high"], "attributes.gates.min_pr_auc", "valid number"),
        ("bag", ["split:", "  method: random"], "attributes.split.method", "'hash' or 'time'"),
    ],
)
def test_loading_names_file_line_and_key(
    project: Path, settings: Settings, package_type: str, lines: list[str], key: str, why: str
) -> None:
    path = append(project, package_type, *lines)
    with pytest.raises(Exception, match="Error while loading component") as error:
        load(project, settings)
    cause = error.value.__cause__
    assert cause is not None
    assert f"`{key} at {path}:{len(path.read_text().splitlines())}`" in str(cause)
    assert why in str(cause)


def test_what_a_yaml_says_reaches_the_assets(project: Path, settings: Settings) -> None:
    append(project, "mailer", "owners: [ann@shop.example]")
    defs = load(project, settings)
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["mailer", "model"])).owners == ("ann@shop.example",)
    assert graph.get(dg.AssetKey(["bag", "model"])).owners == ("team:packaging-science",)


def test_the_four_models_are_all_that_there_is() -> None:
    files = sorted((PROJECT_ROOT / "packaging_assets" / "defs").rglob("defs.yaml"))
    named = [yaml.safe_load(path.read_text())["attributes"]["package_type"] for path in files]
    assert named == [path.parent.name for path in files] == sorted(PACKAGE_TYPES)
