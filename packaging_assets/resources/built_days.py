"""Which daily windows of the warehouse's models are built, and from what.

`ops.built_days` holds one row per day: the fingerprint of what that day was built from (the dbt project and the
deliveries with rows dated on that day). It answers three questions: which days of a window are stale, which are
missing, and what stands for "everything before T" in the fingerprint of a step that reads the warehouse.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from packaging_assets.resources.warehouse import Warehouse

SOURCE_SUFFIXES = frozenset({".sql", ".yml", ".yaml", ".csv"})


class MissingDaysError(Exception):
    """The warehouse models of some days, which a later step reads, have not been built."""


def dbt_project_hash(project: Path) -> str:
    """sha256 over the dbt project's sources: what a model's rows depend on besides the raw rows."""
    digest = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        is_built = {"target", "logs", "dbt_packages"} & set(path.relative_to(project).parts)
        if path.suffix in SOURCE_SUFFIXES and not is_built:
            digest.update(path.relative_to(project).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def day_fingerprints(
    warehouse: Warehouse, days: Sequence[dt.date], *, first_day: dt.date, project_hash: str
) -> dict[dt.date, str]:
    """What each day is to be built from; the first day also stands for every day before it."""
    if not days:
        return {}
    touched = warehouse.fetch(
        'select day, delivery_id from "raw".delivery_days where day <= $last order by day, delivery_id',
        {"last": max(days)},
    )
    deliveries: dict[dt.date, list[str]] = {}
    for row in touched:
        deliveries.setdefault(max(row["day"], first_day), []).append(row["delivery_id"])
    return {
        day: hashlib.sha256("\n".join([project_hash, *sorted(set(deliveries.get(day, [])))]).encode()).hexdigest()
        for day in days
    }


def built_fingerprints(warehouse: Warehouse, *, before: dt.datetime) -> dict[dt.date, str]:
    """The fingerprint of every built day whose window ends by `before`."""
    rows = warehouse.fetch("select day, fingerprint from ops.built_days where day < $before", {"before": before.date()})
    return {row["day"]: row["fingerprint"] for row in rows}


def forget_built_days(warehouse: Warehouse, days: Sequence[dt.date]) -> None:
    """Count all days from the first to the last of these as not built, since their rows are about to be replaced.

    A build that fails a test, or is killed, leaves rows that nobody has vouched for.
    """
    bounds = {"first": min(days), "last": max(days)}
    warehouse.load({}, [("delete from ops.built_days where day >= $first and day <= $last", bounds)])


def record_built_days(warehouse: Warehouse, fingerprints: Mapping[dt.date, str]) -> None:
    """Replace the fingerprints of these days, all or none."""
    if not fingerprints:
        return
    days = sorted(fingerprints)
    staged = pa.table(
        {"day": pa.array(days, pa.date32()), "fingerprint": [fingerprints[day] for day in days]},
    )
    warehouse.load(
        {"built": staged},
        [
            ("delete from ops.built_days where day in (select day from built)", {}),
            ("insert into ops.built_days (day, fingerprint) select day, fingerprint from built", {}),
        ],
    )


def version_before(warehouse: Warehouse, as_of: dt.datetime, *, needed: Collection[dt.date]) -> str:
    """One hash that stands for all the warehouse's models hold before `as_of`.

    Raises:
        MissingDaysError: a day in `needed` is not built.
    """
    built = built_fingerprints(warehouse, before=as_of)
    missing = sorted(set(needed) - set(built))
    if missing:
        raise MissingDaysError(
            f"{len(missing)} day(s) before {as_of:%Y-%m-%d} are not in the warehouse yet, from {missing[0]} to "
            f"{missing[-1]}. Run `packaging run warehouse --from {missing[0]} --to {missing[-1]}`, or materialize "
            "product_features and package_evidence for them in the UI."
        )
    return hashlib.sha256("\n".join(f"{day} {built[day]}" for day in sorted(built)).encode()).hexdigest()
