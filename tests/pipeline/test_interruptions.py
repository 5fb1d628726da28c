"""A killed run leaves nothing half done, and the same command again does what is missing."""

import re
import shutil
import signal
import time
from pathlib import Path

import dagster as dg
from small_retailer import WEEKS, Home

from packaging_assets.domain.package_types import PACKAGE_TYPES

WEEK = WEEKS[1]


def wait_for(path: Path, *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.005)


def kill_when(home: Home, path: Path) -> None:
    """Start the week's training and kill its process as soon as the path is there."""
    process = home.start("run", "weekly", "--partition", WEEK)
    try:
        wait_for(path, seconds=120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def run_again(home: Home) -> str:
    process = home.start("run", "weekly", "--partition", WEEK)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return " ".join(err.split())


def test_killed_twice_and_run_again(home: Home, retailer: Home) -> None:
    artifacts = home.folder / "artifacts"
    # As if the week had not been trained yet: first killed while it reads the warehouse, then while it trains.
    for name in PACKAGE_TYPES:
        for asset in ("split", "model", "metrics"):
            shutil.rmtree(artifacts / name / asset / WEEK)
    shutil.rmtree(artifacts / "labels" / WEEK)
    shutil.rmtree(artifacts / ".staging")
    kill_when(home, artifacts / ".staging")
    kill_when(home, artifacts / "box" / "model" / WEEK / "current")
    done = {uri for uri in home.artifacts() if f"/{WEEK}/" in uri}
    steps = {uri for uri in retailer.artifacts() if f"/{WEEK}/" in uri}
    assert done < steps
    for uri in home.artifacts():
        home.store.verify(home.store.get(uri))
    hits, run = map(int, re.findall(r"(\d+) of (\d+) steps from the cache", run_again(home))[0])
    assert run - hits == len(steps - done)
    assert home.artifacts() == retailer.artifacts()
    assert home.registry.versions() == retailer.registry.versions()
    runner = home.runner()
    assert runner.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])) == []
    failed = runner.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert len(failed) == 2
