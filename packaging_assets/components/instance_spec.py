"""What `instances` in a model's YAML says: the machines on which its steps run, if on their own.

SageMaker compute asks for them. Local compute has the one machine it runs on, and takes no notice.
"""

from collections.abc import Iterable

from pydantic import Field, model_validator

from packaging_assets.artifacts.job import JobResources, RunAs
from packaging_assets.domain.written_fields import WrittenFields

SECONDS_PER_MINUTE = 60

MAX_RUNTIME_MINUTES = 1200
"""20 hours: the deployed Dagster ends a run after 24, and starting machines and moving data take their part of it."""


class InstanceSpec(WrittenFields):
    """The machine of one kind of step."""

    run_as: RunAs | None = Field(
        default=None,
        description="driver: in the process that drives the run, right for steps of seconds, since a job takes minutes "
        "to start; processing, training, transform: as a SageMaker job of that kind; by default what suits the step.",
    )
    instance_type: str = Field(
        default="ml.m5.xlarge",
        pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$",
        description="SageMaker's name of the machine.",
    )
    instance_count: int = Field(
        default=1,
        ge=1,
        le=100,
        description="How many of them: they divide an inventory's files; training on several is up to the "
        "architecture, and other steps run on one.",
    )
    volume_gb: int = Field(default=30, ge=1, le=16384, description="Size of the disk.")
    max_runtime_minutes: int = Field(
        default=120,
        ge=1,
        le=MAX_RUNTIME_MINUTES,
        description="From when on the job is stopped; at most 20 hours, since the run that waits for it is ended after "
        "a day.",
    )
    use_spot: bool = Field(
        default=False,
        description="Whether a training job takes spare capacity: cheaper, and it may be interrupted; an architecture "
        "that keeps checkpoints then goes on from the last, others begin anew.",
    )

    @model_validator(mode="after")
    def _spot_is_for_training(self) -> "InstanceSpec":
        if self.use_spot and self.run_as not in {None, "training"}:
            raise ValueError(
                f"spare capacity is for training jobs, and `run_as` is {self.run_as!r}: leave `use_spot` or `run_as` "
                "out"
            )
        return self

    @property
    def resources(self) -> JobResources:
        """What compute is asked for."""
        return JobResources(
            run_as=self.run_as,
            instance_type=self.instance_type,
            instance_count=self.instance_count,
            volume_gb=self.volume_gb,
            max_runtime_seconds=self.max_runtime_minutes * SECONDS_PER_MINUTE,
            use_spot=self.use_spot,
        )


class InstanceSpecs(WrittenFields):
    """The machines of a model's steps, by what they do."""

    split: InstanceSpec = Field(
        default=InstanceSpec(), description="Training and validation rows; by default a processing job."
    )
    train: InstanceSpec = Field(
        default=InstanceSpec(), description="Training, out-of-fold scores included; by default training jobs."
    )
    evaluate: InstanceSpec = Field(
        default=InstanceSpec(),
        description="Metrics, gates and model card; by default a processing job, and the card in the driver.",
    )
    predict: InstanceSpec = Field(
        default=InstanceSpec(),
        description="Scoring an inventory; by default a processing job. One step scores with the models of all package "
        "types: of the models that set `predict` the one with the most machines counts.",
    )

    @model_validator(mode="after")
    def _possible(self) -> "InstanceSpecs":
        for name in ("split", "train", "evaluate"):
            if getattr(self, name).run_as == "transform":
                raise ValueError(
                    f"`{name}.run_as` is 'transform', which sends an inventory's files one by one and is for "
                    "`predict`: choose processing, training or driver"
                )
        for name in ("split", "evaluate", "predict"):
            spec: InstanceSpec = getattr(self, name)
            if spec.use_spot and spec.run_as is None:
                raise ValueError(
                    f"`{name}` runs as a processing job, for which there is no spare capacity: leave "
                    f"`{name}.use_spot` out, or set `{name}.run_as` to 'training'"
                )
        return self


def most_demanding(specs: Iterable[InstanceSpec]) -> InstanceSpec:
    """The one with the most machines, of several the first by type name; those that set nothing do not count.

    The default where none sets anything.
    """
    chosen = [spec for spec in specs if spec != InstanceSpec()]
    return min(chosen, key=lambda spec: (-spec.instance_count, spec.instance_type), default=InstanceSpec())
