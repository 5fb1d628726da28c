"""What was told already, what is still to be sent, and to whom: an SQLite file or PostgreSQL, for several processes.

An alert is kept with its failures' keys before anything is sent, and each route's delivery is a row of its own, so a
route that cannot be reached does not hold up the others. A delivery is claimed, sent, and marked as sent. A sender that
is killed in between leaves a claim that runs out; the next one is told that it may be repeating.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging_assets.domain.alerts import Alert
from packaging_assets.resources.alert_database import AlertDatabase
from packaging_assets.resources.notifier import Route

if TYPE_CHECKING:
    from sqlalchemy import Connection

CLAIM_SECONDS = 120.0

FAR_SECONDS = 7200.0
"""Further ahead than any claim or backoff reaches, with clocks apart: what is due or claimed until later was dated by a
clock that has been set back since, and counts as due and free."""

_NEXT_DUE = """
select deliveries.alert as key, attempts, interruptions, claimed_until is not null as was_claimed, alerts.alert as alert
from deliveries join alerts on alerts.key = deliveries.alert
where route = :route and sent_at is null and (due_at <= :now or due_at > :far)
    and (coalesce(claimed_until, 0) <= :now or claimed_until > :far)
order by attempts, found_at, alerts.{row_order} limit 1
"""
# After a failed attempt nothing is sent that way before its next one is due; a claim is not a failed attempt.
_BACKS_OFF = """
select 1 from deliveries
where route = :route and sent_at is null and attempts > 0 and due_at > :now and due_at <= :far
"""


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
    """The alerts in an SQLite file or a database. Times are seconds since 1970, UTC.

    Args:
        place: the file's path, which is made with the first use; or a database URL, see `AlertDatabase`.
    """

    def __init__(self, place: Path | str) -> None:
        self._database = AlertDatabase(place)

    def close(self) -> None:
        """Close its connections; the next use opens new ones."""
        self._database.close()

    def is_there(self) -> bool:
        """Whether there may be any alerts: asking makes no file."""
        return self._database.is_there()

    def add(self, alert: Alert, routes: Sequence[Route], *, now: float) -> Alert | None:
        """Keep what is new of an alert for the routes that take it, and return that; None if all of it is known."""
        with self._database.transaction() as connection:
            news = alert.without(_known_keys(connection, alert.failure_keys))
            if news is None:
                return None
            values = {"key": news.key, "found_at": now, "alert": news.model_dump_json()}
            _run(connection, "insert into alerts (key, found_at, alert) values (:key, :found_at, :alert)", values)
            failures = [{"key": key, "alert": news.key} for key in dict.fromkeys(news.failure_keys)]
            _run(connection, "insert into failures (key, alert) values (:key, :alert)", failures)
            deliveries = [{"key": news.key, "route": route.name, "now": now} for route in routes if route.takes(news)]
            if deliveries:
                _run(
                    connection,
                    "insert into deliveries (alert, route, due_at) values (:key, :route, :now)",
                    deliveries,
                )
            return news

    def claim(self, route: str, *, now: float) -> Claim | None:
        """Take the route's next due delivery for `CLAIM_SECONDS`; those that failed least come first, then oldest.

        None if nothing is due, or if the route backs off after a failure.
        """
        with self._database.transaction() as connection:
            values = {"route": route, "now": now, "far": now + FAR_SECONDS}
            if _run(connection, _BACKS_OFF, values).first():
                return None
            row = _run(connection, self._ordered(_NEXT_DUE), values).mappings().first()
            if row is None:
                return None
            interruptions = row["interruptions"] + int(row["was_claimed"])
            _run(
                connection,
                "update deliveries set claimed_until = :until, interruptions = :interruptions "
                "where alert = :key and route = :route",
                {
                    "until": now + CLAIM_SECONDS,
                    "interruptions": interruptions,
                    "key": row["key"],
                    "route": route,
                },
            )
            alert = Alert.model_validate_json(row["alert"])
            return Claim(alert, route, row["attempts"], was_interrupted=interruptions > 0)

    def mark_sent(self, claim: Claim, *, now: float) -> None:
        """The claimed delivery arrived."""
        self._settle(claim, "sent_at = :now, error = null", now=now)

    def mark_failed(self, claim: Claim, *, error: str, due_at: float) -> None:
        """The claimed delivery did not arrive; try again from `due_at` on."""
        # PostgreSQL's texts hold any character but this one.
        self._settle(claim, "error = :error, due_at = :due_at", error=error.replace("\0", ""), due_at=due_at)

    def alerts(self, *, limit: int | None = None) -> list[KeptAlert]:
        """The alerts, newest first."""
        with self._database.transaction() as connection:
            query = "select key, found_at, alert from alerts order by found_at desc, {row_order} desc limit :most"
            values = {"most": sys.maxsize if limit is None else limit}
            rows = _run(connection, self._ordered(query), values).mappings().all()
            return [self._kept(connection, row) for row in rows]

    def unsent(self) -> list[Delivery]:
        """Deliveries that are still to be made, oldest first."""
        with self._database.transaction() as connection:
            query = "select * from deliveries where sent_at is null order by {row_order}"
            return [_delivery(row) for row in _run(connection, self._ordered(query)).mappings()]

    def record_look(self, name: str, *, now: float) -> None:
        """Remember when somebody last looked for alerts of a sort."""
        with self._database.transaction() as connection:
            _run(
                connection,
                "insert into looks (name, at) values (:name, :at) on conflict (name) do update set at = excluded.at",
                {"name": name, "at": now},
            )

    def last_look(self, name: str) -> float | None:
        """When somebody last looked, if ever."""
        with self._database.transaction() as connection:
            return _run(connection, "select at from looks where name = :name", {"name": name}).scalar()

    def _settle(self, claim: Claim, change: str, **values: Any) -> None:
        with self._database.transaction() as connection:
            _run(
                connection,
                f"update deliveries set attempts = attempts + 1, claimed_until = null, {change} "  # noqa: S608 - ours
                "where alert = :key and route = :route and sent_at is null",
                {**values, "key": claim.alert.key, "route": claim.route},
            )

    def _kept(self, connection: Connection, row: Any) -> KeptAlert:
        query = "select * from deliveries where alert = :key order by {row_order}"
        found = _run(connection, self._ordered(query), {"key": row["key"]}).mappings()
        deliveries = tuple(_delivery(delivery) for delivery in found)
        return KeptAlert(Alert.model_validate_json(row["alert"]), row["found_at"], deliveries)

    def _ordered(self, query: str) -> str:
        return query.replace("{row_order}", self._database.row_order)


def _known_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    import sqlalchemy as sa

    query = sa.text("select key from failures where key in :keys").bindparams(sa.bindparam("keys", expanding=True))
    return set(connection.execute(query, {"keys": list(keys)}).scalars())


def _run(connection: Connection, statement: str, values: Any = None) -> Any:
    """Run a statement, once for each dictionary of a list of them."""
    import sqlalchemy as sa

    return connection.execute(sa.text(statement), values)


def _delivery(row: Any) -> Delivery:
    return Delivery(row["route"], row["attempts"], row["due_at"], row["sent_at"], row["error"])
