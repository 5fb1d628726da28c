"""The HTTP side: SageMaker's JSON protocol in front, moto behind."""

import json
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from sagemaker_standin.containers import Image
from sagemaker_standin.errors import ServiceError
from sagemaker_standin.faults import Faults
from sagemaker_standin.job import Site
from sagemaker_standin.operations import Operations
from sagemaker_standin.storage import Storage

ACCOUNT = "123456789012"
"""moto's, too."""

CONTENT_TYPE = "application/x-amz-json-1.1"
FAULTS_PATH = "/standin/faults"

LIMIT = (
    "The account-level service limit 'ml.m5.xlarge for training job usage' is {has} Instances, with current "
    "utilization of {has} Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an "
    "increase for this quota."
)
"""As the service says it, of which an account has none at first."""


class SageMakerStandIn:
    """A SageMaker on a free port of this machine's loopback interface, from `start` to `stop`.

    Args:
        moto_url: where moto's server is: S3, CloudWatch Logs, models and the model registry are its.
        commands: image -> the command that stands for its entry point, or a warm image that has it at hand.
        region: of ARNs and clients.
        start_seconds: how long the machines of a job take to be there.
        grace_seconds: between SIGTERM and SIGKILL; the service gives 120.
        port: 0 for a free one.
    """

    def __init__(
        self,
        moto_url: str,
        commands: Mapping[str, Image],
        *,
        region: str = "us-east-1",
        start_seconds: float = 0.0,
        grace_seconds: float = 5.0,
        port: int = 0,
    ) -> None:
        self.faults = Faults()
        self.calls: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="sagemaker-standin-")
        session = boto3.Session("standin", "standin", region_name=region)
        clients = {
            name: session.client(
                name, endpoint_url=moto_url, config=Config(retries={"max_attempts": 1}, max_pool_connections=20)
            )
            for name in ("s3", "logs", "sagemaker")
        }
        site = Site(
            region=region,
            account=ACCOUNT,
            storage=Storage(clients["s3"]),
            logs=clients["logs"],
            commands=commands,
            root=Path(self._folder.name),
            start_seconds=start_seconds,
            grace_seconds=grace_seconds,
        )
        self.operations = Operations(site, self.faults, clients["sagemaker"])
        self._clients = clients
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.stand_in, self._server.moto_url = self, moto_url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """For AWS_ENDPOINT_URL_SAGEMAKER."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "SageMakerStandIn":
        """Answer from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all jobs with their containers, and answer no more."""
        self.operations.stop_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for client in self._clients.values():
            client.close()
        self._folder.cleanup()

    def __enter__(self) -> "SageMakerStandIn":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    stand_in: SageMakerStandIn
    moto_url: str


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer, which goes out in two parts, takes 40 ms longer

    def do_GET(self) -> None:
        if self.path == FAULTS_PATH:
            self._send(HTTPStatus.OK, _as_json(self.server.stand_in.faults.waiting()))
        else:
            self._forward("GET", b"")

    def do_DELETE(self) -> None:
        self.server.stand_in.faults.clear()
        self._send(HTTPStatus.OK, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == FAULTS_PATH:
            self._inject(json.loads(body))
            return
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        stand_in = self.server.stand_in
        stand_in.calls.append(operation)
        fault = stand_in.faults.of_call(operation)
        kind = fault.kind if fault is not None else ""
        if fault is not None and kind == "slow":
            time.sleep(fault.seconds)
        if self._refuse(kind):
            return
        answer = self._answer(operation, body)
        if kind == "twice":
            answer = self._answer(operation, body)
        if kind == "lost_answer":
            self.close_connection = True
            return
        self._send(*answer)

    def _inject(self, fault: dict[str, Any]) -> None:
        try:
            kind = fault.pop("kind")
            self.server.stand_in.faults.inject(kind, fault.pop("operation", ""), **fault)
        except (KeyError, TypeError, ValueError) as error:
            self._send(HTTPStatus.BAD_REQUEST, _as_json({"message": str(error)}))
            return
        self._send(HTTPStatus.OK, b"{}")

    def _refuse(self, kind: str) -> bool:
        refusals = {
            "throttle": ServiceError("ThrottlingException", "Rate exceeded"),
            "limit": ServiceError("ResourceLimitExceeded", LIMIT.format(has=4)),
            "no_quota": ServiceError("ResourceLimitExceeded", LIMIT.format(has=0)),
            "error": ServiceError(
                "InternalFailure",
                "The request processing has failed because of an unknown error.",
                HTTPStatus.INTERNAL_SERVER_ERROR,
            ),
        }
        if kind in refusals:
            self._send(*_refusal(refusals[kind]))
        return kind in refusals

    def _answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        operations = self.server.stand_in.operations
        request = json.loads(body or b"{}")
        if not operations.answers(operation):
            status, content = self._ask_moto("POST", body)
            if status == HTTPStatus.OK and operation.startswith("Create"):
                operations.remember_tags(request, json.loads(content or b"{}"))
            return status, content
        try:
            answer = operations.answer(operation, request, _caller(self.headers.get("Authorization", "")))
        except ServiceError as error:
            return _refusal(error)
        if operation.startswith("Create"):
            operations.remember_tags(request, answer)
        return HTTPStatus.OK, _as_json(answer)

    def _forward(self, method: str, body: bytes) -> None:
        self._send(*self._ask_moto(method, body))

    def _ask_moto(self, method: str, body: bytes) -> tuple[int, bytes]:
        passed = ("authorization", "content-type", "x-amz-target", "x-amz-date", "x-amz-security-token")
        headers = {name: value for name, value in self.headers.items() if name.lower() in passed}
        request = urllib.request.Request(  # noqa: S310 - moto's URL is http by construction
            self.server.moto_url + self.path, data=body or None, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: `calls` says what was asked."""


def _refusal(error: ServiceError) -> tuple[int, bytes]:
    return error.status, _as_json({"__type": error.code, "message": error.message})


def _caller(authorization: str) -> str:
    """The access key that a request is signed with: `... Credential=<key>/<day>/..., ...`."""
    return authorization.partition("Credential=")[2].partition("/")[0]


def _as_json(content: Any) -> bytes:
    return json.dumps(content).encode()
