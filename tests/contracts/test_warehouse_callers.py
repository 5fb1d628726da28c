"""What the platform asks of its warehouse, in the very SQL with which it asks: every warehouse answers the same."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixed_clock import FixedClock
from redshift_fixtures import MadeWarehouse

from packaging_assets.defs.alerts.late_data import QUERY as DAYS_OF_TABLE
from packaging_assets.defs.automation.schedules import days_with_products
from packaging_assets.ingestion import delivery
from packaging_assets.ingestion.delivery import ingest_file
from packaging_assets.ingestion.report import DeliveryReport
from packaging_assets.resources.built_days import (
    built_fingerprints,
    day_fingerprints,
    forget_built_days,
    record_built_days,
)
from packaging_assets.resources.built_groups import BuiltGroup, built_group, predictions_version, record_built_group
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.resources.outcome_rows import LOADS
from packaging_assets.resources.predictions_table import PredictionLoad, PredictionPartition, load_predictions
from packaging_assets.resources.warehouse import Warehouse

NOW = dt.datetime(2025, 2, 3, 12)  # noqa: DTZ001 - naive UTC
CLOCK = FixedClock(NOW.replace(tzinfo=dt.UTC))
DAY = dt.date(2025, 1, 12)
HEADER = "test_id,product_id,package_type,tested_at,is_passed,is_random_sample"
PRODUCTS = (
    "product_id,updated_at,created_at,title,category,subcategory,product_type,brand,length_cm,width_cm,height_cm,"
    "weight_kg,price_usd,is_liquid"
)


@pytest.fixture(params=["duckdb", "redshift"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "redshift":
        made = request.getfixturevalue("emptied_warehouse")
    else:
        made = DuckDBWarehouse(tmp_path / "home" / "warehouse.duckdb", "200MB", 2)
    made.create_tables()
    return made


def deliver(warehouse: Warehouse, path: Path, table: str, *lines: str, clock: FixedClock = CLOCK) -> DeliveryReport:
    path.write_text("".join(f"{line}\n" for line in lines))
    return ingest_file(warehouse, table, path, max_bad_row_share=1.0, clock=clock)


def tables_of_known_rows(warehouse: Warehouse) -> list[str]:
    found = warehouse.fetch("select table_name from information_schema.tables where table_name like 'known%'", {})
    return [row["table_name"] for row in found]


def test_deliveries_are_taken_in_once_and_matched_with_what_is_there(warehouse: Warehouse, tmp_path: Path) -> None:
    tests = ["t1,p1,box,2025-01-06 08:00:00,true,true", "t2,p1,bag,2025-01-07 08:00:00,false,true"]
    first = deliver(warehouse, tmp_path / "first.csv", "package_tests", HEADER, *tests)
    assert (first.accepted, first.duplicates, first.quarantined) == (2, 0, 0)
    again = deliver(warehouse, tmp_path / "again.csv", "package_tests", HEADER, *tests)
    assert again.is_already_delivered
    assert (again.accepted, again.days) == (2, (dt.date(2025, 1, 6), dt.date(2025, 1, 7)))
    conflicting = "t2,p1,bag,2025-01-07 08:00:00,true,true"
    more = ["t3,it's \\ p,mailer,2025-01-08 23:59:59.999999,true,false", tests[0], conflicting, "t4,p1,crate,now,1,1"]
    second = deliver(warehouse, tmp_path / "second.csv", "package_tests", HEADER, *more)
    assert (second.accepted, second.duplicates, second.quarantined) == (1, 1, 2)
    rows = warehouse.fetch('select * from "raw".package_tests order by test_id', {})
    assert [row["test_id"] for row in rows] == ["t1", "t2", "t3"]
    assert rows[2] == {
        "test_id": "t3",
        "product_id": "it's \\ p",
        "package_type": "mailer",
        "tested_at": dt.datetime(2025, 1, 8, 23, 59, 59, 999999),  # noqa: DTZ001 - naive UTC
        "is_passed": True,
        "is_random_sample": False,
    }
    quarantined = warehouse.fetch('select line, field, value from "raw".quarantine order by line', {})
    assert [(row["line"], row["field"]) for row in quarantined] == [(4, "is_passed"), (5, "tested_at")]
    counts = warehouse.fetch(
        'select accepted_rows, duplicate_rows, quarantined_rows, received_at from "raw".deliveries '
        "order by accepted_rows",
        {},
    )
    assert [tuple(row.values()) for row in counts] == [(1, 1, 2, NOW), (2, 0, 0, NOW)]
    assert tables_of_known_rows(warehouse) == []


class Killed(BaseException):
    pass


def test_what_a_killed_delivery_left_in_the_warehouse_goes_a_day_later(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"t{number},p1,box,2025-01-06 08:00:00,true,true" for number in range(5)]
    deliver(warehouse, tmp_path / "first.csv", "package_tests", HEADER, rows[0])

    with monkeypatch.context() as patch:

        def be_killed(*_: Any, **__: Any) -> None:
            patch.setattr(type(warehouse), "load", be_killed)  # nor is anything dropped on the way out
            raise Killed

        patch.setattr(type(warehouse), "unload", be_killed)
        with pytest.raises(Killed):
            deliver(warehouse, tmp_path / "killed.csv", "package_tests", HEADER, *rows[:2])
    (left,) = tables_of_known_rows(warehouse)
    assert left.startswith("known_package_tests_20250203120000_")
    deliver(warehouse, tmp_path / "soon.csv", "package_tests", HEADER, *rows[:3])
    assert tables_of_known_rows(warehouse) == [left]  # for all that is known it may be at work
    a_day_later = FixedClock(CLOCK.now() + dt.timedelta(days=1, seconds=1))
    deliver(warehouse, tmp_path / "later.csv", "package_tests", HEADER, *rows[:4], clock=a_day_later)
    assert tables_of_known_rows(warehouse) == []


def test_the_same_file_taken_in_while_it_is_matched_is_matched_to_its_end(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"t{number},p1,box,2025-01-06 08:00:00,true,true" for number in range(2)]
    deliver(warehouse, tmp_path / "first.csv", "package_tests", HEADER, rows[0])
    unload = type(warehouse).unload

    def after_somebody_else(*arguments: Any, **rest: Any) -> int:
        monkeypatch.setattr(type(warehouse), "unload", unload)
        assert deliver(warehouse, tmp_path / "same.csv", "package_tests", HEADER, *rows).accepted == 1
        return unload(*arguments, **rest)

    monkeypatch.setattr(type(warehouse), "unload", after_somebody_else)
    late = FixedClock(CLOCK.now() + dt.timedelta(seconds=1))
    report = deliver(warehouse, tmp_path / "same.csv", "package_tests", HEADER, *rows, clock=late)
    assert (report.is_already_delivered, report.accepted) == (True, 1)
    assert warehouse.fetch('select count(*) as n from "raw".package_tests', {}) == [{"n": 2}]
    assert tables_of_known_rows(warehouse) == []


def test_a_file_is_matched_again_with_what_was_taken_in_while_it_was_matched(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = ["t1,p1,bag,2025-01-07 08:00:00,false,false", "t3,p1,bag,2025-01-07 08:00:00,true,false"]
    append, attempts = delivery.append_delivery, list[int]()

    def after_somebody_else(*arguments: Any, standing_deliveries: int, **rest: Any) -> None:
        attempts.append(standing_deliveries)
        if len(attempts) == 1:
            other = deliver(warehouse, tmp_path / "other.csv", "package_tests", HEADER, *others)
            assert (other.accepted, other.duplicates, other.quarantined) == (2, 0, 0)
        append(*arguments, standing_deliveries=standing_deliveries, **rest)

    monkeypatch.setattr(delivery, "append_delivery", after_somebody_else)
    ours = ["t1,p1,bag,2025-01-07 08:00:00,true,false", "t2,p1,bag,2025-01-07 08:00:00,true,false", others[1]]
    report = deliver(warehouse, tmp_path / "ours.csv", "package_tests", HEADER, *ours)
    assert attempts == [0, 0, 1]  # ours, the other's within it, ours again
    assert (report.accepted, report.duplicates, report.quarantined) == (1, 1, 1)
    assert [(row.line, row.field) for row in report.bad_rows] == [(2, "is_passed")]
    rows = warehouse.fetch('select test_id, is_passed from "raw".package_tests order by test_id', {})
    assert [tuple(row.values()) for row in rows] == [("t1", False), ("t2", True), ("t3", True)]
    assert warehouse.fetch('select line, file_name from "raw".quarantine', {}) == [{"line": 2, "file_name": "ours.csv"}]
    assert warehouse.fetch('select count(*) as n from "raw".delivery_days', {}) == [{"n": 2}]


def test_products_are_delivered_with_and_without_embeddings(warehouse: Warehouse, tmp_path: Path) -> None:
    row = "p1,2025-01-06 08:00:00,2025-01-05 08:00:00,Straße 📦,home,kitchen,mug,acme,1.5,2,3,0.1,9.99,false"
    report = deliver(warehouse, tmp_path / "products.csv", "products", PRODUCTS, row)
    assert (report.accepted, report.quarantined) == (1, 0)
    found = warehouse.fetch('select title, length_cm, weight_kg, is_liquid, image_embedding_63 from "raw".products', {})
    assert [tuple(row.values()) for row in found] == [("Straße 📦", 1.5, 0.1, False, None)]
    days = [dt.date(2025, 1, 5), dt.date(2025, 1, 6)]
    assert days_with_products(warehouse, days) == {dt.date(2025, 1, 6)}
    assert warehouse.fetch(DAYS_OF_TABLE, {"table": "products"}) == [{"day": dt.date(2025, 1, 6)}]
    fingerprints = day_fingerprints(warehouse, days, first_day=days[0], project_hash="p")
    assert fingerprints[days[0]] != fingerprints[days[1]]


def test_a_file_that_comes_twice_at_once_is_taken_in_once(emptied_warehouse: MadeWarehouse, tmp_path: Path) -> None:
    # Only Redshift has several processes write at a time; DuckDB lets one in, and the others wait.
    warehouse = emptied_warehouse
    rows = [f"t{number},p{number},box,2025-01-06 08:00:00,true,true" for number in range(50)]
    paths = [tmp_path / f"{number}.csv" for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda path: deliver(warehouse, path, "package_tests", HEADER, *rows), paths))
    counts = 'select count(*) as n, count(distinct test_id) as ids from "raw".package_tests'
    assert warehouse.fetch(counts, {}) == [{"n": 50, "ids": 50}]
    assert warehouse.fetch('select count(*) as n from "raw".deliveries', {}) == [{"n": 1}]


def test_built_days_and_groups_are_replaced(warehouse: Warehouse) -> None:
    days = [dt.date(2025, 1, 6), dt.date(2025, 1, 7)]
    record_built_days(warehouse, dict.fromkeys(days, "old"))
    record_built_days(warehouse, {days[1]: "new"})
    assert built_fingerprints(warehouse, before=dt.datetime(2025, 1, 8)) == {days[0]: "old", days[1]: "new"}  # noqa: DTZ001
    assert built_fingerprints(warehouse, before=dt.datetime(2025, 1, 7)) == {days[0]: "old"}  # noqa: DTZ001
    forget_built_days(warehouse, [days[1]])
    assert built_fingerprints(warehouse, before=dt.datetime(2025, 1, 8)) == {days[0]: "old"}  # noqa: DTZ001
    assert built_group(warehouse, "g") is None
    for number in range(2):
        record_built_group(warehouse, "g", BuiltGroup(f"rows {number}", "sql"))
    assert built_group(warehouse, "g") == BuiltGroup("rows 1", "sql")


def predictions(folder: Path, products: list[str]) -> Path:
    folder.mkdir()
    columns = {
        "product_id": products,
        "package_type": pa.array(["box"] * len(products)).dictionary_encode(),
        "score": [0.1 + 0.2] * len(products),
        "damage_probability": pa.array([None] * len(products), pa.float64()),
        "is_suitable": [True] * len(products),
        "model": ["box_text"] * len(products),
        "model_version": pa.array([3] * len(products), pa.int64()),
    }
    pq.write_table(pa.table(columns), folder / "part-00000.parquet")
    return folder


def partition(content: str, rows: int, cadence: str, model: str | None = None) -> PredictionPartition:
    return PredictionPartition(cadence, DAY, dt.datetime(2025, 1, 13), content, rows, model)  # noqa: DTZ001 - naive UTC


def test_predictions_are_loaded_once_and_numbered(warehouse: Warehouse, tmp_path: Path) -> None:
    def load(content: str, products: list[str], cadence: str = "daily", model: str | None = None) -> PredictionLoad:
        folder = predictions(tmp_path / f"{content}-{cadence}-{model}", products)
        given = partition(content, len(products), cadence, model)
        return load_predictions(warehouse, given, folder, loaded_at=NOW)

    assert load("a", ["p1", "p2"]) == PredictionLoad(1, 2, is_new=True)
    assert load("a", ["p1"], "monthly") == PredictionLoad(2, 1, is_new=True)
    assert load_predictions(warehouse, partition("a", 2, "daily"), tmp_path, loaded_at=NOW) == PredictionLoad(
        1, 2, is_new=False
    )
    assert load("b", ["p3"]) == PredictionLoad(3, 1, is_new=True)
    assert load("a", ["p1"], model="shadow") == PredictionLoad(1, 1, is_new=True)
    query = "select cadence, product_id, score, damage_probability, load_id, as_of from ml.predictions order by cadence"
    rows = warehouse.fetch(query, {})
    as_of = dt.datetime(2025, 1, 13)  # noqa: DTZ001 - naive UTC
    assert [tuple(row.values()) for row in rows] == [
        ("daily", "p3", 0.1 + 0.2, None, 3, as_of),
        ("monthly", "p1", 0.1 + 0.2, None, 2, as_of),
    ]
    assert [tuple(row.values()) for row in warehouse.fetch(LOADS, {})] == [
        ("daily", DAY, "", 3),
        ("monthly", DAY, "", 2),
        ("daily", DAY, "shadow", 1),
    ]
    assert len(predictions_version(warehouse)) == 64


def test_predictions_loaded_at_once_have_numbers_of_their_own(emptied_warehouse: MadeWarehouse, tmp_path: Path) -> None:
    warehouse = emptied_warehouse
    cadences = ["daily", "monthly", "weekly", "yearly"]
    folders = {cadence: predictions(tmp_path / cadence, ["p1"]) for cadence in cadences}

    def load(cadence: str) -> PredictionLoad:
        return load_predictions(warehouse, partition("a", 1, cadence), folders[cadence], loaded_at=NOW)

    with ThreadPoolExecutor(4) as pool:
        loads = list(pool.map(load, cadences))
    assert sorted(load.load_id for load in loads) == [1, 2, 3, 4]
    rows: list[dict[str, Any]] = warehouse.fetch("select cadence, load_id from ml.predictions", {})
    assert {row["cadence"]: row["load_id"] for row in rows} == {
        cadence: load.load_id for cadence, load in zip(cadences, loads, strict=True)
    }
