"""Figures of real runs of a temporary Dagster instance, as CloudWatch has them: each once, with its own time."""

import datetime as dt
import math
import uuid
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import boto3
import dagster as dg
import pytest
from alert_doubles import MovableClock
from aws_fixtures import REGION
from botocore.config import Config
from dagster.components.core.component_tree import ComponentTree

from packaging_assets.artifacts.job import JobFacts
from packaging_assets.defs.figures import sensor
from packaging_assets.defs.figures.run_figures import DRIFT_CHECK, VERDICTS
from packaging_assets.domain.gates import CHECKS
from packaging_assets.domain.verdicts import Verdict
from packaging_assets.jobs import JOBS
from packaging_assets.resources.cloudwatch_metrics import CloudWatchFigures
from packaging_assets.resources.figures import Figure, FigureError, NullFigures
from packaging_assets.resources.instance_prices import with_cost
from packaging_assets.settings import PROJECT_ROOT, load_settings, use_settings

WEEK = "2025-01-13"
WEEKLY = dg.StaticPartitionsDefinition([WEEK])
Metrics = dict[tuple[str, str], list[tuple[float, float]]]


def made(*path: str, checks: Mapping[str, float] | None = None, **metadata: Any) -> dg.AssetsDefinition:
    """An asset whose materialization says this."""
    key = dg.AssetKey(path)
    specs = [dg.AssetCheckSpec(name, asset=key) for name in checks or {}]

    @dg.asset(key=key, partitions_def=WEEKLY, check_specs=specs)
    def asset() -> dg.MaterializeResult:
        results = [
            dg.AssetCheckResult(check_name=name, passed=True, metadata={"value": value, "limit": 0.2})
            for name, value in (checks or {}).items()
        ]
        shown = {name.replace("row_count", "dagster/row_count"): value for name, value in metadata.items()}
        return dg.MaterializeResult(metadata=shown, check_results=results)

    return asset


def computed(seconds: float, **more: Any) -> dict[str, Any]:
    return {"cache": "miss", "fingerprint": "f1", "seconds": seconds, **more}


TRAINED = (
    made("bag", "split", **computed(2.0, row_count=900)),
    made("bag", "model", **computed(60.0, job_cost=0.25, job_currency="USD")),
    made("bag", "metrics", checks={"feature_distributions_are_stable": 0.0625, "density_is_stable": 0.5},
         **computed(4.0, pr_auc=0.75, verdict="reject")),
    made("bag", "registered_model", fingerprint="f1", verdict="reject", status="Rejected", version=3),
)  # fmt: skip
SCORED = (
    made("daily", "inventory", checks={"feature_distributions_are_stable": 0.125}, **computed(1.0, row_count=50)),
    made("daily", "predictions", **computed(8.0, row_count=200, job_cost=0.5, job_currency="USD")),
)


class Home:
    """A home whose sensor puts figures into a namespace of its own."""

    def __init__(self, path: Path, instance: dg.DagsterInstance, client: Any) -> None:
        self.settings = load_settings(path)
        self.instance, self.client = instance, client
        self.namespace = f"Test{uuid.uuid4().hex[:8]}"
        self.clock = MovableClock(dt.datetime.now(dt.UTC))
        self.sink: Any = CloudWatchFigures(client, self.namespace, environment="prod", now=self.clock.now)
        self.cursor: str | None = None

    def run(self, *assets: dg.AssetsDefinition) -> str:
        run = dg.materialize(list(assets), instance=self.instance, partition_key=WEEK, raise_on_error=False)
        self.clock.moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
        return run.run_id

    def look(self) -> str:
        resources = {"settings": self.settings, "figures": self.sink, "clock": self.clock}
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources=resources)
        said = sensor.figure_sensor(context)
        self.cursor = context.cursor
        return said.skip_message

    @property
    def metrics(self) -> Metrics:
        """By name and what it is about: sum and number of values."""
        found: Metrics = {}
        pages = self.client.get_paginator("list_metrics").paginate(Namespace=self.namespace)
        for metric in (each for page in pages for each in page["Metrics"]):
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            assert dimensions.pop("Environment") == "prod"
            ((_, about),) = dimensions.items()
            if (metric["MetricName"], about) in found:
                continue  # moto lists a metric once for each value
            points = self.client.get_metric_statistics(
                Namespace=self.namespace,
                MetricName=metric["MetricName"],
                Dimensions=metric["Dimensions"],
                StartTime=self.clock.moment - dt.timedelta(minutes=10),
                EndTime=self.clock.moment + dt.timedelta(minutes=10),
                Period=3600,
                Statistics=["Sum", "SampleCount"],
            )["Datapoints"]
            found[metric["MetricName"], about] = [(each["Sum"], each["SampleCount"]) for each in points]
        return found


@pytest.fixture
def client(aws: None) -> Iterator[Any]:
    made = boto3.client("cloudwatch", region_name=REGION, config=Config(retries={"total_max_attempts": 1}))
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path, client: Any) -> Iterator[Home]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(tmp_path, instance, client)


@pytest.fixture
def faults(moto: Any) -> Iterator[Any]:
    moto.faults.clear()
    yield moto.faults
    moto.faults.clear()


OF_TRAINING: Metrics = {
    ("Seconds", "bag"): [(66.0, 3.0)],
    ("Seconds", "weekly_training"): [(66.0, 3.0)],
    ("CostUsd", "bag"): [(0.25, 1.0)],
    ("CostUsd", "weekly_training"): [(0.25, 1.0)],
    ("Rows", "bag"): [(900.0, 1.0)],
    ("PrAuc", "bag"): [(0.75, 1.0)],
    ("MaxPsi", "bag"): [(0.0625, 1.0)],
    ("Verdict", "bag"): [(-1.0, 1.0)],
}


def test_a_training_run_gives_a_models_figures_and_its_jobs(home: Home) -> None:
    home.run(*TRAINED)
    assert home.look() == "12 figures of 1 runs"
    assert home.metrics == OF_TRAINING


def test_an_inference_run_gives_its_jobs_figures(home: Home) -> None:
    home.run(*SCORED)
    home.look()
    assert home.metrics == {
        ("Seconds", "daily_inference"): [(9.0, 2.0)],
        ("CostUsd", "daily_inference"): [(0.5, 1.0)],
        ("Rows", "daily_inference"): [(200.0, 1.0)],
        ("MaxPsi", "daily_inference"): [(0.125, 1.0)],
    }


def test_every_value_has_the_time_of_its_event(home: Home) -> None:
    run_id = home.run(made("bag", "metrics", **computed(4.0, pr_auc=0.75)))
    (event,) = home.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    home.clock.advance(3600)
    home.look()
    start = dt.datetime.fromtimestamp(event.timestamp, dt.UTC).replace(microsecond=0)
    points = home.client.get_metric_statistics(
        Namespace=home.namespace,
        MetricName="PrAuc",
        Dimensions=[{"Name": "Environment", "Value": "prod"}, {"Name": "Model", "Value": "bag"}],
        StartTime=start,
        EndTime=start + dt.timedelta(seconds=1),
        Period=1,
        Statistics=["Average"],
    )["Datapoints"]
    assert [point["Average"] for point in points] == [0.75]


def test_the_next_look_goes_on_where_the_last_one_ended(home: Home) -> None:
    home.run(*TRAINED)
    home.look()
    assert home.look() == "0 figures of 0 runs"
    home.run(*SCORED)
    assert home.look() == "5 figures of 1 runs"


def test_what_comes_from_the_cache_is_not_counted_again(home: Home) -> None:
    home.run(*TRAINED)
    again = [
        made("bag", "split", **{**computed(0.1, row_count=900), "cache": "hit"}),
        made("bag", "metrics", checks={"feature_distributions_are_stable": 0.0625},
             **{**computed(0.1, pr_auc=0.75, verdict="reject"), "cache": "hit"}),
        made("bag", "registered_model", fingerprint="f1", verdict="reject", status="Approved", version=3),
    ]  # fmt: skip
    home.run(*again)
    assert home.look() == "12 figures of 2 runs"
    assert home.metrics == OF_TRAINING


def test_a_result_of_the_cache_that_no_run_told_of_is_told_without_its_cost(home: Home) -> None:
    metadata = computed(0.1, row_count=200, job_cost=0.5, job_currency="USD")
    home.run(made("daily", "predictions", **{**metadata, "cache": "hit"}))
    home.look()
    assert home.metrics == {("Rows", "daily_inference"): [(200.0, 1.0)]}


def test_what_is_computed_once_more_took_its_time_once_more(home: Home) -> None:
    for _ in range(2):
        home.run(made("bag", "split", **computed(2.0, row_count=900)))
    assert home.look() == "6 figures of 2 runs"
    assert home.metrics["Seconds", "bag"] == [(4.0, 2.0)]


def test_a_verdict_that_changed_over_the_same_figures_is_told(home: Home) -> None:
    for verdict in ("reject", "approve", "reject"):
        home.run(made("bag", "registered_model", fingerprint="f1", verdict=verdict))
    assert home.look() == "2 figures of 3 runs"
    assert home.metrics == {("Verdict", "bag"): [(0.0, 2.0)]}


def test_what_another_week_told_of_and_runs_before_the_last_are_told_apart(home: Home) -> None:
    def hit(fingerprint: str, pr_auc: float) -> dg.AssetsDefinition:
        return made("bag", "metrics", cache="hit", fingerprint=fingerprint, pr_auc=pr_auc)

    other_week = dg.AssetMaterialization(["bag", "metrics"], partition="2025-01-06", metadata={"fingerprint": "f1"})
    home.instance.report_runless_asset_event(other_week)
    for fingerprint, pr_auc in (("f1", 0.5), ("f2", 0.25), ("f1", 0.5)):
        home.run(hit(fingerprint, pr_auc))
    assert home.look() == "2 figures of 3 runs"
    assert home.metrics == {("PrAuc", "bag"): [(0.75, 2.0)]}


def test_a_run_that_was_cancelled_is_no_failure_and_a_cost_in_another_currency_none_in_dollars(home: Home) -> None:
    run_id = home.run(made("monthly", "predictions", **computed(8.0, job_cost=0.5, job_currency="EUR")))
    run = home.instance.get_run_by_id(run_id)
    assert run is not None
    home.instance.report_run_canceled(run)
    home.look()
    assert home.metrics == {("Seconds", "monthly_inference"): [(8.0, 1.0)]}


def test_a_failed_run_is_counted_and_what_it_had_made_is_told(home: Home) -> None:
    @dg.asset(key=["bag", "metrics"], partitions_def=WEEKLY, deps=[["bag", "split"]])
    def broken() -> None:
        raise ValueError("out of labels")

    home.run(TRAINED[0], broken)
    home.look()
    assert home.metrics["RunFailures", "ad-hoc"] == [(1.0, 1.0)]
    assert home.metrics["Rows", "bag"] == [(900.0, 1.0)]


def test_assets_without_figures_give_none(home: Home) -> None:
    home.run(
        made("product_features", **computed(3.0, row_count=7)),
        made("bag", "champion", verdict="approve"),
        made("daily", "shadow_predictions", **computed(3.0, row_count=7)),
    )
    assert home.look() == "0 figures of 1 runs"


@pytest.mark.parametrize("kind", ["throttle", "error"])
def test_what_cannot_be_delivered_is_kept_and_no_run_knows(home: Home, faults: Any, kind: str) -> None:
    run_id = home.run(*TRAINED)
    faults.inject(kind, "monitoring")
    assert home.look().startswith(f"Not delivered, to be tried again: CloudWatch, namespace {home.namespace}: ")
    assert (home.cursor, home.metrics) == (None, {})
    assert home.look() == "12 figures of 1 runs"
    assert home.metrics == OF_TRAINING
    run = home.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS


def test_an_answer_that_is_lost_may_count_twice_and_changes_no_average(home: Home, faults: Any) -> None:
    home.run(made("bag", "metrics", **computed(4.0, pr_auc=0.75)))
    faults.inject("lost_answer", "monitoring")
    home.look()
    home.look()
    assert home.metrics["PrAuc", "bag"] == [(1.5, 2.0)]


def test_a_cursor_that_cannot_be_read_begins_anew(home: Home) -> None:
    home.run(*SCORED)
    home.cursor = "not JSON"
    assert home.look() == "5 figures of 1 runs"


def test_without_a_namespace_figures_are_for_nobody(home: Home) -> None:
    home.run(*SCORED)
    home.sink = NullFigures()
    assert home.look() == "5 figures of 1 runs"
    assert home.metrics == {}


def test_many_figures_go_in_several_calls_without_those_that_cloudwatch_refuses(home: Home, moto: Any) -> None:
    now = home.clock.moment
    figures = [Figure("Rows", float(number), now, {"Model": "bag"}) for number in range(1001)]
    figures += [
        Figure("Rows", math.nan, now, {"Model": "bag"}),
        Figure("Rows", math.inf, now, {"Model": "bag"}),
        Figure("Rows", 1e6, now - dt.timedelta(days=14), {"Model": "bag"}),
        Figure("Rows", 1.0, now, {"Model": ":bäg\n" + "x" * 300}),
        Figure("Rows", 1.0, now, {"Model": ""}),
    ]
    home.sink.put(figures)
    metrics = home.metrics
    assert metrics["Rows", "bag"] == [(sum(range(1001)), 1001.0)]
    assert sorted(len(about) for _, about in metrics) == [1, 3, 250]


def test_nobody_listening_is_an_error_in_one_line(home: Home) -> None:
    client = boto3.client(
        "cloudwatch",
        region_name=REGION,
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"total_max_attempts": 1}),
    )
    sink = CloudWatchFigures(client, "Test", environment="prod", now=home.clock.now)
    with pytest.raises(FigureError, match=r"^CloudWatch, namespace Test: Could not connect to the endpoint URL.*$"):
        sink.put([Figure("Rows", 1.0, home.clock.moment, {"Model": "bag"})])
    client.close()


@pytest.mark.parametrize(("env", "names"), [("local", []), ("aws", ["figures"])])
def test_there_is_a_sensor_where_a_service_may_be(tmp_path: Path, env: Any, names: list[str]) -> None:
    with use_settings(load_settings(tmp_path, env=env)), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of loading one folder by itself, which Dagster calls a preview
        tree = ComponentTree.for_project(PROJECT_ROOT)
        found = tree.build_defs_at_path(Path("figures")).sensors or []
    assert [each.name for each in found] == names


def test_the_names_it_looks_for_are_those_of_the_platform() -> None:
    assert DRIFT_CHECK in {check.name for check in CHECKS}
    assert {"weekly_training", "daily_inference", "monthly_inference"} <= {job.name for job in JOBS.values()}
    verdicts = Verdict.model_fields["outcome"].annotation
    assert set(get_args(verdicts)) == set(VERDICTS)


def test_a_jobs_cost_is_price_by_machines_by_seconds() -> None:
    prices = {"ml.m5.xlarge": 0.36}
    facts = JobFacts(name="a", kind="training", instance_type="ml.m5.xlarge", instance_count=2, seconds=100.0)
    priced = with_cost(facts, prices)
    assert (priced.cost, priced.currency) == (pytest.approx(0.02), "USD")
    unknown = JobFacts(name="a", kind="training", instance_type="ml.p9.huge", instance_count=2, seconds=100.0)
    unmeasured = JobFacts(name="a", kind="training", instance_type="ml.m5.xlarge", instance_count=2, seconds=None)
    assert [with_cost(each, prices) for each in (unknown, unmeasured)] == [unknown, unmeasured]
