"""The dbt project as the platform sees it: its manifest, and how dbt is called.

dbt runs in this process: the command line spends four seconds on imports and parsing where a build takes one.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.flushing import write_whole
from packaging_assets.settings import Settings

TARGETS = {"local": "duckdb", "aws": "redshift"}

SOURCES_FILE = "manifest_sources.txt"
"""Beside the manifest: `sources_hash` of what it was parsed from."""


class DbtProjectError(Exception):
    """The dbt project does not parse; the message carries dbt's own."""


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What `dbt_project/profiles.yml` reads from the environment."""
    warehouse = _redshift_environment(settings) if settings.env == "aws" else _duckdb_environment(settings)
    return {**warehouse, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def _duckdb_environment(settings: Settings) -> dict[str, str]:
    return {
        "PACKAGING_WAREHOUSE_PATH": str(settings.warehouse_path),
        "PACKAGING_WAREHOUSE_MEMORY_LIMIT": settings.warehouse_memory_limit,
        "PACKAGING_THREADS": str(settings.threads),
    }


def _redshift_environment(settings: Settings) -> dict[str, str]:
    """The password is among dbt's own secrets, which it keeps out of logs and artifacts."""
    password = settings.redshift_password
    return {
        "PACKAGING_REDSHIFT_METHOD": settings.redshift_method,
        "PACKAGING_REDSHIFT_HOST": settings.redshift_host,
        "PACKAGING_REDSHIFT_PORT": str(settings.redshift_port),
        "PACKAGING_REDSHIFT_DATABASE": settings.redshift_database,
        "PACKAGING_REDSHIFT_USER": settings.redshift_user,
        "PACKAGING_REDSHIFT_CLUSTER": settings.redshift_cluster,
        "PACKAGING_REDSHIFT_WORKGROUP": settings.redshift_workgroup,
        "PACKAGING_REDSHIFT_REGION": settings.aws_region,
        **({} if password is None else {"DBT_ENV_SECRET_REDSHIFT_PASSWORD": password.get_secret_value()}),
    }


def dbt_manifest(settings: Settings) -> Path:
    """The path of an up-to-date manifest; parses the project only if its sources are others than the last manifest's.

    It is also parsed if the manifest is cut off, as a process leaves it that is killed while dbt writes it.

    Raises:
        DbtProjectError: the project does not parse.
    """
    manifest = settings.dbt_target_path / "manifest.json"
    if _parsed_sources(settings) != sources_hash(settings.dbt_project_path) or not _is_whole(manifest):
        parse(settings)
    return manifest


def sources_hash(project: Path) -> str:
    """sha256 over everything that dbt parses, by name and content.

    Times would not do: files that are deleted have none, and those that an archive or `rsync` brings have old ones.
    """
    folders = ("models", "macros", "seeds", "tests")
    files = [path for folder in folders for path in (project / folder).rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for path in sorted([*files, project / "dbt_project.yml", project / "profiles.yml"]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _parsed_sources(settings: Settings) -> str | None:
    try:
        return (settings.dbt_target_path / SOURCES_FILE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _is_whole(manifest: Path) -> bool:
    try:
        json.loads(manifest.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return True


def parse(settings: Settings) -> Any:
    """Parse the project and write its manifest; returns dbt's own `Manifest`.

    Raises:
        DbtProjectError: the project does not parse.
    """
    sources = sources_hash(settings.dbt_project_path)  # before: what is changed meanwhile is parsed again
    result = invoke(settings, ["parse"])
    if not result.success:
        raise DbtProjectError(
            f"The dbt project in {settings.dbt_project_path} does not parse: {result.exception or result.result}"
        )
    write_whole(settings.dbt_target_path / SOURCES_FILE, sources)
    return result.result


def invoke(
    settings: Settings,
    command: Sequence[str],
    *,
    manifest: Any = None,
    on_event: Callable[[Any], None] | None = None,
) -> Any:
    """Run a dbt command in this process.

    Args:
        settings: which home's warehouse, and which target.
        command: dbt's arguments.
        manifest: a parsed project to use instead of parsing it again; other `--vars` alone would make dbt do that.
        on_event: gets each of dbt's log events.

    Returns:
        dbt's `dbtRunnerResult`.

    Raises:
        BaseException: what is no error of dbt's, such as `KeyboardInterrupt`, which dbt itself would make a result.
    """
    with log_handlers_kept():
        from dbt.cli.main import dbtRunner

    project, target = str(settings.dbt_project_path), str(settings.dbt_target_path)
    options = [
        *("--quiet", "--no-use-colors", "--log-level-file", "none"),
        *("--project-dir", project, "--profiles-dir", project),
        *("--target", TARGETS[settings.env], "--target-path", target, "--log-path", target),
    ]
    with _environment(dbt_environment(settings)):
        try:
            result = dbtRunner(manifest=manifest, callbacks=[on_event] if on_event else []).invoke([*command, *options])
        finally:
            _release_warehouse(settings)
    if result.exception is not None and not isinstance(result.exception, Exception):
        raise result.exception
    return result


@contextmanager
def log_handlers_kept() -> Generator[None]:
    """Import dbt in the block: snowplow-tracker, which dbt imports, has every log record go to stderr from then on."""
    before = list(logging.root.handlers)
    yield
    for handler in [handler for handler in logging.root.handlers if handler not in before]:
        logging.root.removeHandler(handler)


def _release_warehouse(settings: Settings) -> None:
    """Close the database file, which dbt would keep open, and so locked, until this process ends."""
    if settings.env == "local":
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        DuckDBConnectionManager.close_all_connections()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
