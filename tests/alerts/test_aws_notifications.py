"""What the environment `aws` makes of its settings: topics, figures, trigger files, the database of alerts."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from alert_doubles import NOON, Inbox, make_alert
from aws_fixtures import REGION
from click.testing import CliRunner

from packaging_assets.cli.main import main
from packaging_assets.resources.aws_environment import sagemaker_compute
from packaging_assets.resources.cloudwatch_metrics import CloudWatchFigures
from packaging_assets.resources.environment import (
    alert_routes_for,
    alert_store_for,
    figure_sink_for,
    trigger_store_for,
)
from packaging_assets.resources.figures import NullFigures
from packaging_assets.resources.notifier import Route
from packaging_assets.settings import Settings, load_settings

TRAIN = {"pipeline": "train", "partition": "2025-01-06"}


class Cloud:
    """A home in AWS: a bucket, a queue, a topic for each severity, and a queue that subscribed to both."""

    def __init__(self, home: Path, bucket: str) -> None:
        self.home, self.bucket = home, bucket
        self.sns, self.sqs = (boto3.client(name, region_name=REGION) for name in ("sns", "sqs"))
        self.inbox = self.queue("inbox")
        self.topics = {severity: self.topic(severity) for severity in ("error", "warning")}
        self.triggers = self.queue("triggers")

    def queue(self, name: str) -> str:
        return self.sqs.create_queue(QueueName=f"{name}-{uuid.uuid4().hex[:8]}")["QueueUrl"]

    def topic(self, name: str) -> str:
        arn = self.sns.create_topic(Name=f"{name}-{uuid.uuid4().hex[:8]}")["TopicArn"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.inbox, AttributeNames=["QueueArn"])["Attributes"]
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=attributes["QueueArn"])
        return arn

    def settings(self, **changes: Any) -> Settings:
        given = {
            "env": "aws",
            "name": "prod",
            "s3_bucket": self.bucket,
            "s3_prefix": "prod",
            "error_topic_arn": self.topics["error"],
            "warning_topic_arn": self.topics["warning"],
            "trigger_queue_url": self.triggers,
        }
        return load_settings(self.home, **{**given, **changes})

    def received(self) -> list[tuple[str, str]]:
        """Severity and topic of what arrived."""
        messages = self.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", [])
        envelopes = [json.loads(message["Body"]) for message in messages]
        return [(json.loads(each["Message"])["severity"], each["TopicArn"]) for each in envelopes]


@pytest.fixture
def cloud(tmp_path: Path, bucket: str) -> Iterator[Cloud]:
    made = Cloud(tmp_path, bucket)
    yield made
    made.sns.close()
    made.sqs.close()


def test_each_severity_has_its_topic(cloud: Cloud) -> None:
    alerts = [make_alert("e"), make_alert("w", severity="warning")]
    for route in alert_routes_for(cloud.settings())[1:]:
        for alert in alerts:
            if route.takes(alert):
                route.notifier.send(alert, may_be_repeat=False)
    assert sorted(cloud.received()) == [("error", cloud.topics["error"]), ("warning", cloud.topics["warning"])]


def test_one_topic_may_take_both(cloud: Cloud) -> None:
    (_, route) = alert_routes_for(cloud.settings(error_topic_arn=""))
    assert (route.name, route.takes(make_alert("e")), route.takes(make_alert("w", severity="warning"))) == (
        "sns warnings",
        True,
        True,
    )
    (_, route) = alert_routes_for(cloud.settings(warning_topic_arn=""))
    assert (route.name, route.takes(make_alert("w", severity="warning"))) == ("sns errors", False)


def test_a_local_home_has_none_of_it(cloud: Cloud, postgres_url: str) -> None:
    settings = cloud.settings(env="local", state_database_url=postgres_url)
    assert [route.name for route in alert_routes_for(settings)] == ["log"]
    assert isinstance(figure_sink_for(settings), NullFigures)
    assert trigger_store_for(settings).place == str(cloud.home / "triggers")
    alert_store_for(settings).record_look("runs", now=1.0)
    assert settings.alerts_path.exists()


def test_figures_go_to_the_namespace_if_there_is_one(cloud: Cloud) -> None:
    assert isinstance(figure_sink_for(cloud.settings()), CloudWatchFigures)
    assert isinstance(figure_sink_for(cloud.settings(metrics_namespace="")), NullFigures)


def test_alerts_are_kept_in_the_database_and_listed_from_there(
    cloud: Cloud, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = cloud.settings(state_database_url=postgres_url)
    store = alert_store_for(settings)
    store.add(make_alert("a"), [Route("log", Inbox())], now=NOON.timestamp())
    store.close()
    assert not settings.alerts_path.exists()
    for name, value in {"ENV": "aws", "STATE_DATABASE_URL": postgres_url}.items():
        monkeypatch.setenv(f"PACKAGING_{name}", value)
    listed = CliRunner().invoke(main, ["alerts", "list", "--json", "--home", str(cloud.home)])
    assert [each["title"] for each in json.loads(listed.stdout)] == ["weekly: a failed for None"]


def test_the_sample_reaches_the_topics(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGING_ENV", "aws")
    for severity, arn in cloud.topics.items():
        monkeypatch.setenv(f"PACKAGING_{severity.upper()}_TOPIC_ARN", arn)
    sent = CliRunner().invoke(main, ["alerts", "test", "--json", "--home", str(cloud.home)])
    assert json.loads(sent.stdout) == {"log": None, "sns errors": None, "sns warnings": None}
    assert sorted(cloud.received()) == [("error", cloud.topics["error"]), ("warning", cloud.topics["warning"])]


def test_trigger_files_are_below_the_environments_prefix(
    cloud: Cloud, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket=cloud.bucket, Key="prod/triggers/request.json", Body=json.dumps(TRAIN).encode())
    store = trigger_store_for(cloud.settings())
    assert (store.place, store.waiting(10)) == (f"s3://{cloud.bucket}/prod/triggers/", ["request.json"])
    for name, value in {"ENV": "aws", "S3_BUCKET": cloud.bucket, "S3_PREFIX": "prod"}.items():
        monkeypatch.setenv(f"PACKAGING_{name}", value)
    listed = CliRunner().invoke(main, ["triggers", "list", "--home", str(cloud.home)])
    assert listed.stdout == "waiting   request.json\n"
    s3.delete_object(Bucket=cloud.bucket, Key="prod/triggers/request.json")
    listed = CliRunner().invoke(main, ["triggers", "list", "--home", str(cloud.home)])
    assert listed.stdout == f"No trigger files in s3://{cloud.bucket}/prod/triggers/.\n"


def test_prices_of_the_settings_go_before_those_of_the_list(cloud: Cloud) -> None:
    role = "arn:aws:iam::123456789012:role/jobs"
    given = {"sagemaker_role_arn": role, "sagemaker_image": "image", "instance_prices": {"ml.m5.large": 9.0}}
    prices = sagemaker_compute(cloud.settings(**given))._usd_per_hour
    assert (prices["ml.m5.large"], prices["ml.m5.xlarge"]) == (9.0, 0.23)
