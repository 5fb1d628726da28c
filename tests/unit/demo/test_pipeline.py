"""What the demo does in which order; the jobs themselves are another suite's."""

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from packaging_assets.demo import pipeline
from packaging_assets.demo.pipeline import DemoError, DemoRun, Refusal, months_to_score, run_demo, units_of_work
from packaging_assets.home import prepare_home
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.runner import JobFailedError, JobRun, StepFailure
from packaging_assets.settings import Settings, load_settings
from packaging_assets.simulator import Incident, RetailerConfig

SMALL = {"products": 500, "weeks": 2}


@dataclass
class Progress:
    units: list[str] = field(default_factory=list[str])

    def advance(self, what: str) -> None:
        self.units.append(what)

    def detail(self, what: str) -> None: ...


@dataclass
class RecordingRunner:
    """Stands in for the job runner: notes what it is asked to run and says that it was done."""

    instance: dg.DagsterInstance
    asked: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    fails: dict[str, str] = field(default_factory=dict[str, str])

    def run(self, job: str, *, first: str, last: str | None = None, on_step: object) -> JobRun:  # noqa: ARG002
        self.asked.append((job, first, last) if last else (job, first))
        if job in self.fails:
            raise JobFailedError(f"{job} failed", [StepFailure(self.fails[job], f"{job}/predictions", "too dense")])
        if job == "daily":
            self.instance.report_runless_asset_event(dg.AssetMaterialization(["daily", "predictions"], partition=first))
        return JobRun(job, first, "run", 0.0, {})


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> RecordingRunner:
    runner = RecordingRunner(dg.DagsterInstance.ephemeral())

    def for_home(settings: Settings) -> RecordingRunner:
        prepare_home(settings)
        return runner

    monkeypatch.setattr(pipeline.JobRunner, "for_home", for_home)
    monkeypatch.setattr(pipeline, "model_registry_for", lambda _: Registry(SimpleNamespace(version=1)))
    return runner


@dataclass(frozen=True)
class Registry:
    """Has one model."""

    serving: SimpleNamespace | None

    def models(self) -> list[str]:
        return ["bag"]

    def champion(self, _: str) -> SimpleNamespace | None:
        return self.serving


def demo(home: Path, *incidents: Incident, **other: int) -> DemoRun:
    return run_demo(home, RetailerConfig.model_validate({**SMALL, **other, "incidents": incidents}), Progress())


def versions(home: Path) -> int:
    (found,) = warehouse_for(load_settings(home)).fetch("select count(*) as n from raw.products", {})
    return found["n"]


def test_weeks_happen_one_after_the_other(tmp_path: Path, runner: RecordingRunner) -> None:
    demo(tmp_path)
    assert runner.asked == [
        ("warehouse", "2025-01-06", "2025-01-12"),
        ("weekly", "2025-01-06"),
        ("daily", "2025-01-12"),
        ("warehouse", "2025-01-13", "2025-01-19"),
        ("weekly", "2025-01-13"),
        ("daily", "2025-01-19"),
        ("monthly", "2025-01-01"),
    ]


def test_a_second_run_scores_again_only_what_follows_the_champions(tmp_path: Path, runner: RecordingRunner) -> None:
    demo(tmp_path)
    first, runner.asked = runner.asked, []
    demo(tmp_path)
    assert runner.asked == [job for job in first if job != ("daily", "2025-01-12")]


def test_progress_has_as_many_units_as_it_says(tmp_path: Path, runner: RecordingRunner) -> None:
    progress = Progress()
    config = RetailerConfig.model_validate(SMALL)
    run_demo(tmp_path, config, progress)
    assert len(progress.units) == units_of_work(config) == 11


def test_products_that_have_drifted_are_not_scored_and_the_demo_goes_on(
    tmp_path: Path, runner: RecordingRunner
) -> None:
    runner.fails["daily"] = "FailedCheckError"
    run = demo(tmp_path)
    refusals = [
        Refusal("daily", day, {"bag": 1}, "daily/predictions: too dense") for day in ("2025-01-12", "2025-01-19")
    ]
    assert run.refusals == refusals
    assert runner.asked[-1] == ("monthly", "2025-01-01")


def test_any_other_failure_ends_the_demo(tmp_path: Path, runner: RecordingRunner) -> None:
    runner.fails["daily"] = "WarehouseError"
    with pytest.raises(JobFailedError, match="daily failed"):
        demo(tmp_path)


@pytest.mark.parametrize(
    ("monday", "months"),
    [
        ("2025-01-20", []),
        ("2025-01-27", ["2025-01-01"]),
        ("2025-02-03", []),
        ("2025-02-10", ["2025-02-01"]),
    ],
)
def test_a_month_is_scored_when_it_ends_and_the_last_at_the_end(monday: str, months: list[str]) -> None:
    found = months_to_score(dt.date.fromisoformat(monday), last_day=dt.date(2025, 2, 16))
    assert [month.isoformat() for month in found] == months


def test_the_home_knows_its_partitions(tmp_path: Path, runner: RecordingRunner) -> None:
    demo(tmp_path)
    settings = load_settings(tmp_path)
    assert (str(settings.first_week), str(settings.last_day)) == ("2025-01-06", "2025-01-19")


def test_a_refused_delivery_is_reported_and_the_demo_goes_on(tmp_path: Path, runner: RecordingRunner) -> None:
    run = demo(tmp_path, Incident(kind="missing_column", week=1))
    (refused,) = run.refused
    assert "products.parquet" in refused
    assert "weight_kg" in refused
    assert [job[0] for job in runner.asked].count("weekly") == 2


@pytest.mark.parametrize("kind", ["missing_column", "late_delivery"])
def test_days_are_built_again_when_their_rows_come_late(tmp_path: Path, runner: RecordingRunner, kind: str) -> None:
    demo(tmp_path, Incident(kind=kind, week=1))
    _, (_, first, last) = [job for job in runner.asked if job[0] == "warehouse"]
    rows = "select min(day) as day from raw.delivery_days where table_name = $table and day >= date '2025-01-06'"
    table = {"missing_column": "products", "late_delivery": "package_tests"}[kind]
    (late,) = warehouse_for(load_settings(tmp_path)).fetch(rows, {"table": table})
    assert (first, last) == (late["day"].isoformat(), "2025-01-19")
    assert first < "2025-01-13"


def test_a_file_sent_again_brings_what_the_refused_one_lacked(tmp_path: Path, runner: RecordingRunner) -> None:
    demo(tmp_path / "refused", Incident(kind="missing_column", week=1))
    demo(tmp_path / "plain")
    assert versions(tmp_path / "refused") == versions(tmp_path / "plain")


def test_without_an_approved_model_nothing_is_scored(
    tmp_path: Path, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "model_registry_for", lambda _: Registry(None))
    demo(tmp_path)
    assert {job[0] for job in runner.asked} == {"warehouse", "weekly"}


def test_a_home_with_another_demo_is_left_alone(tmp_path: Path, runner: RecordingRunner) -> None:
    demo(tmp_path)
    with pytest.raises(DemoError, match=r"holds a demo with other options .*demo\.json.* Choose another home"):
        demo(tmp_path, seed=8)
    assert json.loads((tmp_path / "demo.json").read_text())["seed"] == 7
    (tmp_path / "demo.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DemoError, match="holds a demo with other options"):
        demo(tmp_path)


def test_what_kind_of_demo_a_home_holds_is_written_once(tmp_path: Path, runner: RecordingRunner) -> None:
    demo(tmp_path)
    before = (tmp_path / "demo.json").stat()
    demo(tmp_path)
    after = (tmp_path / "demo.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_home_with_somebodys_data_is_left_alone(tmp_path: Path, runner: RecordingRunner) -> None:
    prepare_home(load_settings(tmp_path))
    with pytest.raises(DemoError, match="holds a warehouse that no demo made"):
        demo(tmp_path)
    assert not (tmp_path / "demo.json").exists()
    assert runner.asked == []


def test_weeks_that_are_set_in_the_environment_stop_the_demo_before_it_begins(
    tmp_path: Path, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKAGING_FIRST_WEEK", "2025-02-03")
    with pytest.raises(DemoError, match=r"^PACKAGING_FIRST_WEEK is set, .* unset it"):
        demo(tmp_path / "home")
    assert not (tmp_path / "home").exists()
