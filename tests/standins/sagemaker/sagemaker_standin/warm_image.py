"""An image whose containers start within milliseconds: forks of a process that has imported their modules already."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

SCRIPT = Path(__file__).with_name("warm_start.py")
LOST = -signal.SIGKILL
_NUMBER = struct.Struct("<i")


class WarmImage:
    """`python -m <program>`, each time in a process of its own, with `modules` imported before it begins.

    Args:
        program: the module that is run.
        modules: what a container would import first.
        environment: of the process that imports them.
    """

    def __init__(self, program: str, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - a script of the stand-in's own
                [sys.executable, "-P", str(SCRIPT), program, *modules],
                stdin=theirs,
                env=dict(environment),
                start_new_session=True,
            )

    def start(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "WarmProcess":
        """Start a container; it has the `environment`, and stands in the `folder`."""
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        with theirs, self._lock:
            socket.send_fds(self._control, [b"+"], [theirs.fileno(), writer])
        os.close(writer)
        asked = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
        ours.sendall(json.dumps(asked).encode() + b"\n")
        return WarmProcess(ours, reader)

    def stop(self) -> None:
        """Start none any more."""
        self._control.close()
        self._process.wait()

    def __enter__(self) -> "WarmImage":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class WarmProcess:
    """A process of a warm image, to be waited for as a `subprocess.Popen`.

    Attributes:
        pid: its id, which is its group's, too.
        stdout: all that it prints.
    """

    def __init__(self, connection: socket.socket, output: int) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self._code: int | None = None
        self.stdout = os.fdopen(output, encoding="utf-8", errors="replace")
        self.pid = self._receive()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one.

        Raises:
            subprocess.TimeoutExpired: there was none in `timeout` seconds.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("container", timeout or 0)
        return code

    def _ended(self, seconds: float | None) -> int | None:
        with self._lock:
            if self._code is None and select.select([self._connection], [], [], seconds)[0]:
                self._code = self._receive()
                self._connection.close()
            return self._code

    def _receive(self) -> int:
        said = self._connection.recv(_NUMBER.size, socket.MSG_WAITALL)
        return _NUMBER.unpack(said)[0] if len(said) == _NUMBER.size else LOST
