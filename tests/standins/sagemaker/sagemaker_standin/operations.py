"""The calls that the stand-in answers itself; everything else is moto's."""

import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sagemaker_standin.checks import check_request
from sagemaker_standin.errors import ServiceError, validation_error
from sagemaker_standin.faults import Faults
from sagemaker_standin.job import Job, Site
from sagemaker_standin.model_packages import HANDLERS as PACKAGE_HANDLERS
from sagemaker_standin.model_packages import ModelPackages
from sagemaker_standin.processing import ProcessingJob
from sagemaker_standin.training import TrainingJob
from sagemaker_standin.transform import TransformJob

KINDS: dict[str, type[Job]] = {job.kind: job for job in (TrainingJob, ProcessingJob, TransformJob)}

Request = dict[str, Any]


class Operations:
    """The state of the stand-in, and what its calls do to it.

    Args:
        site: what jobs share.
        faults: what is to go wrong.
        moto: a boto3 client of moto's SageMaker, which keeps models and the model registry.
    """

    def __init__(self, site: Site, faults: Faults, moto: Any) -> None:
        self._site, self._faults, self._moto = site, faults, moto
        self._lock = threading.RLock()
        self.packages = ModelPackages(moto)
        self._jobs: dict[tuple[str, str], Job] = {}
        self._tags: dict[str, dict[str, str]] = {}

    def answers(self, operation: str) -> bool:
        """Whether a call is the stand-in's own."""
        return operation in HANDLERS or operation in PACKAGE_HANDLERS

    def answer(self, operation: str, request: Request, caller: str = "") -> Request:
        """Do what a call asks for; `caller` is the access key that signs it.

        Raises:
            ServiceError: the service would refuse it.
        """
        check_request(operation, request)
        if operation in PACKAGE_HANDLERS:
            return PACKAGE_HANDLERS[operation](self.packages, request, caller)
        return HANDLERS[operation](self, request)

    def remember_tags(self, request: Request, response: Request) -> None:
        """Keep the tags of something that moto has created, since moto cannot list them."""
        arns = [value for name, value in response.items() if name.endswith("Arn")]
        if arns and "Tags" in request:
            self._tag(str(arns[0]), request["Tags"])

    def stop_all(self) -> None:
        """End every job."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.asked_to_stop.set()
        for job in jobs:
            job.join(self._site.grace_seconds + 30)

    def create(self, kind: str, request: Request) -> Request:
        """CreateTrainingJob, CreateProcessingJob, CreateTransformJob."""
        operation, name = f"Create{kind}Job", request[f"{kind}JobName"]
        with self._lock:
            if (kind, name) in self._jobs:
                raise ServiceError(
                    "ResourceInUse",
                    f"{kind} job names must be unique within an AWS account and region, and a {kind.lower()} job with "
                    f"this name already exists ({self._jobs[kind, name].arn})",
                )
            job = KINDS[kind](self._site, request, self._faults.of_job(operation))
            if isinstance(job, TransformJob):
                job.model = self._model(request["ModelName"])
            self._jobs[kind, name] = job
            self._tag(job.arn, request.get("Tags", []))
        job.start()
        return {f"{kind}JobArn": job.arn}

    def describe(self, kind: str, request: Request) -> Request:
        """DescribeTrainingJob, DescribeProcessingJob, DescribeTransformJob."""
        return self._find(kind, request).describe()

    def stop(self, kind: str, request: Request) -> Request:
        """StopTrainingJob, StopProcessingJob, StopTransformJob."""
        self._find(kind, request).stop()
        return {}

    def list_jobs(self, kind: str, request: Request) -> Request:
        """ListTrainingJobs and the like: newest first, by NameContains and StatusEquals, one page."""
        found = [job for (job_kind, _), job in self._jobs.items() if job_kind == kind]
        shown = [
            {
                f"{kind}JobName": job.name,
                f"{kind}JobArn": job.arn,
                f"{kind}JobStatus": job.status,
                "CreationTime": job.created_at,
            }
            for job in sorted(found, key=lambda job: -job.created_at)
            if request.get("NameContains", "") in job.name and request.get("StatusEquals", job.status) == job.status
        ]
        return {f"{kind}JobSummaries": shown[: request.get("MaxResults", 100)]}

    def add_tags(self, request: Request) -> Request:
        """AddTags."""
        self._tag(request["ResourceArn"], request["Tags"])
        return {"Tags": self._tags_of(request["ResourceArn"])}

    def list_tags(self, request: Request) -> Request:
        """ListTags, in one page."""
        return {"Tags": self._tags_of(request["ResourceArn"])}

    def delete_tags(self, request: Request) -> Request:
        """DeleteTags."""
        with self._lock:
            for key in request["TagKeys"]:
                self._tags.get(request["ResourceArn"], {}).pop(key, None)
        return {}

    def _model(self, name: str) -> Request:
        try:
            return self._moto.describe_model(ModelName=name)
        except ClientError:
            raise validation_error(f"Could not find model {name!r}.") from None

    def _find(self, kind: str, request: Request) -> Job:
        with self._lock:
            job = self._jobs.get((kind, request[f"{kind}JobName"]))
        if job is None:
            raise validation_error("Requested resource not found.")
        return job

    def _tag(self, arn: str, tags: list[dict[str, str]]) -> None:
        with self._lock:
            self._tags.setdefault(arn, {}).update({tag["Key"]: tag["Value"] for tag in tags})

    def _tags_of(self, arn: str) -> list[dict[str, str]]:
        with self._lock:
            return [{"Key": key, "Value": value} for key, value in sorted(self._tags.get(arn, {}).items())]


def _of_kind(
    method: Callable[[Operations, str, Request], Request], kind: str
) -> Callable[[Operations, Request], Request]:
    return lambda operations, request: method(operations, kind, request)


HANDLERS: dict[str, Callable[[Operations, Request], Request]] = {
    "AddTags": Operations.add_tags,
    "ListTags": Operations.list_tags,
    "DeleteTags": Operations.delete_tags,
    **{f"Create{kind}Job": _of_kind(Operations.create, kind) for kind in KINDS},
    **{f"Describe{kind}Job": _of_kind(Operations.describe, kind) for kind in KINDS},
    **{f"Stop{kind}Job": _of_kind(Operations.stop, kind) for kind in KINDS},
    **{f"List{kind}Jobs": _of_kind(Operations.list_jobs, kind) for kind in KINDS},
}
