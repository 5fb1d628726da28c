"""The model registry in one SQLite file, safe for any number of processes on one machine.

A write takes SQLite's write lock before it reads (`BEGIN IMMEDIATE`), so what it decides on cannot change under it; a
writer that finds the lock taken waits up to `LOCK_TIMEOUT_SECONDS`. Readers never wait (write-ahead log).
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Generator
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from packaging_assets.artifacts.clock import utc_now
from packaging_assets.domain.registry import (
    ModelVersion,
    Pin,
    Registration,
    RegistryError,
    Status,
    Transition,
    UnknownVersionError,
    choose_champion_before,
)
from packaging_assets.domain.registry_record import ModelRecord, unknown_model
from packaging_assets.resources.recorded_decisions import RecordedDecisions
from packaging_assets.resources.sqlite_registry_tables import (
    LAYOUT,
    OLD_LAYOUTS,
    PINS,
    TRANSITIONS,
    VERSIONS,
    create_registry,
    layout_of,
    migrate_registry,
    to_pin,
    to_row,
    to_transition,
    to_version,
)

LOCK_TIMEOUT_SECONDS = 30


class SqliteModelRegistry(RecordedDecisions):
    """The registry in the file `path`, which is created with the first write; `clock` gives aware times."""

    def __init__(self, path: Path, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        super().__init__(clock)
        self._path = path
        self._is_up_to_date = False
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool)
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        self._readers = engine.execution_options(begin="DEFERRED")
        self._writers = engine.execution_options(begin="IMMEDIATE")

    def register(self, registration: Registration) -> ModelVersion:
        """Add a version with the status of its verdict, or give back the existing one."""
        with self._writing() as connection:
            before = _record(connection, registration.model)
            after = before.with_version(registration, at=self._clock())
            _save(connection, before, after)
        version = after.find(registration)
        assert version is not None  # noqa: S101 - it has been added, or was found
        return version

    def models(self) -> list[str]:
        """Names of the models that have versions, sorted."""
        with self._reading() as connection:
            return [] if connection is None else _models(connection)

    def versions(self, model: str | None = None, status: Status | None = None) -> list[ModelVersion]:
        """Versions by model, then number."""
        with self._reading() as connection:
            if connection is None:
                return []
            names = _models(connection) if model is None else [model]
            found = [version for name in names for version in _record(connection, name).marked]
        return [version for version in found if status is None or version.status is status]

    def get(self, model: str, version: int) -> ModelVersion:
        """One version."""
        with self._reading() as connection:
            if connection is None:
                raise UnknownVersionError(f"There is no registry yet at {self._path}: train a model first.")
            return _known(connection, model).get(version)

    def champion(self, model: str) -> ModelVersion | None:
        """The version that serves, or None if none is approved."""
        return next((version for version in self.versions(model) if version.is_champion), None)

    def champion_before(self, model: str, week: str) -> ModelVersion | None:
        """The approved version of the latest week strictly before `week`."""
        return choose_champion_before(self.versions(model), week)

    def pinned(self, model: str) -> Pin | None:
        """The pin in force, if any."""
        with self._reading() as connection:
            return None if connection is None else _record(connection, model).pin

    def history(self, model: str) -> list[Transition]:
        """Everything that was ever done to a model's versions, oldest first."""
        with self._reading() as connection:
            return [] if connection is None else list(_record(connection, model).history)

    def _decide(self, model: str, change: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        with self._writing() as connection:
            before = _known(connection, model)
            after = change(before)
            _save(connection, before, after)
            return after

    @contextlib.contextmanager
    def _reading(self) -> Generator[sa.Connection | None]:
        """A connection on which all reads see one state; None while there is no registry yet."""
        if not self._path.exists():
            yield None
            return
        self._bring_up_to_date()
        with self._transaction(self._readers) as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Generator[sa.Connection]:
        if not self._path.exists():
            create_registry(self._path)
        self._bring_up_to_date()
        with self._transaction(self._writers) as connection:
            yield connection

    def _bring_up_to_date(self) -> None:
        """Migrate a file that an earlier version wrote; asked once, since no version goes back to an earlier layout."""
        if self._is_up_to_date:
            return
        with self._connected(self._readers) as connection:
            is_old = layout_of(connection) in OLD_LAYOUTS
        if is_old:
            with self._connected(self._writers) as connection:
                migrate_registry(connection)
        self._is_up_to_date = True

    @contextlib.contextmanager
    def _transaction(self, engine: sa.Engine) -> Generator[sa.Connection]:
        with self._connected(engine) as connection:
            self._check_layout(connection)
            yield connection

    @contextlib.contextmanager
    def _connected(self, engine: sa.Engine) -> Generator[sa.Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise RegistryError(
                f"The registry {self._path} cannot be used ({error.orig}): check that it is a registry, that its disk "
                "has room, that it may be written, and that no other process holds it."
            ) from error

    def _check_layout(self, connection: sa.Connection) -> None:
        layout = layout_of(connection)
        if layout != LAYOUT:
            raise RegistryError(
                f"The registry {self._path} has layout {layout}, and this version reads {LAYOUT}: install the version "
                "that wrote it, or name another home."
            )


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: `_begin` does
    connection.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_SECONDS * 1000}")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'IMMEDIATE')}")


def _models(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.select(VERSIONS.c.model).distinct().order_by(VERSIONS.c.model)).scalars())


def _record(connection: sa.Connection, model: str) -> ModelRecord:
    """All there is about a model; nothing of one that is not there."""
    versions = sa.select(VERSIONS).where(VERSIONS.c.model == model).order_by(VERSIONS.c.version)
    history = sa.select(TRANSITIONS).where(TRANSITIONS.c.model == model).order_by(TRANSITIONS.c.number)
    pin = connection.execute(sa.select(PINS).where(PINS.c.model == model)).mappings().one_or_none()
    return ModelRecord(
        model=model,
        versions=tuple(to_version(dict(row)) for row in connection.execute(versions).mappings()),
        history=tuple(to_transition(dict(row)) for row in connection.execute(history).mappings()),
        pin=None if pin is None else to_pin(dict(pin)),
    )


def _known(connection: sa.Connection, model: str) -> ModelRecord:
    record = _record(connection, model)
    if not record.versions:
        raise unknown_model(model, _models(connection))
    return record


def _save(connection: sa.Connection, before: ModelRecord, after: ModelRecord) -> None:
    """Write what a decision has made of a record, within the caller's transaction."""
    known = {version.version: version for version in before.versions}
    for version in after.versions:
        if version.version not in known:
            connection.execute(sa.insert(VERSIONS).values(to_row(version)))
        elif version != known[version.version]:
            here = (VERSIONS.c.model == version.model) & (VERSIONS.c.version == version.version)
            changed = {name: to_row(version)[name] for name in ("status", "actor", "updated_at")}
            connection.execute(sa.update(VERSIONS).where(here).values(changed))
    if after.pin != before.pin:
        _write_pin(connection, after.model, after.pin)
    for line in after.history[len(before.history) :]:
        row = {item.name: getattr(line, item.name) for item in fields(line)}
        connection.execute(sa.insert(TRANSITIONS).values({**row, "at": line.at.isoformat()}))


def _write_pin(connection: sa.Connection, model: str, pin: Pin | None) -> None:
    connection.execute(sa.delete(PINS).where(PINS.c.model == model))
    if pin is not None:
        row = {item.name: getattr(pin, item.name) for item in fields(pin)}
        connection.execute(sa.insert(PINS).values({**row, "pinned_at": pin.pinned_at.isoformat()}))
