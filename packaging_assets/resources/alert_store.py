"""What was told already, what is still to be sent, and to whom: one SQLite file, safe for several processes.

An alert is kept with its failures' keys before anything is sent, and each route's delivery is a row of its own, so a
route that cannot be reached does not hold up the others. A delivery is claimed, sent, and marked as sent. A sender that
is killed in between leaves a claim that runs out; the next one is told that it may be repeating.
"""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging_assets.domain.alerts import Alert
from packaging_assets.resources.notifier import Route

CLAIM_SECONDS = 120.0
LOCK_TIMEOUT_SECONDS = 30

_TABLES = """
create table if not exists alerts (key text primary key, found_at real not null, alert text not null);
create table if not exists failures (key text primary key, alert text not null references alerts (key));
create table if not exists deliveries (
    alert text not null references alerts (key),
    route text not null,
    attempts integer not null default 0,
    due_at real not null,
    claimed_until real,
    interruptions integer not null default 0,
    sent_at real,
    error text,
    primary key (alert, route)
);
create table if not exists looks (name text primary key, at real not null);
"""

_NEXT_DUE = """
select deliveries.alert as key, attempts, interruptions, claimed_until is not null as was_claimed, alerts.alert as alert
from deliveries join alerts on alerts.key = deliveries.alert
where route = :route and sent_at is null and due_at <= :now and coalesce(claimed_until, 0) <= :now
order by attempts, found_at, alerts.rowid limit 1
"""
# After a failed attempt nothing is sent that way before its next one is due; a claim is not a failed attempt.
_BACKS_OFF = "select 1 from deliveries where route = :route and sent_at is null and attempts > 0 and due_at > :now"


class AlertStoreError(Exception):
    """The file of alerts cannot be used; the message names it."""


@dataclass(frozen=True)
class Claim:
    """A delivery that this process is about to make; `was_interrupted` if an earlier attempt never reported back."""

    alert: Alert
    route: str
    attempts: int
    was_interrupted: bool


@dataclass(frozen=True)
class Delivery:
    """One alert on one route; times are seconds since 1970, UTC, `sent_at` none while it is still to be sent."""

    route: str
    attempts: int
    due_at: float
    sent_at: float | None
    error: str | None


@dataclass(frozen=True)
class KeptAlert:
    """An alert, when it was found, and what became of it."""

    alert: Alert
    found_at: float
    deliveries: tuple[Delivery, ...]

    @property
    def is_sent(self) -> bool:
        """Whether it has arrived everywhere."""
        return all(delivery.sent_at is not None for delivery in self.deliveries)


class AlertStore:
    """The alerts in the file `path`, which is made with the first write. Times are seconds since 1970, UTC."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, alert: Alert, routes: Sequence[Route], *, now: float) -> Alert | None:
        """Keep what is new of an alert for the routes that take it, and return that; None if all of it is known."""
        with self._transaction() as connection:
            marks = ", ".join("?" * len(alert.failures))
            known = connection.execute(
                f"select key from failures where key in ({marks})",  # noqa: S608 - question marks only
                alert.failure_keys,
            )
            news = alert.without({row["key"] for row in known})
            if news is None:
                return None
            connection.execute("insert into alerts values (?, ?, ?)", (news.key, now, news.model_dump_json()))
            connection.executemany("insert into failures values (?, ?)", [(key, news.key) for key in news.failure_keys])
            connection.executemany(
                "insert into deliveries (alert, route, due_at) values (?, ?, ?)",
                [(news.key, route.name, now) for route in routes if route.takes(news)],
            )
            return news

    def claim(self, route: str, *, now: float) -> Claim | None:
        """Take the route's next due delivery for `CLAIM_SECONDS`; those that failed least come first, then oldest.

        None if nothing is due, or if the route backs off after a failure.
        """
        with self._transaction() as connection:
            values = {"route": route, "now": now}
            if connection.execute(_BACKS_OFF, values).fetchone():
                return None
            row = connection.execute(_NEXT_DUE, values).fetchone()
            if row is None:
                return None
            interruptions = row["interruptions"] + row["was_claimed"]
            connection.execute(
                "update deliveries set claimed_until = ?, interruptions = ? where alert = ? and route = ?",
                (now + CLAIM_SECONDS, interruptions, row["key"], route),
            )
            alert = Alert.model_validate_json(row["alert"])
            return Claim(alert, route, row["attempts"], was_interrupted=interruptions > 0)

    def mark_sent(self, claim: Claim, *, now: float) -> None:
        """The claimed delivery arrived."""
        self._settle(claim, "sent_at = ?, error = null", now)

    def mark_failed(self, claim: Claim, *, error: str, due_at: float) -> None:
        """The claimed delivery did not arrive; try again from `due_at` on."""
        self._settle(claim, "error = ?, due_at = ?", error, due_at)

    def alerts(self, *, limit: int | None = None) -> list[KeptAlert]:
        """The alerts, newest first."""
        with self._transaction() as connection:
            query = "select key, found_at, alert from alerts order by found_at desc, rowid desc limit ?"
            rows = connection.execute(query, (-1 if limit is None else limit,)).fetchall()
            return [_kept(connection, row) for row in rows]

    def unsent(self) -> list[Delivery]:
        """Deliveries that are still to be made, oldest first."""
        with self._transaction() as connection:
            query = "select * from deliveries where sent_at is null order by rowid"
            return [_delivery(row) for row in connection.execute(query)]

    def record_look(self, name: str, *, now: float) -> None:
        """Remember when somebody last looked for alerts of a sort."""
        with self._transaction() as connection:
            connection.execute("insert or replace into looks values (?, ?)", (name, now))

    def last_look(self, name: str) -> float | None:
        """When somebody last looked, if ever."""
        with self._transaction() as connection:
            row = connection.execute("select at from looks where name = ?", (name,)).fetchone()
            return None if row is None else row["at"]

    def _settle(self, claim: Claim, change: str, *values: Any) -> None:
        with self._transaction() as connection:
            connection.execute(
                f"update deliveries set attempts = attempts + 1, claimed_until = null, {change} "  # noqa: S608 - ours
                "where alert = ? and route = ? and sent_at is null",
                (*values, claim.alert.key, claim.route),
            )

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """A transaction that holds the write lock from its beginning, and happens whole or not at all."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                connection.executescript(_TABLES)
                connection.execute("begin immediate")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
        except (sqlite3.Error, OSError) as error:
            raise AlertStoreError(
                f"The alerts in {self._path} cannot be read or written ({error}): check that the file is whole and may "
                "be written."
            ) from error


def _kept(connection: sqlite3.Connection, row: sqlite3.Row) -> KeptAlert:
    query = "select * from deliveries where alert = ? order by rowid"
    deliveries = tuple(_delivery(found) for found in connection.execute(query, (row["key"],)))
    return KeptAlert(Alert.model_validate_json(row["alert"]), row["found_at"], deliveries)


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(row["route"], row["attempts"], row["due_at"], row["sent_at"], row["error"])
