"""Loading predictions into the warehouse: one partition replaced whole, in one transaction, or nothing changed.

Those of the models that serve go into `ml.predictions`. Those of shadow models go into `ml.shadow_predictions`, with a
ledger of their own, model by model: they can neither hold up nor renumber the others.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging_assets.resources.warehouse import Warehouse


@dataclass(frozen=True)
class PredictionLoad:
    """What a load did: `is_new` is false when the warehouse already held exactly these predictions."""

    load_id: int
    rows: int
    is_new: bool


@dataclass(frozen=True)
class PredictionPartition:
    """Which predictions these are: `cadence` is daily or monthly, `as_of` the end of what they know of the products.

    `shadow_model` is the one shadow model that made them; None for those of the models that serve.
    """

    cadence: str
    partition_start: dt.date
    as_of: dt.datetime
    content_hash: str
    rows: int
    shadow_model: str | None = None

    @property
    def key(self) -> Mapping[str, Any]:
        """The columns that say which rows are replaced."""
        key: dict[str, Any] = {"cadence": self.cadence, "partition_start": self.partition_start}
        return key if self.shadow_model is None else {**key, "model": self.shadow_model}

    @property
    def tables(self) -> tuple[str, str]:
        """Where the predictions go, and the ledger of their loads."""
        stage = "" if self.shadow_model is None else "shadow_"
        return f"ml.{stage}predictions", f"ml.{stage}prediction_loads"


def load_predictions(
    warehouse: Warehouse, partition: PredictionPartition, folder: Path, *, loaded_at: dt.datetime
) -> PredictionLoad:
    """Replace the partition's rows by the Parquet files in `folder`; a no-op if they are what was loaded last."""
    table, ledger = partition.tables
    key, is_this = partition.key, " and ".join(f"{column} = ${column}" for column in partition.key)
    # Tables and columns are this module's own names.
    last = warehouse.fetch(
        f"select load_id, content_hash from {ledger} where {is_this} order by load_id desc limit 1",  # noqa: S608
        key,
    )
    if last and last[0]["content_hash"] == partition.content_hash:
        return PredictionLoad(load_id=last[0]["load_id"], rows=partition.rows, is_new=False)
    record = {**key, "content_hash": partition.content_hash, "rows": partition.rows, "loaded_at": loaded_at}
    given = {"cadence": partition.cadence, "partition_start": partition.partition_start, "as_of": partition.as_of}
    # The load is numbered in its transaction: of two at the same time, the other one may not get the same number.
    warehouse.load(
        {"staged_predictions": folder},
        [
            (f"delete from {table} where {is_this}", key),  # noqa: S608
            _record(ledger, record),
            (_insert(table, ledger), given),
        ],
    )
    loaded = warehouse.fetch(
        f"select max(load_id) as load_id from {ledger} where {is_this} and content_hash = $content_hash",  # noqa: S608
        {**key, "content_hash": partition.content_hash},
    )
    return PredictionLoad(load_id=loaded[0]["load_id"], rows=partition.rows, is_new=True)


def _insert(table: str, ledger: str) -> str:
    of_rows = "product_id, package_type, score, damage_probability, is_suitable, model, model_version"
    return (
        f"insert into {table} (cadence, partition_start, {of_rows}, as_of, load_id) "  # noqa: S608 - our own names
        f"select $cadence, $partition_start, {of_rows}, $as_of, newest.load_id "
        f"from staged_predictions cross join (select max(load_id) as load_id from {ledger}) as newest"
    )


def _record(ledger: str, row: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    values = ", ".join(f"${column}" for column in row)
    columns = f"load_id, {', '.join(row)}"
    return f"insert into {ledger} ({columns}) select coalesce(max(load_id), 0) + 1, {values} from {ledger}", row  # noqa: S608 - our own names
