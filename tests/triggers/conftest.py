"""Fixtures of trigger files, which lie in a folder or in S3."""

import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_fixtures import *  # noqa: F403 - fixtures are found by being there
from aws_fixtures import REGION

from packaging_assets.resources.trigger_queue import SqsQueue


@pytest.fixture
def trigger_queue(aws: None, s3: Any, bucket: str) -> Iterator[SqsQueue]:
    """A queue that S3 tells of everything below `prod/triggers/` whose name ends in .json, as the deployed one does."""
    client = boto3.client("sqs", region_name=REGION)
    url = client.create_queue(QueueName=f"triggers-{uuid.uuid4().hex[:12]}")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rules = [{"Name": "prefix", "Value": "prod/triggers/"}, {"Name": "suffix", "Value": ".json"}]
    told = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [told]})
    yield SqsQueue(client, url, wait_seconds=0)
    client.close()
