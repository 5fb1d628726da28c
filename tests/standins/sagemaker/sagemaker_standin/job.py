"""One job: its description, and the thread that takes it from InProgress to its end."""

import re
import shutil
import tempfile
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sagemaker_standin.containers import Container, Image, wait_for_all
from sagemaker_standin.errors import validation_error
from sagemaker_standin.faults import Fault
from sagemaker_standin.log_events import LogStream
from sagemaker_standin.storage import JobError, Storage

REASON_CHARACTERS = 1024
DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Site:
    """What all jobs share: where things are, and how long things take here.

    `grace_seconds` is the time between SIGTERM and SIGKILL (the service: 120); `start_seconds` how long a machine takes
    to be there.
    """

    region: str
    account: str
    storage: Storage
    logs: Any
    commands: Mapping[str, Image]
    root: Path
    start_seconds: float
    grace_seconds: float


class Stopped(Exception):  # noqa: N818 - it is no error
    """Somebody asked the job to stop."""


class TimedOut(Exception):  # noqa: N818 - likewise
    """The job took longer than it may."""


class Job(ABC):
    """What the three kinds of jobs have in common."""

    kind: ClassVar[str]
    log_group: ClassVar[str]
    default_runtime: ClassVar[int] = DAY_SECONDS

    def __init__(self, site: Site, request: dict[str, Any], fault: Fault | None) -> None:
        self.site, self.request, self.fault = site, request, fault
        self.name: str = request[f"{self.kind}JobName"]
        path = f"{self.kind.lower()}-job/{self.name}"
        self.arn = f"arn:aws:sagemaker:{site.region}:{site.account}:{path}"
        self.created_at = time.time()
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.status, self.reason, self.message = "InProgress", "", ""
        self.steps: list[dict[str, Any]] = []
        self.asked_to_stop = threading.Event()
        self.streams: list[LogStream] = []
        self.containers: list[Container] = []
        self.scratch = Path(tempfile.mkdtemp(prefix=f"{self.name[:30]}-", dir=site.root))
        self._thread = threading.Thread(target=self._live, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to live."""
        self._thread.start()

    def stop(self) -> None:
        """What StopTrainingJob and the like do: the end comes later.

        Raises:
            ServiceError: the job has ended already.
        """
        if self.status not in {"InProgress", "Stopping"}:
            raise validation_error(
                f"The request was rejected because the {self.kind.lower()} job is in status {self.status}."
            )
        self.status = "Stopping"
        self.asked_to_stop.set()

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        self._thread.join(seconds)

    @abstractmethod
    def prepare(self) -> None:
        """Bring the data."""

    @abstractmethod
    def work(self) -> None:
        """Run the containers to their end."""

    @abstractmethod
    def finish(self) -> None:
        """Take the outcome away."""

    @abstractmethod
    def outputs(self) -> Sequence[str]:
        """S3 URIs of what it leaves."""

    def describe(self) -> dict[str, Any]:
        """What the describing call answers."""
        left_out = ("Tags",)
        described: dict[str, Any] = {name: value for name, value in self.request.items() if name not in left_out}
        described |= {
            f"{self.kind}JobArn": self.arn,
            f"{self.kind}JobStatus": self.status,
            "CreationTime": self.created_at,
            "FailureReason": self.reason or None,
            f"{self.kind}StartTime": self.started_at,
            f"{self.kind}EndTime": self.ended_at,
        }
        return {name: value for name, value in described.items() if value is not None}

    def enter(self, secondary: str, message: str = "") -> None:
        """Note a secondary status; of kinds that have one, the description shows it."""
        now = time.time()
        if self.steps:
            self.steps[-1]["EndTime"] = now
        self.steps.append({"Status": secondary, "StartTime": now, "StatusMessage": message or secondary})

    def launch(
        self, image: str, arguments: Sequence[str], root: Path, environment: Mapping[str, str], host: str
    ) -> Container:
        """Start a container of an image."""
        if image not in self.site.commands:
            raise JobError(f"ClientError: Cannot pull image {image}: it does not exist")
        stream = LogStream(self.site.logs, self.log_group, self._stream_name(host))
        self.streams.append(stream)
        variables = {**environment, "TRAINING_JOB_NAME": self.name}
        container = Container(self.site.commands[image], arguments, root, variables, stream)
        self.containers.append(container)
        return container

    def runtime(self) -> float:
        """How long it may run, in seconds."""
        return float(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", self.default_runtime))

    def wait(self) -> None:
        """Wait for the containers.

        Raises:
            Stopped, TimedOut: it was ended early, with SIGTERM and SIGKILL.
            JobError: a container ended with another code than 0.
        """
        if self.fault is not None and self.fault.kind == "killed":
            time.sleep(0.2)
            for container in self.containers:
                container.kill()
        how = wait_for_all(self.containers, until=self._flush_and_look, seconds=self.runtime())
        if how != "ended":
            for container in self.containers:
                container.end(self.site.grace_seconds)
            raise Stopped if how == "stopped" else TimedOut
        codes = [code for container in self.containers if (code := container.poll())]
        if codes:
            raise JobError(self.failure(codes[0]))

    def failure(self, code: int) -> str:
        """The FailureReason of an exit code."""
        return f"AlgorithmError: {self.said()}, exit code: {code}"

    def said(self) -> str:
        """What the first container that says so left as the reason."""
        for path in sorted(self.scratch.glob("*/output/failure")):
            return path.read_text(errors="replace")[:REASON_CHARACTERS]
        return ""

    def _flush_and_look(self) -> bool:
        for stream in self.streams:
            stream.flush()
        self.look()
        return self.asked_to_stop.is_set()

    def _stream_name(self, host: str) -> str:
        """A log of its own for every container, also where one takes the place of another."""
        return f"{self.name}/{host}-{int(self.created_at) + len(self.streams)}"

    def look(self) -> None:  # noqa: B027 - most kinds do nothing
        """What a kind of job does every now and then while its containers run."""

    def _live(self) -> None:
        try:
            self._end(*self._outcome())
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _outcome(self) -> tuple[str, str, str]:
        """Status, secondary status and reason."""
        try:
            self._run()
        except Stopped:
            return "Stopped", "Stopped", ""
        except TimedOut:
            return self.late()
        except JobError as error:
            return "Failed", "Failed", str(error)
        except Exception:  # noqa: BLE001 - a flaw of the stand-in must not look like a job that never ends
            return "Failed", "Failed", f"InternalServerError: stand-in: {traceback.format_exc()}"
        return "Completed", "Completed", ""

    def late(self) -> tuple[str, str, str]:
        """The outcome of a job that took too long."""
        return "Stopped", "MaxRuntimeExceeded", ""

    def _run(self) -> None:
        self.enter("Starting", "Launching requested ML instances")
        if self.asked_to_stop.wait(self.site.start_seconds):
            raise Stopped
        if self.fault is not None and self.fault.kind == "capacity":
            raise JobError(
                "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML "
                "instance type."
            )
        if self.fault is not None and self.fault.kind == "internal":
            raise JobError("InternalServerError: We encountered an internal error.  Please try again.")
        self.started_at = time.time()
        self.enter("Downloading", "Downloading input data")
        self.prepare()
        self.enter("Training", "Container is running")
        try:
            self.work()
        finally:
            self._close()
        self.enter("Uploading", "Uploading generated output")
        self.finish()
        if self.fault is not None and self.fault.kind == "lost_output":
            self.site.storage.lose(self.outputs())

    def _close(self) -> None:
        for container in self.containers:
            container.close()
        for stream in self.streams:
            stream.flush()

    def _end(self, status: str, secondary: str, reason: str) -> None:
        self.ended_at = time.time()
        self.enter(secondary)
        self.reason = re.sub(r"\s+$", "", reason)[:REASON_CHARACTERS]
        self.status = status  # last: who sees it sees all the rest
