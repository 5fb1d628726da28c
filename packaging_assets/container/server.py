"""Batch transform: SageMaker sends every object of an inventory as a request, and stores the answers.

GET /ping says whether the step can run; POST /invocations runs it with the request's body as the one file of its
`part_input`, and answers with a tar archive of what it wrote.
"""

import io
import logging
import tarfile
import tempfile
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging_assets.container.run_request import inside, run_part
from packaging_assets.container.step_request import RequestError, StepRequest

MAX_PAYLOAD_BYTES = 100 * 1024 * 1024
"""No service sends more, see MaxPayloadInMB of CreateTransformJob."""

PART_NAME = "part-00000.parquet"
ANSWER_TYPE = "application/x-tar"

log = logging.getLogger(__name__)


def make_server(
    request: StepRequest, inputs: Path, packages: Sequence[str], address: tuple[str, int]
) -> ThreadingHTTPServer:
    """The server of one step, bound to the address; the step is imported, and so are its params checked.

    Raises:
        RequestError: the request cannot be run here.
    """
    if request.part_input is None:
        raise RequestError(f"The request to serve {request.step} does not say which input comes in the requests.")
    request.load_step(packages)
    request.load_params(packages)
    request.check_code()
    folders = {name: inside(inputs, path) for name, path in request.inputs.items() if name != request.part_input}

    class Handler(_Handler):
        def answer(self, body: bytes) -> bytes:
            return run_on(request, folders, body, packages)

    return ThreadingHTTPServer(address, Handler)


def run_on(request: StepRequest, folders: dict[str, Path], body: bytes, packages: Sequence[str]) -> bytes:
    """What the step writes for one body, as a tar archive."""
    with tempfile.TemporaryDirectory() as scratch:
        part = Path(scratch) / PART_NAME
        part.write_bytes(body)
        run_part(request, folders, part, Path(scratch) / "output", packages)
        return _archive(Path(scratch) / "output")


def _archive(folder: Path) -> bytes:
    """The files of `folder`, with nothing in it of the time or the machine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes) -> bytes:
        raise NotImplementedError

    def do_GET(self) -> None:
        self._send(HTTPStatus.OK if self.path == "/ping" else HTTPStatus.NOT_FOUND, b"", "text/plain")

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return
        try:
            self._send(HTTPStatus.OK, self.answer(body), ANSWER_TYPE)
        except Exception as error:  # whatever the step raises belongs to this one request
            log.exception("The step failed on a request of %d bytes.", len(body))
            reason = f"{type(error).__name__}: {error}".encode()
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, reason, "text/plain; charset=utf-8")

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/invocations":
            return self._refuse(HTTPStatus.NOT_FOUND, "Requests go to /invocations.")
        if not length.isdigit():
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "A request says how long it is: send Content-Length.")
        if int(length) > MAX_PAYLOAD_BYTES:
            return self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{length} bytes are more than the {MAX_PAYLOAD_BYTES} of a request: make the parts smaller.",
            )
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True  # a body that nobody reads would be taken for the next request
        self._send(status, reason.encode(), "text/plain; charset=utf-8")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Through logging, as everything else."""
        log.info(format, *args)
