"""Sends what is to be sent, a route at a time, and comes back later to what cannot be reached."""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from packaging_assets.domain.alerts import Alert
from packaging_assets.resources.alert_store import AlertStore, Claim
from packaging_assets.resources.notifier import NotifierError, Route

PAUSES_SECONDS = (0.5, 2.0)
"""How long to wait before each further try of one attempt: hiccups of a network pass within seconds."""

FIRST_BACKOFF_SECONDS = 30.0
LONGEST_BACKOFF_SECONDS = 3600.0
ROUND_SECONDS = 20.0
"""How long one round goes on beginning new deliveries; Dagster ends a sensor's tick after 60 seconds."""


@dataclass
class Round:
    """What one round of sending did: alerts by route that arrived, and the error of each route that failed."""

    sent: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    failed: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, other: "Round") -> None:
        """Count what another round did as well."""
        self.sent += other.sent
        self.failed |= other.failed


def backoff_seconds(attempts: int) -> float:
    """How long to leave a delivery alone after it failed: 30 s, 1 min, 2 min, ... and at most an hour."""
    return min(FIRST_BACKOFF_SECONDS * 2.0 ** min(attempts, 20), LONGEST_BACKOFF_SECONDS)


def send(
    route: Route, alert: Alert, *, may_be_repeat: bool = False, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Send one alert, trying again after each of `PAUSES_SECONDS`.

    Raises:
        NotifierError: the last try failed.
    """
    for pause in PAUSES_SECONDS:
        try:
            route.notifier.send(alert, may_be_repeat=may_be_repeat)
        except NotifierError:
            sleep(pause)
        else:
            return
    route.notifier.send(alert, may_be_repeat=may_be_repeat)


def deliver(
    store: AlertStore,
    routes: Sequence[Route],
    *,
    now: Callable[[], dt.datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> Round:
    """Send everything that is due; a route that fails is left alone until its backoff is over."""
    outcome = Round()
    end = now().timestamp() + ROUND_SECONDS
    for route in routes:
        while now().timestamp() < end and (claim := store.claim(route.name, now=now().timestamp())):
            error = _error_of(route, claim, sleep)
            if error is not None:
                due_at = now().timestamp() + backoff_seconds(claim.attempts)
                store.mark_failed(claim, error=error, due_at=due_at)
                outcome.failed[route.name] = error
                break
            store.mark_sent(claim, now=now().timestamp())
            outcome.sent.append((route.name, claim.alert.key))
    return outcome


def _error_of(route: Route, claim: Claim, sleep: Callable[[float], None]) -> str | None:
    try:
        send(route, claim.alert, may_be_repeat=claim.was_interrupted, sleep=sleep)
    except NotifierError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a notifier raises, the other routes get their alerts
        return f"{type(error).__name__}: {error}"
    return None
