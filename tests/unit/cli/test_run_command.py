"""What `packaging run` takes its arguments for, and that several jobs run in order until one fails."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from packaging_assets import runner as runner_module
from packaging_assets.cli.main import main
from packaging_assets.cli.run import AskedJob, asked_job
from packaging_assets.runner import JobFailedError, JobRun, UnknownPartitionError


@pytest.mark.parametrize(
    ("job", "options", "asked"),
    [
        ("weekly@2025-01-06", (None, None, None), AskedJob("weekly", "2025-01-06")),
        ("weekly", ("2025-01-06", None, None), AskedJob("weekly", "2025-01-06")),
        ("warehouse@2025-01-06..2025-01-12", (None, None, None), AskedJob("warehouse", "2025-01-06", "2025-01-12")),
        ("warehouse", (None, "2025-01-06", "2025-01-12"), AskedJob("warehouse", "2025-01-06", "2025-01-12")),
    ],
)
def test_a_partition_can_be_said_in_either_way(
    job: str, options: tuple[str | None, str | None, str | None], asked: AskedJob
) -> None:
    assert asked_job(job, *options) == asked


@pytest.mark.parametrize(
    ("job", "options", "message"),
    [
        ("weekly", (None, None, None), "Say the partition of weekly once: weekly@PARTITION or --partition.$"),
        ("weekly@2025-01-06", ("2025-01-06", None, None), "Say the partition of weekly once"),
        ("warehouse", ("2025-01-06", "2025-01-06", "2025-01-12"), "Say the partition of warehouse once"),
        ("warehouse", (None, "2025-01-06", None), "PARTITION or --partition, or --from and --to.$"),
        ("weekly@", (None, None, None), "'weekly@' lacks a day"),
        ("warehouse@2025-01-06..", (None, None, None), "lacks a day"),
        ("weekly@2025-01-06..2025-01-13", (None, None, None), "Ranges are for the warehouse"),
        ("retrain@2025-01-01", (None, None, None), "there is no job 'retrain'; there is warehouse, weekly, daily, "),
        ("weakly@2025-01-01", (None, None, None), "there is no job 'weakly'; did you mean 'weekly'?"),
    ],
)
def test_anything_else_is_refused(job: str, options: tuple[str | None, str | None, str | None], message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        asked_job(job, *options)


class FakeRunner:
    """Remembers what it was asked, and fails in the monthly job."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None, dict[str, str]]] = []

    def check(self, job: str, *, first: str, last: str | None) -> None:
        if (last or first) > "2025-12-31":
            raise UnknownPartitionError(f"'{first}' is not a partition of the {job} job")

    def run(self, job: str, *, first: str, last: str | None, on_step: Any, tags: dict[str, str]) -> JobRun:
        on_step("a/step")
        self.asked.append((job, first, last, tags))
        if job == "monthly":
            raise JobFailedError("monthly for 2025-01-01 failed: a/step: no", [])
        return JobRun(job, first, "id", 1.0, {} if job == "warehouse" else {"a/step": "hit"})


def test_several_jobs_run_in_order_in_one_process_until_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeRunner()
    loaded: list[object] = []
    monkeypatch.setattr(runner_module.JobRunner, "for_home", lambda settings: loaded.append(settings) or fake)
    jobs = ("weekly@2025-01-06", "monthly@2025-01-01", "daily@2025-01-12")
    result = CliRunner().invoke(main, ["run", *jobs, "--no-cache", "--home", str(tmp_path)])
    no_cache = {"packaging/no_cache": "true"}
    assert fake.asked == [("weekly", "2025-01-06", None, no_cache), ("monthly", "2025-01-01", None, no_cache)]
    assert len(loaded) == 1
    assert result.exit_code == 1
    assert "weekly 2025-01-06: done in 1.0 s, 1 of 1 steps from the cache" in " ".join(result.stderr.split())
    assert "Error: monthly for 2025-01-01 failed: a/step: no" in result.stderr


def test_no_job_begins_if_one_of_them_has_no_such_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRunner()
    monkeypatch.setattr(runner_module.JobRunner, "for_home", lambda _: fake)
    result = CliRunner().invoke(main, ["run", "weekly@2025-01-06", "daily@2026-01-12", "--home", str(tmp_path)])
    assert (result.exit_code, fake.asked) == (1, [])
    assert "Error: '2026-01-12' is not a partition of the daily job" in result.stderr


def test_a_job_none_of_whose_steps_is_cached_tells_no_share_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module.JobRunner, "for_home", lambda _: FakeRunner())
    result = CliRunner().invoke(main, ["run", "warehouse@2025-01-06", "--home", str(tmp_path)])
    assert result.stderr.strip() == "warehouse 2025-01-06: done in 1.0 s (run id)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("weekly@2025-01-06", "daily@2025-01-12", "--partition", "2025-01-06"), "Say the partition of weekly once"),
        (("weekly", "daily", "--partition", "2025-01-06"), "Of several jobs each says its own partition"),
        (("weekly@2025-01-06", "warehouse@2025-01-06", "--no-cache"), "--no-cache is for artifacts"),
        ((), "Missing argument 'JOB[@PARTITION]...'"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_loaded(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = CliRunner().invoke(main, ["run", *arguments, "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_outside_of_its_steps_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no order of the steps is known")

    monkeypatch.setattr("packaging_assets.threads.executor.order_of_steps", refuse)
    home = ["--home", str(tmp_path)]
    config = 'first_week = "2025-01-06"\nlast_day = "2025-01-12"\n'
    (tmp_path / "settings.toml").write_text(config)

    result = CliRunner().invoke(main, ["run", "weekly@2025-01-06", *home])

    assert result.exit_code == 1
    assert "weekly for 2025-01-06 failed: no order of the steps is known (run " in result.stderr
