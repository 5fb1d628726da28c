"""Which ends of runs a look reads: each once, oldest first, however many there are and in whatever order they came."""

import datetime as dt
from collections.abc import Generator

import dagster as dg
import pytest
from alert_doubles import NOON

from packaging_assets.defs.alerts.ended_runs import RUNS_PER_LOOK, ended_runs

LOOK_BACK = dt.timedelta(days=3)


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as temporary:
        yield temporary


def end(instance: dg.DagsterInstance, run_id: str, *, seconds_ago: float, how: str = "RUN_FAILURE") -> None:
    """Write that a run ended, that long before `NOON`."""
    event = dg.DagsterEvent(event_type_value=dg.DagsterEventType[how].value, job_name="weekly_training")
    entry = dg.EventLogEntry(
        error_info=None,
        level="info",
        user_message="",
        run_id=run_id,
        timestamp=NOON.timestamp() - seconds_ago,
        job_name="weekly_training",
        dagster_event=event,
    )
    instance.event_log_storage.store_event(entry)


def look(
    instance: dg.DagsterInstance, ended: dict[str, int], *, later: float = 0.0
) -> tuple[list[str], dict[str, int]]:
    return ended_runs(instance, ended, now=NOON + dt.timedelta(seconds=later), look_back=LOOK_BACK)


def test_more_runs_than_a_look_reads_are_left_to_the_next_looks_and_none_is_read_twice(
    instance: dg.DagsterInstance,
) -> None:
    runs = [f"run {number:02}" for number in range(2 * RUNS_PER_LOOK + 1)]
    for number, run_id in enumerate(runs):
        end(instance, run_id, seconds_ago=600 - number)
    cursor: dict[str, int] = {}
    found: list[list[str]] = []
    for _ in range(4):
        ids, cursor = look(instance, cursor)
        found.append(ids)
    assert found == [runs[:RUNS_PER_LOOK], runs[RUNS_PER_LOOK:-1], runs[-1:], []]


def test_what_comes_after_an_event_that_has_not_settled_waits_with_it(instance: dg.DagsterInstance) -> None:
    end(instance, "young", seconds_ago=2)
    end(instance, "of a machine that is behind", seconds_ago=20)
    assert look(instance, {}) == ([], {})
    ids, cursor = look(instance, {}, later=10)
    assert ids == ["of a machine that is behind", "young"]
    assert look(instance, cursor, later=10) == ([], cursor)


def test_after_a_long_rest_it_goes_on_from_where_it_was(instance: dg.DagsterInstance) -> None:
    end(instance, "read", seconds_ago=10 * 86_400)
    _, cursor = look(instance, {}, later=-9 * 86_400)
    assert cursor.keys() == {"RUN_FAILURE"}
    end(instance, "ended while nobody looked", seconds_ago=5 * 86_400)
    assert look(instance, cursor)[0] == ["ended while nobody looked"]
    assert look(instance, {})[0] == []


def test_runs_come_in_the_order_in_which_they_ended_however_that_was(instance: dg.DagsterInstance) -> None:
    end(instance, "third", seconds_ago=10, how="RUN_SUCCESS")
    end(instance, "second", seconds_ago=20, how="RUN_FAILURE")
    end(instance, "first", seconds_ago=30, how="RUN_CANCELED")
    ids, cursor = look(instance, {})
    assert ids == ["first", "second", "third"]
    assert cursor.keys() == {"RUN_SUCCESS", "RUN_FAILURE", "RUN_CANCELED"}
