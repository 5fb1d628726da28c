"""One look for alerts: find what went wrong, keep it, send what is due.

The cursor that comes back may be stored: everything up to it is either nothing to tell or kept for sending. A look that
is ended in between is done again from the old cursor, and what it had kept is known by its keys.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import dagster as dg

from packaging_assets.abandoned_runs import settle_abandoned_runs
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.defs.alerts.ended_runs import RETRY_PATIENCE, Cursor, ended_runs, was_retried, will_be_retried
from packaging_assets.defs.alerts.late_data import late_data_alert
from packaging_assets.defs.alerts.run_failures import Owners, RunReader
from packaging_assets.defs.alerts.unstarted_runs import unstarted_alerts
from packaging_assets.domain.alerts import Alert, Failure, run_key
from packaging_assets.resources.alert_delivery import Round, deliver
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.notifier import Route
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings

RUNS_LOOK = "runs"
DATA_EVERY = dt.timedelta(minutes=15)
DATA_PATIENCE = dt.timedelta(hours=2)
"""How long the warehouse may be out of reach: a job that writes holds it, and that is nobody's alert."""

DATA_OWNER_ASSET = dg.AssetKey("product_features")


@dataclass(frozen=True)
class Look:
    """What a look needs; `owners` says who answers for an asset."""

    instance: dg.DagsterInstance
    settings: Settings
    store: AlertStore
    routes: Sequence[Route]
    warehouse: Warehouse
    artifact_store: ArtifactStore
    clock: Clock
    owners: Owners
    sleep: Callable[[float], None] = field(default=time.sleep)

    def take(self, cursor: Cursor) -> tuple[Cursor, Round]:
        """Find, keep and send.

        Raises:
            AlertStoreError: nothing can be kept; the cursor must stay where it is.
        """
        now = self.clock.now()
        after = cursor.model_copy(deep=True)
        self._guarded("killed runs", self._settle_abandoned)
        self._ended(after, now)
        self._guarded("runs that have not started", self._unstarted)
        self.store.record_look(RUNS_LOOK, now=now.timestamp())
        outcome = self._deliver()
        # Last, since a warehouse that is being written keeps a reader waiting for up to 40 s of a tick's 60.
        if self._data(after, now):
            outcome.add(self._deliver())
        return after, outcome

    def _deliver(self) -> Round:
        return deliver(self.store, self.routes, now=self.clock.now, sleep=self.sleep)

    @property
    def _reader(self) -> RunReader:
        return RunReader(self.instance, self._owners_or_ours, self._model_card, self.settings.ui_url)

    @property
    def _look_back(self) -> dt.timedelta:
        return dt.timedelta(days=self.settings.alert_look_back_days)

    def _keep(self, alert: Alert | None) -> None:
        if alert is not None:
            owned = alert.with_owner(self.settings.alert_owner)
            self.store.add(owned, self.routes, now=self.clock.now().timestamp())

    def _ended(self, cursor: Cursor, now: dt.datetime) -> None:
        fresh, cursor.ended = ended_runs(self.instance, cursor.ended, now=now, look_back=self._look_back)
        waited_for = cursor.awaiting_retry
        cursor.awaiting_retry = {}
        for run_id in dict.fromkeys((*waited_for, *fresh)):
            patience = now + RETRY_PATIENCE
            until = min(waited_for.get(run_id, patience), patience)  # of a clock that has been set back since
            try:
                alert, is_awaited = self._run(run_id, until, now)
            except Exception as error:  # noqa: BLE001 - one unreadable run must not hide the others
                alert, is_awaited = self._trouble(run_key(run_id, "trouble"), f"run {run_id}", error, run_id), False
            if is_awaited:
                cursor.awaiting_retry[run_id] = until
            self._keep(alert)

    def _run(self, run_id: str, until: dt.datetime, now: dt.datetime) -> tuple[Alert | None, bool]:
        """The message about an ended run, and whether to look at it again because a retry is announced."""
        run = self.instance.get_run_by_id(run_id)
        if run is None or was_retried(self.instance, run):
            return None, False
        if will_be_retried(run, until=until, now=now):
            return None, True
        return self._reader.alert(run), False

    def _settle_abandoned(self) -> None:
        settle_abandoned_runs(self.instance, self.settings.dagster_home / "locks")

    def _unstarted(self) -> None:
        alerts = unstarted_alerts(
            self._reader, now=self.clock.now(), minutes=self.settings.run_start_minutes, look_back=self._look_back
        )
        for alert in alerts:
            self._keep(alert)

    def _data(self, cursor: Cursor, now: dt.datetime) -> bool:
        """Look for late data now and then, and say whether it did; being unable to is an alert once it has lasted."""
        looked_at = self.store.last_look("data")
        # A look that is still to come was taken by a clock that has been set back since.
        if looked_at is not None and 0 <= now.timestamp() - looked_at < DATA_EVERY.total_seconds():
            return False
        self.store.record_look("data", now=now.timestamp())
        cursor.data_seen_at = min(cursor.data_seen_at or now, now)
        try:
            owners = self._owners_or_ours(DATA_OWNER_ASSET)
            alert = late_data_alert(self.warehouse, self.settings, now=now, owners=owners)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from looking is reported in the end
            if now - cursor.data_seen_at >= DATA_PATIENCE:
                self._keep(self._trouble(f"trouble:data:{now:%Y-%m-%d}", "whether data arrived", error))
        else:
            cursor.data_seen_at = now
            self._keep(alert)
        return True

    def _guarded(self, what: str, look: Callable[[], None]) -> None:
        """Let a part of the look fail without the rest; it is told of once a day."""
        try:
            look()
        except Exception as error:  # noqa: BLE001 - see above
            self._keep(self._trouble(f"trouble:{what}:{self.clock.now():%Y-%m-%d}", what, error))

    def _trouble(self, key: str, what: str, error: Exception, run_id: str | None = None) -> Alert:
        said = (str(error).strip().splitlines() or ["it says no more"])[0]
        failure = Failure(
            key=key,
            kind="trouble",
            severity="error",
            headline="the alert sensor is in trouble",
            sentence=f"Could not look at {what}: {type(error).__name__}: {said}",
            remedy="Look at it by hand: the sensor has gone on without it.",
        )
        url = f"{self.settings.ui_url.rstrip('/')}/runs/{run_id}" if run_id else None
        return Alert(subject="alerts", failures=(failure,), run_url=url)

    def _owners_or_ours(self, key: dg.AssetKey) -> tuple[str, ...]:
        return self.owners(key) or (self.settings.alert_owner,)

    def _model_card(self, model: str, week: str) -> str | None:
        card = self.artifact_store.current(f"{model}/model_card", week)
        pages = sorted(name for name in card.files if name.endswith(".html")) if card else []
        return self.artifact_store.locate(card, pages[0]) if card and pages else None
