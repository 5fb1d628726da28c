"""A small home, and copies of the project to follow tutorials in."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tutorial_runs import OPTIONS

PROJECT = Path(__file__).resolve().parents[2]
PARTS = ("packaging_assets", "dbt_project", "pyproject.toml", "workspace.yaml", "README.md", "samples")


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """What `packaging demo` leaves: 3,000 products, the weeks 2025-01-06, 2025-01-13 and 2025-01-20.

    Made once for all test processes; tutorials are followed in copies.
    """
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    home, is_made = folder / "tutorial_home", folder / "tutorial_home.made"
    command = [Path(sys.executable).parent / "packaging", "demo", "--home", home, *OPTIONS]
    with (folder / "tutorial_home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_made.exists():
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a fixed command
            is_made.touch()
    return home


@pytest.fixture
def place(tmp_path: Path, demo_home: Path) -> tuple[Path, Mapping[str, str]]:
    """A copy of the project to stand in, and the environment in which its commands are run over a copy of the home."""
    project, home = tmp_path / "project", tmp_path / "home"
    for part in PARTS:
        source = PROJECT / part
        if source.is_dir():
            shutil.copytree(source, project / part, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
        else:
            project.mkdir(exist_ok=True)
            shutil.copy2(source, project / part)
    subprocess.run(["cp", "-rp", demo_home, home], check=True)  # noqa: S603, S607 - dbt compares its files' times
    return project, {
        **os.environ,
        "PACKAGING_HOME": str(home),
        "PYTHONPATH": str(project),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "160",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
