"""Where the alert store keeps its rows: one SQLite file, or a PostgreSQL database that several machines share.

Both are used alike: a transaction holds the store's one lock from its beginning, so that nothing it has read can change
before it writes, whoever else is at work. In SQLite that is the file's write lock, in PostgreSQL an advisory lock.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

LOCK_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10
POSTGRES_LOCK = 0x616C657274  # "alert": one number for all who share the database

_TABLES = """
create table if not exists alerts
    (key text primary key, found_at double precision not null, alert text not null{numbered});
create table if not exists failures (key text primary key, alert text not null references alerts (key));
create table if not exists deliveries (
    alert text not null references alerts (key),
    route text not null,
    attempts integer not null default 0,
    due_at double precision not null,
    claimed_until double precision,
    interruptions integer not null default 0,
    sent_at double precision,
    error text{numbered},
    primary key (alert, route)
);
create table if not exists looks (name text primary key, at double precision not null);
"""


class AlertStoreError(Exception):
    """The alerts cannot be read or written; the message names file or database, and no password."""


class AlertDatabase:
    """The database at `place`: a path means an SQLite file, which is made with the first use, a text a database URL.

    Args:
        place: a path; or a URL as SQLAlchemy writes it, `postgresql://user:password@host/database` or `sqlite:///...`.
            The tables are made if they are not there.

    Raises:
        AlertStoreError: the URL is none, or is of another kind of database.
    """

    def __init__(self, place: Path | str) -> None:
        self._place = place
        self._has_tables = False

    def is_there(self) -> bool:
        """Whether there may be anything: a file that nothing was written to yet does not exist."""
        return self._is_postgres or Path(str(self._url.database)).exists()

    @property
    def row_order(self) -> str:
        """The column that counts the rows of `alerts` and of `deliveries` as they come."""
        return "number" if self._is_postgres else "rowid"

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A transaction that holds the lock, and happens whole or not at all.

        Raises:
            AlertStoreError: file or database cannot be used, or others hold the lock for too long.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if not self._is_postgres and self._url.database:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            if not self._has_tables:
                with self._engine.begin() as connection:
                    self._lock(connection)
                    self._make_tables(connection)
                self._has_tables = self._is_postgres  # a file may be deleted while it is not in use
            with self._engine.begin() as connection:
                self._lock(connection)
                yield connection
        except (SQLAlchemyError, OSError) as error:
            # SQLAlchemy's own text has the statement's parameters in it; the driver's says what is wrong.
            raise AlertStoreError(
                f"The alerts in {self._shown} cannot be read or written "
                f"({str(getattr(error, 'orig', None) or error).strip()}): {self._remedy}"
            ) from error

    def close(self) -> None:
        """Close its connections; the next use opens new ones."""
        self._engine.dispose()

    def _lock(self, connection: Connection) -> None:
        if self._is_postgres:
            connection.exec_driver_sql(f"set local lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({POSTGRES_LOCK})")

    def _make_tables(self, connection: Connection) -> None:
        tables = _TABLES.format(numbered=", number bigserial" if self._is_postgres else "")
        for statement in tables.split(";")[:-1]:
            connection.exec_driver_sql(statement)

    @cached_property
    def _url(self) -> URL:
        import sqlalchemy as sa

        if isinstance(self._place, Path):
            return sa.URL.create("sqlite", database=str(self._place))
        return database_url(self._place)

    @cached_property
    def _engine(self) -> Engine:
        import sqlalchemy as sa
        from sqlalchemy import event

        if not self._is_postgres:
            arguments = {"timeout": LOCK_TIMEOUT_SECONDS, "isolation_level": None}
            engine = sa.create_engine(self._url, poolclass=sa.NullPool, connect_args=arguments)
            event.listen(engine, "begin", _begin_immediate)
            return engine
        try:
            return sa.create_engine(
                self._url,
                pool_size=1,
                pool_pre_ping=True,  # a connection that a failover has cut is replaced unnoticed
                pool_recycle=3600,
                # What is read after the lock was taken must be what the lock's last holder wrote.
                isolation_level="READ COMMITTED",
                connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "packaging alerts"},
            )
        except ImportError as error:
            raise AlertStoreError(
                f"The alerts in {self._shown} need a database driver that is not installed ({error}): install "
                "packaging-assets with the extra `aws`."
            ) from error

    @property
    def _is_postgres(self) -> bool:
        return not isinstance(self._place, Path) and self._url.get_backend_name() == "postgresql"

    @property
    def _shown(self) -> str:
        return str(self._url.database) if not self._is_postgres else self._url.render_as_string(hide_password=True)

    @property
    def _remedy(self) -> str:
        if self._is_postgres:
            return "check that the database is up and reachable and that its user may create tables and write them."
        return "check that the file is whole and may be written."


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("begin immediate")


def database_url(text: str) -> URL:
    """The URL of a database, of PostgreSQL with the driver that is installed here.

    Raises:
        AlertStoreError: the URL is none, or is of another kind of database.
    """
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError

    try:
        url = sa.make_url(text)
    except ArgumentError:
        raise AlertStoreError(
            "The alerts' database URL (not shown, it may hold a password) is none that SQLAlchemy can read: write "
            "it as postgresql://user:password@host:5432/database, with %xx for special characters."
        ) from None
    if url.drivername in {"postgres", "postgresql"}:  # SQLAlchemy's default is a driver that is not installed here
        url = url.set(drivername="postgresql+psycopg2")
    if url.get_backend_name() not in {"postgresql", "sqlite"}:
        raise AlertStoreError(
            f"Alerts are kept in PostgreSQL or SQLite, and {url.get_backend_name()!r} is neither: set "
            "PACKAGING_STATE_DATABASE_URL to postgresql://..., or to nothing for a file in the home."
        )
    return url
