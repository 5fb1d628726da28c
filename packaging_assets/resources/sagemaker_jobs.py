"""What is asked of a SageMaker job and known of it, and the interface to jobs of one kind: create, describe, stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.artifacts.job import JobResources

JobKind = Literal["training", "processing", "transform"]

MAX_CHANNELS: Mapping[JobKind, int] = {"training": 20, "processing": 10, "transform": 0}
"""So many inputs a job can have that come straight from where they are in S3; the rest is copied into one."""

MEGABYTE = 1024 * 1024
MAX_PAYLOAD_MB = 100
"""See MaxPayloadInMB of CreateTransformJob."""


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """What all jobs of an environment share.

    `subnets` and `security_groups` put jobs into a VPC; `kms_key` encrypts disks (see `Jobs.disk_key`) and outputs.
    Steps need no network, so their containers have none; SageMaker itself moves the data.
    """

    role_arn: str
    image: str
    region: str
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    kms_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What is known of a job. `output` is where its result is, as S3 URI; `reason` why it failed, if it says so.

    `seconds` are those that are billed for each of its machines; None where the service does not say.
    """

    name: str
    status: str
    detail: str
    reason: str
    output: str
    seconds: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.status not in {"InProgress", "Stopping"}


@dataclass(frozen=True, kw_only=True)
class JobInput:
    """Objects below an S3 prefix, for a folder of this name in the container; sharded ones are dealt out."""

    name: str
    uri: str
    is_sharded: bool = False


@dataclass(frozen=True, kw_only=True)
class JobOrder:
    """One job to be created.

    `request` is the step as hyperparameters, for training jobs, and `checkpoints` where they keep what an interruption
    must not undo; `model` is the archive of a transform job's server, and `payload_mb` the size of its largest request.
    """

    name: str
    inputs: Sequence[JobInput]
    output: str
    resources: JobResources
    tags: Mapping[str, str]
    request: Mapping[str, str] = field(default_factory=dict[str, str])
    checkpoints: str = ""
    model: str = ""
    payload_mb: int = 1


class Jobs(ABC):
    """The jobs of one kind."""

    log_group: ClassVar[str]

    def __init__(self, settings: JobSettings, session: Any) -> None:
        self._settings = settings
        self._where: dict[str, Any] = {"session": session, "region": settings.region}
        self._session = session

    def describe(self, name: str) -> JobState | None:
        """The job of that name, if there is one."""
        from botocore.exceptions import ClientError

        try:
            job = self._get(name)
        except ClientError as error:
            # "Requested resource not found." and "Could not find requested job ...", as the service puts it.
            if error_code(error) in {"ValidationException", "ResourceNotFound", "ResourceNotFoundException"}:
                return None
            raise
        return self._state(name, job)

    @abstractmethod
    def create(self, order: JobOrder) -> None:
        """Start a job."""

    def stop(self, name: str) -> None:
        """Ask a job to stop; its end comes later."""
        self._get(name).stop()

    def forget(self, name: str) -> None:  # noqa: B027 - most jobs leave nothing
        """Delete what a job that is over leaves in SageMaker besides itself."""

    @abstractmethod
    def _get(self, name: str) -> Any:
        """The SDK's resource."""

    @abstractmethod
    def _state(self, name: str, job: Any) -> JobState: ...

    def disk_key(self, machines: JobResources) -> str | None:
        """The key that encrypts the machines' disks; None for machines that have their own.

        Those (ml.g4dn, ml.g5 and the like) encrypt by themselves, and SageMaker refuses a job that names a key for
        them.
        """
        from sagemaker.core.common_utils import instance_supports_kms

        return self._settings.kms_key if instance_supports_kms(machines.instance_type) else None

    def vpc(self) -> Any:
        """The VPC of the settings, or None."""
        from sagemaker.core.shapes import VpcConfig

        if not self._settings.subnets:
            return None
        return VpcConfig(subnets=list(self._settings.subnets), security_group_ids=list(self._settings.security_groups))
