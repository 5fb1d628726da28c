"""The stand-in as a whole: PostgreSQL, the wire proxy and the Data API, started and stopped together."""

import datetime as dt
import json
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from redshift_standin.certificate import server_context, write_certificate
from redshift_standin.dialect import translate
from redshift_standin.errors import ServiceError
from redshift_standin.faults import Faults
from redshift_standin.operations import Operations
from redshift_standin.postgres_server import PostgresServer
from redshift_standin.runner import Runner
from redshift_standin.s3_objects import S3Objects
from redshift_standin.tokens import split_statements
from redshift_standin.wire_proxy import Served, WireProxy

DATABASE, USER, PASSWORD = "packaging", "packaging", "let-me-in"
CLUSTER = WORKGROUP = "packaging"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:packaging-redshift-abcdef"  # noqa: S105 - its name
CONTENT_TYPE = "application/x-amz-json-1.1"
FAULTS_PATH = "/standin/faults"
SERVERLESS_TARGET = "RedshiftServerless"
_ROLE = "packaging"
_TEMPLATE = "redshift_template"
_ISOLATIONS = {"serializable": "serializable", "snapshot": "repeatable read"}
_COMPATIBILITY = Path(__file__).with_name("compatibility.sql")


class RedshiftStandIn:
    """A Redshift on free ports of this machine's loopback interface, from `start` to `stop`.

    Args:
        s3_url: where S3 is (moto's server), for UNLOAD and COPY.
        region: of the S3 client.
        slices: a parallel UNLOAD writes at least this many files, if it has as many rows.
        rows_per_page: of GetStatementResult.
        isolation: "serializable" or "snapshot", as a Redshift database is created.
        wire_port: 0 for a free one.
        api_port: 0 for a free one.

    Attributes:
        faults: what shall go wrong.
        calls: every operation of the Data API that was called, in order.
        served: what was seen: statements, and clauses without a meaning to PostgreSQL.
    """

    def __init__(
        self,
        s3_url: str,
        *,
        region: str = "us-east-1",
        slices: int = 2,
        rows_per_page: int = 1000,
        isolation: str = "serializable",
        wire_port: int = 0,
        api_port: int = 0,
    ) -> None:
        self.faults = Faults()
        self.calls: list[str] = []
        self.served = Served(0, _ROLE, {USER: PASSWORD}, self.faults)
        self._isolation = _ISOLATIONS[isolation]
        self._postgres = PostgresServer()
        self._wire = WireProxy(self.served, port=wire_port)
        self._s3 = boto3.Session("standin", "standin", region_name=region).client(
            "s3", endpoint_url=s3_url, config=Config(retries={"max_attempts": 1}, max_pool_connections=20)
        )
        self._runner = Runner(self.served, S3Objects(self._s3), slices=slices)
        self.operations = Operations(
            self._runner, cluster=CLUSTER, workgroup=WORKGROUP, secrets=[SECRET], rows_per_page=rows_per_page
        )
        self._server = _Server(("127.0.0.1", api_port), _Handler)
        self._server.stand_in = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The Data API's, for AWS_ENDPOINT_URL_REDSHIFT_DATA."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def port(self) -> int:
        """Of the database, for redshift_connector and dbt; the host is 127.0.0.1."""
        return self._wire.port

    @property
    def certificate(self) -> Path:
        """Of the database, once started; it signs itself."""
        return self._postgres.folder / "certificate.pem"

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes the clients of this process find it: boto3's and, for TLS, OpenSSL's own variables."""
        return {
            "AWS_ENDPOINT_URL_REDSHIFT_DATA": self.url,
            "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS": self.url,
            "SSL_CERT_FILE": str(self.certificate),
        }

    def start(self) -> "RedshiftStandIn":
        """Answer from now on; the database `packaging` is there, and empty."""
        self._postgres.start()
        self.served.postgres_port = self._postgres.port
        self._prepare()
        write_certificate(self._postgres.folder, now=dt.datetime.now(dt.UTC))
        self._wire.start(server_context(self.certificate))
        self._thread.start()
        return self

    def stop(self) -> None:
        """Cancel what runs, cut all connections, and leave nothing behind."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self.operations.stop()
        self._runner.stop()
        self._wire.stop()
        self._postgres.stop()
        self._s3.close()

    def __enter__(self) -> "RedshiftStandIn":
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def create_database(self, name: str, *, isolation: str = "") -> None:
        """An empty database beside `packaging`; of another isolation than the others, if one is given."""
        self._as_superuser(
            "postgres", f'create database "{name}" template {_TEMPLATE} owner {_ROLE} strategy file_copy'
        )
        if isolation:
            level = _ISOLATIONS[isolation]
            self._as_superuser(
                name, f"alter role {_ROLE} in database \"{name}\" set default_transaction_isolation = '{level}'"
            )

    def copy_database(self, source: str, name: str) -> None:
        """A copy of a database that nobody is connected to."""
        self._as_superuser("postgres", f'create database "{name}" template "{source}" owner {_ROLE} strategy file_copy')

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._as_superuser("postgres", f'drop database if exists "{name}" with (force)')

    def run(self, script: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Run Redshift SQL in one transaction, without a client; returns the rows of the last statement.

        Raises:
            RedshiftError: Redshift would not take it.
        """
        connection = self._postgres.connect(database, _ROLE)
        try:
            connection.autocommit = False
            with connection, connection.cursor() as cursor:
                for statement in split_statements(script):
                    cursor.execute(translate(statement).sql)
                return cursor.fetchall() if cursor.description is not None else []
        finally:
            connection.close()

    def _prepare(self) -> None:
        self._as_superuser(
            "postgres",
            f"create role {_ROLE} login createdb",
            f"alter role {_ROLE} set default_transaction_isolation = '{self._isolation}'",
            f"create database {_TEMPLATE}",
        )
        compatibility = _COMPATIBILITY.read_text(encoding="utf-8")
        self._as_superuser(_TEMPLATE, compatibility, f"grant all on schema public to {_ROLE}")
        self.create_database(DATABASE)

    def _as_superuser(self, database: str, *statements: str) -> None:
        connection = self._postgres.connect(database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    stand_in: RedshiftStandIn


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: the second of two would wait 40 ms for the first to be acknowledged.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._send(HTTPStatus.OK, self.server.stand_in.faults.waiting())

    def do_DELETE(self) -> None:
        self.server.stand_in.faults.clear()
        self._send(HTTPStatus.OK, {})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        if self.path == FAULTS_PATH:
            self._inject(request)
            return
        stand_in = self.server.stand_in
        service, _, operation = self.headers.get("X-Amz-Target", "").rpartition(".")
        stand_in.calls.append(operation)
        if service == SERVERLESS_TARGET:
            self._send(*serverless_answer(operation, request, stand_in))
            return
        sql = request.get("Sql") or ";".join(request.get("Sqls", ()))
        fault = stand_in.faults.of_call(operation, sql)
        kind = fault.kind if fault is not None else ""
        if kind in _REFUSALS:
            self._refuse(_REFUSALS[kind])
            return
        answer = self._answer(operation, request)
        if kind == "twice":
            answer = self._answer(operation, request)
        if fault is not None and kind == "slow":
            time.sleep(fault.seconds)
        if kind == "lost_answer":
            self.close_connection = True
            return
        self._send(*answer)

    def _inject(self, fault: dict[str, Any]) -> None:
        try:
            self.server.stand_in.faults.inject(fault.pop("kind"), **fault)
        except (KeyError, TypeError, ValueError) as error:
            self._send(HTTPStatus.BAD_REQUEST, {"message": str(error)})
            return
        self._send(HTTPStatus.OK, {})

    def _answer(self, operation: str, request: Mapping[str, Any]) -> tuple[int, Any]:
        try:
            return HTTPStatus.OK, self.server.stand_in.operations.answer(operation, request)
        except ServiceError as error:
            return error.status, {"__type": error.code, "Message": error.message, **error.fields}

    def _refuse(self, error: ServiceError) -> None:
        self._send(error.status, {"__type": error.code, "Message": error.message})

    def _send(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: `calls` says what was asked."""


_REFUSALS = {
    "throttle": ServiceError("ThrottlingException", "Rate exceeded"),
    "error": ServiceError(
        "InternalServerException",
        "The request processing has failed because of an unknown error.",
        HTTPStatus.INTERNAL_SERVER_ERROR,
    ),
}


def serverless_answer(operation: str, request: Mapping[str, Any], stand_in: RedshiftStandIn) -> tuple[int, Any]:
    """What Redshift Serverless answers as redshift_connector asks for temporary credentials, and nothing else."""
    if request.get("workgroupName") != WORKGROUP:
        return HTTPStatus.BAD_REQUEST, {
            "__type": "ResourceNotFoundException",
            "message": f"Workgroup {request.get('workgroupName')} is not found.",
        }
    if operation == "GetWorkgroup":
        endpoint = {"address": "127.0.0.1", "port": stand_in.port}
        return HTTPStatus.OK, {"workgroup": {"workgroupName": WORKGROUP, "endpoint": endpoint}}
    if operation == "GetCredentials":
        expires = time.time() + 900
        return HTTPStatus.OK, {"dbUser": f"IAMR:{USER}", "dbPassword": "temporary", "expiration": expires}
    return HTTPStatus.BAD_REQUEST, {
        "__type": "UnknownOperationException",
        "message": f"The Redshift stand-in does not emulate {operation}",
    }
