"""A statement that the Data API was given: what it is, how far it has come, and what it brought."""

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ENDED = frozenset({"FINISHED", "FAILED", "ABORTED"})


@dataclass
class Execution:
    """One SQL text being run.

    Attributes:
        statement_id: of the whole statement, or `<id>:<n>` of the nth SQL of a batch.
        sql: as it was given.
        status: SUBMITTED, PICKED, STARTED, FINISHED, FAILED or ABORTED.
        error: why it failed.
        rows: the result's fields, as the Data API writes them; None without a result.
        columns: the result's metadata.
        row_count: rows of the result, or rows that were changed; -1 where that means nothing.
    """

    statement_id: str
    sql: str
    status: str = "SUBMITTED"
    error: str = ""
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    seconds: float = 0.0
    rows: list[list[dict[str, Any]]] | None = None
    columns: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    row_count: int = -1

    def move(self, status: str, error: str = "") -> None:
        """Come to this status; a status that ends it stays."""
        if self.status not in ENDED:
            self.status, self.error, self.updated_at = status, error, time.time()

    def described(self) -> dict[str, Any]:
        """What DescribeStatement says of it, also as a part of a batch."""
        return {
            "Id": self.statement_id,
            "Status": self.status,
            "QueryString": self.sql,
            "CreatedAt": self.created_at,
            "UpdatedAt": self.updated_at,
            "Duration": int(self.seconds * 1e9),
            "HasResultSet": self.rows is not None,
            "ResultRows": self.row_count,
            "ResultSize": sum(len(str(row)) for row in self.rows or ()),
            "RedshiftQueryId": abs(hash(self.statement_id)) % 10**6,
            **({"Error": self.error} if self.error else {}),
        }


@dataclass
class Statement:
    """What one call of ExecuteStatement or BatchExecuteStatement asked for.

    Attributes:
        whole: the statement as a whole; of a single SQL its only execution.
        parts: the executions in order: one, or those of the batch.
        bound: the SQL of each part with its parameters in their places.
        target: Database and ClusterIdentifier, WorkgroupName, DbUser or SecretArn, as they were given.
        is_atomic: whether the parts are one transaction.
    """

    whole: Execution
    parts: Sequence[Execution]
    bound: Sequence[str]
    target: Mapping[str, str]
    parameters: Sequence[Mapping[str, str]] = ()
    name: str = ""
    is_batch: bool = False
    is_atomic: bool = True
    token: str = ""
    pid: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)
    connection: Any = None

    @property
    def statement_id(self) -> str:
        """The id that the call returned."""
        return self.whole.statement_id

    def described(self) -> dict[str, Any]:
        """The answer of DescribeStatement."""
        answer = {**self.whole.described(), **self.target, "RedshiftPid": self.pid}
        if self.parameters:
            answer["QueryParameters"] = list(self.parameters)
        if self.is_batch:
            answer["SubStatements"] = [part.described() for part in self.parts]
        return answer

    def listed(self) -> dict[str, Any]:
        """Its entry in ListStatements."""
        sql = {"QueryStrings": [part.sql for part in self.parts]} if self.is_batch else {"QueryString": self.whole.sql}
        return {
            "Id": self.statement_id,
            "Status": self.whole.status,
            "StatementName": self.name,
            "IsBatchStatement": self.is_batch,
            "CreatedAt": self.whole.created_at,
            "UpdatedAt": self.whole.updated_at,
            **sql,
        }


def new_statement(statements: Sequence[str], bound: Sequence[str], *, is_batch: bool, **given: Any) -> Statement:
    """A statement that was just submitted, with an id that nothing had before."""
    statement_id = str(uuid.uuid4())
    whole = Execution(statement_id, ";\n".join(statements))
    parts = (
        [Execution(f"{statement_id}:{n}", sql) for n, sql in enumerate(statements, start=1)] if is_batch else [whole]
    )
    return Statement(whole, parts, bound, is_batch=is_batch, **given)
