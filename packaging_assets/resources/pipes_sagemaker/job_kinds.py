"""What differs between SageMaker's kinds of jobs for somebody who runs one by its create parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FINAL_STATUSES = frozenset({"Completed", "Failed", "Stopped"})


@dataclass(frozen=True)
class JobKind:
    """One kind.

    `noun` is what the service's calls and fields begin with, such as TrainingJob; `environment_characters` how long the
    value of an environment variable may be.
    """

    noun: str
    environment_characters: int

    @property
    def log_group(self) -> str:
        """The CloudWatch log group of all jobs of the kind."""
        return f"/aws/sagemaker/{self.noun}s"

    @property
    def name_key(self) -> str:
        """The parameter that names a job."""
        return f"{self.noun}Name"

    def create(self, client: Any, params: Mapping[str, Any]) -> bool:
        """Start a job; False where there is one of that name already."""
        from botocore.exceptions import ClientError

        try:
            self._call(client, "create", **params)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ResourceInUse":
                raise
            return False
        return True

    def describe(self, client: Any, name: str) -> dict[str, Any]:
        """What is known of a job."""
        return self._call(client, "describe", **{self.name_key: name})

    def stop(self, client: Any, name: str) -> None:
        """Ask a job to stop; its end comes later."""
        self._call(client, "stop", **{self.name_key: name})

    def status(self, description: Mapping[str, Any]) -> str:
        """InProgress, Stopping or one of `FINAL_STATUSES`."""
        return str(description[f"{self.noun}Status"])

    def reason(self, description: Mapping[str, Any]) -> str:
        """Why a job failed or was stopped, as far as the service says."""
        said = [description.get("FailureReason"), description.get("ExitMessage")]
        if self.status(description) == "Stopped":
            said.append(description.get("SecondaryStatus"))
        return " ".join(str(text) for text in said if text)

    def seconds(self, description: Mapping[str, Any]) -> float | None:
        """Seconds that are billed for each machine of a job that is over, as far as the service says."""
        billable = description.get("BillableTimeInSeconds")
        if billable is not None:
            return float(billable)
        verb = self.noun.removesuffix("Job")
        start, end = description.get(f"{verb}StartTime"), description.get(f"{verb}EndTime")
        return None if start is None or end is None else (end - start).total_seconds()

    def _call(self, client: Any, verb: str, **params: Any) -> dict[str, Any]:
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", self.noun).lower()
        return getattr(client, f"{verb}_{words}")(**params)


TRAINING = JobKind("TrainingJob", 512)
PROCESSING = JobKind("ProcessingJob", 256)
TRANSFORM = JobKind("TransformJob", 10240)
"""Lengths: `Environment` of CreateTrainingJob, CreateProcessingJob and CreateTransformJob in the API reference."""


def kind_of(params: Mapping[str, Any]) -> JobKind:
    """The kind of job that create parameters are for, by the parameter that names it.

    Raises:
        ValueError: they name no job, or several.
    """
    found = [kind for kind in (TRAINING, PROCESSING, TRANSFORM) if kind.name_key in params]
    if len(found) != 1:
        raise ValueError(
            "The create parameters must have exactly one of TrainingJobName, ProcessingJobName and TransformJobName; "
            f"they have {', '.join(sorted(params)) or 'none'}."
        )
    return found[0]
