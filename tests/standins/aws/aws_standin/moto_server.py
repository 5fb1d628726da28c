"""moto's server, in which calls of S3, SNS, SQS and CloudWatch can be made to go wrong."""

import contextlib
import io
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

FAULTS = ("throttle", "error", "slow", "lost_answer", "twice")
"""throttle: the service asks to slow down, nothing done. error: HTTP 500, nothing done. slow: done after `seconds`.
lost_answer: done, and the connection closed without an answer. twice: done twice, as by a proxy that repeats a request,
and the second answer given."""

_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/aws4_request")
_THROTTLED: Mapping[str, tuple[int, str]] = {"s3": (503, "SlowDown")}
_QUERY_THROTTLED = (400, "Throttling")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Fault:
    """One thing going wrong `times` times: in calls of `service` whose "METHOD path body" has `matching` in it."""

    kind: str
    service: str
    matching: str = ""
    times: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"fault {self.kind!r} is none of {', '.join(FAULTS)}")


class _AtomicConditions:
    """A WSGI application in front of moto's that lets conditional writes happen one after the other.

    S3 tests a condition and writes in one step. moto takes two, and another thread may write in between.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        is_write = environ["REQUEST_METHOD"] not in {"GET", "HEAD"}
        is_conditional = "HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ
        with self._lock if is_write and is_conditional else contextlib.nullcontext():
            return self._application(environ, start_response)


class FaultyApplication:
    """A WSGI application in front of moto's that does to calls what was asked for.

    Attributes:
        happened: the faults that came to pass, as "kind service METHOD path".
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self.happened: list[str] = []

    def inject(self, kind: str, service: str, *, matching: str = "", times: int = 1, seconds: float = 0.0) -> None:
        """Let something go wrong from now on."""
        with self._lock:
            self._waiting.append(Fault(kind, service, matching, times, seconds))

    def clear(self) -> None:
        """Let nothing go wrong any more, and forget what did."""
        with self._lock:
            self._waiting.clear()
            self.happened.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        with self._lock:
            return [asdict(fault) for fault in self._waiting]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if not self._waiting:
            return self._application(environ, start_response)
        found = _SERVICE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = found[1] if found else ""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        fault = self._take(service, f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ", body)
        return self._answer(fault, service, {**environ, "wsgi.input": io.BytesIO(body)}, start_response, body)

    def _answer(
        self,
        fault: Fault | None,
        service: str,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
        body: bytes,
    ) -> Iterable[bytes]:
        if fault is None:
            return self._application(environ, start_response)
        if fault.kind in {"throttle", "error"}:
            return _refusal(fault.kind, service)(environ, start_response)
        if fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault.kind in {"lost_answer", "twice"}:
            b"".join(self._application(dict(environ), lambda *_, **__: None))
            environ["wsgi.input"] = io.BytesIO(body)
        if fault.kind == "lost_answer":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError("lost on purpose")
        return self._application(environ, start_response)

    def _take(self, service: str, line: str, body: bytes) -> Fault | None:
        with self._lock:
            for fault in self._waiting:
                if fault.service == service and (fault.matching in line or fault.matching.encode() in body):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    self.happened.append(f"{fault.kind} {service} {line.strip()}")
                    return fault
        return None


def _refusal(kind: str, service: str) -> Response:
    status, code = _THROTTLED.get(service, _QUERY_THROTTLED) if kind == "throttle" else (500, "InternalError")
    error = f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>"
    text = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
    return Response(text, status=status, mimetype="text/xml")


class MotoServer:
    """moto on a free port of the loopback interface, from `start` to `stop`; `faults` says what goes wrong."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line per request
        self.faults = FaultyApplication(_AtomicConditions(DomainDispatcherApplication(create_backend_app)))
        self._server = make_server("127.0.0.1", 0, self.faults, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """For AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> "MotoServer":
        """Answer from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> "MotoServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
