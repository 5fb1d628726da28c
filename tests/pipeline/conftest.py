"""The small retailer's homes: two of the same seed, made once for all test processes; tests that change one copy it."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from small_retailer import OPTIONS, Home, finished_demo

NAMES = ("first", "second")


@pytest.fixture(scope="session")
def demos(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Mapping[str, tuple[Home, dict[str, Any]]]:
    """Home and report of two demos with the same options, which run side by side."""
    base = tmp_path_factory.getbasetemp()
    root = base if worker_id == "master" else base.parent
    homes = {name: Home(root / "small_retailer" / name) for name in NAMES}
    with (root / "small_retailer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _report_file(homes["second"]).exists():
            started = {name: home.start("demo", *OPTIONS, "--json") for name, home in homes.items()}
            for name, process in started.items():
                _report_file(homes[name]).write_text(json.dumps(finished_demo(process)))
    return {name: (home, json.loads(_report_file(home).read_text())) for name, home in homes.items()}


def _report_file(home: Home) -> Path:
    return home.folder.with_suffix(".json")


@pytest.fixture(scope="session")
def retailer(demos: Mapping[str, tuple[Home, dict[str, Any]]]) -> Home:
    """For tests that only read."""
    return demos["first"][0]


@pytest.fixture(scope="session")
def report(demos: Mapping[str, tuple[Home, dict[str, Any]]]) -> dict[str, Any]:
    """What the demo printed."""
    return demos["first"][1]


@pytest.fixture
def home(retailer: Home, tmp_path: Path) -> Home:
    """A copy to change."""
    return retailer.copy_to(tmp_path / "home")
