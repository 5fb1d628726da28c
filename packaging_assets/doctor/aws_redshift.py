"""The warehouse: whether it is awake, who we are in it, what we may do, and whether it reaches the bucket."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.doctor.aws_answers import ROLES, understood
from packaging_assets.doctor.aws_bucket import objects_below
from packaging_assets.doctor.check import Advice, Check, Clients, ProblemError
from packaging_assets.doctor.data_api_statement import StatementError, Statements, warehouse_name
from packaging_assets.settings import Settings

WAKING_SECONDS = 90.0
"""A serverless warehouse that was idle answers its first statement in up to a minute."""

SCHEMAS = ("raw", "ml", "ops", "marts")


def checks(settings: Settings, clients: Clients) -> list[Check]:
    """The warehouse's state, statements, privileges, and its way to the bucket and back."""
    statements = Statements(settings, clients("redshift-data"))
    exchange = objects_below(settings, clients("s3"), "exchange")
    service = clients("redshift-serverless" if settings.redshift_workgroup else "redshift")
    return [
        Check("warehouse state", lambda: _state(settings, service), after="credentials"),
        Check("warehouse", lambda: _sign_in(settings, statements), seconds=WAKING_SECONDS, after="warehouse state"),
        Check("warehouse privileges", lambda: _privileges(statements), seconds=WAKING_SECONDS, after="warehouse"),
        Check(
            "warehouse files",
            lambda: _round_trip(settings, statements, exchange),
            seconds=WAKING_SECONDS,
            after="warehouse",
            needs=("s3_bucket", "redshift_copy_role_arn"),
        ),
    ]


def _state(settings: Settings, service: Any) -> str | Advice:
    status, host = (_workgroup if settings.redshift_workgroup else _cluster)(settings, service)
    name = warehouse_name(settings)
    if status.lower() != "available":
        raise ProblemError(f"{name} is {status.lower()}", _awake(settings, status))
    if host and settings.redshift_host and host != settings.redshift_host:
        return Advice(
            f"{name} is available at {host}, and PACKAGING_REDSHIFT_HOST is {settings.redshift_host}",
            "Correct it, unless it is an endpoint of your own for this warehouse.",
        )
    return f"{name} is available"


def _workgroup(settings: Settings, serverless: Any) -> tuple[str, str]:
    missing = {"ResourceNotFoundException": _not_there(settings)}
    with understood("redshift-serverless:GetWorkgroup", role="", remedies=missing):
        found = serverless.get_workgroup(workgroupName=settings.redshift_workgroup)["workgroup"]
    return str(found.get("status", "available")), str(found.get("endpoint", {}).get("address", ""))


def _cluster(settings: Settings, redshift: Any) -> tuple[str, str]:
    missing = {code: _not_there(settings) for code in ("ClusterNotFound", "ClusterNotFoundFault")}
    with understood("redshift:DescribeClusters", role="", remedies=missing):
        (found,) = redshift.describe_clusters(ClusterIdentifier=settings.redshift_cluster)["Clusters"]
    return str(found["ClusterStatus"]), str(found.get("Endpoint", {}).get("Address", ""))


def _not_there(settings: Settings) -> ProblemError:
    variable = "PACKAGING_REDSHIFT_WORKGROUP" if settings.redshift_workgroup else "PACKAGING_REDSHIFT_CLUSTER"
    return ProblemError(
        f"there is no {warehouse_name(settings)} in {settings.aws_region}",
        f"Correct {variable} or PACKAGING_AWS_REGION.",
    )


def _awake(settings: Settings, status: str) -> str:
    if status.lower() == "paused":
        return f"Resume it: aws redshift resume-cluster --cluster-identifier {settings.redshift_cluster}"
    return "Wait until it is available, and see the service's console for why it is not."


def _sign_in(settings: Settings, statements: Statements) -> str:
    try:
        ((user, database),) = statements.rows("select current_user, current_database()")
    except StatementError as error:
        raise ProblemError(
            f"{warehouse_name(settings)} does not let us in: {error}",
            f"Is there a database {settings.redshift_database} (PACKAGING_REDSHIFT_DATABASE), and may this identity "
            "become a user of it?",
        ) from error
    return f"{user} in {database}"


def _privileges(statements: Statements) -> str:
    """Schemas that are not there yet must be ours to create, and those that are there ours to create tables in."""
    names = ", ".join(f"'{name}'" for name in SCHEMAS)
    try:
        ((user, database, may_create),) = statements.rows(
            "select current_user, current_database(), has_database_privilege(current_database(), 'create')"
        )
        found = statements.rows(
            "select cast(nspname as varchar(128)), has_schema_privilege(nspname, 'usage'), "  # noqa: S608 - constants
            f"has_schema_privilege(nspname, 'create') from pg_namespace where nspname in ({names}) order by 1"
        )
    except StatementError as error:
        raise ProblemError(f"privileges cannot be read: {error}", "See the message.") from error
    closed = [name for name, may_use, may_make in found if not (may_use and may_make)]
    missing = [name for name in SCHEMAS if name not in {row[0] for row in found}]
    if closed:
        grants = "; ".join(f'grant usage, create on schema "{name}" to "{user}"' for name in closed)
        raise ProblemError(f"{user} may not create tables in {', '.join(closed)}", f"As an administrator: {grants}")
    if missing and not may_create:
        raise ProblemError(
            f"{user} may not create the schemas {', '.join(missing)}, which are not there",
            f'As an administrator: grant create on database "{database}" to "{user}"',
        )
    there = ", ".join(row[0] for row in found) or "none of the schemas"
    return f"{there} there; {user} may create the others" if missing else f"{user} may create tables in {there}"


def _round_trip(settings: Settings, statements: Statements, exchange: S3Objects) -> str:
    """One row to the bucket and back into a table that ends with the transaction."""
    folder = f"doctor-{uuid.uuid4().hex}"
    place, role = exchange.uri(f"{folder}/"), settings.redshift_copy_role_arn
    table = folder.replace("-", "_")
    try:
        statements.run(f"unload ('select 7 as number') to '{place}' iam_role '{role}' format parquet")
        statements.run(
            f"create temp table {table} (number int)",
            f"copy {table} from '{place}' iam_role '{role}' format parquet",
        )
    except StatementError as error:
        raise ProblemError(
            f"UNLOAD or COPY at {place} failed: {error}",
            f"Attach {role} to {warehouse_name(settings)}, and let it read and write exchange/: WarehouseFilesRole in "
            f"{ROLES} may.",
        ) from error
    finally:
        _clean(exchange, folder)
    return f"a row went to {place} and back with {role}"


def _clean(exchange: S3Objects, folder: str) -> None:
    """As far as we may: a run may not delete, and what is left goes by the bucket's lifecycle after a week."""
    from botocore.exceptions import BotoCoreError, ClientError

    with contextlib.suppress(BotoCoreError, ClientError, PermissionError):
        exchange.delete([entry.key for entry in exchange.entries(f"{folder}/")])
