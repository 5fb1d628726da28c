"""moto and both stand-ins, started and stopped together, with the bucket, topics and queue that deploy/ would make."""

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3

STANDINS = Path(__file__).resolve().parents[2]
for _part in ("sagemaker", "redshift"):
    sys.path.insert(0, str(STANDINS / _part))

from redshift_standin.server import DATABASE, PASSWORD, SECRET, USER, WORKGROUP, RedshiftStandIn  # noqa: E402
from sagemaker_standin import SageMakerStandIn  # noqa: E402
from sagemaker_standin.containers import kept_variables  # noqa: E402
from sagemaker_standin.warm_image import WarmImage  # noqa: E402

from aws_standin.moto_server import MotoServer  # noqa: E402

REGION, ACCOUNT = "us-east-1", "123456789012"
BUCKET = "packaging-standin"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/packaging:standin"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/packaging-jobs"
COPY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/packaging-redshift-copy"
POLL_SECONDS = 0.2
IMPORTED = (
    "packaging_assets.container.run_request",
    "packaging_assets.domain.architectures.catboost",
    "packaging_assets.domain.inventory_checks",
    "packaging_assets.domain.labels",
    "packaging_assets.domain.metrics",
    "packaging_assets.domain.models",
    "packaging_assets.domain.prediction_checks",
    "packaging_assets.domain.prediction_shards",
    "packaging_assets.domain.predictions",
    "packaging_assets.domain.splits",
    "catboost",
)
"""What nearly every container imports; it takes seconds of a processor, and the job itself less than one."""


class AwsOnThisMachine:
    """Everything that `PACKAGING_ENV=aws` reaches, on free ports of the loopback interface.

    Attributes:
        moto, sagemaker, redshift: the servers, each with `faults`.
        environment: under which boto3, dbt and the platform find them.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._clients: dict[str, Any] = {}
        self.environment: dict[str, str] = {}

    def __enter__(self) -> "AwsOnThisMachine":
        with contextlib.ExitStack() as stack:
            self.moto = stack.enter_context(MotoServer())
            image = stack.enter_context(WarmImage("packaging_assets.container", IMPORTED, kept_variables()))
            self.sagemaker = stack.enter_context(SageMakerStandIn(self.moto.url, {IMAGE: image}, region=REGION))
            self.redshift = stack.enter_context(RedshiftStandIn(self.moto.url, region=REGION))
            self._stack = stack
            self.environment = {**self._endpoints(), **self._settings(), **self._made()}
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def client(self, service: str) -> Any:
        """boto3's client of a service, for who wants to look; closed in the end."""
        if service not in self._clients:
            urls = {"sagemaker": self.sagemaker.url, "redshift-data": self.redshift.url}
            session = boto3.Session("standin", "standin", region_name=REGION)
            made = session.client(service, endpoint_url=urls.get(service, self.moto.url))
            self._clients[service] = self._stack.enter_context(contextlib.closing(made))
        return self._clients[service]

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        for server in (self.moto, self.sagemaker, self.redshift):
            server.faults.clear()

    def _endpoints(self) -> Mapping[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "standin",
            "AWS_SECRET_ACCESS_KEY": "standin",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.moto.url,
            "AWS_ENDPOINT_URL_SAGEMAKER": self.sagemaker.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **self.redshift.environment,
        }

    def _settings(self) -> Mapping[str, str]:
        return {
            "PACKAGING_ENV": "aws",
            "PACKAGING_NAME": "standin",
            "PACKAGING_AWS_REGION": REGION,
            "PACKAGING_S3_BUCKET": BUCKET,
            "PACKAGING_REDSHIFT_METHOD": "database",
            "PACKAGING_REDSHIFT_WORKGROUP": WORKGROUP,
            "PACKAGING_REDSHIFT_HOST": "127.0.0.1",
            "PACKAGING_REDSHIFT_PORT": str(self.redshift.port),
            "PACKAGING_REDSHIFT_DATABASE": DATABASE,
            "PACKAGING_REDSHIFT_USER": USER,
            "PACKAGING_REDSHIFT_PASSWORD": PASSWORD,
            "PACKAGING_REDSHIFT_SECRET_ARN": SECRET,
            "PACKAGING_REDSHIFT_COPY_ROLE_ARN": COPY_ROLE,
            "PACKAGING_SAGEMAKER_ROLE_ARN": JOB_ROLE,
            "PACKAGING_SAGEMAKER_IMAGE": IMAGE,
            "PACKAGING_SAGEMAKER_POLL_SECONDS": str(POLL_SECONDS),
        }

    def _made(self) -> Mapping[str, str]:
        """What deploy/cloudformation/data.yaml makes, as far as the platform uses it; topics tell one queue."""
        s3, sns, sqs = (self.client(name) for name in ("s3", "sns", "sqs"))
        s3.create_bucket(Bucket=BUCKET)
        queue = sqs.create_queue(QueueName="packaging-standin-triggers")["QueueUrl"]
        s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [_trigger_events(sqs, queue)]}
        )
        told = sqs.create_queue(QueueName="packaging-standin-alerts")["QueueUrl"]
        topics = {
            severity: sns.create_topic(Name=f"packaging-standin-{severity}")["TopicArn"]
            for severity in ("error", "warning")
        }
        for topic in topics.values():
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=_arn(sqs, told))
        return {
            "PACKAGING_TRIGGER_QUEUE_URL": queue,
            **{f"PACKAGING_{severity.upper()}_TOPIC_ARN": topic for severity, topic in topics.items()},
        }


def _arn(sqs: Any, queue: str) -> str:
    return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _trigger_events(sqs: Any, queue: str) -> dict[str, Any]:
    rules = [{"Name": "prefix", "Value": "triggers/"}, {"Name": "suffix", "Value": ".json"}]
    return {"QueueArn": _arn(sqs, queue), "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}


def shown(environment: Mapping[str, str]) -> str:
    """The environment as lines for a shell, for people who want to look around."""
    return "\n".join(f"export {name}={json.dumps(value)}" for name, value in sorted(environment.items()))
