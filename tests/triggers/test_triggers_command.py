"""`packaging triggers run` in several processes at once, as cron starts it while an earlier one still works."""

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from packaging_assets.cli import triggers
from packaging_assets.runner import JobRun, JobRunner

HOUR = 3600


class SlowRunner:
    """Records each run in Dagster, and lets another `packaging triggers run` begin during the first of them."""

    definitions = dg.Definitions()

    def __init__(self, instance: dg.DagsterInstance, home: Path) -> None:
        self.instance, self.home = instance, home
        self.partitions: list[str] = []
        self.second: Result | None = None

    def run(self, job: str, *, first: str, tags: Mapping[str, str], assets: object) -> JobRun:
        assert assets is None
        self.partitions.append(first)
        run_id = str(uuid.uuid4())
        self.instance.add_run(dg.DagsterRun(job, run_id=run_id, tags={**tags, "dagster/partition": first}))
        if len(self.partitions) == 1:
            for taken in (self.home / "triggers" / "taken").glob("*.json"):
                os.utime(taken, (time.time() - HOUR, time.time() - HOUR))
            self.second = launch_what_waits(self.home)
        return JobRun(job, first, run_id, 1.0, {})


def launch_what_waits(home: Path) -> Result:
    return CliRunner().invoke(triggers.triggers, ["run", "--home", str(home)])


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowRunner]:
    monkeypatch.setenv("PACKAGING_LAST_DAY", "2025-02-02")
    (tmp_path / "triggers").mkdir()
    with dg.DagsterInstance.ephemeral() as instance:
        slow = SlowRunner(instance, tmp_path)

        def for_home(*_: Any) -> SlowRunner:
            return slow

        monkeypatch.setattr(JobRunner, "for_home", for_home)
        yield slow


def test_what_waits_for_an_earlier_run_to_end_is_launched_once_though_another_process_looks(runner: SlowRunner):
    weeks = ["2025-01-06", "2025-01-13", "2025-01-20"]
    (runner.home / "triggers" / "weeks.json").write_text(json.dumps({"pipeline": "train", "partitions": weeks}))
    (runner.home / "triggers" / "z.json").write_text(json.dumps({"pipeline": "daily", "partition": "2025-01-12"}))
    first = launch_what_waits(runner.home)
    assert (first.exit_code, first.stderr) == (0, "")
    assert runner.second is not None
    assert (runner.second.exit_code, runner.second.stderr) == (0, "")
    assert sorted(runner.partitions) == ["2025-01-06", "2025-01-12", "2025-01-13", "2025-01-20"]
    done = (runner.home / "triggers" / "done").glob("*.run.json")
    assert sorted(key for path in done for key in json.loads(path.read_text())["runs"]) == sorted(runner.partitions)


def test_a_file_that_is_still_being_written_is_not_told_as_none(runner: SlowRunner):
    assert launch_what_waits(runner.home).stdout == "No trigger files are waiting.\n"
    (runner.home / "triggers" / "half.json").write_text('{"pipeline": "train", ')
    said = launch_what_waits(runner.home)
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.startswith("'half.json' is still being written, or no JSON: look again in some seconds")
    assert runner.partitions == []


def test_a_name_that_would_speak_to_the_terminal_is_shown_escaped(tmp_path: Path):
    (tmp_path / "triggers").mkdir()
    for name in ("a.json", "b\x1b[31m.json"):
        (tmp_path / "triggers" / name).touch()
    said = CliRunner().invoke(triggers.triggers, ["list", "--home", str(tmp_path)], color=True)
    assert said.stdout == "waiting   a.json\nwaiting   'b\\x1b[31m.json'\n"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"runs": "\xff"}'])
def test_a_damaged_record_of_a_launch_is_named(tmp_path: Path, content: bytes):
    record = tmp_path / "triggers" / "done" / "0123456789ab-request.json.run.json"
    record.parent.mkdir(parents=True)
    record.write_bytes(content)
    said = CliRunner().invoke(triggers.triggers, ["list", "--home", str(tmp_path)])
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr == (
        f"Error: {record} is not the record of a launch: delete it; a file that asks for the same then launches it "
        "again.\n"
    )


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file of which reading fails")
def test_a_file_of_which_reading_fails_is_named(tmp_path: Path):
    result = CliRunner().invoke(triggers.triggers, ["check", "/proc/self/mem", "--home", str(tmp_path)])
    said = "Error: /proc/self/mem cannot be read: Input/output error. Write it again, or elsewhere.\n"
    assert (result.exit_code, result.stderr) == (1, said)
