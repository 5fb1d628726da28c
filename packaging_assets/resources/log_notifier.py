"""Alerts in a file, one line of JSON each, and on the terminal: what works without any service."""

import contextlib
import datetime as dt
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from packaging_assets.domain.alerts import Alert
from packaging_assets.resources.notifier import NotifierError


def to_terminal(text: str) -> None:
    """Write to standard error."""
    sys.stderr.write(f"{text}\n")


class LogNotifier:
    """Appends to the file `path` and calls `echo` with the message; `clock` gives aware times.

    The file holds each alert once: it is searched for the alert's key first. A line that a killed process left
    unfinished does not count, and is ended before the next one begins.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], dt.datetime], echo: Callable[[str], None] = to_terminal
    ) -> None:
        self._path = path
        self._clock = clock
        self._echo = echo

    def send(self, alert: Alert, *, may_be_repeat: bool) -> None:  # noqa: ARG002 - the file itself says so
        """Append the alert, unless an earlier attempt did."""
        try:
            if self._holds(alert.key):
                return
            self._append(alert)
        except OSError as error:
            raise NotifierError(f"{self._path} cannot be written: {error}") from error
        with contextlib.suppress(OSError, ValueError):  # a closed terminal: the alert is in the file
            self._echo(f"[{alert.severity}] {alert.title}\n{alert.body}")

    def _append(self, alert: Alert) -> None:
        line = {
            "alert": alert.key,
            "at": self._clock().isoformat(),
            "severity": alert.severity,
            "title": alert.title,
            "owners": alert.owners,
            "run_url": alert.run_url,
            "model_cards": alert.model_cards,
            "failures": [failure.model_dump(mode="json") for failure in alert.failures],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            before = b"" if _is_at_line_start(file.fileno()) else b"\n"
            file.write(before + json.dumps(line, sort_keys=True).encode() + b"\n")

    def _holds(self, key: str) -> bool:
        if not self._path.exists():
            return False
        with self._path.open(encoding="utf-8") as file:
            return any(_key_of(line) == key for line in file)


def _is_at_line_start(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _key_of(line: str) -> str | None:
    try:
        return json.loads(line).get("alert")
    except ValueError:
        return None
