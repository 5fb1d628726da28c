"""Runs what the Data API was given: each statement in a session of its own, in one transaction."""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg2
import psycopg2.errorcodes as codes

from redshift_standin.copy_rows import read_copy, run_copy
from redshift_standin.dialect import translate
from redshift_standin.faults import Fault
from redshift_standin.refusals import RedshiftError
from redshift_standin.result_fields import as_field, column_metadata, keep_texts
from redshift_standin.s3_objects import S3Objects
from redshift_standin.statements import Execution, Statement
from redshift_standin.tokens import read_tokens, split_statements, text_at
from redshift_standin.unload import read_unload, run_unload
from redshift_standin.wire_proxy import Served, conflict

_TRANSACTION_WORDS = frozenset({"begin", "start", "commit", "end", "rollback", "abort"})
_CANCELLED = "Query cancelled on user's request"


class _CancelledError(Exception):
    """Somebody called CancelStatement."""


class _AbortedError(Exception):
    """An administrator stopped the statement."""


class Runner:
    """Runs statements, eight at a time.

    Args:
        served: the database, the users and the faults; the same as of the wire.
        objects: S3, for UNLOAD and COPY.
        slices: how many files at least a parallel UNLOAD writes.
    """

    def __init__(self, served: Served, objects: S3Objects, *, slices: int) -> None:
        self._served = served
        self._objects = objects
        self._slices = slices
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="redshift-data")

    def submit(self, statement: Statement) -> None:
        """Run it as soon as a thread is free; returns at once."""
        self._threads.submit(self._run, statement)

    def cancel(self, statement: Statement) -> None:
        """Stop it; it ends ABORTED unless it is too late."""
        statement.cancelled.set()
        connection = statement.connection
        if connection is not None:
            with suppress(psycopg2.Error):
                connection.cancel()

    def stop(self) -> None:
        """Wait for what runs; start nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run(self, statement: Statement) -> None:
        started = time.monotonic()
        statement.whole.move("PICKED")
        try:
            with self._connected(statement) as connection:
                self._run_parts(statement, connection)
            statement.whole.move("FINISHED")
        except (_CancelledError, _AbortedError) as stop:
            self._end(statement, "ABORTED", str(stop))
        except (RedshiftError, psycopg2.Error) as error:
            self._end(statement, "ABORTED" if _is_cancelled(error) else "FAILED", _described(error))
        except Exception as error:  # noqa: BLE001 - a fault of the stand-in itself must end the statement, too
            self._end(statement, "FAILED", f"The Redshift stand-in failed: {type(error).__name__}: {error}")
        finally:
            statement.whole.seconds = time.monotonic() - started
            statement.ended.set()

    @staticmethod
    def _end(statement: Statement, status: str, error: str) -> None:
        failed = next((at for at, part in enumerate(statement.parts) if part.status != "FINISHED"), None)
        if statement.is_batch and failed is not None:
            statement.parts[failed].move(status, error)
            for part in statement.parts[failed + 1 :]:
                part.move("ABORTED", "Not run: a statement before it failed")
            error = f"Query #{failed + 1} failed with {error}" if status == "FAILED" else error
        for part in statement.parts:
            part.rows = None if statement.is_atomic else part.rows
        statement.whole.move(status, error)

    @contextmanager
    def _connected(self, statement: Statement) -> Generator[Any]:
        user = statement.target.get("DbUser", "")
        if user and user not in self._served.passwords:
            raise RedshiftError(f'password authentication failed for user "{user}"', sqlstate="28000")
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self._served.postgres_port,
            user=self._served.role,
            dbname=statement.target["Database"],
            sslmode="disable",
        )
        with closing(connection):
            keep_texts(connection)
            statement.connection, statement.pid = connection, connection.get_backend_pid()
            connection.autocommit = not statement.is_atomic
            try:
                yield connection
            finally:
                statement.connection = None

    def _run_parts(self, statement: Statement, connection: Any) -> None:
        statement.whole.move("STARTED")
        for part, sql in zip(statement.parts, statement.bound, strict=True):
            if statement.cancelled.is_set():
                raise _CancelledError(_CANCELLED)
            part.move("STARTED")
            started = time.monotonic()
            self._suffer(statement, self._served.faults.of_statement(sql))
            with connection.cursor() as cursor:
                self._run_one(cursor, part, sql, in_batch=statement.is_batch and statement.is_atomic)
            part.seconds = time.monotonic() - started
            if statement.is_batch:
                part.move("FINISHED")
        if statement.cancelled.is_set():
            raise _CancelledError(_CANCELLED)
        if statement.is_atomic:
            connection.commit()

    @staticmethod
    def _suffer(statement: Statement, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if fault and kind == "slow_statement" and statement.cancelled.wait(fault.seconds):
            raise _CancelledError(_CANCELLED)
        if fault and kind == "failed_statement":
            raise RedshiftError(fault.message, sqlstate="XX000")
        if fault and kind == "aborted":
            raise _AbortedError(fault.message)
        if kind == "disconnected":
            raise RedshiftError("Connection to the database was lost", sqlstate="08006")
        if kind == "conflict":
            raise conflict()

    def _run_one(self, cursor: Any, part: Execution, sql: str, *, in_batch: bool) -> None:
        self._served.statements.append(sql)
        if len(split_statements(sql)) != 1:
            raise RedshiftError("cannot insert multiple commands into a prepared statement")
        first = text_at(read_tokens(sql), 0)
        if in_batch and first in _TRANSACTION_WORDS | {"truncate"}:
            reason = "commits what was done before it" if first == "truncate" else "is said by the batch itself"
            raise RedshiftError(f"{first.upper()} {reason}: the Redshift stand-in takes none in an atomic batch")
        if first == "unload":
            run_unload(cursor, read_unload(sql), self._objects, slices=self._slices)
        elif first == "copy":
            part.row_count = run_copy(cursor, read_copy(sql), self._objects)
        else:
            self._run_sql(cursor, part, sql)

    def _run_sql(self, cursor: Any, part: Execution, sql: str) -> None:
        translation = translate(sql)
        self._served.clauses.extend(translation.clauses)
        cursor.execute(translation.sql)
        part.row_count = cursor.rowcount
        if cursor.description is not None:
            codes_of = [column.type_code for column in cursor.description]
            part.columns = [column_metadata(column) for column in cursor.description]
            part.rows = [
                [as_field(value, code) for value, code in zip(row, codes_of, strict=True)] for row in cursor.fetchall()
            ]


def _is_cancelled(error: Exception) -> bool:
    return isinstance(error, psycopg2.Error) and error.pgcode == codes.QUERY_CANCELED


def _described(error: Exception) -> str:
    """The error as the Data API writes it, which is how Amazon's JDBC driver does."""
    if isinstance(error, psycopg2.Error) and error.pgcode == codes.SERIALIZATION_FAILURE:
        error = conflict()
    if isinstance(error, RedshiftError):
        return f"ERROR: {error.message}" + (f"\n  Detail: {error.detail}" if error.detail else "")
    if isinstance(error, psycopg2.Error) and error.diag.message_primary:
        diagnosis = error.diag
        parts = (("Detail", diagnosis.message_detail), ("Hint", diagnosis.message_hint))
        return f"ERROR: {diagnosis.message_primary}" + "".join(f"\n  {name}: {text}" for name, text in parts if text)
    return str(error).strip()
