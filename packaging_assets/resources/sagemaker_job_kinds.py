"""SageMaker's three kinds of jobs.

Through the SageMaker SDK's resource classes, which send no telemetry (its decorators sit on the trainer and processor
classes above them). The SDK takes seconds to import, hence inside the functions.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import Any

from packaging_assets.container.ml_folders import PROCESSING_INPUT, PROCESSING_OUTPUT
from packaging_assets.resources.sagemaker_jobs import JobInput, JobKind, JobOrder, Jobs, JobState


class TrainingJobs(Jobs):
    """Training jobs: what the step writes becomes model.tar.gz."""

    log_group = "/aws/sagemaker/TrainingJobs"

    def create(self, order: JobOrder) -> None:
        """Start a training job; on spare capacity it may wait for as long again as it may run."""
        from sagemaker.core import shapes
        from sagemaker.core.resources import TrainingJob

        machines, settings = order.resources, self._settings
        runtime = machines.max_runtime_seconds
        TrainingJob.create(
            training_job_name=order.name,
            role_arn=settings.role_arn,
            algorithm_specification=shapes.AlgorithmSpecification(
                training_image=settings.image, training_input_mode="File"
            ),
            output_data_config=shapes.OutputDataConfig(
                **_given(s3_output_path=order.output, kms_key_id=settings.kms_key)
            ),
            resource_config=shapes.ResourceConfig(
                **_given(
                    instance_type=machines.instance_type,
                    instance_count=machines.instance_count,
                    volume_size_in_gb=machines.volume_gb,
                    volume_kms_key_id=self.disk_key(machines),
                )
            ),
            stopping_condition=shapes.StoppingCondition(
                **_given(
                    max_runtime_in_seconds=runtime,
                    max_wait_time_in_seconds=2 * runtime if machines.use_spot else None,
                )
            ),
            enable_managed_spot_training=machines.use_spot,
            enable_network_isolation=True,
            tags=_tags(order.tags),
            **_given(
                hyper_parameters=dict(order.request),
                input_data_config=[_channel(given) for given in order.inputs] or None,
                checkpoint_config=shapes.CheckpointConfig(s3_uri=order.checkpoints) if order.checkpoints else None,
                vpc_config=self.vpc(),
            ),
            **self._where,
        )

    def _get(self, name: str) -> Any:
        from sagemaker.core.resources import TrainingJob

        return TrainingJob.get(training_job_name=name, **self._where)

    def _state(self, name: str, job: Any) -> JobState:
        path = str(job.output_data_config.s3_output_path).rstrip("/")
        return JobState(
            name=name,
            status=str(job.training_job_status),
            detail=_text(job.secondary_status),
            reason=_text(job.failure_reason),
            output=f"{path}/{name}/output/model.tar.gz",
            seconds=_number(job.billable_time_in_seconds),
        )


class ProcessingJobs(Jobs):
    """Processing jobs: what the step writes are objects."""

    log_group = "/aws/sagemaker/ProcessingJobs"

    def create(self, order: JobOrder) -> None:
        """Start a processing job."""
        from sagemaker.core import shapes
        from sagemaker.core.resources import ProcessingJob

        machines, settings = order.resources, self._settings
        output = shapes.ProcessingOutput(
            output_name="output",
            s3_output=shapes.ProcessingS3Output(
                s3_uri=order.output, local_path=str(PROCESSING_OUTPUT), s3_upload_mode="EndOfJob"
            ),
        )
        cluster = _given(
            instance_type=machines.instance_type,
            instance_count=machines.instance_count,
            volume_size_in_gb=machines.volume_gb,
            volume_kms_key_id=self.disk_key(machines),
        )
        ProcessingJob.create(
            processing_job_name=order.name,
            role_arn=settings.role_arn,
            app_specification=shapes.AppSpecification(image_uri=settings.image, container_arguments=["process"]),
            processing_inputs=[_processing_input(given) for given in order.inputs],
            processing_output_config=shapes.ProcessingOutputConfig(
                **_given(outputs=[output], kms_key_id=settings.kms_key)
            ),
            processing_resources=shapes.ProcessingResources(cluster_config=shapes.ProcessingClusterConfig(**cluster)),
            stopping_condition=shapes.ProcessingStoppingCondition(max_runtime_in_seconds=machines.max_runtime_seconds),
            network_config=shapes.NetworkConfig(**_given(enable_network_isolation=True, vpc_config=self.vpc())),
            tags=_tags(order.tags),
            **self._where,
        )

    def _get(self, name: str) -> Any:
        from sagemaker.core.resources import ProcessingJob

        return ProcessingJob.get(processing_job_name=name, **self._where)

    def _state(self, name: str, job: Any) -> JobState:
        said = _text(job.exit_message)
        reason = _text(job.failure_reason)
        return JobState(
            name=name,
            status=str(job.processing_job_status),
            detail="",
            reason=f"{reason} ({said})" if said else reason,
            output=str(job.processing_output_config.outputs[0].s3_output.s3_uri),
            seconds=_between(job.processing_start_time, job.processing_end_time),
        )


class TransformJobs(Jobs):
    """Batch transform jobs: each object of the input is a request, and each answer an object."""

    log_group = "/aws/sagemaker/TransformJobs"

    def create(self, order: JobOrder) -> None:
        """Make a SageMaker model of the job's name, unless there is one, and start the job."""
        from sagemaker.core import shapes
        from sagemaker.core.resources import TransformJob

        machines = order.resources
        self._make_model(order)
        source = shapes.TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=order.inputs[0].uri)
        TransformJob.create(
            transform_job_name=order.name,
            model_name=order.name,
            transform_input=shapes.TransformInput(
                data_source=shapes.TransformDataSource(s3_data_source=source),
                content_type="application/vnd.apache.parquet",
                split_type="None",
            ),
            transform_output=shapes.TransformOutput(
                **_given(s3_output_path=order.output, kms_key_id=self._settings.kms_key)
            ),
            transform_resources=shapes.TransformResources(
                **_given(
                    instance_type=machines.instance_type,
                    instance_count=machines.instance_count,
                    volume_kms_key_id=self.disk_key(machines),
                )
            ),
            max_concurrent_transforms=1,
            max_payload_in_mb=order.payload_mb,
            batch_strategy="SingleRecord",
            tags=_tags(order.tags),
            **self._where,
        )

    def forget(self, name: str) -> None:
        """Delete the job's model, of which an account can have only so many."""
        with contextlib.closing(self._session.client("sagemaker")) as client:
            client.delete_model(ModelName=name)

    def _make_model(self, order: JobOrder) -> None:
        """By boto3: the SDK reads a model again once it is made, and fails where it has no VPC."""
        from botocore.exceptions import ClientError

        settings = self._settings
        vpc = {"Subnets": list(settings.subnets), "SecurityGroupIds": list(settings.security_groups)}
        with contextlib.closing(self._session.client("sagemaker")) as client:
            try:
                client.create_model(
                    ModelName=order.name,
                    PrimaryContainer={"Image": settings.image, "ModelDataUrl": order.model},
                    ExecutionRoleArn=settings.role_arn,
                    EnableNetworkIsolation=True,
                    Tags=[{"Key": key, "Value": value} for key, value in sorted(order.tags.items())],
                    **({"VpcConfig": vpc} if settings.subnets else {}),
                )
            except ClientError as error:
                # "Cannot create already existing model": one that was made before this process was killed.
                if "existing model" not in str(error):
                    raise

    def _get(self, name: str) -> Any:
        from sagemaker.core.resources import TransformJob

        return TransformJob.get(transform_job_name=name, **self._where)

    def _state(self, name: str, job: Any) -> JobState:
        return JobState(
            name=name,
            status=str(job.transform_job_status),
            detail="",
            reason=_text(job.failure_reason),
            output=str(job.transform_output.s3_output_path),
            seconds=_between(job.transform_start_time, job.transform_end_time),
        )


JOBS: Mapping[JobKind, type[Jobs]] = {
    "training": TrainingJobs,
    "processing": ProcessingJobs,
    "transform": TransformJobs,
}


def _channel(given: JobInput) -> Any:
    from sagemaker.core import shapes

    source = shapes.S3DataSource(
        s3_data_type="S3Prefix", s3_uri=given.uri, s3_data_distribution_type=_distribution(given)
    )
    return shapes.Channel(
        channel_name=given.name, data_source=shapes.DataSource(s3_data_source=source), input_mode="File"
    )


def _processing_input(given: JobInput) -> Any:
    from sagemaker.core import shapes

    return shapes.ProcessingInput(
        input_name=given.name,
        s3_input=shapes.ProcessingS3Input(
            s3_uri=given.uri,
            local_path=str(PROCESSING_INPUT / given.name),
            s3_data_type="S3Prefix",
            s3_input_mode="File",
            s3_data_distribution_type=_distribution(given),
        ),
    )


def _distribution(given: JobInput) -> str:
    return "ShardedByS3Key" if given.is_sharded else "FullyReplicated"


def _tags(tags: Mapping[str, str]) -> list[Any]:
    """As dicts: `shapes.Tag` is another class than the one that the resources check for (sagemaker-core 2.27)."""
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def _given(**values: Any) -> dict[str, Any]:
    """Those that are not None: the SDK tells "not given" from None."""
    return {name: value for name, value in values.items() if value is not None}


def _text(value: Any) -> str:
    """A field of the SDK's resources that may be unassigned."""
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _between(start: Any, end: Any) -> float | None:
    """Seconds from one time to another, either of which may be unassigned."""
    if not (isinstance(start, dt.datetime) and isinstance(end, dt.datetime)):
        return None
    return (end - start).total_seconds()
