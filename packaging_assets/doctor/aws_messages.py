"""Who is told of alerts, where triggers come from, and figures: SNS, SQS and CloudWatch."""

from __future__ import annotations

from typing import Any

from packaging_assets.doctor.aws_answers import understood
from packaging_assets.doctor.check import Advice, Check, Clients, ProblemError
from packaging_assets.settings import Settings

DATA = "deploy/cloudformation/data.yaml"
METRIC = "DoctorLooked"


def checks(settings: Settings, clients: Clients) -> list[Check]:
    """Both topics, the queue of trigger files, and CloudWatch's namespace."""
    sns, sqs, cloudwatch = clients("sns"), clients("sqs"), clients("cloudwatch")
    return [
        Check("error topic", lambda: _topic(sns, settings.error_topic_arn, "error"), after="credentials"),
        Check("warning topic", lambda: _topic(sns, settings.warning_topic_arn, "warning"), after="credentials"),
        Check("trigger queue", lambda: _queue(settings, sqs), after="credentials"),
        Check("figures", lambda: _figures(settings, cloudwatch), after="credentials"),
    ]


def _topic(sns: Any, arn: str, severity: str) -> str | Advice:
    variable = f"PACKAGING_{severity.upper()}_TOPIC_ARN"
    export = f"the export packaging-<environment>-{severity}s of {DATA}"
    if not arn:
        return Advice("none: alerts go to the log and the routes of the settings", f"Set {variable} to {export}.")
    missing = ProblemError(f"there is no topic {arn}", f"Set {variable} to {export}.")
    with understood("sns:GetTopicAttributes", role="", remedies={"NotFound": missing, "NotFoundException": missing}):
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    confirmed = int(attributes.get("SubscriptionsConfirmed", 0))
    if confirmed == 0:
        return Advice(
            f"{arn}, which nobody has subscribed to",
            f"aws sns subscribe --topic-arn {arn} --protocol email --notification-endpoint you@example.com",
        )
    return f"{arn}, {confirmed} confirmed subscription{'' if confirmed == 1 else 's'}"


def _queue(settings: Settings, sqs: Any) -> str | Advice:
    url = settings.trigger_queue_url
    if not url:
        return "none: trigger files are listed"
    missing = ProblemError(
        f"there is no queue {url}",
        f"Set PACKAGING_TRIGGER_QUEUE_URL to the export packaging-<environment>-trigger-queue-url of {DATA}.",
    )
    codes = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress")
    with understood("sqs:GetQueueAttributes", role="", remedies=dict.fromkeys(codes, missing)):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    waiting = f"{attributes['QueueArn']}, messages that wait: {attributes.get('ApproximateNumberOfMessages', '0')}"
    if "RedrivePolicy" not in attributes:
        return Advice(
            waiting,
            f"Give it a dead-letter queue, so that a message nobody can read does not come back for ever: {DATA} does.",
        )
    return waiting


def _figures(settings: Settings, cloudwatch: Any) -> str:
    """PutMetricData has no dry run: one value of a metric of the doctor's own."""
    if not settings.metrics_namespace:
        return "off: PACKAGING_METRICS_NAMESPACE is empty"
    with understood("cloudwatch:PutMetricData", role="RunRole"):
        cloudwatch.put_metric_data(
            Namespace=settings.metrics_namespace, MetricData=[{"MetricName": METRIC, "Value": 1.0, "Unit": "Count"}]
        )
    return f"{METRIC} = 1 was put into {settings.metrics_namespace}"
