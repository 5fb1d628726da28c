"""`packaging ui`: the Dagster UI over a home."""

import fcntl
import os
import signal
import socket
import sys
from pathlib import Path

import click

from packaging_assets.cli.options import home_option
from packaging_assets.settings import PROJECT_ROOT, Settings

LOCK = "ui.lock"
"""File of Dagster's folder that an open UI holds a lock on; it says where the UI is."""


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Anything but loopback opens the UI to others.")
@home_option
def ui(settings: Settings, port: int, host: str) -> None:
    """Open the Dagster UI over the home, with its daemon for schedules; Ctrl-C ends both."""
    _check_can_listen(host, port)
    from packaging_assets.home import prepare_dagster_home, prepare_home  # imports the warehouse

    prepare_dagster_home(settings)
    address = _address(host, port)
    _be_the_only_one(settings, address)
    _check_configuration(settings)
    prepare_home(settings)
    environment = {**os.environ, "PACKAGING_HOME": str(settings.home), "DAGSTER_HOME": str(settings.dagster_home)}
    if "ui_url" not in settings.model_fields_set:
        environment["PACKAGING_UI_URL"] = address  # alerts link to this UI, whatever its port
    # Dagster ends its servers by SIGINT. What a shell starts in the background ignores it, and so would they: they
    # would outlive the command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dg = Path(sys.executable).parent / "dg"
    os.chdir(PROJECT_ROOT)
    os.execve(dg, [str(dg), "dev", "--host", host, "--port", str(port)], environment)  # noqa: S606 - a fixed command


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds the UI; of a UI on every interface that is loopback."""
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - it is not listened at
    return f"http://{named.get(host) or (f'[{host}]' if ':' in host else host)}:{port}"


def _check_can_listen(host: str, port: int) -> None:
    """Refuse before anything is started: where the UI cannot listen, Dagster's daemon would run without it."""
    if not host:
        raise click.BadParameter(
            "it is empty, which would open the UI to everybody: name a host, or leave the option out.",
            param_hint="--host",
        )
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise click.ClickException(
            f"The UI cannot listen at {host}, port {port}: {error.strerror}. If this home's UI is open already, use "
            "that one; else give another --port."
        ) from None


def _be_the_only_one(settings: Settings, address: str) -> None:
    """Refuse a second UI over the same home, whose daemon would launch what the first one's launches.

    The lock is Dagster's, which takes the place of this process, and ends with it however it ends.
    """
    lock = os.open(settings.dagster_home / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        there = os.read(lock, 200).decode(errors="replace")
        raise click.ClickException(
            f"This home's UI is open already, at {there}: use that one, or end it first. Of two, each would run every "
            "schedule and sensor."
        ) from None
    os.set_inheritable(lock, True)  # noqa: FBT003 - its signature
    os.truncate(lock, 0)
    os.write(lock, f"{address} (process {os.getpid()})".encode())


def _check_configuration(settings: Settings) -> None:
    """Refuse what Dagster's servers would fail by, each with a trace; the file that we write need not be looked at."""
    from packaging_assets.home import DAGSTER_YAML

    if settings.dagster_yaml.read_bytes() != DAGSTER_YAML.encode():
        from packaging_assets.dagster_storage import instance_ref  # imports Dagster

        instance_ref(settings.dagster_home)
