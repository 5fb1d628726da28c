"""Whether the settings that an environment needs are there, and those that are there are settings."""

import os
from collections.abc import Iterable

from packaging_assets.container.ml_folders import HOST_VARIABLE, ROOT_VARIABLE
from packaging_assets.container.step_request import STEP_PACKAGES_VARIABLE
from packaging_assets.doctor.check import Check, ProblemError, variable
from packaging_assets.domain.spelling import did_you_mean
from packaging_assets.resources.dbt_project import dbt_environment
from packaging_assets.settings import SETTINGS_FILE, Settings

ALWAYS = ("s3_bucket", "sagemaker_role_arn", "sagemaker_image", "redshift_host", "redshift_copy_role_arn")

PREFIX = variable("")

OF_CONTAINERS = frozenset({HOST_VARIABLE, ROOT_VARIABLE, STEP_PACKAGES_VARIABLE})
"""Variables of the image's own, which are no settings."""


def variable_checks(settings: Settings) -> list[Check]:
    """Typing errors in the environment, which nothing else tells: a mistyped variable leaves the default in force."""
    return [Check("environment", lambda: variables(settings, os.environ))]


def checks(settings: Settings) -> list[Check]:
    """The settings of `aws`; those of `local` all have defaults."""
    return [Check("settings", lambda: _given(settings))]


def variables(settings: Settings, environment: Iterable[str]) -> str:
    """How many variables of an environment are settings.

    Args:
        settings: that are in force.
        environment: the names of all its variables.

    Raises:
        ProblemError: there are some that begin like a setting's and are none; their values are not told.
    """
    known = {variable(name) for name in Settings.model_fields}
    given = {name for name in environment if name.upper().startswith(PREFIX)}
    # Who calls dbt by hand sets what its profiles read.
    unknown = sorted(
        name for name in given if name.upper() not in known | OF_CONTAINERS | dbt_environment(settings).keys()
    )
    if unknown:
        names = [f"{name}{did_you_mean(name[len(PREFIX) :].lower(), Settings.model_fields)}" for name in unknown]
        raise ProblemError(f"no such setting: {', '.join(names)}", "Correct the name, or unset the variable.")
    if len(given) == 1:
        return f"1 variable {PREFIX}..., which is known"
    return f"{len(given)} variables {PREFIX}..., all known" if given else f"no variable {PREFIX}..."


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
