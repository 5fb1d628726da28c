"""Whether the settings that an environment needs are there."""

from packaging_assets.doctor.check import Check, ProblemError, variable
from packaging_assets.settings import SETTINGS_FILE, Settings

ALWAYS = ("s3_bucket", "sagemaker_role_arn", "sagemaker_image", "redshift_host", "redshift_copy_role_arn")


def checks(settings: Settings) -> list[Check]:
    """The settings of `aws`; those of `local` all have defaults."""
    return [Check("settings", lambda: _given(settings))]


def missing_settings(settings: Settings) -> list[str]:
    """The environment variables that must be set and are not."""
    names = [name for name in ALWAYS if not getattr(settings, name)]
    if settings.redshift_method == "database":
        needed = ("redshift_user", "redshift_password", "redshift_secret_arn")
        names += [name for name in needed if not getattr(settings, name)]
    elif settings.redshift_cluster and not settings.redshift_user:
        names.append("redshift_user")
    return [variable(name) for name in names]


def _given(settings: Settings) -> str:
    missing = missing_settings(settings)
    if not (settings.redshift_workgroup or settings.redshift_cluster):
        missing.append("PACKAGING_REDSHIFT_WORKGROUP (or PACKAGING_REDSHIFT_CLUSTER)")
    if missing:
        raise ProblemError(
            f"not set: {', '.join(missing)}",
            f"Set each in the environment, or without PACKAGING_ and in lower case in {settings.home / SETTINGS_FILE}.",
        )
    if settings.redshift_workgroup and settings.redshift_cluster:
        raise ProblemError(
            "both PACKAGING_REDSHIFT_WORKGROUP and PACKAGING_REDSHIFT_CLUSTER are set",
            "Keep the workgroup for Redshift Serverless, or the cluster for a provisioned one.",
        )
    if settings.redshift_workgroup and settings.redshift_user and not settings.redshift_secret_arn:
        raise ProblemError(
            "PACKAGING_REDSHIFT_USER is set, but with a workgroup and IAM the user follows from the role",
            "Leave it empty, or set PACKAGING_REDSHIFT_SECRET_ARN to the secret of that user.",
        )
    return "everything that aws needs is set"
