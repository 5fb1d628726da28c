"""What `packaging doctor` says of alerts: routes that cannot be used or reached, and how long ago somebody looked."""

import datetime as dt

from packaging_assets.cli.sizes_and_times import at
from packaging_assets.resources.alert_store import Delivery
from packaging_assets.resources.apprise_notifier import AppriseNotifier
from packaging_assets.resources.environment import alert_routes_for, alert_store_for
from packaging_assets.resources.notifier import NotifierError
from packaging_assets.resources.sns_notifier import SnsNotifier
from packaging_assets.settings import Settings

OVERDUE_SECONDS = 600.0


class AlertsInTroubleError(Exception):
    """Alerts do not reach somebody; the message names routes and reasons."""


def alerts_in_order(settings: Settings) -> str:
    """Routes, alerts and the sensor's last look, in one line.

    Raises:
        AlertsInTroubleError: a route's URL is unusable, a route cannot be reached, or alerts are left lying.
    """
    routes = alert_routes_for(settings)
    problems: list[str] = []
    for route in routes:
        if isinstance(route.notifier, AppriseNotifier | SnsNotifier):
            try:
                route.notifier.check()
            except NotifierError as error:
                problems.append(f"{route.name}: {error}")
    store = alert_store_for(settings)
    if not store.is_there():
        return _told(problems, f"{_routes(len(routes))}; no alerts yet: the sensor has not run (packaging ui)")
    names = [route.name for route in routes]
    problems += _undelivered(store.unsent(), names, dt.datetime.now(dt.UTC).timestamp())
    looked_at = store.last_look("runs")
    looked = f"last looked at {at(looked_at)}" if looked_at else "the sensor has not run (packaging ui)"
    return _told(problems, f"{_routes(len(routes))}; {_alerts(len(store.alerts()))}; {looked}")


def _undelivered(unsent: list[Delivery], names: list[str], now: float) -> list[str]:
    problems: list[str] = []
    for name in dict.fromkeys(delivery.route for delivery in unsent):
        waiting = [delivery for delivery in unsent if delivery.route == name]
        failed = [delivery for delivery in waiting if delivery.error]
        if name not in names:
            problems.append(f"{name}: {_wait(len(waiting))} for a route that the settings no longer have")
        elif failed:
            due = min(delivery.due_at for delivery in failed)
            problems.append(f"{name} cannot be reached: {failed[-1].error}; {_wait(len(waiting))}, next try {at(due)}")
        elif min(delivery.due_at for delivery in waiting) < now - OVERDUE_SECONDS:
            problems.append(f"{name}: {_wait(len(waiting))} and nobody sends: start the daemon (packaging ui)")
    return problems


def _told(problems: list[str], found: str) -> str:
    if problems:
        raise AlertsInTroubleError("; ".join(problems))
    return found


def _routes(number: int) -> str:
    return f"{number} routes" if number > 1 else "1 route, the log"


def _alerts(number: int) -> str:
    return "1 alert" if number == 1 else f"{number} alerts"


def _wait(number: int) -> str:
    return f"{_alerts(number)} {'waits' if number == 1 else 'wait'}"
