"""Batch transform jobs: a server per instance, one request per object."""

import http.client
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sagemaker_standin.containers import Container
from sagemaker_standin.job import Job, Stopped, TimedOut
from sagemaker_standin.storage import JobError, split

MEGABYTE = 1024 * 1024
DEFAULT_PAYLOAD_MB, MAX_PAYLOAD_MB = 6, 100
PING_SECONDS = 60
INVOCATION_SECONDS = 600


class TransformJob(Job):
    """Sends every object below the input's prefix whole, and stores each answer beside its name as `<name>.out`."""

    kind = "Transform"
    log_group = "/aws/sagemaker/TransformJobs"

    model: dict[str, Any]
    """What DescribeModel says of the request's model; set before the job starts."""

    def prepare(self) -> None:
        """Lay out /opt/ml/model for every instance, and look at the objects."""
        for number in range(self.request["TransformResources"]["InstanceCount"]):
            model = self.scratch / f"algo-{number + 1}" / "model"
            model.mkdir(parents=True)
            if uri := self._container().get("ModelDataUrl"):
                self.site.storage.unpack(uri, model, self.scratch)
        if not self._keys():
            raise JobError(f"ClientError: No S3 objects found under {self._source()!r}")

    def work(self) -> None:
        """Serve, ask, and store the answers."""
        ports = [_free_port() for _ in sorted(self.scratch.glob("algo-*"))]
        for root, port in zip(sorted(self.scratch.glob("algo-*")), ports, strict=True):
            environment = {**self._container().get("Environment", {}), **self.request.get("Environment", {})}
            environment |= {"SAGEMAKER_BIND_TO_PORT": str(port), "PACKAGING_SERVE_HOST": "127.0.0.1"}
            self.launch(self._container()["Image"], ["serve"], root, environment, root.name)
        deadline = time.monotonic() + self.runtime()
        try:
            for container, port in zip(self.containers, ports, strict=True):
                self._wait_for_ping(container, port)
            self._transform(ports, deadline)
        finally:
            for container in self.containers:
                container.end(self.site.grace_seconds)

    def finish(self) -> None:
        """The answers are stored as they come."""

    def outputs(self) -> Sequence[str]:
        """Prefix of the answers."""
        return [self.request["TransformOutput"]["S3OutputPath"].rstrip("/") + "/"]

    def _transform(self, ports: list[int], deadline: float) -> None:
        concurrency = self.request.get("MaxConcurrentTransforms") or 1
        bucket, _ = split(self._source())
        with ThreadPoolExecutor(concurrency * len(ports)) as pool:
            pending = [
                pool.submit(self._one, bucket, key, ports[number % len(ports)], deadline)
                for number, key in enumerate(self._keys())
            ]
            try:
                for future in pending:
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _one(self, bucket: str, key: str, port: int, deadline: float) -> None:
        if self.asked_to_stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            raise TimedOut
        body = self.site.storage.read(bucket, key)
        limit = self.request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB) * MEGABYTE
        if limit and len(body) > limit:
            raise JobError(
                f"ClientError: The payload of {key} has {len(body)} bytes and MaxPayloadInMB allows {limit}; "
                "Batch Transform cannot split it (SplitType None)"
            )
        status, answer = self._invoke(port, body)
        if status != http.client.OK:
            raise JobError(
                f"AlgorithmError: See job logs for more information; HTTP {status} on {key}: "
                f"{answer.decode(errors='replace')[:500]}"
            )
        self.site.storage.write(f"{self.outputs()[0]}{self._name(key)}.out", answer)

    def _invoke(self, port: int, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": self.request["TransformInput"].get("ContentType", "application/octet-stream")}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=INVOCATION_SECONDS)
        try:
            connection.request("POST", "/invocations", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError as error:
            raise JobError(f"AlgorithmError: the server does not answer: {error}") from error
        finally:
            connection.close()

    def _wait_for_ping(self, container: Container, port: int) -> None:
        for _ in range(int(PING_SECONDS / 0.05)):
            if self.asked_to_stop.is_set():
                raise Stopped
            code = container.poll()
            if code is not None:
                raise JobError(f"AlgorithmError: {self.said()}, exit code: {code}")
            if _ping(port):
                return
            time.sleep(0.05)
        raise JobError(
            "AlgorithmError: Model container failed to respond to ping; Please ensure /ping endpoint is valid"
        )

    def _source(self) -> str:
        return self.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]

    def _keys(self) -> list[str]:
        return self.site.storage.keys(self._source())

    def _name(self, key: str) -> str:
        """The key relative to the input's prefix, which the output keeps."""
        _, prefix = split(self._source())
        return key[len(prefix) :].lstrip("/") or Path(key).name

    def _container(self) -> dict[str, Any]:
        return self.model["PrimaryContainer"]


def _ping(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
