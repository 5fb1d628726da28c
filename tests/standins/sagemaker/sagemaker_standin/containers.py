"""A container of the stand-in: the entry point as a process of its own, under a folder of its own."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sagemaker_standin.warm_image import WarmImage

KEPT_VARIABLES = ("PATH", "HOME", "LANG", "PYTHONPATH", "OMP_NUM_THREADS", "PACKAGING_STEP_PACKAGES")
"""What a container gets of the stand-in's own environment: no credentials, no endpoints."""

Image = Sequence[str] | WarmImage
"""What an image is here: a command, or the same at hand."""


def kept_variables() -> dict[str, str]:
    """Those that this process has."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


class Container:
    """One running container.

    Args:
        image: program and arguments, or an image that has the program at hand.
        arguments: further ones.
        root: what `/opt/ml` is inside.
        environment: the job's variables.
        log: takes each line that the container prints.
    """

    def __init__(
        self,
        image: Image,
        arguments: Sequence[str],
        root: Path,
        environment: Mapping[str, str],
        log: Callable[[str], None],
    ) -> None:
        variables = {**kept_variables(), **environment, "PACKAGING_ML_ROOT": str(root)}
        if isinstance(image, WarmImage):
            self._process = image.start(arguments, root, variables)
        else:
            self._process = _start([*image, *arguments], root, variables)
        self._reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self._reader.start()

    def poll(self) -> int | None:
        """Exit code as a shell would tell it, or None while it runs."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def end(self, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL to all of its processes."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Read what it still has to say, and leave nothing of it."""
        if self._process.poll() is None:
            self.kill()
        self._signal(signal.SIGKILL)  # what it started and left behind
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def _read(self, log: Callable[[str], None]) -> None:
        stream: Any = self._process.stdout
        for line in stream:
            log(line.rstrip("\n"))


def _start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - the command is the stand-in's own configuration
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def wait_for_all(containers: Sequence[Container], *, until: Callable[[], bool], seconds: float) -> str:
    """Wait until all have ended ("ended"), one failed ("ended"), `until` says so ("stopped"), or it is "late"."""
    deadline = time.monotonic() + seconds
    while True:
        codes = [container.poll() for container in containers]
        if all(code is not None for code in codes) or any(codes):
            return "ended"
        if until():
            return "stopped"
        if time.monotonic() > deadline:
            return "late"
        time.sleep(0.02)
