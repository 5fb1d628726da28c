"""`packaging ui`: what it serves, and that nothing of it stays behind when it is ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.served_ui import ServedUi
from packaging_assets.cli.main import main
from packaging_assets.settings import PROJECT_ROOT

IN_THE_BACKGROUND = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
"""As a shell starts what ends in `&`: it ignores SIGINT, and so does all that it starts in turn."""

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
    with ServedUi(home, cwd=PROJECT_ROOT, started_by=IN_THE_BACKGROUND) as ui:
        answer = ui.ask(ASSETS)
        assert len(_processes_of(home)) > 1
        second = _second_ui(home)

    assert second.returncode == 1
    assert second.stderr.startswith("Error: This home's UI is open already, at http://127.0.0.1:")
    keys = {"/".join(node["assetKey"]["path"]) for node in answer["data"]["assetNodes"]}
    assert {"labels", "features", "mailer/model", "sioc/champion", "daily/predictions"} <= keys
    assert _left_of(home) == []


def _second_ui(home: Path) -> subprocess.CompletedProcess[str]:
    """`packaging ui` on a port of its own, which would go on serving."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [Path(sys.executable).parent / "packaging", "ui", "--port", port, "--home", home]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own


def test_where_the_port_is_taken_nothing_is_started_and_the_home_is_left_alone(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(main, ["ui", "--port", port, "--home", str(home)])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: The UI cannot listen at 127.0.0.1, port {port}: Address already in use")
    assert result.stderr.endswith("If this home's UI is open already, use that one; else give another --port.\n")
    assert not home.exists()


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


@pytest.mark.parametrize(
    ("settings", "host", "linked"),
    [
        ("", "127.0.0.1", "http://127.0.0.1:{port}"),
        ("", "0.0.0.0", "http://127.0.0.1:{port}"),  # noqa: S104 - nothing is started
        ('ui_url = "https://dagster.example.org"\n', "127.0.0.1", None),
    ],
)
def test_alerts_link_to_the_ui_that_is_open(
    home: Path, monkeypatch: pytest.MonkeyPatch, settings: str, host: str, linked: str | None
) -> None:
    given: list[Mapping[str, str]] = []

    def started(_path: Path, _command: list[str], environment: Mapping[str, str]) -> None:
        given.append(environment)

    def nothing(*_: object) -> None: ...

    monkeypatch.setattr(os, "execve", started)
    monkeypatch.setattr(os, "chdir", nothing)
    monkeypatch.setattr(signal, "signal", nothing)
    home.mkdir()
    (home / "settings.toml").write_text(settings)
    with socket.create_server((host, 0)) as free:
        port = str(free.getsockname()[1])
    result = CliRunner().invoke(main, ["ui", "--host", host, "--port", port, "--home", str(home)])
    assert result.exit_code == 0, result.output
    assert [environment.get("PACKAGING_UI_URL") for environment in given] == [linked and linked.format(port=port)]


def test_an_empty_host_does_not_open_the_ui_to_everybody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> None:
        raise AssertionError("it was started")

    monkeypatch.setattr(os, "execve", started)
    result = CliRunner().invoke(main, ["ui", "--host", "", "--home", str(home)])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: Invalid value for --host: it is empty, which would open the UI to everybody: name a host, or leave the "
        "option out."
    )
    assert not home.exists()
