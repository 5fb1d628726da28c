"""`packaging ui`: what it serves, and that nothing of it stays behind when it is ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PACKAGING = str(Path(sys.executable).with_name("packaging"))
IN_THE_BACKGROUND = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
"""As a shell starts what ends in `&`: it ignores SIGINT, and so does all that it starts in turn."""

PATIENCE_SECONDS = 180
ASSETS = "query { assetNodes { assetKey { path } } }"
PROC = Path("/proc")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    for process in _processes_of(home):
        os.kill(process, signal.SIGKILL)


@pytest.mark.skipif(not PROC.is_dir(), reason="finds processes by /proc")
def test_it_serves_all_assets_and_ends_with_all_its_servers_even_if_started_in_the_background(home: Path) -> None:
    port = _free_port()
    command = [PACKAGING, "ui", "--port", str(port), "--home", str(home)]
    with subprocess.Popen([*IN_THE_BACKGROUND, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ui:  # noqa: S603 - a fixed command
        try:
            answer = _answer(ui, port)
            assert len(_processes_of(home)) > 1

            ui.terminate()
            ui.wait(timeout=60)
        finally:
            ui.kill()

    keys = {"/".join(node["assetKey"]["path"]) for node in answer["data"]["assetNodes"]}
    assert {"labels", "features", "mailer/model", "sioc/champion", "daily/predictions"} <= keys
    assert _left_of(home) == []


def _answer(ui: "subprocess.Popen[bytes]", port: int) -> dict[str, Any]:
    """All assets, as soon as the project is loaded."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": ASSETS}).encode(),
        headers={"Content-Type": "application/json"},
    )
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and ui.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - loopback
                found = json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            found = {}
        if found.get("data", {}).get("assetNodes"):
            return found
        time.sleep(0.2)
    raise AssertionError(f"the UI served no assets within {PATIENCE_SECONDS} s; exit code: {ui.poll()}")


def _left_of(home: Path) -> list[int]:
    """Processes that still run when they had time to end."""
    end = time.monotonic() + 60
    while (left := _processes_of(home)) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def _processes_of(home: Path) -> list[int]:
    """Processes that were given this home and still run."""
    return [int(folder.name) for folder in PROC.glob("[0-9]*") if _was_given(folder, home)]


def _was_given(process: Path, home: Path) -> bool:
    try:
        return f"PACKAGING_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
