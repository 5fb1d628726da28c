"""What goes wrong with SageMaker, by kind: what to try again, after how long, and what to tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.resources.backoff import Backoff

ErrorKind = Literal["throttling", "service", "capacity"]
"""throttling: too many calls. service: AWS failed, or did not answer. capacity: no machines, or an account's limit."""

THROTTLING_CODES = frozenset(
    {"ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}
)
CAPACITY_CODES = frozenset({"ResourceLimitExceeded", "CapacityError", "InsufficientCapacityError"})
SERVICE_CODES = frozenset({"InternalServerError", "InternalFailure", "ServiceUnavailable"})
FIRST_SERVER_ERROR = 500

_ACCOUNT_LIMIT = re.compile(r" is (\d+) \w+, with current utilization of \d+ \w+ and a request delta of (\d+) ")
_NOT_IN_REGION = "is not available in this region"


class JobError(RuntimeError):
    """A job did not give a result; the message has its name, its reason, with the exit code, and the end of its log."""


class JobFailedError(JobError):
    """The step failed in its container, or the container could not run it: the same again would fail again."""


class JobStoppedError(JobError):
    """Somebody stopped the job, or it took longer than it may."""


class JobCapacityError(JobError):
    """There were no machines for the job, as often as it was tried."""


class JobServiceError(JobError):
    """SageMaker failed, as often as it was tried."""


@dataclass(frozen=True)
class RetryPolicy:
    """What is tried again how often.

    `calls` are single requests, on top of what botocore itself repeats within seconds; `jobs` are whole jobs, which
    cost the start of a machine each, and are tried again for want of capacity or after a fault of the service.
    """

    calls: Mapping[ErrorKind, Backoff] = field(
        default_factory=lambda: {
            "throttling": Backoff(8, 1.0, 60.0),
            "service": Backoff(6, 2.0, 60.0),
            "capacity": Backoff(6, 60.0, 900.0),
        }
    )
    jobs: Mapping[ErrorKind, Backoff] = field(
        default_factory=lambda: {"service": Backoff(3, 10.0, 60.0), "capacity": Backoff(6, 60.0, 900.0)}
    )


def kind_of_call_error(error: Exception) -> ErrorKind | None:
    """Why a call failed, if it may go well another time."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        code = error_code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in THROTTLING_CODES:
            return "throttling"
        if code in CAPACITY_CODES:
            return "capacity"
        return "service" if code in SERVICE_CODES or status >= FIRST_SERVER_ERROR else None
    return "service" if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError) else None


def is_beyond_reach(error: Exception) -> bool:
    """Whether a call asks for machines that the account may not have, or not so many, however long it waits.

    The code is the same as where others have them at the moment, so it is the text that decides.
    """
    said = str(error)
    limit = _ACCOUNT_LIMIT.search(said)
    return _NOT_IN_REGION in said or (limit is not None and int(limit[2]) > int(limit[1]))


def kind_of_job_failure(reason: str) -> ErrorKind | None:
    """Why a job failed, if it may go well another time: a FailureReason begins with its code and a colon."""
    code = reason.partition(":")[0]
    if code in CAPACITY_CODES:
        return "capacity"
    return "service" if code in SERVICE_CODES else None
