"""What ingestion asks of the warehouse: which deliveries and rows are there, and the append, in one transaction.

The SQL runs on DuckDB and on Redshift; `"raw"` is quoted because Redshift reserves the word. Names of tables and
columns come from the contract, values only as parameters.
"""

import datetime as dt
import re
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from packaging_assets.ingestion.contract import TableContract
from packaging_assets.resources.warehouse import Parameters, Warehouse, WarehouseError

_ROWS_PER_FILE = 100_000

_SECOND = "%Y%m%d%H%M%S"
_KNOWN = re.compile(r"known_[a-z_]+_([0-9]{14})_[0-9a-f]{8}")
"""How tables of known rows are called: after the raw table, when they were made, and by nobody else."""

_PATIENCE = dt.timedelta(days=1)
"""For how long such a table may be somebody's who is still at work."""

_FIND_DELIVERY = """
select accepted_rows, duplicate_rows, quarantined_rows, received_at
from "raw".deliveries
where delivery_id = $delivery_id and table_name = $table_name
"""
_FIND_DAYS = """
select day
from "raw".delivery_days
where delivery_id = $delivery_id and table_name = $table_name
order by day
"""
_HAS_ROWS = 'select 1 as is_there from "raw".{table} limit 1'
_FIND_KNOWN = """
select table_name from information_schema.tables
where table_schema = 'raw' and table_name like 'known%'
order by table_name
"""
_DROP_KNOWN = 'drop table if exists "raw".{known}'
_KEEP_KNOWN = """
create table "raw".{known} as
select {columns}
from "raw".{table} standing
where exists (select 1 from delivered where {same_key})
"""
_READ_KNOWN = 'select {columns} from "raw".{known} order by {key}'

# Rows were matched with what was there, and another process may have taken in a file since: this one, or one that has
# some of its keys. The record of a delivery is written last.
_IS_NEW = """
(select count(*) from "raw".deliveries where table_name = $table_name) = $standing_deliveries
and not exists (
    select 1 from "raw".deliveries where delivery_id = $delivery_id and table_name = $table_name
)
"""
_COUNT_DELIVERIES = 'select count(*) as n from "raw".deliveries where table_name = $table_name'
_APPEND_ROWS = """
insert into "raw".{table} ({columns})
select {columns}
from delivered
where delivered_line not in (select delivered_line from left_out) and {is_new}
order by {key}
"""
_APPEND_QUARANTINE = """
insert into "raw".quarantine (delivery_id, table_name, file_name, line, field, value, reason)
select $delivery_id, $table_name, $file_name, line, field, value, reason
from bad_rows
where {is_new}
order by line
"""
_APPEND_DAYS = """
insert into "raw".delivery_days (delivery_id, table_name, day, rows)
select $delivery_id, $table_name, day, rows
from days
where {is_new}
order by day
"""
_APPEND_DELIVERY = """
insert into "raw".deliveries (
    delivery_id, table_name, file_name, accepted_rows, duplicate_rows, quarantined_rows, received_at
)
select $delivery_id, $table_name, $file_name, $accepted_rows, $duplicate_rows, $quarantined_rows, $received_at
where {is_new}
"""


def find_delivery(warehouse: Warehouse, table: str, delivery_id: str) -> dict[str, Any] | None:
    """The record of a file already taken in for this table: its counts and `received_at`."""
    rows = warehouse.fetch(_FIND_DELIVERY, {"delivery_id": delivery_id, "table_name": table})
    return rows[0] if rows else None


def count_deliveries(warehouse: Warehouse, table: str) -> int:
    """How many files have been taken in for this table: the same number again means that no other came between."""
    return int(warehouse.fetch(_COUNT_DELIVERIES, {"table_name": table})[0]["n"])


def delivered_days(warehouse: Warehouse, table: str, delivery_id: str) -> tuple[dt.date, ...]:
    """The days to which a delivery added rows."""
    rows = warehouse.fetch(_FIND_DAYS, {"delivery_id": delivery_id, "table_name": table})
    return tuple(row["day"] for row in rows)


def fetch_known_rows(
    warehouse: Warehouse, contract: TableContract, delivered: Path, received_at: dt.datetime, folder: Path
) -> Path | None:
    """The warehouse's rows that share a key with a delivered one, as Parquet parts in `folder`; none: nothing there.

    They pass through a table of their own, since only a load sees staged rows and only an unload returns rows. It is
    nobody else's, also where the same file is delivered twice at once. It is dropped at once, or, should this process
    be killed in between, by a delivery that is received a day later.
    """
    if not warehouse.fetch(_fill(_HAS_ROWS, contract), {}):
        return None
    _drop_abandoned(warehouse, received_at - _PATIENCE)
    known = f"known_{contract.name}_{received_at:{_SECOND}}_{uuid.uuid4().hex[:8]}"
    drop = (_DROP_KNOWN.format(known=known), {})
    keep = (_fill(_KEEP_KNOWN, contract, known=known), {})
    warehouse.load({"delivered": delivered}, [drop, keep])  # a call whose answer was lost is made again
    try:
        read = _fill(_READ_KNOWN, contract, known=known)
        warehouse.unload(read, {}, folder, rows_per_file=_ROWS_PER_FILE)
    finally:
        warehouse.load({}, [drop])
    return folder


def _drop_abandoned(warehouse: Warehouse, made_before: dt.datetime) -> None:
    names = [str(row["table_name"]) for row in warehouse.fetch(_FIND_KNOWN, {})]
    made_at = {name: found[1] for name in names if (found := _KNOWN.fullmatch(name))}
    abandoned = [name for name, second in made_at.items() if second < made_before.strftime(_SECOND)]
    if abandoned:
        with suppress(WarehouseError):  # on Redshift a table is its maker's, and another user may not drop it
            warehouse.load({}, [(_DROP_KNOWN.format(known=name), {}) for name in abandoned])


def append_delivery(
    warehouse: Warehouse,
    contract: TableContract,
    record: Parameters,
    *,
    standing_deliveries: int,
    delivered: Path,
    left_out: pa.Table,
    days: pa.Table,
    bad_rows: Path,
) -> None:
    """Append rows, quarantine, days and the delivery's record in one transaction, or nothing.

    Nothing is appended if the file is there already, or any other was taken in since the rows were matched.

    Args:
        warehouse: where to.
        contract: the table's contract.
        record: the columns of `raw.deliveries` by name.
        standing_deliveries: as `count_deliveries` said before the rows were matched.
        delivered: Parquet parts: `validation.LINE_COLUMN` and the contract's columns.
        left_out: the lines of `delivered` that are not appended.
        days: `day` and `rows`.
        bad_rows: Parquet parts of bad rows (`validation.BAD_ROW_SCHEMA`).
    """
    standing = {"standing_deliveries": standing_deliveries}
    identity = {**{name: record[name] for name in ("delivery_id", "table_name")}, **standing}
    warehouse.load(
        {"delivered": delivered, "left_out": left_out, "days": days, "bad_rows": bad_rows},
        [
            (_fill(_APPEND_ROWS, contract), identity),
            (_fill(_APPEND_QUARANTINE, contract), {**identity, "file_name": record["file_name"]}),
            (_fill(_APPEND_DAYS, contract), identity),
            (_fill(_APPEND_DELIVERY, contract), {**record, **standing}),
        ],
    )


def _fill(sql: str, contract: TableContract, *, known: str = "") -> str:
    return sql.format(
        table=contract.name,
        columns=", ".join(contract.column_names),
        key=", ".join(contract.key),
        same_key=" and ".join(f"standing.{name} = delivered.{name}" for name in contract.key),
        known=known,
        is_new=_IS_NEW,
    )
