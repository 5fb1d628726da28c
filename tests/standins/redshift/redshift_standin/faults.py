"""Trouble on demand: what the stand-in shall get wrong, how often, and for which requests or statements."""

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

CALL_FAULTS = ("throttle", "error", "slow", "lost_answer", "twice")
"""Of calls of the Data API. throttle: ThrottlingException, nothing done. error: HTTP 500, nothing done. slow: done, and
answered after `seconds`. lost_answer: done, and the connection is closed. twice: done twice, as by a proxy that repeats
a request, and the second answer is given."""

STATEMENT_FAULTS = ("slow_statement", "failed_statement", "conflict", "aborted", "disconnected")
"""Of statements, by the Data API or on the wire. slow_statement: runs `seconds` longer. failed_statement: fails with
`message`. conflict: fails with error 1023, as if another transaction wrote to the same table. aborted: ends ABORTED, as
if an administrator had stopped it. disconnected: the connection to the database is lost."""


@dataclass(frozen=True)
class Fault:
    """One thing going wrong `times` times.

    Attributes:
        kind: one of `CALL_FAULTS` or `STATEMENT_FAULTS`.
        operation: in calls of this operation only; "" for any.
        matching: in calls and statements only whose SQL this regular expression is found in, case ignored.
        times: how often.
        seconds: how long, of what is slow.
        message: what a failed statement says.
    """

    kind: str
    operation: str = ""
    matching: str = ""
    times: int = 1
    seconds: float = 0.0
    message: str = "Query failed by the stand-in on request"

    def __post_init__(self) -> None:
        if self.kind not in CALL_FAULTS + STATEMENT_FAULTS:
            raise ValueError(f"fault {self.kind!r} is none of {', '.join(CALL_FAULTS + STATEMENT_FAULTS)}")


@dataclass
class Faults:
    """The faults that are still to happen, in the order in which they were injected; safe to use from any thread."""

    _left: list[tuple[Fault, int]] = field(default_factory=list[tuple[Fault, int]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, kind: str, **settings: Any) -> None:
        """Let something go wrong from now on; the settings are those of `Fault`."""
        fault = Fault(kind, **settings)
        with self._lock:
            self._left.append((fault, fault.times))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._left.clear()

    def waiting(self) -> list[Mapping[str, Any]]:
        """What is still to happen; `times` counts down."""
        with self._lock:
            return [{**asdict(fault), "times": times} for fault, times in self._left]

    def of_call(self, operation: str, sql: str) -> Fault | None:
        """The fault of this call, if any; it counts as having happened."""
        return self._take(CALL_FAULTS, operation, sql)

    def of_statement(self, sql: str) -> Fault | None:
        """The fault of this statement, likewise."""
        return self._take(STATEMENT_FAULTS, "", sql)

    def _take(self, kinds: tuple[str, ...], operation: str, sql: str) -> Fault | None:
        with self._lock:
            for place, (fault, times) in enumerate(self._left):
                is_of_operation = not fault.operation or fault.operation == operation
                if fault.kind in kinds and is_of_operation and re.search(fault.matching, sql, re.IGNORECASE):
                    self._left[place : place + 1] = [(fault, times - 1)] if times > 1 else []
                    return fault
        return None
