"""Alerts are kept once, delivered by route, and sent again only where nobody knows whether they arrived."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alert_doubles import NOON, UNREACHABLE, Inbox, Killed, MovableClock, make_alert

from packaging_assets.resources.alert_database import AlertStoreError
from packaging_assets.resources.alert_delivery import Round, backoff_seconds, deliver
from packaging_assets.resources.alert_store import CLAIM_SECONDS, AlertStore, Claim, Delivery
from packaging_assets.resources.log_notifier import LogNotifier
from packaging_assets.resources.notifier import Route

NOW = NOON.timestamp()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where alerts are kept: both kinds of database behave alike."""
    if request.param == "sqlite":
        return tmp_path / "home" / "alerts.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def store(place: Path | str) -> Iterator[AlertStore]:
    store = AlertStore(place)
    yield store
    store.close()


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


def test_a_clock_that_is_set_back_holds_up_neither_what_it_dated_nor_what_comes_after(
    store: AlertStore, clock: MovableClock
) -> None:
    inbox, day = Inbox(UNREACHABLE), 86_400
    route = Route("r", inbox)
    clock.advance(day)
    for key in "ab":
        store.add(make_alert(key), [route], now=clock.now().timestamp())
    round_of(store, clock, route)  # fails with one of them
    clock.advance(-day)
    store.add(make_alert("c"), [route], now=NOW)
    inbox.error = None
    round_of(store, clock, route)
    assert sorted(inbox.titles) == [f"weekly: {key} failed for None" for key in "abc"]


def test_a_claim_of_a_clock_that_is_set_back_runs_out_at_once_and_one_of_another_machine_does_not(
    store: AlertStore,
) -> None:
    store.add(make_alert("a"), [Route("r", Inbox())], now=NOW)
    assert store.claim("r", now=NOW + 60) is not None  # by a clock that is a minute ahead
    assert store.claim("r", now=NOW) is None
    assert store.claim("r", now=NOW + 86_400) is not None
    assert store.claim("r", now=NOW) == Claim(make_alert("a"), "r", attempts=0, was_interrupted=True)


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


def test_what_a_sender_reports_whose_claim_had_run_out_changes_nothing_that_has_arrived(store: AlertStore) -> None:
    store.add(make_alert("a"), [Route("r", Inbox())], now=NOW)
    slow, next_one = store.claim("r", now=NOW), store.claim("r", now=NOW + CLAIM_SECONDS)
    assert slow is not None
    assert next_one is not None
    store.mark_sent(next_one, now=NOW + 130)
    store.mark_failed(slow, error="timed out", due_at=NOW + 160)
    ((delivery,),) = (kept.deliveries for kept in store.alerts())
    assert delivery == Delivery("r", attempts=1, due_at=NOW, sent_at=NOW + 130, error=None)


def test_what_has_arrived_in_the_end_has_no_error(store: AlertStore, clock: MovableClock) -> None:
    inbox = Inbox(UNREACHABLE)
    store.add(make_alert("a"), [Route("r", inbox)], now=NOW)
    round_of(store, clock, Route("r", inbox))
    inbox.error = None
    clock.advance(30)
    round_of(store, clock, Route("r", inbox))
    ((delivery,),) = (kept.deliveries for kept in store.alerts())
    assert delivery == Delivery("r", attempts=2, due_at=NOW + 30, sent_at=NOW + 30, error=None)


def test_a_failure_that_an_alert_names_twice_is_kept_once(store: AlertStore) -> None:
    store.add(make_alert("a", "a"), [], now=NOW)
    assert store.add(make_alert("a"), [], now=NOW) is None


def test_a_file_that_is_deleted_between_two_uses_is_made_anew(tmp_path: Path) -> None:
    store = AlertStore(tmp_path / "alerts.db")
    store.add(make_alert("a"), [], now=NOW)
    (tmp_path / "alerts.db").unlink()
    assert store.add(make_alert("a"), [], now=NOW) == make_alert("a")


def test_what_it_remembers_of_looks(store: AlertStore) -> None:
    assert store.last_look("runs") is None
    store.record_look("runs", now=NOW)
    store.record_look("runs", now=NOW + 1)
    assert (store.last_look("runs"), store.last_look("data")) == (NOW + 1, None)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "alerts.db").write_text("something else entirely, and longer than a header" * 20)
    with pytest.raises(AlertStoreError, match=r"alerts\.db cannot be read or written \(file is not a database\)"):
        AlertStore(tmp_path / "alerts.db").alerts()


def test_the_file_is_an_ordinary_one(tmp_path: Path) -> None:
    AlertStore(tmp_path / "alerts.db").add(make_alert("a"), [Route("r", Inbox())], now=NOW)
    connection = sqlite3.connect(tmp_path / "alerts.db")
    assert connection.execute("select route, attempts, sent_at from deliveries").fetchall() == [("r", 0, None)]
    connection.close()


OLD_FILE = """
create table alerts (key text primary key, found_at real not null, alert text not null);
create table failures (key text primary key, alert text not null references alerts (key));
create table deliveries (
    alert text not null references alerts (key), route text not null, attempts integer not null default 0,
    due_at real not null, claimed_until real, interruptions integer not null default 0, sent_at real, error text,
    primary key (alert, route)
);
create table looks (name text primary key, at real not null);
"""


def test_a_file_of_the_first_version_goes_on_working(tmp_path: Path, clock: MovableClock) -> None:
    old, inbox = make_alert("old"), Inbox()
    connection = sqlite3.connect(tmp_path / "alerts.db")
    connection.executescript(OLD_FILE)
    connection.execute("insert into alerts values (?, ?, ?)", (old.key, NOW - 9, old.model_dump_json()))
    connection.execute("insert into failures values (?, ?)", ("old", old.key))
    connection.execute("insert into deliveries values (?, 'r', 1, ?, null, 0, null, 'gone')", (old.key, NOW))
    connection.execute("insert into looks values ('runs', ?)", (NOW - 30,))
    connection.commit()
    connection.close()
    store = AlertStore(tmp_path / "alerts.db")

    assert store.add(make_alert("old", "new"), [Route("r", inbox)], now=NOW) == make_alert("new")
    round_of(store, clock, Route("r", inbox))

    assert inbox.titles == ["weekly: new failed for None", "weekly: old failed for None"]
    assert (store.last_look("runs"), store.unsent()) == (NOW - 30, [])


def test_the_same_failure_found_by_several_at_once_is_kept_once(place: Path | str) -> None:
    kept = at_once(place, lambda store: [store.add(make_alert("a", "b"), [Route("r", Inbox())], now=NOW)])

    assert [alert for alert in kept if alert] == [make_alert("a", "b")]
    store = AlertStore(place)
    assert (len(store.alerts()), len(store.unsent())) == (1, 1)
    store.close()


def test_of_several_senders_at_once_exactly_one_claims_each_delivery(place: Path | str, store: AlertStore) -> None:
    for number in range(12):
        store.add(make_alert(f"{number:02}"), [Route("r", Inbox())], now=NOW + number)

    def claim_all(store: AlertStore) -> list[Claim]:
        claims: list[Claim] = []
        while claim := store.claim("r", now=NOW + 20):
            claims.append(claim)
        return claims

    claims = at_once(place, claim_all)

    assert sorted(claim.alert.failure_keys[0] for claim in claims) == [f"{number:02}" for number in range(12)]
    assert not any(claim.was_interrupted for claim in claims)


def at_once(place: Path | str, action: Callable[[AlertStore], list[Any]]) -> list[Any]:
    """What several senders, each with connections of its own, get when they begin together."""
    stores = [AlertStore(place) for _ in range(4)]
    start = threading.Barrier(len(stores))

    def sender(store: AlertStore) -> list[Any]:
        start.wait()
        try:
            return action(store)
        finally:
            store.close()

    with ThreadPoolExecutor(len(stores)) as pool:
        return [found for result in pool.map(sender, stores) for found in result]


def test_what_a_database_cannot_hold_is_left_out_of_an_error(store: AlertStore) -> None:
    store.add(make_alert("a"), [Route("r", Inbox())], now=NOW)
    claim = store.claim("r", now=NOW)
    assert claim is not None
    store.mark_failed(claim, error="half\0a byte", due_at=NOW)
    assert [delivery.error for delivery in store.unsent()] == ["halfa byte"]


def test_a_connection_that_was_cut_is_replaced_unnoticed(postgres_url: str, postgres_server: Any) -> None:
    store = AlertStore(postgres_url)
    store.record_look("runs", now=NOW)
    connection = postgres_server.connect("postgres")
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            (postgres_url.rpartition("/")[2],),
        )
        assert cursor.fetchall() == [(True,)]
    connection.close()
    assert store.last_look("runs") == NOW
    store.close()


def test_a_held_lock_is_an_error_in_the_end_and_nothing_is_half_done(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("packaging_assets.resources.alert_database.LOCK_TIMEOUT_SECONDS", 0.05)
    store, other = AlertStore(postgres_url), AlertStore(postgres_url)
    store.record_look("runs", now=NOW)

    class Slow(Route):
        def takes(self, _alert):
            with pytest.raises(AlertStoreError, match="lock timeout"):
                other.record_look("runs", now=NOW + 1)
            return True

    store.add(make_alert("a"), [Slow("r", Inbox())], now=NOW)
    assert (len(store.unsent()), store.last_look("runs")) == (1, NOW)
    store.close()
    other.close()


def test_a_database_out_of_reach_is_named_without_its_password() -> None:
    store = AlertStore("postgresql://packaging:hunter2hunter2@127.0.0.1:9/packaging")
    with pytest.raises(
        AlertStoreError, match=r"postgresql\+psycopg2://packaging:\*\*\*@127\.0\.0\.1:9/packaging"
    ) as caught:
        store.unsent()
    assert "Connection refused" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("hunter2hunter2", "is none that SQLAlchemy can read"),
        ("mysql://a:hunter2hunter2@host/b", "'mysql' is neither"),
    ],
)
def test_a_url_of_no_use_is_refused_without_being_shown(url: str, says: str) -> None:
    with pytest.raises(AlertStoreError, match=says) as caught:
        AlertStore(url).unsent()
    assert "hunter2" not in str(caught.value)


def test_a_file_may_be_named_by_a_url(tmp_path: Path) -> None:
    AlertStore(f"sqlite:///{tmp_path}/new/alerts.db").record_look("runs", now=NOW)
    assert AlertStore(tmp_path / "new" / "alerts.db").last_look("runs") == NOW


DYING = """
import os, sys
from pathlib import Path
from alert_doubles import NOON, make_alert
from packaging_assets.resources.alert_delivery import deliver
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.log_notifier import LogNotifier
from packaging_assets.resources.notifier import Route

log = LogNotifier(Path(sys.argv[1]), clock=lambda: NOON, echo=lambda _: os._exit(9))
store = AlertStore(sys.argv[2])
store.add(make_alert("a"), [Route("log", log)], now=NOON.timestamp())
deliver(store, [Route("log", log)], now=lambda: NOON)
"""


def test_a_process_that_really_dies_after_sending_leaves_a_claim_and_one_line(
    tmp_path: Path, place: Path | str, clock: MovableClock
) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    url = f"sqlite:///{place}" if isinstance(place, Path) else place
    log = tmp_path / "alerts.log"
    died = subprocess.run([sys.executable, "-c", DYING, str(log), url], env={"PYTHONPATH": path}, check=False)  # noqa: S603
    assert died.returncode == 9
    store = AlertStore(place)
    assert [(delivery.attempts, delivery.sent_at) for delivery in store.unsent()] == [(0, None)]
    assert store.claim("log", now=NOW) is None
    clock.advance(CLAIM_SECONDS)
    route = Route("log", LogNotifier(log, clock=clock.now, echo=lambda _: None))
    assert len(round_of(store, clock, route).sent) == 1
    assert (len(log.read_text().splitlines()), store.unsent()) == (1, [])
    store.close()
