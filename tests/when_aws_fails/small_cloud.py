"""A warehouse in AWS on this machine that is ready to train on, and copies of it in which things go wrong."""

import dataclasses
import datetime as dt
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from packaging_assets.artifacts.store import PrunableStore
from packaging_assets.definitions import build_definitions
from packaging_assets.defs.alerts.ended_runs import SETTLING_SECONDS, Cursor
from packaging_assets.defs.alerts.look import Look
from packaging_assets.home import prepare_home, write_partition_range
from packaging_assets.ingestion.delivery import ingest_files
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.environment import resources_for, warehouse_for
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.runner import NO_COMPUTE_LOGS, JobFailedError, JobRun, JobRunner
from packaging_assets.settings import Settings, load_settings
from packaging_assets.simulator import RetailerConfig, simulate

PRODUCTS = 1500
WEEK, DAY = "2025-01-06", "2025-01-12"
MODEL = "bag"
TRAINED = ["labels", "features", *(f"{MODEL}/{name}" for name in ("split", "model", "metrics", "model_card"))]
TRAINING = [*TRAINED, f"{MODEL}/registered_model", f"{MODEL}/champion"]
SETTLED = dt.timedelta(seconds=SETTLING_SECONDS + 1)
PREDICTED = """cadence, partition_start, product_id, package_type, score, damage_probability, is_suitable, model,
    model_version, as_of"""
SCORED = ["daily/inventory", "daily/predictions"]
NUMBERS = itertools.count(1)
"""Of cases, in all clouds of a process: moto keeps what is in a bucket also when its server is stopped."""


class Chosen:
    """Stands for a resource of whichever case is being played: definitions take long to build, and are built once."""

    def __init__(self, resource: Any) -> None:
        self.resource = resource

    def __getattr__(self, name: str) -> Any:
        return getattr(self.resource, name)


class Cloud:
    """The prepared warehouse; `case` makes a copy of it, with a bucket's prefix, groups and topics of its own."""

    def __init__(self, aws: Any, folder: Path) -> None:
        self.aws, self._folder = aws, folder
        self.settings = load_settings(folder / "base")
        config = RetailerConfig(products=PRODUCTS, weeks=1, seed=7)
        retailer = simulate(config, folder / "simulated")
        write_partition_range(self.settings, first_week=config.first_week, last_day=retailer.last_day)
        self.settings = load_settings(folder / "base")
        prepare_home(self.settings)
        self._resources = resources_for(self.settings)
        self._chosen = {name: Chosen(resource) for name, resource in self._resources.items()}
        self.definitions = build_definitions(self.settings, resource_overrides=self._chosen)
        for delivery in retailer.deliveries:
            list(ingest_files(warehouse_for(self.settings), delivery.files, max_bad_row_share=1.0, clock=SystemClock()))
        self.runner = self._runner(self.settings)
        self.runner.run("warehouse", first=WEEK, last=DAY)

    def case(self) -> "Case":
        """A copy of the warehouse, with nothing trained yet."""
        name = f"case{next(NUMBERS):03}"  # of one length: what is left for the rest of a job's name depends on it
        home = self._folder / name
        write_partition_range(
            load_settings(home), first_week=self.settings.first_week, last_day=dt.date.fromisoformat(DAY)
        )
        self.aws.redshift.copy_database(self.settings.redshift_database, name)
        inbox = Inbox(self.aws, name)
        settings = load_settings(
            home, name=name, s3_prefix=name, redshift_database=name, promotions="pending", **inbox.topics
        )
        prepare_home(settings)
        resources = resources_for(settings)
        self._choose(resources)
        return Case(self.aws, settings, self._runner(settings), resources, inbox)

    def build_day(self) -> JobRun:
        """Let dbt build the last day once more, in the warehouse that is copied."""
        self._choose(self._resources)
        self.aws.redshift.run(f"delete from ops.built_days where day = '{DAY}'")  # or it counts as done
        return self.runner.run("warehouse", first=DAY)

    def built(self) -> dict[str, list[str]]:
        """All rows of what dbt has built day by day."""
        tables = ("marts.product_features", "marts.package_evidence", "ops.built_days")
        return {name: sorted(map(repr, self.aws.redshift.run(f"select * from {name}"))) for name in tables}

    def _choose(self, resources: Mapping[str, Any]) -> None:
        for name, chosen in self._chosen.items():
            chosen.resource = resources[name]

    def _runner(self, settings: Settings) -> JobRunner:
        ref = InstanceRef.from_dir(str(settings.dagster_home), overrides=NO_COMPUTE_LOGS)  # type: ignore[arg-type]
        return JobRunner(self.definitions, dg.DagsterInstance.from_ref(ref), settings.dagster_home)


class Inbox:
    """Two topics, and the queue that is told of both."""

    def __init__(self, aws: Any, name: str) -> None:
        self._sqs, sns = aws.client("sqs"), aws.client("sns")
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        self.topics: dict[str, str] = {}
        for severity in ("error", "warning"):
            topic = sns.create_topic(Name=f"{name}-{severity}")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
            self.topics[f"{severity}_topic_arn"] = topic

    def read(self) -> list[dict[str, Any]]:
        """The messages that came since the last time, each in the order of its coming."""
        found: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@dataclass(frozen=True)
class LaterClock:
    """The system's, put forward."""

    by: dt.timedelta

    def now(self) -> dt.datetime:
        return SystemClock().now() + self.by


@dataclass
class Case:
    """One copy, and what can be done in it."""

    aws: Any
    settings: Settings
    runner: JobRunner
    resources: Mapping[str, Any]
    inbox: Inbox
    cursor: Cursor = dataclasses.field(default_factory=Cursor)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def store(self) -> PrunableStore:
        return self.resources["artifact_store"]

    @property
    def registry(self) -> ModelRegistry:
        return self.resources["model_registry"]

    def train(self) -> JobRun:
        """The week's chain of one model, to its registration."""
        return self.runner.run("weekly", first=WEEK, assets=_keys(TRAINING))

    def score(self) -> JobRun:
        """The day's products, to their load."""
        return self.runner.run("daily", first=DAY, assets=_keys(SCORED))

    def refused(self, job: str) -> list[str]:
        """Run a job that must fail; what it says of each failed step."""
        try:
            {"train": self.train, "score": self.score}[job]()
        except JobFailedError as error:
            return [f"{failure.error}: {failure.sentence}" for failure in error.failures]
        raise AssertionError(f"{job} reported success")

    def look(self, *, later: dt.timedelta = SETTLED) -> list[dict[str, Any]]:
        """One look of the alert sensor, once events have settled or later; what arrived in the queue."""
        look = Look(
            instance=self.runner.instance,
            settings=self.settings,
            store=self.resources["alert_store"],
            routes=self.resources["alert_routes"],
            warehouse=self.resources["warehouse"],
            artifact_store=self.store,
            clock=LaterClock(later),
            owners=lambda _: (),
            sleep=lambda _: None,
        )
        self.cursor, _ = look.take(self.cursor)
        return self.inbox.read()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Of the case's database, behind the platform's back."""
        return self.aws.redshift.run(query, self.settings.redshift_database)

    def trained(self) -> dict[str, Any]:
        """All that training leaves, as far as it is the same in every copy."""
        return {
            "artifacts": {key: self._content(key, WEEK) for key in TRAINED},
            "versions": [
                {**dataclasses.asdict(version), "created_at": None, "updated_at": None}
                for version in self.registry.versions()
            ],
            "history": [
                (each.version, each.action, each.to_status, each.actor) for each in self.registry.history(MODEL)
            ],
            "packages": self._packages(),
            "jobs": self._jobs(),
        }

    def scored(self) -> dict[str, Any]:
        """All that scoring leaves, likewise."""
        return {
            "artifacts": {key: self._content(key, DAY) for key in SCORED},
            "loads": self.rows(
                'select load_id, cadence, partition_start, content_hash, "rows" from ml.prediction_loads'
            ),
            "rows": self.rows(f"select {PREDICTED}, load_id from ml.predictions order by product_id, package_type"),
            "jobs": self._jobs(),
        }

    def leftovers(self) -> list[str]:
        """What is in the bucket besides artifacts and the registry."""
        listed = self.aws.client("s3").list_objects_v2(Bucket=self.settings.s3_bucket, Prefix=f"{self.name}/")
        keys = [entry["Key"].removeprefix(f"{self.name}/") for entry in listed.get("Contents", [])]
        return [key for key in keys if not key.startswith(("artifacts/", "registry/"))]

    def _content(self, key: str, partition: str) -> str | None:
        artifact = self.store.current(key, partition)
        if artifact is None:
            return None
        self.store.verify(artifact)
        return artifact.content_hash

    def _packages(self) -> list[tuple[int, str]]:
        client = self.aws.client("sagemaker")
        group = self.registry.group(MODEL)  # type: ignore[attr-defined] - SageMaker's has groups
        listed = client.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
        return sorted((each["ModelPackageVersion"], each["ModelApprovalStatus"]) for each in listed)

    def _jobs(self) -> list[str]:
        """Names of the jobs that ran, and how they ended: each costs its machines."""
        jobs = self.aws.sagemaker.operations._jobs.values()  # the calls that list them show a page only
        mine = f"packaging-{self.name}-"
        return sorted(f"{job.name.removeprefix(mine)} {job.status}" for job in jobs if job.name.startswith(mine))


def _keys(names: Sequence[str]) -> list[dg.AssetKey]:
    return [dg.AssetKey(name.split("/")) for name in names]
