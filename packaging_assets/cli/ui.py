"""`packaging ui`: the Dagster UI over a home."""

import os
import signal
import socket
import sys
from pathlib import Path

import click

from packaging_assets.cli.options import home_option
from packaging_assets.settings import PROJECT_ROOT, Settings


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Anything but loopback opens the UI to others.")
@home_option
def ui(settings: Settings, port: int, host: str) -> None:
    """Open the Dagster UI over the home, with its daemon for schedules; Ctrl-C ends both."""
    _check_can_listen(host, port)
    from packaging_assets.home import prepare_dagster_home, prepare_home  # imports the warehouse

    prepare_dagster_home(settings)
    _check_configuration(settings)
    prepare_home(settings)
    environment = {**os.environ, "PACKAGING_HOME": str(settings.home), "DAGSTER_HOME": str(settings.dagster_home)}
    # Dagster ends its servers by SIGINT. What a shell starts in the background ignores it, and so would they: they
    # would outlive the command.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dg = Path(sys.executable).parent / "dg"
    os.chdir(PROJECT_ROOT)
    os.execve(dg, [str(dg), "dev", "--host", host, "--port", str(port)], environment)  # noqa: S606 - a fixed command


def _check_can_listen(host: str, port: int) -> None:
    """Refuse before anything is started: where the UI cannot listen, Dagster's daemon would run without it."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise click.ClickException(
            f"The UI cannot listen at {host}, port {port}: {error.strerror}. If this home's UI is open already, use "
            "that one; else give another --port."
        ) from None


def _check_configuration(settings: Settings) -> None:
    """Refuse what Dagster's servers would fail by, each with a trace; the file that we write need not be looked at."""
    from packaging_assets.home import DAGSTER_YAML

    if (settings.dagster_home / "dagster.yaml").read_bytes() != DAGSTER_YAML.encode():
        from packaging_assets.dagster_storage import instance_ref  # imports Dagster

        instance_ref(settings.dagster_home)
