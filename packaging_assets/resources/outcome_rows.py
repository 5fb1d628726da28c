"""What `marts.prediction_outcomes` is made from, as one hash, so that it is built only when it would change."""

import datetime as dt
import hashlib
from collections.abc import Mapping

from packaging_assets.resources.warehouse import Warehouse

OUTCOME_GROUP = "outcome_models"
"""Under which `ops.built_groups` knows the model, and Dagster its step."""

LOADS = """
select cadence, partition_start, '' as model, max(load_id) as load_id
from ml.prediction_loads group by cadence, partition_start
union all
select cadence, partition_start, model, max(load_id) as load_id
from ml.shadow_prediction_loads group by cadence, partition_start, model
order by model, cadence, partition_start
"""
"""The newest load of each partition: one of the models that serve, and one of each shadow model."""


def outcomes_version(warehouse: Warehouse, rules: Mapping[str, object]) -> str:
    """Stands for every outcome there can be by the last day that is built.

    A load of predictions counts once something is built that came after them: loading this morning's predictions
    changes no outcome.

    Args:
        warehouse: with the ledgers of loads and of built days.
        rules: dbt's variables that say what makes an outcome.
    """
    days = warehouse.fetch("select day, fingerprint from ops.built_days order by day", {})
    loads = _loads_until(warehouse, days[-1]["day"]) if days else []
    # Without predictions there are no outcomes, whatever else is built.
    built = [f"{row['day']} {row['fingerprint']}" for row in days] if loads else []
    lines = [*(f"{name}={rules[name]}" for name in sorted(rules)), *loads, *built]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _loads_until(warehouse: Warehouse, last_day: dt.date) -> list[str]:
    """The newest load of each partition whose as_of is `last_day` at the latest, by partition (and shadow model)."""
    return [
        " ".join(str(row[column]) for column in ("cadence", "partition_start", "load_id", "model") if row[column])
        for row in warehouse.fetch(LOADS, {})
        if _as_of(row["cadence"], row["partition_start"]) <= last_day
    ]


def _as_of(cadence: str, partition_start: dt.date) -> dt.date:
    if cadence == "daily":
        return partition_start + dt.timedelta(days=1)
    return (partition_start.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
