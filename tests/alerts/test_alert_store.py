"""Alerts are kept once, delivered by route, and sent again only where nobody knows whether they arrived."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alert_doubles import NOON, UNREACHABLE, Inbox, Killed, MovableClock, make_alert

from packaging_assets.resources.alert_delivery import Round, backoff_seconds, deliver
from packaging_assets.resources.alert_store import CLAIM_SECONDS, AlertStore, AlertStoreError, Claim
from packaging_assets.resources.log_notifier import LogNotifier
from packaging_assets.resources.notifier import Route

NOW = NOON.timestamp()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(tmp_path: Path) -> AlertStore:
    return AlertStore(tmp_path / "home" / "alerts.db")


def round_of(store: AlertStore, clock: MovableClock, *routes: Route, slept: list[float] | None = None) -> Round:
    return deliver(store, routes, now=clock.now, sleep=(slept if slept is not None else []).append)


def test_what_is_known_is_not_kept_again_whatever_message_it_comes_in(store: AlertStore) -> None:
    assert store.add(make_alert("a", "b"), [], now=NOW) == make_alert("a", "b")
    assert store.add(make_alert("b", "a"), [], now=NOW) is None
    assert store.add(make_alert("b", "c"), [], now=NOW) == make_alert("c")
    assert [kept.alert.failure_keys for kept in store.alerts()] == [("c",), ("a", "b")]
    assert [kept.alert.failure_keys for kept in store.alerts(limit=1)] == [("c",)]


def test_each_route_gets_what_it_takes_oldest_first(store: AlertStore, clock: MovableClock) -> None:
    inboxes = [Inbox() for _ in range(4)]
    routes = [
        Route("all", inboxes[0]),
        Route("science", inboxes[1], owner="team:science"),
        Route("data", inboxes[2], owner="team:data"),
        Route("errors", inboxes[3], severity="error"),
    ]
    store.add(make_alert("a", severity="warning"), routes, now=NOW)
    store.add(make_alert("b", owners=("team:data", "team:science")), routes, now=NOW)
    round_of(store, clock, *routes)
    a, b = "weekly: a failed for None", "weekly: b failed for None"
    assert [inbox.titles for inbox in inboxes] == [[a, b], [a, b], [b], [b]]
    assert store.unsent() == []
    assert round_of(store, clock, *routes) == Round()


def test_an_unreachable_route_is_left_alone_ever_longer_and_holds_up_no_other(
    store: AlertStore, clock: MovableClock
) -> None:
    dead, alive = Inbox(UNREACHABLE), Inbox()
    routes = [Route("dead", dead), Route("alive", alive)]
    slept: list[float] = []
    for key in "abc":
        store.add(make_alert(key), routes, now=NOW)
    outcome = round_of(store, clock, *routes, slept=slept)
    assert outcome.failed == {"dead": "connection refused"}
    assert [route for route, _ in outcome.sent] == ["alive"] * 3
    assert (dead.tries, slept) == (3, [0.5, 2.0])
    clock.advance(29)
    assert round_of(store, clock, *routes) == Round()
    clock.advance(1)
    round_of(store, clock, *routes)
    assert dead.tries == 6
    dead.error = None
    clock.advance(30)
    round_of(store, clock, *routes)
    assert dead.received == [
        ("weekly: c failed for None", False),
        ("weekly: a failed for None", False),
        ("weekly: b failed for None", False),
    ]
    assert (store.unsent(), len(alive.received)) == ([], 3)


def test_the_backoff_doubles_up_to_an_hour() -> None:
    assert [backoff_seconds(attempts) for attempts in (0, 1, 2, 6, 7, 10_000)] == [30, 60, 120, 1920, 3600, 3600]


def test_an_unsent_delivery_says_why(store: AlertStore, clock: MovableClock) -> None:
    routes = [Route("dead", Inbox(RuntimeError("a bug in a notifier")))]
    store.add(make_alert("a"), routes, now=NOW)
    round_of(store, clock, *routes)
    (delivery,) = store.unsent()
    assert (delivery.route, delivery.attempts, delivery.due_at, delivery.error) == (
        "dead",
        1,
        NOW + 30,
        "RuntimeError: a bug in a notifier",
    )


def test_a_hiccup_is_not_a_failure(store: AlertStore, clock: MovableClock) -> None:
    class Hiccup(Inbox):
        def send(self, alert, *, may_be_repeat):
            self.error = UNREACHABLE if self.tries < 2 else None
            super().send(alert, may_be_repeat=may_be_repeat)

    inbox = Hiccup()
    store.add(make_alert("a"), [Route("r", inbox)], now=NOW)
    assert round_of(store, clock, Route("r", inbox)).failed == {}
    assert (inbox.tries, len(inbox.received)) == (3, 1)


def test_a_round_ends_in_time_and_the_next_goes_on(store: AlertStore, clock: MovableClock) -> None:
    class Slow(Inbox):
        def send(self, alert, *, may_be_repeat):
            super().send(alert, may_be_repeat=may_be_repeat)
            clock.advance(8)

    inbox = Slow()
    for key in "abcde":
        store.add(make_alert(key), [Route("slow", inbox)], now=NOW)
    round_of(store, clock, Route("slow", inbox))
    assert len(inbox.received) == 3
    round_of(store, clock, Route("slow", inbox))
    assert len(inbox.received) == 5


def test_two_senders_do_not_take_the_same_delivery(store: AlertStore) -> None:
    store.add(make_alert("a"), [Route("r", Inbox())], now=NOW)
    assert store.claim("r", now=NOW) == Claim(make_alert("a"), "r", attempts=0, was_interrupted=False)
    assert store.claim("r", now=NOW + CLAIM_SECONDS - 1) is None
    assert store.claim("r", now=NOW + CLAIM_SECONDS) == Claim(make_alert("a"), "r", attempts=0, was_interrupted=True)


def test_killed_before_sending_it_is_sent_once_later(store: AlertStore, clock: MovableClock) -> None:
    inbox = Inbox(UNREACHABLE)
    inbox.error = None
    store.add(make_alert("a"), [Route("r", inbox)], now=NOW)
    store.claim("r", now=NOW)  # and here the process ends
    clock.advance(CLAIM_SECONDS)
    round_of(store, clock, Route("r", inbox))
    assert inbox.received == [("weekly: a failed for None", True)]


def test_killed_between_sending_and_storing_a_service_gets_it_again_and_is_told_so(
    store: AlertStore, clock: MovableClock
) -> None:
    inbox = Inbox()
    inbox.dies = Killed()
    store.add(make_alert("a"), [Route("r", inbox)], now=NOW)
    with pytest.raises(Killed):
        round_of(store, clock, Route("r", inbox))
    assert round_of(store, clock, Route("r", inbox)) == Round()
    inbox.dies = None
    clock.advance(CLAIM_SECONDS)
    round_of(store, clock, Route("r", inbox))
    round_of(store, clock, Route("r", inbox))
    title = "weekly: a failed for None"
    assert inbox.received == [(title, False), (title, True)]


def test_killed_between_sending_and_storing_the_log_file_has_it_once(
    tmp_path: Path, store: AlertStore, clock: MovableClock
) -> None:
    class DiesOnce(LogNotifier):
        is_alive = False

        def send(self, alert, *, may_be_repeat):
            super().send(alert, may_be_repeat=may_be_repeat)
            if not self.is_alive:
                self.is_alive = True
                raise Killed

    shown: list[str] = []
    log = DiesOnce(tmp_path / "alerts.log", clock=clock.now, echo=shown.append)
    store.add(make_alert("a"), [Route("log", log)], now=NOW)
    with pytest.raises(Killed):
        round_of(store, clock, Route("log", log))
    clock.advance(CLAIM_SECONDS)
    assert len(round_of(store, clock, Route("log", log)).sent) == 1
    assert len((tmp_path / "alerts.log").read_text().splitlines()) == 1
    assert (len(shown), store.unsent()) == (1, [])


def test_killed_while_adding_nothing_is_kept(store: AlertStore) -> None:
    class Dying(Route):
        def takes(self, alert):
            raise Killed(alert.key)

    with pytest.raises(Killed):
        store.add(make_alert("a"), [Dying("r", Inbox())], now=NOW)
    assert store.alerts() == []
    assert store.add(make_alert("a"), [], now=NOW) == make_alert("a")


def test_an_interruption_is_not_forgotten_over_a_failure(store: AlertStore, clock: MovableClock) -> None:
    inbox = Inbox(UNREACHABLE)
    store.add(make_alert("a"), [Route("r", inbox)], now=NOW)
    store.claim("r", now=NOW)
    clock.advance(CLAIM_SECONDS)
    round_of(store, clock, Route("r", inbox))
    inbox.error = None
    clock.advance(30)
    round_of(store, clock, Route("r", inbox))
    assert inbox.received == [("weekly: a failed for None", True)]


def test_what_it_remembers_of_looks(store: AlertStore) -> None:
    assert store.last_look("runs") is None
    store.record_look("runs", now=NOW)
    store.record_look("runs", now=NOW + 1)
    assert (store.last_look("runs"), store.last_look("data")) == (NOW + 1, None)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "alerts.db").write_text("something else entirely, and longer than a header" * 20)
    with pytest.raises(AlertStoreError, match=r"alerts\.db cannot be read or written \(file is not a database\)"):
        AlertStore(tmp_path / "alerts.db").alerts()


def test_the_file_is_an_ordinary_one(store: AlertStore, tmp_path: Path) -> None:
    store.add(make_alert("a"), [Route("r", Inbox())], now=NOW)
    connection = sqlite3.connect(tmp_path / "home" / "alerts.db")
    assert connection.execute("select route, attempts, sent_at from deliveries").fetchall() == [("r", 0, None)]
    connection.close()


DYING = """
import os, sys
from pathlib import Path
from alert_doubles import NOON, make_alert
from packaging_assets.resources.alert_delivery import deliver
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.log_notifier import LogNotifier
from packaging_assets.resources.notifier import Route

home = Path(sys.argv[1])
log = LogNotifier(home / "alerts.log", clock=lambda: NOON, echo=lambda _: os._exit(9))
store = AlertStore(home / "alerts.db")
store.add(make_alert("a"), [Route("log", log)], now=NOON.timestamp())
deliver(store, [Route("log", log)], now=lambda: NOON)
"""


def test_a_process_that_really_dies_after_sending_leaves_a_claim_and_one_line(
    tmp_path: Path, clock: MovableClock
) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    died = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], env={"PYTHONPATH": path}, check=False)  # noqa: S603
    assert died.returncode == 9
    store, log = AlertStore(tmp_path / "alerts.db"), tmp_path / "alerts.log"
    assert [(delivery.attempts, delivery.sent_at) for delivery in store.unsent()] == [(0, None)]
    assert store.claim("log", now=NOW) is None
    clock.advance(CLAIM_SECONDS)
    route = Route("log", LogNotifier(log, clock=clock.now, echo=lambda _: None))
    assert len(round_of(store, clock, route).sent) == 1
    assert (len(log.read_text().splitlines()), store.unsent()) == (1, [])
