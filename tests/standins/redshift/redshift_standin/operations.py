"""The Data API's operations, each a function of its request.

Source: Amazon Redshift Data API reference, and boto3's model of the service. Texts of refusals are the service's own
where they are known.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from redshift_standin.errors import ServiceError, invalid, not_found
from redshift_standin.parameters import bind
from redshift_standin.runner import Runner
from redshift_standin.statements import ENDED, Execution, Statement, new_statement

Request: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]

LONGEST_STATEMENT_BYTES = 100_000
LARGEST_BATCH = 40
_TARGET = ("Database", "ClusterIdentifier", "WorkgroupName", "DbUser", "SecretArn")
_NOT_EMULATED = ("SessionId", "SessionKeepAliveSeconds", "WithEvent")


class Operations:
    """Answers calls from any thread.

    Args:
        runner: runs the statements.
        cluster: the one cluster that there is.
        workgroup: the one serverless workgroup that there is, the same database by another name.
        secrets: the ARNs of the secrets that let somebody in.
        rows_per_page: of GetStatementResult.
    """

    def __init__(
        self, runner: Runner, *, cluster: str, workgroup: str, secrets: Sequence[str], rows_per_page: int
    ) -> None:
        self._runner = runner
        self._cluster = cluster
        self._workgroup = workgroup
        self._secrets = secrets
        self._rows_per_page = rows_per_page
        self._statements: dict[str, Statement] = {}
        self._lock = threading.Lock()

    @property
    def statements(self) -> list[Statement]:
        """Every statement that was ever accepted, in order."""
        return list(self._statements.values())

    def answer(self, operation: str, request: Request) -> Answer:
        """The answer to a call.

        Raises:
            ServiceError: it is refused.
        """
        known = {
            "ExecuteStatement": self._execute,
            "BatchExecuteStatement": self._execute_batch,
            "DescribeStatement": self._describe,
            "GetStatementResult": self._result,
            "CancelStatement": self._cancel,
            "ListStatements": self._list,
        }
        if operation not in known:
            raise ServiceError("UnknownOperationException", f"The Redshift stand-in does not emulate {operation}")
        return known[operation](request)

    def stop(self) -> None:
        """Cancel what still runs."""
        for statement in self.statements:
            if statement.whole.status not in ENDED:
                self._runner.cancel(statement)

    def _execute(self, request: Request) -> Answer:
        return self._submit(request, [request.get("Sql", "")], is_batch=False)

    def _execute_batch(self, request: Request) -> Answer:
        statements = request.get("Sqls", [])
        if not 1 <= len(statements) <= LARGEST_BATCH:
            raise invalid(f"A batch holds 1 to {LARGEST_BATCH} statements, not {len(statements)}")
        return self._submit(request, statements, is_batch=True)

    def _submit(self, request: Request, statements: Sequence[str], *, is_batch: bool) -> Answer:
        target = self._target(request)
        for sql in statements:
            size = len(sql.encode())
            if not 1 <= size <= LONGEST_STATEMENT_BYTES:
                raise invalid(f"A statement is at most {LONGEST_STATEMENT_BYTES} bytes long, not {size}, and not empty")
        parameters = request.get("Parameters", [])
        bound = bind(statements, {entry["name"]: entry["value"] for entry in parameters})
        with self._lock:
            statement = self._given_before(request)
            if statement is None:
                statement = new_statement(
                    statements,
                    bound,
                    is_batch=is_batch,
                    target=target,
                    parameters=parameters,
                    name=request.get("StatementName", ""),
                    is_atomic=request.get("ExecutionMode", "TRANSACTION") == "TRANSACTION",
                    token=request.get("ClientToken", ""),
                )
                self._statements[statement.statement_id] = statement
                self._runner.submit(statement)
        self._wait(statement, request)
        return {"Id": statement.statement_id, "CreatedAt": statement.whole.created_at, **target}

    def _given_before(self, request: Request) -> Statement | None:
        token = request.get("ClientToken", "")
        return next((known for known in self._statements.values() if token and known.token == token), None)

    def _target(self, request: Request) -> dict[str, str]:
        for name in _NOT_EMULATED:
            if request.get(name):
                raise invalid(f"The Redshift stand-in does not emulate {name}")
        target = {name: request[name] for name in _TARGET if request.get(name)}
        if not target.get("Database"):
            raise invalid("Database must be specified")
        cluster, workgroup = target.get("ClusterIdentifier"), target.get("WorkgroupName")
        if bool(cluster) == bool(workgroup):
            raise invalid("Either ClusterIdentifier or WorkgroupName must be specified, and not both")
        if cluster not in {None, self._cluster} or workgroup not in {None, self._workgroup}:
            raise invalid("Redshift endpoint doesn't exist in this region.")
        if "SecretArn" in target and target["SecretArn"] not in self._secrets:
            raise invalid("Secrets Manager can't find the specified secret.")
        if "DbUser" in target and ("SecretArn" in target or workgroup):
            raise invalid("DbUser goes with ClusterIdentifier and temporary credentials only")
        return target

    @staticmethod
    def _wait(statement: Statement, request: Request) -> None:
        if request.get("WaitTimeSeconds"):
            statement.ended.wait(request["WaitTimeSeconds"])

    def _statement(self, request: Request) -> Statement:
        statement = self._statements.get(request["Id"].partition(":")[0])
        if statement is None:
            raise not_found("Query does not exist.", request["Id"])
        self._wait(statement, request)
        return statement

    def _describe(self, request: Request) -> Answer:
        return self._statement(request).described()

    def _cancel(self, request: Request) -> Answer:
        statement = self._statement(request)
        if statement.whole.status in ENDED:
            raise invalid(
                f"Could not cancel a query that is already in {statement.whole.status} state with ID: {request['Id']}"
            )
        self._runner.cancel(statement)
        return {"Status": True}

    def _list(self, request: Request) -> Answer:
        status, name = request.get("Status", "ALL"), request.get("StatementName", "")
        found = [
            statement.listed()
            for statement in reversed(self.statements)
            if status in {"ALL", statement.whole.status} and statement.name.startswith(name)
        ]
        start = int(request.get("NextToken") or 0)
        end = start + (request.get("MaxResults") or 100)
        return {"Statements": found[start:end], **({"NextToken": str(end)} if end < len(found) else {})}

    def _result(self, request: Request) -> Answer:
        execution = self._execution(request)
        if execution.status != "FINISHED" or execution.rows is None:
            raise not_found(
                "Query does not have result. Please check query status with DescribeStatement.", request["Id"]
            )
        start = int(request.get("NextToken") or 0)
        end = start + self._rows_per_page
        return {
            "Records": execution.rows[start:end],
            "ColumnMetadata": execution.columns,
            "TotalNumRows": len(execution.rows),
            **({"NextToken": str(end)} if end < len(execution.rows) else {}),
        }

    def _execution(self, request: Request) -> Execution:
        statement = self._statement(request)
        by_id = {part.statement_id: part for part in (*statement.parts, statement.whole)}
        if request["Id"] not in by_id:
            raise not_found("Query does not exist.", request["Id"])
        return by_id[request["Id"]]
