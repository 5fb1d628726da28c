"""Whether a run is over is known by its lock, or by the process that its log names."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from packaging_assets.abandoned_runs import (
    HOST_TAG,
    LOCKED_TAG,
    Standing,
    run_lock,
    runs_under_way,
    settle_abandoned_runs,
    standing_of,
    tags_of_lock,
)


@dg.op
def wait() -> None: ...


@dg.job
def waiting() -> None:
    wait()


STARTED = dg.DagsterRunStatus.STARTED
LAUNCHED = RemoteJobOrigin(
    RemoteRepositoryOrigin(
        InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="definitions.py"), location_name="here"), "all"
    ),
    "waiting",
)


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_a_run_of_ours_is_over_when_its_lock_is_free(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED, tags=LOCKED_TAG)
    with run_lock(tmp_path, run.run_id):
        assert standing_of(instance, run, tmp_path) == Standing.UNDER_WAY
        assert runs_under_way(instance, tmp_path) == [run]
        assert settle_abandoned_runs(instance, tmp_path) == []
    assert standing_of(instance, run, tmp_path) == Standing.GONE
    assert runs_under_way(instance, tmp_path) == []
    assert settle_abandoned_runs(instance, tmp_path) == [run.run_id]
    settled = instance.get_run_by_id(run.run_id)
    assert settled is not None
    assert settled.status == dg.DagsterRunStatus.FAILURE
    assert standing_of(instance, settled, tmp_path) == Standing.FINISHED


def test_of_a_run_that_is_over_no_lock_stays(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED, tags=tags_of_lock())
    with run_lock(tmp_path, run.run_id):
        assert [file.name for file in tmp_path.iterdir()] == [run.run_id]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / run.run_id).touch()  # what a killed process leaves
    assert settle_abandoned_runs(instance, tmp_path) == [run.run_id]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_held_of_a_pool_is_free_at_once(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    events = instance.event_log_storage
    events.set_concurrency_slots("warehouse", 1)
    run = instance.create_run_for_job(waiting, status=STARTED, tags=tags_of_lock())
    assert events.claim_concurrency_slot("warehouse", run.run_id, "wait").is_claimed
    assert not events.claim_concurrency_slot("warehouse", "next", "wait").is_claimed
    settle_abandoned_runs(instance, tmp_path)
    assert events.claim_concurrency_slot("warehouse", "next", "wait").is_claimed


def test_two_who_ask_at_once_whether_a_run_was_killed_get_the_same_answer(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED, tags=tags_of_lock())
    (tmp_path / run.run_id).touch()  # what a killed process leaves
    really_lock, answers = fcntl.flock, list[Standing]()

    def ask_meanwhile(file: Any, operation: int) -> None:
        really_lock(file, operation)
        if not answers:
            answers.append(Standing.FINISHED)  # replaced below; the other one asks just once
            answers[0] = standing_of(instance, run, tmp_path)

    monkeypatch.setattr(fcntl, "flock", ask_meanwhile)
    assert standing_of(instance, run, tmp_path) == Standing.GONE
    assert answers == [Standing.GONE]


def test_a_lock_that_another_settles_meanwhile_is_free(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED, tags=tags_of_lock())
    monkeypatch.setattr(Path, "exists", lambda _: True)  # it was there a moment ago
    assert standing_of(instance, run, tmp_path) == Standing.GONE


def test_a_run_that_ends_while_it_is_looked_at_keeps_its_success(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED, tags=LOCKED_TAG)
    read_before = instance.get_run_by_id(run.run_id)
    assert read_before is not None
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name="waiting"), run_id=run.run_id
    )
    assert standing_of(instance, read_before, tmp_path) == Standing.FINISHED
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(instance, "get_runs", lambda _: [read_before])  # as it was asked for before its end
        assert settle_abandoned_runs(instance, tmp_path) == []
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.SUCCESS


def test_a_run_that_the_ui_launched_is_known_by_its_process(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED)
    assert standing_of(instance, run, tmp_path) == Standing.UNKNOWN
    instance.report_engine_event("Started process for run.", run, EngineEventData.in_process(os.getpid()))
    assert standing_of(instance, run, tmp_path) == Standing.UNDER_WAY
    over = instance.create_run_for_job(waiting, status=STARTED)
    process = subprocess.Popen([sys.executable, "-c", ""])
    instance.report_engine_event("Started process for run.", over, EngineEventData.in_process(process.pid))
    process.wait()
    assert standing_of(instance, over, tmp_path) == Standing.GONE
    assert runs_under_way(instance, tmp_path) == [run]


def test_a_run_of_ours_that_the_ui_executes_again_has_our_tag_and_no_lock(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED, tags=LOCKED_TAG, remote_job_origin=LAUNCHED)
    instance.report_engine_event("Started process for run.", run, EngineEventData.in_process(os.getpid()))
    assert standing_of(instance, run, tmp_path) == Standing.UNDER_WAY
    assert settle_abandoned_runs(instance, tmp_path) == []


def test_what_waits_in_the_queue_is_not_under_way(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    instance.create_run_for_job(waiting, status=dg.DagsterRunStatus.QUEUED, remote_job_origin=LAUNCHED)
    assert runs_under_way(instance, tmp_path) == []


def test_nothing_is_known_of_a_run_that_holds_its_lock_on_another_machine(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED, tags={**tags_of_lock(), HOST_TAG: "another"})
    assert standing_of(instance, run, tmp_path) == Standing.UNKNOWN
    assert runs_under_way(instance, tmp_path) == [run]
    assert settle_abandoned_runs(instance, tmp_path) == []
    here = instance.create_run_for_job(waiting, status=STARTED, tags=tags_of_lock())
    assert settle_abandoned_runs(instance, tmp_path) == [here.run_id]


def test_a_process_number_of_another_machine_means_nothing_here(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = instance.create_run_for_job(waiting, status=STARTED)
    process = subprocess.Popen([sys.executable, "-c", ""])
    instance.report_engine_event("Started process for run.", run, EngineEventData.in_process(process.pid))
    process.wait()
    assert standing_of(instance, run, tmp_path) == Standing.GONE
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(instance), "run_launcher", object())  # such as that of ECS
        assert standing_of(instance, run, tmp_path) == Standing.UNKNOWN


def test_a_process_that_was_taken_for_gone_ends_as_it_would(tmp_path: Path) -> None:
    with run_lock(tmp_path, "run"):
        (tmp_path / "run").unlink()
    assert list(tmp_path.iterdir()) == []
