"""What can be made to go wrong, call by call and job by job."""

import threading
from dataclasses import asdict, dataclass
from typing import Any

CALL_FAULTS = ("throttle", "error", "limit", "no_quota", "slow", "lost_answer", "twice")
"""throttle: ThrottlingException, nothing done. error: HTTP 500, nothing done. limit: ResourceLimitExceeded, since all
machines that the account may have are at work, nothing done; no_quota: since it may have none. slow: done after
`seconds`. lost_answer: done, and the connection is closed. twice: done twice, as by a proxy that repeats a request, and
the second answer is given."""

JOB_FAULTS = ("capacity", "internal", "killed", "lost_output", "interrupted")
"""capacity: the job fails with CapacityError before it runs. internal: with InternalServerError, before it runs.
killed: its container gets SIGKILL, as from the kernel when memory is short. lost_output: the job is Completed, and one
object of its output is missing. interrupted: the machine of a training job on spare capacity is taken away, once it
has a checkpoint or after `seconds`, and the job goes on on another."""


@dataclass
class Fault:
    """One thing going wrong `times` times; in calls of `operation` only, unless that is empty."""

    kind: str
    operation: str = ""
    times: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in CALL_FAULTS + JOB_FAULTS:
            raise ValueError(f"fault {self.kind!r} is none of {', '.join(CALL_FAULTS + JOB_FAULTS)}")


class Faults:
    """The faults that are still to happen, in the order in which they were injected."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def inject(self, kind: str, operation: str = "", *, times: int = 1, seconds: float = 0.0) -> None:
        """Let something go wrong from now on."""
        with self._lock:
            self._waiting.append(Fault(kind, operation, times, seconds))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._waiting.clear()

    def of_call(self, operation: str) -> Fault | None:
        """The fault of this call, if any; it counts as having happened."""
        return self._take(CALL_FAULTS, operation)

    def of_job(self, operation: str) -> Fault | None:
        """The fault of the job that `operation` has created, likewise."""
        return self._take(JOB_FAULTS, operation)

    def waiting(self) -> list[dict[str, Any]]:
        """What is still to happen."""
        with self._lock:
            return [asdict(fault) for fault in self._waiting]

    def _take(self, kinds: tuple[str, ...], operation: str) -> Fault | None:
        with self._lock:
            for fault in self._waiting:
                if fault.kind in kinds and fault.operation in {"", operation}:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None
