"""Runs the main job week by week, as it would happen: a week's deliveries arrive, are built, and are trained on."""

import datetime as dt
import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import dagster as dg

from packaging_assets.artifacts.flushing import write_whole
from packaging_assets.components.inference import FailedCheckError
from packaging_assets.delivery_events import announce_deliveries
from packaging_assets.home import write_partition_range
from packaging_assets.ingestion.delivery import ingest_files
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.report import DeliveryReport
from packaging_assets.partitions import month_after
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.environment import model_registry_for, warehouse_for
from packaging_assets.runner import JobFailedError, JobRun, JobRunner
from packaging_assets.settings import Settings, load_settings
from packaging_assets.simulator import RetailerConfig, SimulatedRetailer, simulate
from packaging_assets.simulator.deliveries import Delivery

CONFIG_FILE = "demo.json"


class DemoError(Exception):
    """The demo cannot run in this home; the message says why and what to do."""


class Progress(Protocol):
    """Shows how far the demo is."""

    def advance(self, what: str) -> None:
        """One more unit of work begins."""
        ...

    def detail(self, what: str) -> None:
        """Within the unit, this is going on."""
        ...


@dataclass(frozen=True)
class Refusal:
    """Products that were not scored because their features had drifted; `champions` would have scored them."""

    cadence: str
    partition: str
    champions: Mapping[str, int]
    reason: str


@dataclass
class DemoRun:
    """What the demo ran: enough to report on it."""

    settings: Settings
    retailer: SimulatedRetailer
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    training: dict[str, JobRun] = field(default_factory=dict[str, JobRun])
    refused: list[str] = field(default_factory=list[str])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    inference: list[JobRun] = field(default_factory=list[JobRun])

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Add the wall time of the block to the stage."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def units_of_work(config: RetailerConfig) -> int:
    """How often `run_demo` calls `Progress.advance`."""
    last_day = config.end - dt.timedelta(days=1)
    mondays = (dt.date.fromisoformat(week) for week in config.week_labels)
    months = sum(len(months_to_score(monday, last_day=last_day)) for monday in mondays)
    return 2 + 4 * config.weeks + months


def run_demo(home: Path | None, config: RetailerConfig, progress: Progress) -> DemoRun:
    """Simulate, ingest, build, train and predict; what was done before with the same options is not done again.

    Raises:
        DemoError: the home holds another demo, or somebody's own data.
        JobFailedError: a job failed.
    """
    settings = load_settings(home)
    _claim_home(settings, config)
    started = time.perf_counter()
    progress.advance("simulating a retailer")
    run = DemoRun(settings, simulate(config, settings.home / "simulated"))
    run.seconds["simulate"] = time.perf_counter() - started
    write_partition_range(settings, first_week=config.first_week, last_day=run.retailer.last_day)
    run.settings = settings = load_settings(home)
    progress.advance("loading definitions")
    with run.stage("load_definitions"):
        runner = JobRunner.for_home(settings)
    _train_week_by_week(run, runner, progress)
    return run


def _claim_home(settings: Settings, config: RetailerConfig) -> None:
    taken = [name for name in ("PACKAGING_FIRST_WEEK", "PACKAGING_LAST_DAY") if name in os.environ]
    if taken:
        raise DemoError(f"{taken[0]} is set, and the demo has weeks of its own: unset it (env -u {taken[0]} ...).")
    marker = settings.home / CONFIG_FILE
    wanted = json.dumps({**config.model_dump(mode="json"), **_place(settings)}, indent=2) + "\n"
    if marker.exists() and marker.read_bytes() != wanted.encode():
        raise DemoError(
            f"{settings.home} holds a demo with other options ({marker}). Choose another home with --home, or delete "
            "this one."
        )
    if marker.exists():
        return
    _refuse_data_of_others(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    write_whole(marker, wanted)


def _place(settings: Settings) -> dict[str, str]:
    """Where the data goes, if not into the home: a demo that was begun in one place does not go on in another."""
    if settings.env == "local":
        return {}
    return {
        "environment": settings.environment_name,
        "bucket": f"{settings.s3_bucket}/{settings.s3_prefix}",
        "warehouse": f"{settings.redshift_workgroup or settings.redshift_cluster}/{settings.redshift_database}",
    }


def _refuse_data_of_others(settings: Settings) -> None:
    """Leave a warehouse alone that somebody's data is in.

    Raises:
        DemoError: it is.
    """
    if settings.env == "local":
        if settings.warehouse_path.exists():
            raise DemoError(
                f"{settings.home} holds a warehouse that no demo made. The demo does not mix with other data: choose "
                "another home with --home."
            )
        return
    warehouse = warehouse_for(settings)
    warehouse.create_tables()
    if warehouse.fetch('select delivery_id from "raw".deliveries limit 1', {}):
        raise DemoError(
            f"The warehouse of {settings.environment_name} (database {settings.redshift_database}) holds deliveries "
            f"that no demo of {settings.home} made. The demo does not mix with other data: choose an empty database "
            "with PACKAGING_REDSHIFT_DATABASE, and a PACKAGING_S3_PREFIX and PACKAGING_NAME of its own."
        )


def _train_week_by_week(run: DemoRun, runner: JobRunner, progress: Progress) -> None:
    arrivals = _arrivals(run.retailer)
    for week in run.retailer.weeks:
        progress.advance(f"week {week}: ingesting what arrived")
        monday, sunday = dt.date.fromisoformat(week), dt.date.fromisoformat(week) + dt.timedelta(days=6)
        with run.stage("ingest"):
            touched = {day for delivery in arrivals[week] for day in _ingest(run, delivery)}
        # Late rows are dated in an earlier week; what is dated before the first partition belongs to it.
        first = max(min(touched | {monday}), run.settings.first_week)
        progress.advance(f"week {week}: building the warehouse")
        with run.stage("warehouse"):
            runner.run("warehouse", first=first.isoformat(), last=sunday.isoformat(), on_step=progress.detail)
        progress.advance(f"week {week}: training")
        with run.stage("training"):
            run.training[week] = runner.run("weekly", first=week, on_step=progress.detail)
        _predict(run, runner, progress, job="daily", partition=sunday)
        for month in months_to_score(monday, last_day=run.retailer.last_day):
            _predict(run, runner, progress, job="monthly", partition=month)


def months_to_score(monday: dt.date, *, last_day: dt.date) -> list[dt.date]:
    """The months that end in the week, by their first days; in the last week also the one that goes on."""
    sunday = monday + dt.timedelta(days=6)
    month = (monday - dt.timedelta(days=1)).replace(day=1)
    months = [month] if month_after(month) > monday and month_after(month) <= sunday else []
    return [*months, last_day.replace(day=1)] if sunday == last_day else months


def _predict(run: DemoRun, runner: JobRunner, progress: Progress, *, job: str, partition: dt.date) -> None:
    """Score with the champions of the moment; as long as no model was ever approved there is nothing to score with.

    Earlier scores stay those of their week's champions when the demo runs again; the last day's and the last month's
    follow the champions. An inventory that the drift checks refuse leaves the predictions before it in force.
    """
    progress.advance(f"{job} inference for {partition}")
    is_last = partition in (run.retailer.last_day, run.retailer.last_day.replace(day=1))
    if not is_last and _is_predicted(runner, job, partition):
        return
    registry = model_registry_for(run.settings)
    champions = {model: version.version for model in registry.models() if (version := registry.champion(model))}
    if not champions:
        return
    with run.stage(f"{job}_inference"):
        try:
            run.inference.append(runner.run(job, first=partition.isoformat(), on_step=progress.detail))
        except JobFailedError as error:
            if [failure.error for failure in error.failures] != [FailedCheckError.__name__]:
                raise
            run.refusals.append(Refusal(job, partition.isoformat(), champions, error.failures[0].sentence))


def _is_predicted(runner: JobRunner, job: str, partition: dt.date) -> bool:
    key = dg.AssetKey([job, "predictions"])
    return partition.isoformat() in runner.instance.get_materialized_partitions(key)


def _arrivals(retailer: SimulatedRetailer) -> Mapping[str, list[Delivery]]:
    """Deliveries by the week they cover; the history comes with the first week."""
    arrivals: dict[str, list[Delivery]] = {week: [] for week in retailer.weeks}
    for delivery in retailer.deliveries:
        arrivals[delivery.week if delivery.week in arrivals else retailer.weeks[0]].append(delivery)
    return arrivals


def _ingest(run: DemoRun, delivery: Delivery) -> set[dt.date]:
    """Take in what can be taken in and return the days it has rows of; a refused file does not stop those beside it."""
    reports: list[DeliveryReport] = []
    warehouse, share = warehouse_for(run.settings), run.settings.max_bad_row_share
    for table, path in delivery.files.items():
        try:
            reports += ingest_files(
                warehouse,
                {table: path},
                max_bad_row_share=share,
                clock=SystemClock(),
                staging=run.settings.staging_path,
            )
        except IngestionError as error:
            run.refused.append(str(error))
    announce_deliveries(run.settings, reports)
    return {day for report in reports for day in report.days}
