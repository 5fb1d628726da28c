"""One statement of the Data API from beginning to end: what a look at the warehouse needs of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from packaging_assets.doctor.aws_answers import understood
from packaging_assets.doctor.check import ProblemError
from packaging_assets.resources.redshift_data_api import ENDED
from packaging_assets.settings import Settings

POLL_SECONDS = 0.2


class StatementError(Exception):
    """The warehouse did not do it; the message is its own."""


class Statements:
    """Runs statements at the warehouse of the settings.

    Args:
        settings: which warehouse and database, as whom.
        client: boto3's client of `redshift-data`.
        sleep: waits for seconds.
    """

    def __init__(self, settings: Settings, client: Any, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._client = client
        self._sleep = sleep

    def rows(self, sql: str) -> list[list[Any]]:
        """The rows of a query; a null is True, as the service writes it.

        Raises:
            StatementError: the warehouse refuses it.
            ProblemError: it cannot be asked.
        """
        identifier = self._ended([sql])
        with understood("redshift-data:GetStatementResult", role="RunRole"):
            pages = self._client.get_paginator("get_statement_result").paginate(Id=identifier)
            return [[next(iter(field.values())) for field in record] for page in pages for record in page["Records"]]

    def run(self, *statements: str) -> None:
        """Run statements in one transaction.

        Raises:
            StatementError: the warehouse refuses one.
            ProblemError: it cannot be asked.
        """
        self._ended(statements)

    def _ended(self, statements: Sequence[str]) -> str:
        identifier = self._submit(statements)
        while True:
            with understood("redshift-data:DescribeStatement", role="RunRole"):
                answer = self._client.describe_statement(Id=identifier)
            if answer["Status"] in ENDED:
                break
            self._sleep(POLL_SECONDS)
        if answer["Status"] != "FINISHED":
            raise StatementError(answer.get("Error") or f"the statement was {answer['Status']}")
        return identifier

    def _submit(self, statements: Sequence[str]) -> str:
        where = self._where()
        if len(statements) == 1:
            with understood("redshift-data:ExecuteStatement", role="RunRole", remedies=self._remedies()):
                return self._client.execute_statement(Sql=statements[0], **where)["Id"]
        with understood("redshift-data:BatchExecuteStatement", role="RunRole", remedies=self._remedies()):
            return self._client.batch_execute_statement(Sqls=list(statements), **where)["Id"]

    def _where(self) -> dict[str, str]:
        settings = self._settings
        given = {
            "Database": settings.redshift_database,
            "WorkgroupName": settings.redshift_workgroup,
            "ClusterIdentifier": settings.redshift_cluster,
        }
        if settings.redshift_secret_arn:
            given["SecretArn"] = settings.redshift_secret_arn
        elif settings.redshift_cluster:
            given["DbUser"] = settings.redshift_user
        return {name: value for name, value in given.items() if value}

    def _remedies(self) -> dict[str, ProblemError]:
        name = warehouse_name(self._settings)
        unknown = ProblemError(
            f"the Data API does not find {name}",
            "Correct PACKAGING_REDSHIFT_WORKGROUP or PACKAGING_REDSHIFT_CLUSTER, or PACKAGING_AWS_REGION.",
        )
        return {"ResourceNotFoundException": unknown}


def warehouse_name(settings: Settings) -> str:
    """The warehouse in words."""
    if settings.redshift_workgroup:
        return f"workgroup {settings.redshift_workgroup}"
    return f"cluster {settings.redshift_cluster}"
