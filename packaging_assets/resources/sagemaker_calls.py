"""Calls of a service that are made again where that may help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from packaging_assets.resources.sagemaker_errors import (
    ErrorKind,
    JobCapacityError,
    JobServiceError,
    RetryPolicy,
    is_beyond_reach,
    kind_of_call_error,
)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class PatientCalls:
    """Makes calls about jobs, again after a pause where the policy says so; `sleep` waits for seconds."""

    retries: RetryPolicy
    sleep: Callable[[float], None]

    def __call__(self, action: Callable[[], Answer], name: str) -> Answer:
        """What the call about the job `name` answers.

        Raises:
            JobCapacityError, JobServiceError: it was of no use, however often it was tried, or would be of none.
        """
        tried: Counter[ErrorKind] = Counter()
        while True:
            try:
                return action()
            except Exception as error:
                kind = kind_of_call_error(error)
                if kind is None:
                    raise
                if kind == "capacity" and is_beyond_reach(error):
                    said = f"SageMaker refused a call about job {name}, and will however long it is waited for: {error}"
                    raise JobCapacityError(said) from error
                tried[kind] += 1
                backoff = self.retries.calls[kind]
                if tried[kind] >= backoff.attempts:
                    error_class = JobCapacityError if kind == "capacity" else JobServiceError
                    said = f"SageMaker refused a call about job {name} {tried[kind]} times, the last time with: {error}"
                    raise error_class(said) from error
                self.sleep(backoff.pause(tried[kind], name))
