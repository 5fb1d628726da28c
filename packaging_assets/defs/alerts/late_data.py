"""Days that are over and whose products have not been delivered."""

import datetime as dt

from packaging_assets.domain.alerts import Alert, Failure
from packaging_assets.partitions import daily_partitions
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings

TABLE = "products"
QUERY = 'select distinct day from "raw".delivery_days where table_name = $table order by day'


def late_data_alert(
    warehouse: Warehouse, settings: Settings, *, now: dt.datetime, owners: tuple[str, ...]
) -> Alert | None:
    """One message about the recent days without products; none if all have some.

    Days before the first delivery ever are not waited for: nobody had begun to deliver.
    """
    overdue = now - dt.timedelta(hours=settings.data_late_hours)
    due = daily_partitions(settings).get_partition_keys(current_time=overdue)[-settings.catch_up_days :]
    arrived = [row["day"].isoformat() for row in warehouse.fetch(QUERY, {"table": TABLE})]
    late = [day for day in due if arrived and arrived[0] < day and day not in arrived]
    if not late:
        return None
    return Alert(
        subject=f"raw/{TABLE}",
        failures=tuple(_failure(day, settings, now=now, owners=owners) for day in late),
    )


def _failure(day: str, settings: Settings, *, now: dt.datetime, owners: tuple[str, ...]) -> Failure:
    end = dt.datetime.combine(dt.date.fromisoformat(day) + dt.timedelta(days=1), dt.time(), dt.UTC)
    hours = (now - end).total_seconds() / 3600
    return Failure(
        key=f"data:{TABLE}:{day}",
        kind="data",
        severity="error",
        headline="data did not arrive",
        sentence=f"No {TABLE} have been delivered for this day, which ended {hours:.0f} hours ago.",
        subject=f"raw/{TABLE}",
        partition=day,
        value=float(int(hours)),
        limit=float(settings.data_late_hours),
        remedy="Look for the delivery at its sender, then ingest it: packaging ingest.",
        owners=owners,
    )
