"""The comparison counts steps, kills what hangs and finds what is left; tried on an orchestrator of one line."""

import importlib.metadata
import os
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.measuring import run_command
from benchmarks.peers import steps
from benchmarks.peers.compare import (
    Place,
    _check_complete,
    _processes_of,
    rerun,
    resume_after_failure,
    resume_after_kill,
    whole_job,
)
from benchmarks.peers.orchestrators import HERE, ORCHESTRATORS, Orchestrator, Words, environment_of

PLAIN = """
import os, pathlib, sys, time
work = pathlib.Path(os.environ["PEER_WORK"])

def step(name):
    with (work / "trace.log").open("a") as trace:
        trace.write(name + chr(10))

def asked(what):
    return (work / what).exists() and (work / what).read_text() == package_type

(work / "data").mkdir(exist_ok=True)
for name in ("labels", "features"):
    step(name)
for package_type in ("mailer", "bag", "box", "sioc"):
    step("split"), step("train")
    if asked("fail"):
        sys.exit("it fails")
    if asked("hang"):
        (work / "hanging").touch()
        time.sleep(60)
    for name in ("evaluate", "judge", "register", "champion"):
        step(name)
for name in ("inventory", "predictions"):
    step(name)
"""
"""An orchestrator that begins from the beginning whatever happened, and its job, whose steps do nothing."""


def place_of(tmp_path: Path, warehouse: Path, command: Words) -> Place:
    orchestrator = Orchestrator(
        name="plain",
        distribution="duckdb",
        python=Path(sys.executable),
        run=command,
        resume=command,
        prepare=(sys.executable, "-c", "import os, pathlib; pathlib.Path(os.environ['HOME'], 'made').touch()"),
        configured="nothing",
    )
    return Place.of(orchestrator, tmp_path / "peer", warehouse)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    warehouse = tmp_path / "warehouse.duckdb"
    warehouse.touch()
    return place_of(tmp_path, warehouse, (sys.executable, "-I", "-S", "-c", PLAIN))


def test_the_floor_does_28_steps_and_scores_every_product_with_every_model(tmp_path: Path):
    warehouse = tmp_path / "warehouse.duckdb"
    steps.make_warehouse(warehouse, labelled=300, to_score=1_000)
    floor = place_of(tmp_path, warehouse, (sys.executable, HERE / "floor.py", tmp_path / "peer" / "work"))
    whole_job(floor)()
    assert floor.computed().total() == 28
    scores = pq.read_table(floor.work / "data" / "predictions" / "part-00000.parquet")
    assert scores.num_rows == 1_000
    assert scores.column_names == ["product_id", *steps.PACKAGE_TYPES]
    assert 0 < min(scores["bag"].to_pylist()) < 0.5 < max(scores["bag"].to_pylist()) < 1


def test_a_failure_is_that_of_the_evaluation_of_the_named_type_and_of_no_other(tmp_path: Path):
    output = tmp_path / "data" / "bag" / "evaluation"
    (tmp_path / "fail").write_text("bag")
    with pytest.raises(RuntimeError, match="the evaluation of bag fails because"):
        steps.evaluate(tmp_path, tmp_path, "bag", output)
    with pytest.raises(FileNotFoundError):
        steps.evaluate(tmp_path, tmp_path, "box", tmp_path / "data" / "box" / "evaluation")
    assert not (tmp_path / "trace.log").exists()


def test_a_run_that_did_not_do_the_whole_job_does_not_count(place: Place):
    place.start_afresh()
    (place.work / "trace.log").write_text("labels\nfeatures\n")
    with pytest.raises(ValueError, match=r"plain ran \{'labels': 1, 'features': 1\} where each step of"):
        _check_complete(place)


def test_a_re_run_counts_what_it_computes(place: Place):
    place.start_afresh()
    place.run(place.orchestrator.run)
    again = rerun(place, 2)
    assert sum(again["computed"].values()) == 28
    assert again["computed"]["train"] == 4
    assert again["cpu_seconds"] > 0


def test_after_a_failure_all_is_trained_that_has_to_be_and_counted_that_was_trained_twice(place: Place):
    found = resume_after_failure(place)
    assert found["exit_code_of_failure"] == 1
    assert found["champions_before"] == 1  # mailer's; bag's evaluation fails, and the script ends there
    assert (found["exit_code"], found["is_complete"]) == (0, True)
    assert found["computed"]["train"] == 4
    assert found["trained_again"] == 2  # mailer's and bag's


def test_after_a_kill_nothing_is_left_and_the_job_is_begun_again(place: Place):
    found = resume_after_kill(place)
    assert found["left_running"] == 0
    assert (found["exit_code"], found["is_complete"], found["trained_again"]) == (0, True, 2)
    assert not (place.work / "hanging").exists()


def test_what_a_killed_command_leaves_is_found_by_its_work_folder(tmp_path: Path):
    environment = environment_of(tmp_path)
    assert _processes_of(tmp_path) == []
    code = (
        "import subprocess, sys\n"
        "from benchmarks.peers.compare import _processes_of\n"
        "from pathlib import Path; import os\n"
        "from subprocess import PIPE\n"
        "waits = ['sh', '-c', 'echo ready; read line']\n"
        "child = subprocess.Popen(waits, stdin=PIPE, stdout=PIPE, start_new_session=True)\n"
        "assert child.stdout.readline() == b'ready\\n'  # its environment is not there before\n"
        "found = _processes_of(Path(os.environ['PEER_WORK']))\n"
        "child.kill(); child.wait()\n"
        "assert sorted(found) == sorted([os.getppid(), os.getpid(), child.pid]), found\n"
    )
    run_command([sys.executable, "-c", code], env=environment)


def test_a_fresh_start_keeps_what_was_prepared_and_nothing_else(place: Place):
    (place.work / "data").mkdir()
    (place.work / "home" / "junk").touch()
    for name in ("fail", "hang", "hanging", "trace.log", "registry.db"):
        (place.work / name).touch()
    place.start_afresh()
    assert {path.name for path in place.work.iterdir()} == {"home", "warehouse.duckdb"}
    assert {path.name for path in (place.work / "home").iterdir()} == {"dagster", "made"}
    assert place.computed() == Counter()


def test_every_orchestrator_keeps_its_state_below_its_work_folder_and_its_telemetry_off(tmp_path: Path):
    environment = environment_of(tmp_path)
    for name in ("HOME", "DAGSTER_HOME", "METAFLOW_DATASTORE_SYSROOT_LOCAL", "PREFECT_HOME", "ZENML_CONFIG_PATH"):
        assert Path(environment[name]).is_relative_to(tmp_path)
    assert environment["DO_NOT_TRACK"] == "1"
    assert not {name for name in environment if "PROXY" in name.upper() or "TOKEN" in name.upper()}
    assert set(environment) - set(os.environ) >= {"PEER_WORK", "ZENML_ANALYTICS_OPT_IN"}


def test_every_orchestrator_has_the_libraries_of_the_platform_at_its_versions():
    names = [one.name for one in ORCHESTRATORS]
    assert names == [
        "this platform",
        "Dagster, in process",
        "Dagster, default",
        "Metaflow",
        "Kedro",
        "ZenML",
        "Prefect",
    ]
    for one in ORCHESTRATORS[1:]:
        pinned = (HERE / "requirements" / f"{one.distribution}.txt").read_text().splitlines()
        versions = dict(line.partition(" ")[0].split("==") for line in pinned if "==" in line)
        assert one.distribution in versions
        for library in ("catboost", "duckdb", "pandas", "pyarrow"):
            assert versions[library] == importlib.metadata.version(library), one.name
