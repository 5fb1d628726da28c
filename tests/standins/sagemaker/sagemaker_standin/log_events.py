"""What containers print, as log events in the group and stream in which CloudWatch has it."""

import contextlib
import threading
import time
from typing import Any

from botocore.exceptions import ClientError

MAX_EVENTS = 5_000
"""Fewer than the 10,000 that one PutLogEvents takes."""


class LogStream:
    """The log of one container; lines are sent when `flush` is called."""

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self._logs, self._group, self._stream = logs, group, stream
        self._lock = threading.Lock()
        self._lines: list[dict[str, Any]] = []
        self._is_made = False

    def __call__(self, line: str) -> None:
        """Keep a line, with the time at which it came."""
        with self._lock:
            self._lines.append({"timestamp": int(time.time() * 1000), "message": line or " "})

    def flush(self) -> None:
        """Send what there is."""
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        if not self._is_made:
            self._make()
        for start in range(0, len(lines), MAX_EVENTS):
            self._logs.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=lines[start : start + MAX_EVENTS]
            )

    def _make(self) -> None:
        with contextlib.suppress(ClientError):  # another job has made the group
            self._logs.create_log_group(logGroupName=self._group)
        self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._is_made = True
