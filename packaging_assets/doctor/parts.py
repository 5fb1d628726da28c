"""Which parts an environment has, and how each is looked at."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from packaging_assets.artifacts.clock import utc_now
from packaging_assets.doctor import databases, dbt_connection, given_settings, local_home, versions
from packaging_assets.doctor.check import Check, Clients
from packaging_assets.settings import Settings


def checks_for(
    settings: Settings, clients: Clients | None = None, *, now: Callable[[], dt.datetime] = utc_now
) -> list[Check]:
    """The checks of the environment of the settings.

    Args:
        settings: of the environment.
        clients: boto3's clients; by default `quick_clients`.
        now: tells this machine's time, aware.
    """
    found = [
        *versions.checks(settings.env),
        *given_settings.variable_checks(settings),
        *local_home.checks(settings),
    ]
    if settings.env == "local":
        found += local_home.local_checks(settings, now=now)
    else:
        found += [*given_settings.checks(settings), *_aws_checks(settings, clients, now)]
    return [*found, dbt_connection.project_check(settings), *databases.checks(settings)]


def quick_clients(settings: Settings) -> Clients:
    """Clients of the platform's own session that give up sooner than the platform does."""
    from botocore.config import Config

    from packaging_assets.resources.aws_session import session

    config = Config(connect_timeout=3, read_timeout=4, retries={"total_max_attempts": 2, "mode": "standard"})
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = session(settings).client(service, config=config)
        return made[service]

    return client


def _aws_checks(settings: Settings, clients: Clients | None, now: Callable[[], dt.datetime]) -> list[Check]:
    """None where boto3 is not installed; `versions` says so then."""
    if versions.installed_version("boto3") is None:
        return []
    from packaging_assets.doctor import aws_bucket, aws_identity, aws_messages, aws_redshift, aws_sagemaker

    # Made here, one after the other: a boto3 session must not make two clients at the same time.
    give = clients or quick_clients(settings)
    return [
        *aws_identity.checks(give("sts"), now=now),
        *aws_bucket.checks(settings, give("s3"), give("kms")),
        *(aws_redshift.checks(settings, give) if settings.redshift_workgroup or settings.redshift_cluster else []),
        *([dbt_connection.connection_check(settings)] if settings.redshift_host else []),
        *aws_sagemaker.checks(settings, give),
        *aws_messages.checks(settings, give),
    ]
