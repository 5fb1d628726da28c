"""Whether dbt finds its project and, for `aws`, the warehouse."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from packaging_assets.doctor.aws_answers import ROLES
from packaging_assets.doctor.check import Check, ProblemError
from packaging_assets.settings import Settings

SECONDS = 120.0
"""Importing dbt and parsing the project take ten seconds of a quiet machine."""

REACH_SECONDS = 5.0


def project_check(settings: Settings) -> Check:
    """The project parses."""
    return Check("dbt project", lambda: _project(settings), seconds=SECONDS)


def connection_check(settings: Settings) -> Check:
    """The connection of dbt itself, which is not the Data API's: it needs a way to the warehouse's port."""
    return Check(
        "dbt connection", lambda: _connection(settings), seconds=SECONDS, after="warehouse", needs=("redshift_host",)
    )


def _project(settings: Settings) -> str:
    from packaging_assets.resources.dbt_project import dbt_manifest

    with _existing_home(settings) as used:
        manifest = dbt_manifest(used)
        return f"manifest at {manifest}" if used is settings else "it parses"


@contextmanager
def _existing_home(settings: Settings) -> Generator[Settings]:
    """The settings; of a home that is not there, with a folder for the time being: dbt writes where it looks."""
    if settings.home.is_dir():
        yield settings
        return
    with tempfile.TemporaryDirectory() as folder:
        yield settings.model_copy(update={"home": Path(folder)})


def _connection(settings: Settings) -> str:
    """By `dbt debug`, in a process of its own: it cannot be ended inside this one."""
    _reach(settings.redshift_host, settings.redshift_port)
    with _existing_home(settings) as used:
        return _sign_in(used)


def _sign_in(settings: Settings) -> str:
    from packaging_assets.resources.dbt_project import TARGETS, dbt_environment

    project, where = str(settings.dbt_project_path), f"{settings.redshift_host}:{settings.redshift_port}"
    command = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "debug", "--connection"]
    command += ["--project-dir", project, "--profiles-dir", project, "--target", TARGETS[settings.env]]
    settings.dbt_target_path.mkdir(parents=True, exist_ok=True)
    outcome = subprocess.run(  # noqa: S603 - a fixed command
        command,
        env={**os.environ, **dbt_environment(settings), "DBT_LOG_PATH": str(settings.dbt_target_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS - 10,
        check=False,
    )
    if outcome.returncode != 0:
        raise ProblemError(
            f"dbt does not sign in at {where}: {_reason(outcome.stdout)}",
            "See PACKAGING_REDSHIFT_METHOD: 'iam' needs redshift-serverless:GetCredentials or "
            f"redshift:GetClusterCredentials (RunRole in {ROLES} has it), 'database' PACKAGING_REDSHIFT_USER and "
            "PACKAGING_REDSHIFT_PASSWORD.",
        )
    return f"dbt signs in at {where} by {settings.redshift_method}"


def _reach(host: str, port: int) -> None:
    """Whether anything listens there; dbt itself would wait for minutes, since its profile sets no time limit."""
    try:
        socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except OSError as error:
        raise ProblemError(
            f"nothing answers at {host}:{port}: {error.strerror or error}",
            "Correct PACKAGING_REDSHIFT_HOST and PACKAGING_REDSHIFT_PORT, or open the way: the warehouse's security "
            "group must let this machine in, and its VPC must be reachable from here.",
        ) from error


def _reason(said: str) -> str:
    """What the database answered, which dbt tells below a line that begins with ">"."""
    lines = [line.strip() for line in said.splitlines()]
    begin = next((number for number, line in enumerate(lines) if line.startswith(">")), None)
    if begin is None:
        return "dbt does not say why"
    end = next((number for number in range(begin, len(lines)) if not lines[number]), len(lines))
    return " ".join(lines[begin:end]).lstrip("> ")
