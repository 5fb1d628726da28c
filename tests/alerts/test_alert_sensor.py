"""What a look at real runs of a temporary Dagster instance tells, to whom, and how often."""

import datetime as dt
import json
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from alert_doubles import UNREACHABLE, Inbox, Killed, MovableClock
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.components.reasons import as_list, as_markdown
from packaging_assets.defs.alerts import sensor
from packaging_assets.defs.alerts.ended_runs import Cursor
from packaging_assets.defs.alerts.look import Look
from packaging_assets.domain.alerts import Alert
from packaging_assets.home import prepare_home
from packaging_assets.resources.alert_database import AlertStoreError
from packaging_assets.resources.alert_delivery import Round
from packaging_assets.resources.alert_store import CLAIM_SECONDS, AlertStore
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.resources.notifier import Route
from packaging_assets.resources.warehouse import WarehouseError
from packaging_assets.settings import load_settings

WEEK = "2025-01-13"
SCIENCE, BAG, PLATFORM = "team:packaging-science", "team:bag", "team:packaging-platform"
WEEKLY = dg.StaticPartitionsDefinition(["2025-01-06", WEEK])
METRICS = dg.AssetKey(["bag", "metrics"])


def gates(**outcomes: tuple[bool, str]) -> dg.AssetsDefinition:
    """`bag/metrics` with checks by name: passed, severity."""

    @dg.asset(
        key=METRICS,
        partitions_def=WEEKLY,
        check_specs=[dg.AssetCheckSpec(name, asset=METRICS) for name in outcomes],
        owners=[SCIENCE],
    )
    def metrics() -> dg.MaterializeResult:
        return dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(
                    check_name=name,
                    passed=passed,
                    severity=dg.AssetCheckSeverity[severity],
                    description=f"{name} is 0.4666.",
                    metadata={"value": 0.4666, "limit": 0.2055, "remedy": "Look at the units."},
                )
                for name, (passed, severity) in outcomes.items()
            ]
        )

    return metrics


def registered(status: str, *reasons: str, stage: str = "live") -> dg.AssetsDefinition:
    @dg.asset(key=["bag", "registered_model"], partitions_def=WEEKLY, deps=[METRICS], owners=[BAG])
    def registered_model() -> dg.MaterializeResult:
        listed = dg.MetadataValue.md(as_list(reasons))
        metadata = {"version": 5, "stage": stage, "status": status, "reasons": listed}
        return dg.MaterializeResult(metadata=metadata)

    return registered_model


def broken(error: Exception) -> dg.AssetsDefinition:
    @dg.asset(key=["bag", "model"], partitions_def=WEEKLY, owners=[SCIENCE])
    def model() -> None:
        raise error

    return model


class Home:
    """A home with a temporary Dagster instance, an inbox for every route and a clock that is moved by hand."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.settings = load_settings(folder, first_week=dt.date(2025, 1, 6))
        prepare_home(self.settings)
        self.instance = instance
        self.clock = MovableClock(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10))
        self.inbox = Inbox()
        self.owners: dict[str, tuple[str, ...]] = {}
        self.cursor = Cursor()
        self.look = Look(
            instance=instance,
            settings=self.settings,
            store=AlertStore(self.settings.alerts_path),
            routes=[Route("all", self.inbox)],
            warehouse=warehouse_for(self.settings),
            artifact_store=LocalArtifactStore(self.settings.artifacts_path),
            clock=self.clock,
            owners=lambda key: self.owners.get("/".join(key.path), ()),
            sleep=lambda _: None,
        )

    def run(self, *assets: dg.AssetsDefinition, tags: dict[str, str] | None = None) -> str:
        """Run the assets, and let what the sensor waits for to settle pass."""
        self.owners |= {"/".join(a.key.path): tuple(a.specs_by_key[a.key].owners) for a in assets}
        result = dg.materialize(
            list(assets), instance=self.instance, partition_key=WEEK, tags=tags, raise_on_error=False
        )
        self.clock.moment = max(self.clock.moment, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10))
        return result.run_id

    def take(self, **changes: Any) -> Round:
        """Look, and remember how far."""
        self.cursor, outcome = replace(self.look, **changes).take(self.cursor)
        return outcome

    @property
    def kept(self) -> list[Alert]:
        return [kept.alert for kept in reversed(self.look.store.alerts())]


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as temporary:
        yield temporary


@pytest.fixture
def home(tmp_path: Path, instance: dg.DagsterInstance) -> Home:
    return Home(tmp_path, instance)


def queued(instance: dg.DagsterInstance, status: dg.DagsterRunStatus = dg.DagsterRunStatus.QUEUED, **tags: str) -> str:
    @dg.op
    def nothing() -> None: ...

    @dg.job(name="weekly_training")
    def job() -> None:
        nothing()

    location = RegisteredCodeLocationOrigin("packaging_assets")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "weekly_training")
    launched_by_us = "packaging/holds_lock" in tags
    return instance.create_run_for_job(
        job, status=status, tags=tags, remote_job_origin=None if launched_by_us else origin
    ).run_id


def test_failed_checks_of_a_run_that_succeeded_and_its_rejected_model_are_one_message(home: Home) -> None:
    run_id = home.run(
        gates(density_is_stable=(False, "ERROR"), scores_are_calibrated=(False, "WARN"), enough_rows=(True, "WARN")),
        registered("Rejected", "density_is_stable: density_is_stable is 0.4666.", "other: 1 is over 0."),
    )
    home.take()
    (alert,) = home.kept
    assert (alert.title, alert.body) == (
        f"ad-hoc run {WEEK}: bag rejected; 2 checks failed, 1 of them with a warning",
        (
            f"- [error] bag, {WEEK}: version 5 is Rejected. Owner: {BAG}.\n"
            "  - other: 1 is over 0.\n"
            f"- [error] bag/metrics, {WEEK}: density_is_stable: density_is_stable is 0.4666. "
            f"(value 0.4666, limit 0.2055) Owner: {SCIENCE}.\n"
            "  remedy: Look at the units.\n"
            f"- [warning] bag/metrics, {WEEK}: scores_are_calibrated: scores_are_calibrated is 0.4666. "
            f"(value 0.4666, limit 0.2055) Owner: {SCIENCE}.\n"
            "  remedy: Look at the units.\n"
            f"Owner: {BAG}, {SCIENCE}\n"
            f"Run: http://127.0.0.1:3000/runs/{run_id}\n"
            f"Alert: {alert.key}"
        ),
    )
    assert home.inbox.received == [(alert.title, False)]
    assert set(alert.failure_keys) == {
        f"run:{run_id}:model:bag:{WEEK}",
        f"run:{run_id}:check:bag/metrics:density_is_stable:{WEEK}",
        f"run:{run_id}:check:bag/metrics:scores_are_calibrated:{WEEK}",
    }


def test_a_model_that_waits_for_review_names_its_card(home: Home) -> None:
    store = LocalArtifactStore(home.settings.artifacts_path)
    with store.scratch() as scratch:
        (scratch / "out").mkdir()
        (scratch / "out" / "card.html").write_text("<h1>bag</h1>")
        parts = FingerprintParts(step="s", modules={}, libraries={}, params={}, inputs={})
        artifact = store.commit("bag/model_card", WEEK, scratch / "out", parts=parts, provenance={})
    store.point(artifact)
    home.run(gates(), registered("PendingManualApproval", "label_volume_is_usual: 40% fewer."))
    home.take()
    (alert,) = home.kept
    assert (alert.title, alert.severity) == (f"ad-hoc run {WEEK}: bag waits for review", "warning")
    (card,) = alert.model_cards
    assert Path(card).read_text() == "<h1>bag</h1>"
    assert alert.lines[:3] == (
        f"- [warning] bag, {WEEK}: version 5 is PendingManualApproval.",
        "  - label_volume_is_usual: 40% fewer.",
        f"  model card: {card}",
    )


def test_nothing_wrong_is_no_message(home: Home) -> None:
    home.run(gates(density_is_stable=(True, "ERROR")), registered("Approved"))
    assert home.take() == Round()
    assert home.kept == []
    assert home.look.store.last_look("runs") == home.clock.moment.timestamp()


def test_a_failed_run_names_step_cause_and_owner(home: Home) -> None:
    run_id = home.run(broken(ValueError("bag has no rows\nat all")))
    home.take()
    (alert,) = home.kept
    assert alert.title == f"ad-hoc run {WEEK}: the run failed"
    assert alert.lines[0] == f"- [error] bag/model, {WEEK}: ValueError: bag has no rows"
    assert (alert.owners, alert.failure_keys) == ((SCIENCE,), (f"run:{run_id}:failed:bag__model",))


def test_a_cancelled_run_is_a_warning(home: Home) -> None:
    run_id = queued(home.instance, dg.DagsterRunStatus.STARTED, **{"dagster/partition": WEEK})
    home.instance.report_run_canceled(home.instance.get_run_by_id(run_id))  # type: ignore[arg-type]
    home.take()
    (alert,) = home.kept
    assert (alert.title, alert.severity) == (f"weekly_training {WEEK}: the run was cancelled", "warning")
    assert alert.owners == (PLATFORM,)


def test_a_run_whose_process_was_killed_is_found_and_told_of(home: Home) -> None:
    run_id = queued(home.instance, dg.DagsterRunStatus.STARTED, **{"packaging/holds_lock": "true"})
    home.take()
    home.clock.advance(10)
    home.take()
    (alert,) = home.kept
    assert alert.failure_keys == (f"run:{run_id}:failed:-",)
    assert "The process that ran it was ended from outside." in alert.lines[0]


def test_every_run_is_told_once_however_often_one_looks(home: Home) -> None:
    home.run(gates(density_is_stable=(False, "ERROR")))
    home.take()
    home.run(gates(density_is_stable=(True, "ERROR")))
    home.run(gates(density_is_stable=(False, "ERROR")))
    for _ in range(3):
        home.take()
    home.cursor = Cursor()
    home.take()
    assert len(home.inbox.received) == 2


def test_an_event_that_has_not_settled_waits_for_the_next_look(home: Home) -> None:
    home.run(gates(density_is_stable=(False, "ERROR")))
    home.clock.moment = dt.datetime.now(dt.UTC)
    home.take()
    assert (home.kept, home.cursor.ended) == ([], {})
    home.clock.advance(10)
    home.take()
    assert len(home.kept) == 1


def test_what_a_clock_wrote_that_was_ahead_keeps_nothing_back_once_it_is_set_right(home: Home) -> None:
    ahead = home.run(gates(density_is_stable=(False, "ERROR")))
    home.clock.advance(-365 * 86_400)
    home.take()
    (alert,) = home.kept
    assert alert.failure_keys == (f"run:{ahead}:check:bag/metrics:density_is_stable:{WEEK}",)


@pytest.mark.parametrize(("seconds", "told"), [(-61, 1), (-59, 0), (4, 0), (6, 1)])
def test_an_event_settles_for_some_seconds_also_by_a_clock_that_is_a_little_behind(
    home: Home, seconds: int, told: int
) -> None:
    run_id = home.run(gates(density_is_stable=(False, "ERROR")))
    ended = home.instance.get_run_record_by_id(run_id)
    assert ended is not None
    assert ended.end_time is not None
    home.clock.moment = dt.datetime.fromtimestamp(ended.end_time, dt.UTC) + dt.timedelta(seconds=seconds)
    home.take()
    assert len(home.kept) == told


def test_what_ended_long_before_the_first_look_is_not_told(home: Home) -> None:
    home.run(gates(density_is_stable=(False, "ERROR")))
    home.clock.advance(7 * 86_400)
    home.take()
    assert home.kept == []


RETRIES = {"dagster/max_retries": "1", "dagster/will_retry": "true"}


def retry_of(home: Home, run_id: str, *assets: dg.AssetsDefinition) -> str:
    """What Dagster's daemon does: launch the retry, and mark the run that failed."""
    tags = {"dagster/retry_number": "1", "dagster/parent_run_id": run_id, "dagster/root_run_id": run_id}
    retry = home.run(*assets, tags=tags)
    with_parent = home.instance.get_run_by_id(retry)
    assert with_parent is not None
    home.instance.add_run_tags(run_id, {"dagster/auto_retry_run_id": retry})
    return retry


class Parented:
    """A `DagsterInstance` in which a run's parent is the one of its tags, as when the daemon has launched it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    def get_run_by_id(self, run_id: str) -> dg.DagsterRun | None:
        run = self._instance.get_run_by_id(run_id)
        return run and run._replace(parent_run_id=run.tags.get("dagster/parent_run_id"))


def test_a_retry_that_will_still_happen_is_no_alert_and_its_success_tells_only_what_stays_failed(home: Home) -> None:
    checks = gates(density_is_stable=(False, "ERROR"), enough_rows=(False, "WARN"))
    run_id = home.run(checks, broken(ValueError("the network")), tags=RETRIES)
    home.take()
    assert (home.kept, list(home.cursor.awaiting_retry)) == ([], [run_id])
    retry = retry_of(home, run_id, gates(enough_rows=(True, "WARN")))
    home.take(instance=Parented(home.instance))
    (alert,) = home.kept
    assert alert.failure_keys == (f"run:{retry}:check:bag/metrics:density_is_stable:{WEEK}",)
    assert home.cursor.awaiting_retry == {}


def test_a_retry_that_fails_too_is_one_message(home: Home) -> None:
    run_id = home.run(broken(ValueError("the network")), tags=RETRIES)
    home.take()
    retry = retry_of(home, run_id, broken(ValueError("still the network")))
    home.take(instance=Parented(home.instance))
    (alert,) = home.kept
    assert alert.failure_keys == (f"run:{retry}:failed:bag__model",)


@pytest.mark.parametrize(("status", "told"), [("Approved", []), ("Rejected", ["bag rejected"])])
def test_of_a_model_that_a_retry_registers_again_the_last_decision_is_told(
    home: Home, status: str, told: list[str]
) -> None:
    run_id = home.run(registered("Rejected", "enough_rows: 12"), broken(ValueError("the network")), tags=RETRIES)
    home.take()
    retry = retry_of(home, run_id, registered(status))
    home.take(instance=Parented(home.instance))
    expected = [f"run:{retry}:model:bag:{WEEK}"] * len(told)
    assert [(alert.title, *alert.failure_keys) for alert in home.kept] == [
        (f"ad-hoc run {WEEK}: {title}", key) for title, key in zip(told, expected, strict=True)
    ]


def test_a_retry_that_never_comes_is_an_alert_in_the_end(home: Home) -> None:
    run_id = home.run(broken(ValueError("the network")), tags=RETRIES)
    home.take()
    home.clock.advance(29 * 60)
    home.take()
    assert home.kept == []
    home.clock.advance(60)
    home.take()
    (alert,) = home.kept
    assert alert.failure_keys == (f"run:{run_id}:failed:bag__model",)
    assert home.cursor.awaiting_retry == {}


def test_a_retry_that_never_comes_is_not_waited_for_longer_because_a_clock_was_set_back(home: Home) -> None:
    run_id = home.run(broken(ValueError("the network")), tags=RETRIES)
    home.clock.advance(86_400)
    home.take()
    home.clock.advance(-86_400)
    home.take()
    assert (home.kept, list(home.cursor.awaiting_retry)) == ([], [run_id])
    home.clock.advance(30 * 60)
    home.take()
    (alert,) = home.kept
    assert alert.failure_keys == (f"run:{run_id}:failed:bag__model",)


def test_a_retry_that_was_deleted_since_tells_of_nothing_so_the_first_attempt_does(home: Home) -> None:
    run_id = home.run(broken(ValueError("the network")), tags=RETRIES)
    home.instance.add_run_tags(run_id, {"dagster/auto_retry_run_id": "deleted"})
    home.take()
    (alert,) = home.kept
    assert alert.failure_keys == (f"run:{run_id}:failed:bag__model",)


def test_a_run_that_somebody_starts_again_by_hand_tells_only_of_itself(home: Home) -> None:
    first = home.run(gates(density_is_stable=(False, "ERROR")))
    home.take()
    again = home.run(gates(enough_rows=(False, "WARN")), tags={"dagster/parent_run_id": first})
    home.take(instance=Parented(home.instance))
    assert [alert.failure_keys for alert in home.kept] == [
        (f"run:{first}:check:bag/metrics:density_is_stable:{WEEK}",),
        (f"run:{again}:check:bag/metrics:enough_rows:{WEEK}",),
    ]


def test_a_run_that_was_deleted_since_it_ended_is_no_alert(home: Home) -> None:
    run_id = home.run(gates(density_is_stable=(False, "ERROR")))
    home.instance.run_storage.delete_run(run_id)
    home.take()
    assert (home.kept, home.cursor.awaiting_retry) == ([], {})
    assert home.cursor.ended.keys() == {"RUN_SUCCESS"}


def test_of_a_run_over_several_weeks_each_weeks_decision_is_told(home: Home) -> None:
    @dg.asset(key=["bag", "registered_model"], partitions_def=WEEKLY)
    def registered_model() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"version": 5, "stage": "live", "status": "Rejected"})

    tags = {"dagster/asset_partition_range_start": "2025-01-06", "dagster/asset_partition_range_end": WEEK}
    run_id = dg.materialize([registered_model], instance=home.instance, tags=tags).run_id
    home.clock.advance(60)
    home.take()
    (alert,) = home.kept
    assert set(alert.failure_keys) == {f"run:{run_id}:model:bag:2025-01-06", f"run:{run_id}:model:bag:{WEEK}"}


def test_a_test_of_dbt_that_failed_says_of_how_many_rows(home: Home) -> None:
    key = dg.AssetKey("product_features")

    @dg.asset(key=key, partitions_def=WEEKLY, check_specs=[dg.AssetCheckSpec("unique", asset=key)])
    def product_features() -> dg.MaterializeResult:
        failed = dg.AssetCheckResult(
            check_name="unique", passed=False, metadata={"dagster_dbt/failed_row_count": 3, "limit": "none"}
        )
        return dg.MaterializeResult(check_results=[failed])

    home.run(product_features)
    home.take()
    (failure,) = home.kept[0].failures
    assert (failure.kind, failure.value, failure.limit) == ("check", 3.0, None)


def test_a_run_that_has_not_started_is_told_once(home: Home) -> None:
    run_id = queued(home.instance, **{"dagster/partition": WEEK})
    home.take()
    assert home.kept == []
    home.clock.advance(61 * 60)
    for _ in range(2):
        home.take()
    (alert,) = home.kept
    assert alert.title == f"weekly_training {WEEK}: the run has not started"
    assert alert.lines[0] == (
        "- [error] The run is still QUEUED 61 minutes after it was asked for. (value 61, limit 60)"
    )
    assert (alert.failure_keys, alert.owners) == ((f"run:{run_id}:unstarted",), (PLATFORM,))


def test_a_run_that_nobody_started_for_days_before_the_first_look_is_left_alone(home: Home) -> None:
    queued(home.instance)
    home.clock.advance(home.settings.alert_look_back_days * 86_400)
    home.take()
    assert home.kept == []


def test_a_queued_run_waits_its_turn_while_the_queue_moves(home: Home) -> None:
    waiting = queued(home.instance)
    starting = queued(home.instance, dg.DagsterRunStatus.STARTING)
    home.clock.advance(61 * 60)
    home.take(instance=Moving(home.instance, started_at=home.clock.moment - dt.timedelta(minutes=59)))
    assert [alert.failure_keys for alert in home.kept] == [(f"run:{starting}:unstarted",)]
    home.take(instance=Moving(home.instance, started_at=home.clock.moment - dt.timedelta(minutes=61)))
    assert [alert.failure_keys for alert in home.kept][1:] == [(f"run:{waiting}:unstarted",)]


class Moving(Parented):
    """An instance in which one run has started at the given time."""

    def __init__(self, instance: dg.DagsterInstance, started_at: dt.datetime) -> None:
        super().__init__(instance)
        self._record = SimpleNamespace(start_time=started_at.timestamp())

    def get_run_records(self, filters: dg.RunsFilter, **options: Any) -> Any:
        if filters.updated_after:
            return [self._record]
        return self._instance.get_run_records(filters, **options)


DELIVERED = "insert into raw.delivery_days values ('d', $table, $day, 1)"


def arrive(home: Home, *days: str, table: str = "products") -> None:
    statements = [(DELIVERED, {"table": table, "day": dt.date.fromisoformat(day)}) for day in days]
    warehouse_for(home.settings).load({}, statements)


def at(home: Home, moment: str) -> None:
    home.clock.moment = dt.datetime.fromisoformat(f"{moment}+00:00")


def test_days_without_products_are_one_message_and_each_is_told_once(home: Home) -> None:
    home.owners["product_features"] = ("team:packaging-data",)
    arrive(home, "2025-01-07", "2025-01-09")
    arrive(home, "2025-01-08", table="package_tests")
    at(home, "2025-01-11T05:59")
    home.take()
    (first,) = home.kept
    assert first.failure_keys == ("data:products:2025-01-08",)
    assert first.owners == ("team:packaging-data",)
    at(home, "2025-01-12T06:15")
    home.take()
    second = home.kept[1]
    assert second.failure_keys == ("data:products:2025-01-10", "data:products:2025-01-11")
    assert second.title == "raw/products: data did not arrive"
    assert second.lines[2] == (
        "- [error] raw/products, 2025-01-11: No products have been delivered for this day, which ended 6 hours ago. "
        "(value 6, limit 6)"
    )


@pytest.mark.parametrize(("moment", "told"), [("2025-01-10T05:59", 0), ("2025-01-10T06:00", 1)])
def test_a_day_is_late_from_the_set_hours_on(home: Home, moment: str, told: int) -> None:
    arrive(home, "2025-01-08")
    at(home, moment)
    home.take()
    assert len(home.kept) == told


def test_days_are_looked_for_also_after_the_clock_was_set_back(home: Home) -> None:
    arrive(home, "2025-01-07", "2025-01-09")
    at(home, "2026-01-11T12:00")
    home.take()
    assert len(home.kept) == 1  # the last days, of 2026
    at(home, "2025-01-10T12:00")
    home.take()
    found_first, _ = home.kept  # by the clock
    assert found_first.failure_keys == ("data:products:2025-01-08",)


def test_a_warehouse_out_of_reach_is_told_of_also_after_the_clock_was_set_back(home: Home) -> None:
    at(home, "2026-01-11T12:00")
    home.take(warehouse=LockedWarehouse())
    at(home, "2025-01-10T12:00")
    home.take(warehouse=LockedWarehouse())
    at(home, "2025-01-10T14:00")
    home.take(warehouse=LockedWarehouse())
    assert [alert.failures[0].key for alert in home.kept] == ["trouble:data:2025-01-10"]


def test_a_feed_that_never_began_is_not_late(home: Home) -> None:
    at(home, "2025-02-10T12:00")
    home.take()
    assert home.kept == []


class LockedWarehouse:
    def fetch(self, *_: object) -> list[dict[str, Any]]:
        raise WarehouseError("the warehouse stayed locked")


class CountingWarehouse:
    def __init__(self) -> None:
        self.fetched = 0

    def fetch(self, *_: object) -> list[dict[str, Any]]:
        self.fetched += 1
        return []


def test_the_warehouse_which_a_reader_may_wait_for_is_asked_every_quarter_of_an_hour(home: Home) -> None:
    warehouse, asked = CountingWarehouse(), []
    for seconds in (0, 30, 14 * 60 + 29, 1, 30):
        home.clock.advance(seconds)
        home.take(warehouse=warehouse)
        asked.append(warehouse.fetched)
    assert asked == [1, 1, 1, 2, 2]


def test_late_data_is_told_by_the_look_that_finds_it(home: Home) -> None:
    arrive(home, "2025-01-07", "2025-01-09")
    at(home, "2025-01-11T05:59")
    outcome = home.take()
    assert (len(outcome.sent), home.inbox.received) == (1, [("raw/products: data did not arrive", False)])


def test_a_warehouse_that_is_busy_is_an_alert_only_when_it_stays_so(home: Home) -> None:
    # It is told of once a day, so all of it has to be in one.
    home.clock.moment = dt.datetime.combine(home.clock.moment + dt.timedelta(days=1), dt.time(6), dt.UTC)
    for quarter in range(9):
        assert home.kept == [], quarter
        home.take(warehouse=LockedWarehouse())
        home.clock.advance(15 * 60)
    (alert,) = home.kept
    assert alert.lines[0] == (
        "- [error] Could not look at whether data arrived: WarehouseError: the warehouse stayed locked"
    )
    home.take(warehouse=LockedWarehouse())
    assert len(home.kept) == 1


def test_how_long_a_warehouse_is_busy_counts_from_when_it_was_last_in_reach(home: Home) -> None:
    home.clock.moment = dt.datetime.combine(home.clock.moment + dt.timedelta(days=1), dt.time(6), dt.UTC)
    for _ in range(3):
        home.take(warehouse=CountingWarehouse())
        home.clock.advance(90 * 60)
    home.take(warehouse=LockedWarehouse())
    assert home.kept == []
    home.clock.advance(30 * 60)
    home.take(warehouse=LockedWarehouse())
    assert [alert.failures[0].kind for alert in home.kept] == ["trouble"]


def test_a_run_that_cannot_be_read_is_an_alert_and_the_others_are_told_of(home: Home) -> None:
    class Unreadable(Parented):
        def all_logs(self, run_id: str, of_type: Any = None) -> Any:
            if run_id == bad:
                raise RuntimeError("a row that makes no sense")
            return self._instance.all_logs(run_id, of_type=of_type)

    bad = home.run(gates(a=(False, "ERROR")))
    good = home.run(gates(b=(False, "ERROR")))
    home.take(instance=Unreadable(home.instance))
    trouble, other = home.kept
    assert trouble.failure_keys == (f"run:{bad}:trouble",)
    assert trouble.lines == (
        f"- [error] Could not look at run {bad}: RuntimeError: a row that makes no sense",
        "  remedy: Look at it by hand: the sensor has gone on without it.",
        f"Owner: {PLATFORM}",
        f"Run: http://127.0.0.1:3000/runs/{bad}",
        f"Alert: {trouble.key}",
    )
    assert other.failure_keys == (f"run:{good}:check:bag/metrics:b:{WEEK}",)
    home.take()
    assert len(home.kept) == 2


def test_a_part_of_the_look_that_fails_is_told_once_a_day_and_hides_nothing(home: Home) -> None:
    class NoRuns(Parented):
        def get_run_records(self, *_: object, **__: object) -> Any:
            raise RuntimeError("no such column")

    home.run(gates(a=(False, "ERROR")))
    for _ in range(2):
        home.take(instance=NoRuns(home.instance))
    assert [alert.failures[0].kind for alert in home.kept] == ["check", "trouble"]
    home.clock.advance(86_400)
    home.take(instance=NoRuns(home.instance))
    assert [alert.failures[0].kind for alert in home.kept] == ["check", "trouble", "trouble"]


def test_when_nothing_can_be_kept_the_cursor_stays(home: Home) -> None:
    class Full(AlertStore):
        def add(self, *_: object, **__: object) -> Any:
            raise AlertStoreError("disk full")

    home.run(gates(a=(False, "ERROR")))
    with pytest.raises(AlertStoreError):
        home.take(store=Full(home.settings.alerts_path))
    assert home.cursor == Cursor()
    home.take()
    assert len(home.inbox.received) == 1


def test_an_unreachable_notifier_keeps_nothing_back_from_the_cursor_and_is_told_later(home: Home) -> None:
    home.inbox.error = UNREACHABLE
    home.run(gates(a=(False, "ERROR")))
    outcome = home.take()
    assert outcome.failed == {"all": "connection refused"}
    assert home.cursor.ended == {"RUN_SUCCESS": home.cursor.ended["RUN_SUCCESS"]}
    home.inbox.error = None
    home.clock.advance(30)
    assert len(home.take().sent) == 1
    assert len(home.inbox.received) == 1


POINTS: dict[str, tuple[str, str]] = {
    "before it is kept": ("add", "before"),
    "after it is kept": ("add", "after"),
    "before it is claimed": ("claim", "before"),
    "after it is claimed": ("claim", "after"),
    "after it is sent": ("mark_sent", "before"),
    "after it is marked as sent": ("mark_sent", "after"),
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_every_alert_arrives_and_only_one_cut_off_while_sending_comes_twice(
    home: Home, point: str
) -> None:
    method, when = POINTS[point]

    class Dying(AlertStore):
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            return _dying(found, when) if name == method else found

    home.run(gates(a=(False, "ERROR"), b=(False, "WARN")))
    with pytest.raises(Killed):
        home.take(store=Dying(home.settings.alerts_path))
    assert home.cursor == Cursor()
    for _ in range(3):
        home.clock.advance(CLAIM_SECONDS)
        home.take()
    title = f"ad-hoc run {WEEK}: 2 checks failed, 1 of them with a warning"
    expected = {
        "after it is claimed": [(title, True)],
        "after it is sent": [(title, False), (title, True)],
    }
    assert home.inbox.received == expected.get(point, [(title, False)])
    assert home.look.store.unsent() == []


def _dying(method: Callable[..., Any], when: str) -> Callable[..., Any]:
    def die(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            method(*args, **kwargs)
        raise Killed

    return die


def tick(home: Home, cursor: str | None = None) -> tuple[str, str]:
    """One tick of the sensor itself: the new cursor, and what it says."""
    definitions = dg.Definitions(assets=[gates(a=(False, "ERROR"))])
    context = dg.build_sensor_context(
        home.instance,
        cursor=cursor,
        repository_def=definitions.get_repository_def(),
        resources={
            "settings": home.settings,
            "alert_store": home.look.store,
            "alert_routes": home.look.routes,
            "warehouse": home.look.warehouse,
            "artifact_store": home.look.artifact_store,
            "clock": home.clock,
        },
    )
    data = sensor.alerts.evaluate_tick(context)
    return str(data.cursor), str(data.skip_message)


def test_the_sensor_keeps_its_cursor_and_knows_the_owners_of_assets(tmp_path: Path) -> None:
    with dg.instance_for_test() as persistent:
        home = Home(tmp_path, persistent)
        home.run(gates(a=(False, "ERROR")))
        cursor, said = tick(home)
        assert said == "1 sent"
        assert json.loads(cursor)["ended"].keys() == {"RUN_SUCCESS"}
        assert home.kept[0].owners == (SCIENCE,)
        assert tick(home, cursor) == (cursor, "Nothing to tell.")
        assert tick(home, "not json at all")[1] == "Nothing to tell."
        assert len(home.inbox.received) == 1


def test_of_a_shadow_model_a_rejection_is_told_once_and_as_a_warning(home):
    failing = gates(pr_auc_not_below_champion=(False, "ERROR"))
    home.run(failing, registered("Rejected", "pr_auc_not_below_champion: too low", stage="shadow"))
    home.take()
    (alert,) = home.kept
    assert alert.title.endswith("bag rejected as a shadow")
    assert (alert.severity, [failure.kind for failure in alert.failures]) == ("warning", ["model"])
    assert alert.failures[0].reasons == ("pr_auc_not_below_champion: too low",)


def test_a_reason_is_told_as_the_gates_gave_it_and_not_as_markdown(home):
    reason = "no_slice_is_worse_than_champion: 1 of 9 slices is worse, brand *<A|B>* [c](d): log-loss +9.0%."

    @dg.asset(key=METRICS, partitions_def=WEEKLY, check_specs=[dg.AssetCheckSpec("a", asset=METRICS)], owners=[SCIENCE])
    def metrics() -> dg.MaterializeResult:
        failed = dg.AssetCheckResult(check_name="a", passed=False, description=as_markdown(reason))
        return dg.MaterializeResult(check_results=[failed])

    home.run(metrics, registered("Rejected", reason))
    home.take()
    (alert,) = home.kept
    assert {failure.kind: failure.reasons for failure in alert.failures}["model"] == (reason,)
    assert f"  - {reason}" in alert.lines
    assert f"- [error] bag/metrics, {WEEK}: a: {reason}" in "\n".join(alert.lines)


def test_a_shadow_model_that_waits_for_nobody_is_no_alert(home):
    home.run(gates(drift=(False, "WARN")), registered("PendingManualApproval", stage="shadow"))
    home.take()
    assert home.kept == []


def test_a_shadow_job_that_failed_is_a_warning_and_a_live_one_an_error(home):
    @dg.asset(key=["daily", "shadow_predictions"], partitions_def=WEEKLY, owners=[SCIENCE])
    def shadow_predictions() -> None:
        raise ValueError("no column 'title'")

    job = dg.define_asset_job("daily_shadow", selection=[shadow_predictions])
    definitions = dg.Definitions(assets=[shadow_predictions], jobs=[job])
    definitions.resolve_job_def("daily_shadow").execute_in_process(
        instance=home.instance, partition_key=WEEK, raise_on_error=False
    )
    home.run(broken(ValueError("no column 'title'")))
    home.take()
    assert [(alert.severity, alert.subject.split()[0]) for alert in home.kept] == [
        ("warning", "daily_shadow"),
        ("error", "ad-hoc"),
    ]
