"""The faults of each service, and what a case leaves in which nothing goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from small_cloud import DAY, MODEL, WEEK, Case

# What redshift_connector does as it connects; dbt runs in this process.
EXPECTED_WARNINGS = [
    pytest.mark.filterwarnings("ignore:ssl.SSLContext.. without protocol argument:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning"),
]

CALL_FAULTS = ("slow", "throttle", "error", "lost_answer", "twice")
SLOW_SECONDS = 5
"""The client has given up by then, and asks again while its first call is still being done."""

FOREVER = 100_000
INSERTION = r"insert into .*product_features"
"""dbt's second statement of a window, after the deletion, in the same transaction."""


@dataclass(frozen=True)
class Undisturbed:
    """What a case leaves in which nothing goes wrong."""

    trained: dict[str, Any]
    scored: dict[str, Any]
    alerts: list[Any]


def disturb_s3(case: Case, kind: str, times: int, seconds: float) -> None:
    """Commits, pointers, the registry's record, what Redshift is to copy, and reading."""
    place = f"/{case.settings.s3_bucket}/{case.name}"
    for matching in (
        f"PUT {place}/artifacts/labels/{WEEK}",
        f"PUT {place}/artifacts/{MODEL}/model/{WEEK}",
        f"PUT {place}/artifacts/{MODEL}/metrics/{WEEK}/current",
        f"PUT {place}/registry/models/{MODEL}.json",
        f"PUT {place}/exchange/load/",
        f"GET {place}/artifacts/daily/predictions/{DAY}",
    ):
        case.aws.moto.faults.inject(kind, "s3", matching=matching, times=times, seconds=seconds)


def disturb_redshift(case: Case, kind: str, times: int, seconds: float) -> None:
    """The extract, the load, the looks at them, and their results."""
    for operation, matching in (
        ("ExecuteStatement", "^unload"),
        ("BatchExecuteStatement", "insert into ml.predictions"),
        ("DescribeStatement", ""),
        ("GetStatementResult", ""),
    ):
        case.aws.redshift.faults.inject(kind, operation=operation, matching=matching, times=times, seconds=seconds)


def disturb_sagemaker(case: Case, kind: str, times: int, seconds: float) -> None:
    """Jobs created and looked at, versions created and shown."""
    for operation in (
        "CreateTrainingJob",
        "CreateProcessingJob",
        "DescribeTrainingJob",
        "DescribeProcessingJob",
        "CreateModelPackageGroup",
        "CreateModelPackage",
        "UpdateModelPackage",
    ):
        case.aws.sagemaker.faults.inject(kind, operation, times=times, seconds=seconds)


SERVICES: dict[str, Callable[[Case, str, int, float], None]] = {
    "s3": disturb_s3,
    "redshift": disturb_redshift,
    "sagemaker": disturb_sagemaker,
}


def gist(alerts: list[dict[str, Any]]) -> list[Any]:
    """Of each message the parts that do not name a run or a case."""
    return [
        (each["severity"], each["title"], [(failure["kind"], failure["sentence"]) for failure in each["failures"]])
        for each in alerts
    ]


def failed_runs(alerts: list[dict[str, Any]]) -> list[str]:
    """What messages say of runs that failed."""
    return [failure["sentence"] for each in alerts for failure in each["failures"] if failure["kind"] == "run"]
