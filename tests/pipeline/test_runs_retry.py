"""A run that was killed goes on from where it was, with its partition and tags, and does only what is missing."""

import json
import signal
import subprocess
import time
from typing import Any

import dagster as dg
import pytest
from small_retailer import WEEKS, Home

from packaging_assets.components.step_asset import NO_CACHE_TAG
from packaging_assets.run_records import RunRecordError
from packaging_assets.runner import JobRunner

WEEK = WEEKS[1]


def succeeded(runner: JobRunner, run_id: str) -> set[str]:
    events = runner.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    return {str(event.step_key) for event in events}


def started(runner: JobRunner, run_id: str) -> set[str]:
    events = runner.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START)
    return {str(event.step_key) for event in events}


def latest(runner: JobRunner) -> dg.DagsterRun:
    return runner.instance.get_runs(limit=1)[0]


def wait_until_models_are_trained(runner: JobRunner, known: str, process: subprocess.Popen[str]) -> str:
    """Id of the run that began after `known`, once two of its models are there."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        run = latest(runner)
        if run.run_id != known and sum(step.endswith("__model") for step in succeeded(runner, run.run_id)) >= 2:
            return run.run_id
        time.sleep(0.02)
    raise AssertionError("no models came")


def command(home: Home, *arguments: str) -> tuple[int, str, str]:
    process = home.start(*arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, " ".join(err.split())


def listed(home: Home, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = command(home, "runs", "list", "--json", *arguments)
    assert code == 0, err
    return json.loads(out)


def test_killed_while_it_trains_and_retried(home: Home) -> None:
    runner = home.runner()
    before = home.artifacts()
    process = home.start("run", "weekly", "--partition", WEEK, "--no-cache")
    try:
        killed = wait_until_models_are_trained(runner, latest(runner).run_id, process)
        with pytest.raises(RunRecordError, match=f"Run {killed} is still under way"):
            runner.retry(killed)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finished = succeeded(runner, killed)
    (unfinished,) = listed(home, "--failed", "--limit", "1")
    assert (unfinished["run"], unfinished["status"], unfinished["partition"]) == (killed, "KILLED", WEEK)

    code, _, err = command(home, "runs", "retry", killed[:8])
    assert code == 0, err
    assert f"weekly {WEEK}: done in" in err
    parent, child = runner.instance.get_run_by_id(killed), latest(runner)
    assert parent is not None
    assert (parent.status, child.status) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS)
    assert (child.parent_run_id, child.root_run_id, child.job_name) == (killed, killed, "weekly_training")
    assert child.tags["dagster/partition"] == WEEK
    assert NO_CACHE_TAG.items() <= child.tags.items()
    done = started(runner, child.run_id)
    assert done == succeeded(runner, child.run_id)
    assert done.isdisjoint(finished)
    assert done | finished == succeeded(runner, demos_run(runner, WEEK).run_id)
    assert home.artifacts() == before

    for name, said in (
        ("last", f"Run {child.run_id} has since done all that run {killed} left"),
        (child.run_id, "succeeded: there is nothing to retry"),
        ("f", "give at least 4 characters of one id"),
        ("no such run", "No run's id begins with 'no such run'"),
    ):
        code, _, err = command(home, "runs", "retry", name)
        assert code == 1
        assert said in err


def demos_run(runner: JobRunner, week: str) -> dg.DagsterRun:
    return runner.instance.get_runs(dg.RunsFilter(job_name="weekly_training", tags={"dagster/partition": week}))[-1]
