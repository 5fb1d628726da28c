"""Where Dagster keeps its runs, and the platform its alerts."""

from packaging_assets.doctor.check import Advice, Check, ProblemError
from packaging_assets.domain.plain_text import first_line
from packaging_assets.settings import Settings

SECONDS = 60.0
"""Importing Dagster alone takes two seconds of a quiet machine."""


def checks(settings: Settings) -> list[Check]:
    """Dagster's storage; for `aws` also the database of alerts."""
    found = [Check("Dagster storage", lambda: _dagster(settings), seconds=SECONDS)]
    if settings.env == "aws":
        found.append(Check("state database", lambda: _state(settings), seconds=SECONDS))
    return found


def _dagster(settings: Settings) -> str | Advice:
    if not settings.dagster_yaml.is_file():
        return f"none yet in {settings.dagster_home}: what is run first makes it"
    from packaging_assets.dagster_storage import REMEDY, DagsterYamlError, open_instance

    try:
        with open_instance(settings.dagster_home) as instance:
            runs, kind = instance.get_runs_count(), type(instance.run_storage).__name__
    except DagsterYamlError as error:
        raise ProblemError(f"Dagster's storage does not open: {error.problems}", f"{REMEDY.capitalize()}.") from error
    except Exception as error:
        raise ProblemError(
            f"Dagster's storage does not open: {first_line(error)}",
            f"See {settings.dagster_home / 'dagster.yaml'}; after an upgrade: dagster instance migrate",
        ) from error
    found = f"{runs} runs in {kind} of {settings.dagster_home}"
    if settings.env == "aws" and "Sqlite" in kind:
        return Advice(found, "SQLite files serve one machine: use the dagster.yaml of deploy/, with PostgreSQL.")
    return found


def _state(settings: Settings) -> str | Advice:
    if settings.state_database_url is None:
        return Advice(
            f"none: alerts are kept in {settings.alerts_path}",
            "Set PACKAGING_STATE_DATABASE_URL if more than one machine runs the platform.",
        )
    import sqlalchemy as sa
    from sqlalchemy.exc import SQLAlchemyError

    from packaging_assets.resources.alert_database import AlertStoreError, database_url

    try:
        url = database_url(settings.state_database_url.get_secret_value())
    except AlertStoreError as error:
        raise ProblemError(str(error), "Correct PACKAGING_STATE_DATABASE_URL.") from error
    shown = url.render_as_string(hide_password=True)
    arguments = {"connect_timeout": 5} if url.get_backend_name() == "postgresql" else {}
    try:
        engine = sa.create_engine(url, connect_args=arguments, poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text("select 1"))
    except (SQLAlchemyError, ImportError) as error:
        said = first_line(error)
        password = str(url.password or "")
        raise ProblemError(
            f"{shown} does not answer: {said.replace(password, '***') if password else said}",
            "Correct PACKAGING_STATE_DATABASE_URL (its user and password); is the network open to the host?",
        ) from error
    return shown
