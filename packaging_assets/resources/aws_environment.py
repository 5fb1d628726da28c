"""The resources of the environment `aws`. Imported where `PACKAGING_ENV=aws` only, so `local` never pays for boto3."""

import datetime as dt

from packaging_assets.artifacts.clock import utc_now
from packaging_assets.artifacts.s3_objects import S3Objects, encryption_arguments
from packaging_assets.artifacts.s3_store import S3ArtifactStore
from packaging_assets.resources.aws_session import client, session
from packaging_assets.resources.instance_prices import USD_PER_HOUR
from packaging_assets.resources.redshift_data_api import RedshiftDataApi
from packaging_assets.resources.redshift_warehouse import RedshiftWarehouse
from packaging_assets.resources.sagemaker_compute import SageMakerCompute
from packaging_assets.resources.sagemaker_jobs import JobSettings
from packaging_assets.resources.sagemaker_registry import SageMakerModelRegistry
from packaging_assets.settings import Settings, SettingsError


def redshift_warehouse(settings: Settings) -> RedshiftWarehouse:
    """Redshift, serverless or provisioned.

    Raises:
        SettingsError: what it needs to know is missing.
    """
    _require(settings, "redshift_copy_role_arn")
    try:
        api = RedshiftDataApi(
            client(settings, "redshift-data"),
            database=settings.redshift_database,
            workgroup=settings.redshift_workgroup,
            cluster=settings.redshift_cluster,
            user=settings.redshift_user,
            secret_arn=settings.redshift_secret_arn,
        )
    except ValueError as error:
        raise SettingsError(f"PACKAGING_ENV = 'aws': {error}.") from None
    return RedshiftWarehouse(api, objects(settings, "exchange"), copy_role_arn=settings.redshift_copy_role_arn)


def s3_artifact_store(settings: Settings) -> S3ArtifactStore:
    """The artifacts in the environment's bucket."""
    _require(settings, "s3_bucket")
    days = settings.cache_max_age_days
    return S3ArtifactStore(
        settings.s3_bucket,
        prefix_of(settings, "artifacts"),
        client=client(settings, "s3"),
        kms_key=settings.kms_key,
        clock=utc_now,
        max_age=None if days is None else dt.timedelta(days=days),
    )


def sagemaker_registry(settings: Settings) -> SageMakerModelRegistry:
    """SageMaker Model Registry."""
    _require(settings, "s3_bucket", "sagemaker_image")
    return SageMakerModelRegistry(
        client(settings, "sagemaker"),
        settings.model_groups or settings.environment_name,
        objects=objects(settings, "registry"),
        clock=utc_now,
        image=settings.sagemaker_image,
        artifact_root=objects(settings, "artifacts").uri(""),
    )


def sagemaker_compute(settings: Settings) -> SageMakerCompute:
    """SageMaker jobs.

    Raises:
        SettingsError: what they need to know is missing.
    """
    _require(settings, "s3_bucket", "sagemaker_role_arn", "sagemaker_image")
    if settings.sagemaker_subnets or settings.sagemaker_security_groups:
        # SageMaker refuses one without the other, and with groups alone jobs would run outside of the VPC unnoticed.
        _require(settings, "sagemaker_subnets", "sagemaker_security_groups")
    jobs = JobSettings(
        role_arn=settings.sagemaker_role_arn,
        image=settings.sagemaker_image,
        region=settings.aws_region,
        subnets=settings.sagemaker_subnets,
        security_groups=settings.sagemaker_security_groups,
        kms_key=settings.kms_key,
    )
    return SageMakerCompute(
        jobs,
        bucket=settings.s3_bucket,
        prefix=prefix_of(settings, "jobs"),
        environment=settings.environment_name,
        usd_per_hour={**USD_PER_HOUR, **settings.instance_prices},
        session=session(settings),
        poll_seconds=settings.sagemaker_poll_seconds,
    )


def objects(settings: Settings, folder: str) -> S3Objects:
    """The environment's objects below a folder of the bucket."""
    _require(settings, "s3_bucket")
    encryption = encryption_arguments(settings.kms_key)
    return S3Objects(client(settings, "s3"), settings.s3_bucket, prefix_of(settings, folder), encryption)


def prefix_of(settings: Settings, folder: str) -> str:
    """Where in the bucket a folder of this environment is."""
    return f"{settings.s3_prefix}/{folder}" if settings.s3_prefix else folder


def _require(settings: Settings, *names: str) -> None:
    missing = [f"PACKAGING_{name.upper()}" for name in names if not getattr(settings, name)]
    if missing:
        raise SettingsError(
            f"PACKAGING_ENV = 'aws' needs {', '.join(missing)}: set it in the environment, or without PACKAGING_ and "
            f"in lower case in {settings.home}/settings.toml."
        )
