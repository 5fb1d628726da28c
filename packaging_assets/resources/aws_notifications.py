"""What leaves and enters the environment `aws` besides data: alerts, figures, trigger files.

Imported where `PACKAGING_ENV=aws` only, so `local` never pays for boto3.
"""

from dataclasses import replace
from typing import Any

from packaging_assets.artifacts.clock import utc_now
from packaging_assets.resources.aws_environment import objects
from packaging_assets.resources.aws_session import session
from packaging_assets.resources.cloudwatch_metrics import CloudWatchFigures
from packaging_assets.resources.notifier import Route
from packaging_assets.resources.s3_trigger_folder import S3TriggerFolder
from packaging_assets.resources.sns_notifier import SnsNotifier
from packaging_assets.resources.trigger_queue import SqsQueue
from packaging_assets.settings import Settings

CONNECT_SECONDS, READ_SECONDS = 3, 5
"""Of a sensor's calls: Dagster ends a look after 60 s, and what was not done then is done at the next."""


def sns_routes(settings: Settings) -> tuple[Route, ...]:
    """A route for each severity that has a topic; a topic for warnings alone takes errors as well."""
    routes = (
        ("sns errors", settings.error_topic_arn, "error", True),
        ("sns warnings", settings.warning_topic_arn, "warning", bool(settings.error_topic_arn)),
    )
    return tuple(
        Route(
            name,
            SnsNotifier(_quick(settings, "sns", attempts=1), topic, environment=settings.environment_name),
            severity="error" if severity == "error" else "warning",
            is_exact=is_exact,
        )
        for name, topic, severity, is_exact in routes
        if topic
    )


def cloudwatch_figures(settings: Settings) -> CloudWatchFigures:
    """The metrics in the namespace of the settings."""
    return CloudWatchFigures(
        _quick(settings, "cloudwatch"),
        settings.metrics_namespace,
        environment=settings.environment_name,
        now=utc_now,
    )


def s3_trigger_store(settings: Settings) -> S3TriggerFolder:
    """The trigger files in the environment's bucket, told of by a queue if the settings name one."""
    queue = SqsQueue(_quick(settings, "sqs"), settings.trigger_queue_url) if settings.trigger_queue_url else None
    files = replace(objects(settings, "triggers"), client=_quick(settings, "s3"))
    return S3TriggerFolder(files, queue, now=utc_now)


def _quick(settings: Settings, service: str, *, attempts: int = 2) -> Any:
    """A client that gives up soon; alerts are tried again by whoever sends them."""
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    return session(settings).client(service, config=config)
