"""The model registry in one SQLite file, safe for any number of processes on one machine.

A write takes SQLite's write lock before it reads (`BEGIN IMMEDIATE`), so what it decides on cannot change under it; a
writer that finds the lock taken waits up to `LOCK_TIMEOUT_SECONDS`. Readers never wait (write-ahead log).
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Generator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from packaging_assets.domain.registry import (
    GATES_ACTOR,
    Action,
    ConflictError,
    ModelVersion,
    Pin,
    Registration,
    RegistryError,
    Status,
    Transition,
    TransitionError,
    UnknownVersionError,
    check_decision,
    check_person,
    check_pin,
    check_retry,
    check_transition,
    check_unseen,
    choose_champion,
    choose_champion_before,
    decisions_of,
    pin_in_force,
    served_before,
    status_at_registration,
    undoable,
)
from packaging_assets.resources.sqlite_registry_tables import (
    LAYOUT,
    PINS,
    TRANSITIONS,
    VERSIONS,
    create_registry,
    to_pin,
    to_row,
    to_transition,
    to_version,
    without_nan,
)

LOCK_TIMEOUT_SECONDS = 30


def utc_now() -> dt.datetime:
    """The present time, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class _Decision:
    """What somebody wants done, for the rules and for the record."""

    action: Action
    actor: str
    reason: str


class SqliteModelRegistry:
    """The registry in the file `path`, which is created with the first write; `clock` gives aware times."""

    def __init__(self, path: Path, *, clock: Callable[[], dt.datetime] = utc_now) -> None:
        self._path = path
        self._clock = clock
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool)
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        self._readers = engine.execution_options(begin="DEFERRED")
        self._writers = engine.execution_options(begin="IMMEDIATE")

    def register(self, registration: Registration) -> ModelVersion:
        """Add a version with the status of its verdict, or give back the existing one."""
        with self._writing() as connection:
            before = _versions(connection, registration.model)
            for existing in before:
                if _identity(existing) == _identity(registration):
                    check_retry(existing, registration.verdict)
                    return existing
            now = self._clock()
            status, reason = status_at_registration(registration, before)
            version = ModelVersion(
                **_given(registration),
                version=1 + max((known.version for known in before), default=0),
                status=status,
                actor=GATES_ACTOR,
                created_at=now,
                updated_at=now,
            )
            connection.execute(sa.insert(VERSIONS).values(to_row(version)))
            decision = _Decision(Action.REGISTER, GATES_ACTOR, reason)
            return self._record(connection, decision, before, version, from_status=None)

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
            found = [version for name in names for version in _versions(connection, name)]
        return [version for version in found if status is None or version.status is status]

    def get(self, model: str, version: int) -> ModelVersion:
        """One version."""
        with self._reading() as connection:
            if connection is None:
                raise UnknownVersionError(f"There is no registry yet at {self._path}: train a model first.")
            return self._pick(connection, _versions(connection, model), model, version)

    def champion(self, model: str) -> ModelVersion | None:
        """The version that serves, or None if none is approved."""
        return next((version for version in self.versions(model) if version.is_champion), None)

    def champion_before(self, model: str, week: str) -> ModelVersion | None:
        """The approved version of the latest week strictly before `week`."""
        return choose_champion_before(self.versions(model), week)

    def approve(
        self, model: str, version: int, *, actor: str, reason: str, expected_status: Status | None = None
    ) -> ModelVersion:
        """Approve a version; one that is approved already comes back unchanged."""
        decision = _Decision(Action.APPROVE, actor, reason)
        return self._change_status(model, version, Status.APPROVED, decision, expected_status)

    def reject(
        self, model: str, version: int, *, actor: str, reason: str, expected_status: Status | None = None
    ) -> ModelVersion:
        """Reject a version; one that is rejected already comes back unchanged."""
        decision = _Decision(Action.REJECT, actor, reason)
        return self._change_status(model, version, Status.REJECTED, decision, expected_status)

    def pin(
        self, model: str, version: int, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion:
        """Make an approved version the champion until it is unpinned."""
        with self._writing() as connection:
            before = _versions(connection, model)
            chosen = self._pick(connection, before, model, version)
            check_pin(chosen, actor, reason)
            pin = _pin(connection, model)
            if pin is not None and pin.version == version:
                return chosen
            check_unseen(decisions_of(_history(connection, model)), expected_decisions)
            self._set_pin(connection, model, chosen, actor, reason)
            decision = _Decision(Action.PIN, actor, reason)
            return self._record(connection, decision, before, chosen, from_status=chosen.status)

    def unpin(
        self, model: str, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion | None:
        """Let the weeks decide again, and return the champion."""
        check_decision(actor, reason)
        with self._writing() as connection:
            before = _versions(connection, model)
            if not before:
                raise _unknown_model(connection, model)
            pin = _pin(connection, model)
            if pin is not None:
                check_unseen(decisions_of(_history(connection, model)), expected_decisions)
                _write_pin(connection, model, None)
                unpinned = self._pick(connection, before, model, pin.version)
                decision = _Decision(Action.UNPIN, actor, reason)
                self._record(connection, decision, before, unpinned, from_status=unpinned.status)
            return _champion(_versions(connection, model))

    def roll_back(self, model: str, version: int, *, actor: str, reason: str) -> ModelVersion | None:
        """If `version` is the champion, pin the approved version that served before it; return the champion."""
        check_person(Action.ROLL_BACK, actor, reason)
        with self._writing() as connection:
            before = _versions(connection, model)
            found = self._pick(connection, before, model, version)
            if not found.is_champion:
                return _champion(before)
            chosen = served_before(found, before, _history(connection, model))
            self._set_pin(connection, model, chosen, actor, reason)
            decision = _Decision(Action.ROLL_BACK, actor, reason)
            return self._record(connection, decision, before, chosen, from_status=chosen.status)

    def undo(
        self, model: str, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion | None:
        """Restore what the last decision about a model changed, and return the champion."""
        check_person(Action.UNDO, actor, reason)
        with self._writing() as connection:
            before = _versions(connection, model)
            if not before:
                raise _unknown_model(connection, model)
            history = _history(connection, model)
            last = undoable(history)
            if last is None:
                return _champion(before)
            check_unseen(decisions_of(history), expected_decisions)
            found = self._pick(connection, before, model, last.version)
            decision = _Decision(Action.UNDO, actor, reason)
            restored = found
            if last.from_status in (None, last.to_status):
                _write_pin(connection, model, pin_in_force(history[: _position(history, last)]))
            else:
                restored = self._set_status(connection, found, last.from_status, actor)
            self._record(connection, decision, before, restored, from_status=found.status)
            return _champion(_versions(connection, model))

    def pinned(self, model: str) -> Pin | None:
        """The pin in force, if any."""
        with self._reading() as connection:
            return None if connection is None else _pin(connection, model)

    def history(self, model: str) -> list[Transition]:
        """Everything that was ever done to a model's versions, oldest first."""
        with self._reading() as connection:
            return [] if connection is None else _history(connection, model)

    def _change_status(
        self, model: str, version: int, status: Status, decision: _Decision, expected: Status | None
    ) -> ModelVersion:
        with self._writing() as connection:
            before = _versions(connection, model)
            found = self._pick(connection, before, model, version)
            if (found.status, found.actor) != (status, decision.actor):
                _check_expected(found, expected)
            check_transition(found.status, status, decision.actor, decision.reason)
            if found.status is status:
                return found
            pin = _pin(connection, model)
            if pin is not None and pin.version == version:
                raise TransitionError(
                    f"Version {version} of {model} is pinned by {pin.actor}: unpin it before rejecting it "
                    "(packaging models unpin)."
                )
            changed = self._set_status(connection, found, status, decision.actor)
            return self._record(connection, decision, before, changed, from_status=found.status)

    def _set_status(self, connection: sa.Connection, version: ModelVersion, status: Status, actor: str) -> ModelVersion:
        changed = replace(version, status=status, actor=actor, updated_at=self._clock())
        row = {name: to_row(changed)[name] for name in ("status", "actor", "updated_at")}
        here = (VERSIONS.c.model == version.model) & (VERSIONS.c.version == version.version)
        connection.execute(sa.update(VERSIONS).where(here).values(row))
        return changed

    def _set_pin(self, connection: sa.Connection, model: str, version: ModelVersion, actor: str, reason: str) -> None:
        pin = Pin(model=model, version=version.version, actor=actor, reason=reason, pinned_at=self._clock())
        _write_pin(connection, model, pin)

    def _record(
        self,
        connection: sa.Connection,
        decision: _Decision,
        before: list[ModelVersion],
        version: ModelVersion,
        *,
        from_status: Status | None,
    ) -> ModelVersion:
        """Add a line to the record, and read the version as it is now."""
        after = _versions(connection, version.model)
        champion_before, champion_after = _champion(before), _champion(after)
        connection.execute(
            sa.insert(TRANSITIONS).values(
                model=version.model,
                version=version.version,
                action=decision.action,
                from_status=from_status,
                to_status=version.status,
                from_champion=champion_before and champion_before.version,
                to_champion=champion_after and champion_after.version,
                actor=decision.actor,
                reason=decision.reason,
                at=self._clock().isoformat(),
            )
        )
        return self._pick(connection, after, version.model, version.version)

    def _pick(self, connection: sa.Connection, versions: list[ModelVersion], model: str, number: int) -> ModelVersion:
        if not versions:
            raise _unknown_model(connection, model)
        for version in versions:
            if version.version == number:
                return version
        raise UnknownVersionError(
            f"{model} has no version {number}: it has 1 to {versions[-1].version} "
            f"(packaging models list --model {model})."
        )

    @contextlib.contextmanager
    def _reading(self) -> Generator[sa.Connection | None]:
        """A connection on which all reads see one state; None while there is no registry yet."""
        if not self._path.exists():
            yield None
            return
        with self._transaction(self._readers) as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Generator[sa.Connection]:
        if not self._path.exists():
            create_registry(self._path)
        with self._transaction(self._writers) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, engine: sa.Engine) -> Generator[sa.Connection]:
        try:
            with engine.begin() as connection:
                self._check_layout(connection)
                yield connection
        except DBAPIError as error:
            raise RegistryError(
                f"The registry {self._path} cannot be used ({error.orig}): check that it is a registry, that it may be "
                "written, and that no other process holds it."
            ) from error

    def _check_layout(self, connection: sa.Connection) -> None:
        layout = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
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


def _versions(connection: sa.Connection, model: str) -> list[ModelVersion]:
    """The versions of one model by number, the champion marked."""
    query = sa.select(VERSIONS).where(VERSIONS.c.model == model).order_by(VERSIONS.c.version)
    versions = [to_version(dict(row)) for row in connection.execute(query).mappings()]
    champion = choose_champion(versions, _pin(connection, model))
    return [replace(version, is_champion=version is champion) for version in versions]


def _champion(versions: list[ModelVersion]) -> ModelVersion | None:
    return next((version for version in versions if version.is_champion), None)


def _pin(connection: sa.Connection, model: str) -> Pin | None:
    row = connection.execute(sa.select(PINS).where(PINS.c.model == model)).mappings().one_or_none()
    if row is None:
        return None
    return to_pin(dict(row))


def _write_pin(connection: sa.Connection, model: str, pin: Pin | None) -> None:
    connection.execute(sa.delete(PINS).where(PINS.c.model == model))
    if pin is not None:
        row = {item.name: getattr(pin, item.name) for item in fields(pin)}
        connection.execute(sa.insert(PINS).values({**row, "pinned_at": pin.pinned_at.isoformat()}))


def _history(connection: sa.Connection, model: str) -> list[Transition]:
    query = sa.select(TRANSITIONS).where(TRANSITIONS.c.model == model).order_by(TRANSITIONS.c.number)
    return [to_transition(dict(row)) for row in connection.execute(query).mappings()]


def _position(history: list[Transition], line: Transition) -> int:
    """Where a line stands; of lines that are alike, the last."""
    return max(number for number, other in enumerate(history) if other == line)


def _unknown_model(connection: sa.Connection, model: str) -> UnknownVersionError:
    known = ", ".join(_models(connection)) or "none so far"
    return UnknownVersionError(f"There is no model {model!r} in the registry; known models: {known}.")


def _check_expected(version: ModelVersion, expected: Status | None) -> None:
    if expected is not None and version.status is not expected:
        raise ConflictError(
            f"Version {version.version} of {version.model} is no longer {expected}: {version.actor} made it "
            f"{version.status} at {version.updated_at:%Y-%m-%d %H:%M:%S} UTC. Look at it again before deciding "
            f"(packaging models show {version.model} {version.version})."
        )


def _identity(registration: Registration) -> tuple[str, str, str]:
    return registration.model, registration.training_week, registration.fingerprint


def _given(registration: Registration) -> dict[str, Any]:
    given = {item.name: getattr(registration, item.name) for item in fields(Registration)}
    return {**given, "metrics": without_nan(registration.metrics)}
