"""`packaging ui` as a server that answers questions: for what measures it, and for its test."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 180
START = "from packaging_assets.cli import main; main()"
LOADED = "query { workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"


class ServedUi:
    """`packaging ui` on a free port, from when it has loaded the project; ended with the block.

    Args:
        home: the home it opens.
        cwd: the project's folder.
        env: its environment; None for this process's.
        started_by: a command that starts the one given as its arguments.
    """

    def __init__(
        self, home: Path, *, cwd: Path, env: Mapping[str, str] | None = None, started_by: Sequence[str] = ()
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        command = [*started_by, sys.executable, "-c", START, "ui", "--port", str(self._port), "--home", str(home)]
        self._process = subprocess.Popen(  # noqa: S603 - our own code
            command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> "ServedUi":
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                entries = self.ask(LOADED)["data"]["workspaceOrError"]["locationEntries"]
                if entries and all(entry["loadStatus"] == "LOADED" for entry in entries):
                    return self
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.05)
        self.__exit__()
        raise TimeoutError(f"the UI did not load the project within {PATIENCE_SECONDS} s")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        finally:
            self._process.kill()

    def ask(self, query: str) -> dict[str, Any]:
        """The answer to a GraphQL query."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - loopback
            return json.load(answer)
