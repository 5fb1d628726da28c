import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.resources.predictions_table import PredictionLoad, PredictionPartition, load_predictions
from packaging_assets.resources.warehouse import WarehouseError

DAY = dt.date(2025, 1, 12)
LOADED_AT = dt.datetime(2025, 1, 13, 4)  # noqa: DTZ001 - naive UTC


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", "500MB", 1)
    warehouse.create_tables()
    return warehouse


def predictions(folder: Path, scores: dict[str, float], version: int = 1, model: str = "box_text") -> Path:
    folder.mkdir()
    table = pa.table(
        {
            "product_id": list(scores),
            "package_type": ["box"] * len(scores),
            "score": list(scores.values()),
            "damage_probability": [1 - score for score in scores.values()],
            "is_suitable": [score >= 0.5 for score in scores.values()],
            "model": [model] * len(scores),
            "model_version": pa.array([version] * len(scores), pa.int64()),
        }
    )
    pq.write_table(table, folder / "part-00000.parquet")
    return folder


def partition(content: str, rows: int, start: dt.date = DAY, cadence: str = "daily") -> PredictionPartition:
    as_of = dt.datetime.combine(start + dt.timedelta(days=1), dt.time())
    return PredictionPartition(cadence=cadence, partition_start=start, as_of=as_of, content_hash=content, rows=rows)


def rows(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    query = "select cadence, partition_start, product_id, score, load_id from ml.predictions order by all"
    return [tuple(row.values()) for row in warehouse.fetch(query, {})]


def loads(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    query = "select load_id, content_hash, rows, loaded_at from ml.prediction_loads order by load_id"
    return [tuple(row.values()) for row in warehouse.fetch(query, {})]


def test_a_load_replaces_its_partition_and_no_other(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    other = DAY + dt.timedelta(days=1)
    first = predictions(tmp_path / "first", {"a": 0.9, "b": 0.1})
    load_predictions(warehouse, partition("1", 2), first, loaded_at=LOADED_AT)
    load_predictions(warehouse, partition("1", 2, other), first, loaded_at=LOADED_AT)
    second = predictions(tmp_path / "second", {"c": 0.7})
    load = load_predictions(warehouse, partition("2", 1), second, loaded_at=LOADED_AT)
    assert load == PredictionLoad(load_id=3, rows=1, is_new=True)
    assert rows(warehouse) == [
        ("daily", DAY, "c", 0.7, 3),
        ("daily", other, "a", 0.9, 2),
        ("daily", other, "b", 0.1, 2),
    ]
    assert loads(warehouse) == [(1, "1", 2, LOADED_AT), (2, "1", 2, LOADED_AT), (3, "2", 1, LOADED_AT)]


def test_the_same_predictions_again_are_not_loaded(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    folder = predictions(tmp_path / "first", {"a": 0.9})
    load_predictions(warehouse, partition("1", 1), folder, loaded_at=LOADED_AT)
    again = load_predictions(warehouse, partition("1", 1), folder, loaded_at=LOADED_AT + dt.timedelta(days=1))
    assert again == PredictionLoad(load_id=1, rows=1, is_new=False)
    assert loads(warehouse) == [(1, "1", 1, LOADED_AT)]


def shadow(model: str, content: str, rows: int) -> PredictionPartition:
    return replace(partition(content, rows), shadow_model=model)


def shadow_rows(warehouse: DuckDBWarehouse) -> list[tuple[Any, ...]]:
    query = "select model, product_id, score, load_id from ml.shadow_predictions order by all"
    return [tuple(row.values()) for row in warehouse.fetch(query, {})]


def test_shadow_models_are_loaded_one_by_one_and_beside(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    live = predictions(tmp_path / "live", {"a": 0.9})
    load_predictions(warehouse, partition("1", 1), live, loaded_at=LOADED_AT)
    first = predictions(tmp_path / "first", {"a": 0.1})
    second = predictions(tmp_path / "second", {"a": 0.2}, model="box_torch")
    again = predictions(tmp_path / "again", {"a": 0.3})
    done = [
        load_predictions(warehouse, shadow(model, content, 1), folder, loaded_at=LOADED_AT)
        for model, content, folder in (
            ("box_text", "1", first),
            ("box_torch", "1", second),
            ("box_text", "1", first),
            ("box_text", "2", again),
        )
    ]
    assert [(load.load_id, load.is_new) for load in done] == [(1, True), (2, True), (1, False), (3, True)]
    assert shadow_rows(warehouse) == [("box_text", "a", 0.3, 3), ("box_torch", "a", 0.2, 2)]
    assert rows(warehouse) == [("daily", DAY, "a", 0.9, 1)]
    assert loads(warehouse) == [(1, "1", 1, LOADED_AT)]
    named = warehouse.fetch("select model, model_version from ml.predictions", {})
    assert named == [{"model": "box_text", "model_version": 1}]


def test_going_back_to_earlier_predictions_is_a_load(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    first = predictions(tmp_path / "first", {"a": 0.9})
    second = predictions(tmp_path / "second", {"a": 0.2})
    for content, folder in (("1", first), ("2", second), ("1", first)):
        load_predictions(warehouse, partition(content, 1), folder, loaded_at=LOADED_AT)
    assert rows(warehouse) == [("daily", DAY, "a", 0.9, 3)]


def test_daily_and_monthly_predictions_of_one_date_stand_side_by_side(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    first = dt.date(2025, 2, 1)
    folder = predictions(tmp_path / "first", {"a": 0.9})
    for cadence in ("daily", "monthly"):
        load_predictions(warehouse, partition("1", 1, first, cadence), folder, loaded_at=LOADED_AT)
    assert [row[0] for row in rows(warehouse)] == ["daily", "monthly"]


class FailsAt(DuckDBWarehouse):
    """Loses its connection, so to speak, before the statement of that number."""

    statement: int = 0

    def load(self, staged: Any, statements: Any) -> None:
        broken = [*statements[: self.statement], ("select 1 / no_such_column", {}), *statements[self.statement :]]
        super().load(staged, broken)


@pytest.mark.parametrize("statement", [0, 1, 2, 3])
def test_a_load_that_fails_anywhere_keeps_the_old_rows(
    warehouse: DuckDBWarehouse, tmp_path: Path, statement: int
) -> None:
    first = predictions(tmp_path / "first", {"a": 0.9})
    load_predictions(warehouse, partition("1", 1), first, loaded_at=LOADED_AT)
    before = (rows(warehouse), loads(warehouse))
    failing = FailsAt(tmp_path / "warehouse.duckdb", "500MB", 1)
    failing.statement = statement
    second = predictions(tmp_path / "second", {"b": 0.3, "c": 0.4})
    with pytest.raises(WarehouseError):
        load_predictions(failing, partition("2", 2), second, loaded_at=LOADED_AT)
    assert (rows(warehouse), loads(warehouse)) == before
    load = load_predictions(warehouse, partition("2", 2), second, loaded_at=LOADED_AT)
    assert (load.load_id, [row[2] for row in rows(warehouse)]) == (2, ["b", "c"])
