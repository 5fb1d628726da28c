"""Statements run through the Redshift Data API, each exactly once.

A statement is submitted, looked at until it is over, and cancelled when the run that wants it is cancelled. It carries
a token by which Redshift knows it again: a call whose answer was lost is repeated without running anything twice.
There is no session between calls; what belongs together goes as one batch, which is one session and one transaction.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from packaging_assets.artifacts.aws_errors import error_code
from packaging_assets.resources.backoff import Backoff
from packaging_assets.resources.redshift_errors import (
    CALLS,
    CONFLICTS,
    ConflictError,
    error_class,
    is_passing,
)
from packaging_assets.resources.redshift_rows import Column, typed_rows
from packaging_assets.resources.redshift_sql import beginning, rendered
from packaging_assets.resources.redshift_target import RedshiftTarget
from packaging_assets.resources.warehouse import Parameters, WarehouseError

LARGEST_STATEMENT_BYTES = 100_000
LARGEST_BATCH = 40
LONGEST_SECONDS = 24 * 3600.0
"""Limits of the Data API: bytes of one statement, statements of a batch, and how long one may run."""

ENDED = frozenset({"FINISHED", "FAILED", "ABORTED"})
_STOPPING = Backoff(attempts=3, first_seconds=0.5, longest_seconds=2.0)
"""Of the calls that cancel a statement: whoever cancels a run does not wait long for it."""

Operation = Literal["execute_statement", "batch_execute_statement"]
Submit = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query, and what the Data API says of its columns."""

    columns: Sequence[Column]
    rows: list[dict[str, Any]]


class RedshiftDataApi:
    """Runs statements in one database.

    Args:
        client: boto3's "redshift-data".
        database: its name.
        workgroup: see `RedshiftTarget`, as of the three that follow.
        cluster: the provisioned cluster.
        user: the database user.
        secret_arn: the secret with user and password.
        first_poll_seconds: from submitting a statement to the first look at it; the pauses double.
        longest_poll_seconds: between two looks.
        calls: how often a call is tried that is throttled, fails on the server's side, or is not answered.
        conflicts: how often a transaction or a query is tried that conflicts with another transaction.
        sleep: waits for seconds.
        clock: seconds from any moment on.
        new_token: a text that no statement had before, of at most 64 characters.

    Raises:
        ValueError: the settings contradict each other.
    """

    def __init__(
        self,
        client: Any,
        *,
        database: str,
        workgroup: str = "",
        cluster: str = "",
        user: str = "",
        secret_arn: str = "",
        first_poll_seconds: float = 0.1,
        longest_poll_seconds: float = 5.0,
        calls: Backoff = CALLS,
        conflicts: Backoff = CONFLICTS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        new_token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.target = RedshiftTarget(database, workgroup, cluster, user, secret_arn)
        self._client = client
        self._polls = Backoff(0, first_poll_seconds, longest_poll_seconds)
        self._calls, self._conflicts = calls, conflicts
        self._sleep, self._clock, self._new_token = sleep, clock, new_token

    def run(self, statements: Sequence[tuple[str, Parameters]]) -> None:
        """Run statements in one session and one transaction: all of them, or none; again after a conflict.

        Raises:
            ConflictError: it conflicted with another transaction as often as it was tried.
            StatementError: a statement failed.
            WarehouseError: Redshift refused the batch or could not be reached.
        """
        texts = [self.rendered(sql, parameters) for sql, parameters in statements]
        if not texts:
            return
        if len(texts) > LARGEST_BATCH:
            raise WarehouseError(
                f"{self.target} takes at most {LARGEST_BATCH} statements in one transaction, not {len(texts)}; stage "
                "fewer tables or join statements"
            )
        self._through_conflicts("batch_execute_statement", {"Sqls": texts}, [sql for sql, _ in statements])

    def execute(self, sql: str, *, shown: str) -> None:
        """Run one statement that changes no table, such as UNLOAD, once; errors as of `run`.

        Args:
            sql: without parameters.
            shown: the SQL that errors name in its place, where it has values in it that are nobody's business.
        """
        # Once also where it conflicts: the files of an UNLOAD that failed would be in the way of the next.
        self._finish("execute_statement", {"Sql": self.rendered(sql, {}, shown=shown)}, self._new_token(), [shown])

    def query(self, sql: str, parameters: Parameters, *, shown: str = "") -> QueryResult:
        """The whole result of a query, page by page; errors as of `run`, and `shown` as of `execute`."""
        named = shown or sql
        text = self.rendered(sql, parameters, shown=named)
        statement_id = self._through_conflicts("execute_statement", {"Sql": text}, [named])
        columns: Sequence[Column] = ()
        rows: list[dict[str, Any]] = []
        for page in self._pages(statement_id):
            columns = page["ColumnMetadata"]
            rows += typed_rows(columns, page["Records"])
        return QueryResult(columns, rows)

    def rendered(self, sql: str, parameters: Parameters, *, shown: str = "") -> str:
        """A statement with its parameters as literals.

        Raises:
            WarehouseError: a parameter has no value or no place, or the statement is too long.
        """
        named = beginning(shown or sql)
        try:
            text = rendered(sql, parameters)
        except ValueError as error:
            raise WarehouseError(f"{self.target} refused a statement, '{named}': {error}") from error
        size = len(text.encode())
        if not 0 < size <= LARGEST_STATEMENT_BYTES:
            raise WarehouseError(
                f"{self.target} refused a statement, '{named}': it has {size:,} bytes, and the Data API takes "
                f"1 to {LARGEST_STATEMENT_BYTES:,}; load long values as a staged table"
            )
        return text

    def _through_conflicts(self, operation: Operation, request: Mapping[str, Any], statements: Sequence[str]) -> str:
        """As `_finish`, again after a conflict, of which nothing is left, each time as another statement."""
        attempt = 0
        while True:
            attempt += 1
            token = self._new_token()
            try:
                return self._finish(operation, request, token, statements)
            except ConflictError:
                if attempt >= self._conflicts.attempts:
                    raise
                self._sleep(self._conflicts.pause(attempt, token))

    def _finish(self, operation: Operation, request: Mapping[str, Any], token: str, statements: Sequence[str]) -> str:
        """Run to the end, and return the id under which the result is."""
        submit = getattr(self._client, operation)
        arguments = {**self.target.arguments, **request, "ClientToken": token}
        described = self._run_to_end(lambda: submit(**arguments), token)
        if described["Status"] != "FINISHED":
            self._fail(described, statements)
        return described["Id"]

    def _run_to_end(self, submit: Submit, token: str) -> Mapping[str, Any]:
        ids: list[str] = []
        try:
            ids.append(self._call(submit)["Id"])
            return self._wait(ids[0], token)
        except Exception as error:
            if ids:  # nobody waits for it any more
                error.add_note(self._stop(ids[0]))
            raise
        except BaseException as cancelled:
            cancelled.add_note(self._stop_submitted(submit, ids))
            raise

    def _wait(self, statement_id: str, token: str) -> Mapping[str, Any]:
        deadline = self._clock() + LONGEST_SECONDS
        looks = 0
        while True:
            looks += 1
            # A doubling pause is at its longest after a few looks; beyond that the number only varies it.
            self._sleep(self._polls.pause(min(looks, 60), f"{token}/{looks}"))
            described = self._call(lambda: self._client.describe_statement(Id=statement_id))
            if described["Status"] in ENDED:
                return described
            if self._clock() > deadline:
                raise WarehouseError(
                    f"{self.target} did not end statement {statement_id} within {LONGEST_SECONDS / 3600:g} h, "
                    "the longest that the Data API lets one run; split the work into smaller windows"
                )

    def _fail(self, described: Mapping[str, Any], statements: Sequence[str]) -> NoReturn:
        parts = described.get("SubStatements", [])
        number = next((at for at, part in enumerate(parts) if part["Status"] in {"FAILED", "ABORTED"}), 0)
        said = str(
            described.get("Error") or (parts[number].get("Error") if parts else "") or "Redshift gives no reason"
        )
        which = f" (number {number + 1} of {len(statements)})" if len(statements) > 1 else ""
        verb = "refused" if described["Status"] == "FAILED" else "stopped"
        raise error_class(said)(
            f"{self.target} {verb} a statement{which}, '{beginning(statements[number])}': {said} "
            f"[statement {described['Id']}]"
        )

    def _stop_submitted(self, submit: Submit, ids: Sequence[str]) -> str:
        """Stop a statement of which it may not be known yet whether Redshift has it: submitting again tells its id."""
        if ids:
            return self._stop(ids[0])
        try:
            return self._stop(self._call(submit, _STOPPING)["Id"])
        except Exception as error:  # noqa: BLE001 - the cancellation itself must not be lost
            return f"It is not known whether Redshift began the statement; it could not be cancelled: {error}"

    def _stop(self, statement_id: str) -> str:
        try:
            state = self._call(lambda: self._client.describe_statement(Id=statement_id), _STOPPING)["Status"]
            if state in ENDED:
                return f"Redshift's statement {statement_id} was over already: {state}."
            is_done = self._call(lambda: self._client.cancel_statement(Id=statement_id), _STOPPING)["Status"]
        except Exception as error:  # noqa: BLE001 - the cancellation itself must not be lost
            return f"Redshift's statement {statement_id} could not be cancelled, and may be running still: {error}"
        return f"Redshift's statement {statement_id} {'was' if is_done else 'could not be'} cancelled."

    def _pages(self, statement_id: str) -> Iterator[Mapping[str, Any]]:
        arguments = {"Id": statement_id}
        while True:
            page = self._call(lambda given=arguments: self._client.get_statement_result(**given))
            yield page
            if not page.get("NextToken"):
                return
            arguments = {"Id": statement_id, "NextToken": page["NextToken"]}

    def _call(self, action: Callable[[], Mapping[str, Any]], backoff: Backoff | None = None) -> Mapping[str, Any]:
        """Call the service, again after a pause where that may help.

        Raises:
            WarehouseError: it did not help.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        tries = backoff or self._calls
        attempt = 0
        while True:
            attempt += 1
            try:
                return action()
            except (BotoCoreError, ClientError) as error:
                if not is_passing(error):
                    raise WarehouseError(f"{self.target} cannot be used: {error}{_remedy(error)}") from error
                if attempt >= tries.attempts:
                    raise WarehouseError(
                        f"{self.target} could not be reached: the Data API refused a call {attempt} times, the last "
                        f"time with: {error}; try again later"
                    ) from error
                self._sleep(tries.pause(attempt, str(attempt)))


def _remedy(error: Exception) -> str:
    if error_code(error) == "AccessDeniedException":
        return "; let the role use the Redshift Data API (deploy/cloudformation/roles.yaml)"
    return "; check the settings redshift_*" if error_code(error) == "ValidationException" else ""
