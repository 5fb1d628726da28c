"""The settings of the environment `aws`: where its services are, and as whom the platform uses them.

Credentials are none of them: boto3 finds those of the machine's role (or `AWS_PROFILE`, on a laptop).
"""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

ARN = r"^(arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+)?$"
"""An ARN, or nothing."""


class AwsSettings(BaseModel):
    """What `PACKAGING_ENV=aws` needs to know; the environment `local` reads none of it."""

    aws_region: str = Field(
        default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="The region of every service."
    )
    s3_bucket: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$",
        description="The bucket of artifacts, data under way and trigger files.",
    )
    s3_prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?$",
        description="Where in the bucket this environment begins; none where the bucket is its own.",
    )
    kms_key: str | None = Field(default=None, description="The KMS key that encrypts at rest; none for S3's own.")

    redshift_method: Literal["iam", "database"] = Field(
        default="iam", description="How dbt signs in: with the machine's role, or with user and password."
    )
    redshift_workgroup: str = Field(default="", description="Redshift Serverless: the workgroup.")
    redshift_cluster: str = Field(default="", description="Redshift provisioned: the cluster's identifier.")
    redshift_host: str = Field(default="", description="The endpoint's host name, to which dbt connects.")
    redshift_port: int = Field(default=5439, ge=1, le=65_535, description="The endpoint's port.")
    redshift_database: str = Field(default="packaging", description="The database.")
    redshift_user: str = Field(
        default="", description="The database user; with a workgroup and IAM it follows from the role."
    )
    redshift_password: SecretStr | None = Field(
        default=None, description="dbt's password where redshift_method is 'database'; better from a secret store."
    )
    redshift_secret_arn: str = Field(
        default="",
        pattern=ARN,
        description="The secret with user and password for the Data API, where redshift_method is 'database'.",
    )
    redshift_copy_role_arn: str = Field(
        default="", pattern=ARN, description="The role with which Redshift reads and writes the bucket (COPY, UNLOAD)."
    )

    sagemaker_role_arn: str = Field(default="", pattern=ARN, description="The role of the jobs.")
    sagemaker_image: str = Field(default="", description="The container image of the jobs, by digest or tag.")
    sagemaker_subnets: tuple[str, ...] = Field(default=(), description="Puts the jobs into a VPC.")
    sagemaker_security_groups: tuple[str, ...] = Field(default=(), description="Of the jobs in the VPC.")
    sagemaker_poll_seconds: float = Field(
        default=10.0, gt=0, le=300, allow_inf_nan=False, description="Between two looks at a job."
    )
    model_groups: str = Field(
        default="",
        max_length=40,
        pattern=r"^[A-Za-z0-9-]*$",
        description="What the names of this environment's model package groups begin with; by default its name.",
    )

    error_topic_arn: str = Field(default="", pattern=ARN, description="The SNS topic of alerts that are errors.")
    warning_topic_arn: str = Field(default="", pattern=ARN, description="The SNS topic of alerts that are warnings.")
    metrics_namespace: str = Field(
        default="PackagingAssets", max_length=255, description="CloudWatch's namespace for models' figures; none: off."
    )
    trigger_queue_url: str = Field(
        default="", description="The SQS queue that S3 tells of trigger files; none means to list them."
    )
    state_database_url: SecretStr | None = Field(
        default=None,
        description="Where alerts are kept, as SQLAlchemy writes it (`postgresql://...`); none: a file in the home.",
    )
    instance_prices: dict[str, float] = Field(
        default_factory=dict[str, float],
        description="USD per hour of SageMaker's machines by type, where they differ from the list or are not in it.",
    )
