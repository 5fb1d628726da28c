"""Loading predictions into `ml.predictions`: one partition replaced whole, in one transaction, or nothing changed."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from packaging_assets.resources.warehouse import Warehouse

_DELETE = "delete from ml.predictions where cadence = $cadence and partition_start = $partition_start"
_INSERT = """
insert into ml.predictions (
    cadence, partition_start, product_id, package_type, score, damage_probability, is_suitable, model_version, as_of,
    load_id
)
select $cadence, $partition_start, product_id, package_type, score, damage_probability, is_suitable, model_version,
    $as_of, $load_id
from staged_predictions
"""
_RECORD = """
insert into ml.prediction_loads (load_id, cadence, partition_start, content_hash, rows, loaded_at)
values ($load_id, $cadence, $partition_start, $content_hash, $rows, $loaded_at)
"""


@dataclass(frozen=True)
class PredictionLoad:
    """What a load did: `is_new` is false when the warehouse already held exactly these predictions."""

    load_id: int
    rows: int
    is_new: bool


@dataclass(frozen=True)
class PredictionPartition:
    """Which predictions these are: `cadence` is daily or monthly, `as_of` the end of what they know of the products."""

    cadence: str
    partition_start: dt.date
    as_of: dt.datetime
    content_hash: str
    rows: int


def load_predictions(
    warehouse: Warehouse, partition: PredictionPartition, folder: Path, *, loaded_at: dt.datetime
) -> PredictionLoad:
    """Replace the partition's rows by the Parquet files in `folder`; a no-op if they are what was loaded last."""
    key = {"cadence": partition.cadence, "partition_start": partition.partition_start}
    last = warehouse.fetch(
        "select load_id, content_hash from ml.prediction_loads "
        "where cadence = $cadence and partition_start = $partition_start order by load_id desc limit 1",
        key,
    )
    if last and last[0]["content_hash"] == partition.content_hash:
        return PredictionLoad(load_id=last[0]["load_id"], rows=partition.rows, is_new=False)
    load_id = warehouse.fetch("select coalesce(max(load_id), 0) + 1 as load_id from ml.prediction_loads", {})[0][
        "load_id"
    ]
    record = {"load_id": load_id, "content_hash": partition.content_hash, "rows": partition.rows}
    warehouse.load(
        {"staged_predictions": folder},
        [
            (_DELETE, key),
            (_INSERT, {**key, "as_of": partition.as_of, "load_id": load_id}),
            (_RECORD, {**key, **record, "loaded_at": loaded_at}),
        ],
    )
    return PredictionLoad(load_id=load_id, rows=partition.rows, is_new=True)
