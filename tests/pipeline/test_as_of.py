"""A week knows what had happened by its end: later facts never reach it, late ones do when it is run again."""

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_retailer import WEEKS, Home, materialize

from packaging_assets.ingestion.delivery import ingest_files
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.environment import warehouse_for

EARLY, WEEK, NEXT = WEEKS
CHAIN = ("labels", "features", "box/split", "box/model")
FAILURES = 9


def deliver(home: Home, folder: Path, **tables: pa.Table) -> None:
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        pq.write_table(table, path)
        (report,) = ingest_files(warehouse_for(home.settings), {name: path}, max_bad_row_share=0.0, clock=SystemClock())
        assert report.accepted == table.num_rows


def failing_tests(products: list[str], day: str) -> pa.Table:
    """So many failed tests of the box for each product on that day that no earlier passes outvote them."""
    ids = [product for product in products for _ in range(FAILURES)]
    moment = dt.datetime.fromisoformat(f"{day}T12:00:00")
    return pa.table(
        {
            "test_id": [f"{day}-{number}" for number in range(len(ids))],
            "product_id": ids,
            "package_type": ["box"] * len(ids),
            "tested_at": pa.array([moment] * len(ids), pa.timestamp("us")),
            "is_passed": [False] * len(ids),
            "is_random_sample": [False] * len(ids),
        }
    )


def new_versions(home: Home, products: list[str], day: str) -> pa.Table:
    """The products as they were first delivered, ten times as heavy, changed on that day."""
    history = pq.read_table(home.folder / "simulated" / "history" / "products.parquet")
    ids = history["product_id"].to_pylist()
    rows = history.take([ids.index(product) for product in products])
    moment = pa.scalar(dt.datetime.fromisoformat(f"{day}T00:00:00"), pa.timestamp("us"))
    column = rows.schema.get_field_index("updated_at")
    rows = rows.set_column(column, "updated_at", pa.array([moment] * rows.num_rows))
    weight = rows.schema.get_field_index("weight_kg")
    return rows.set_column(weight, "weight_kg", pc.multiply(rows["weight_kg"], 10.0))


def shipments(products: list[str], day: str) -> pa.Table:
    moment = dt.datetime.fromisoformat(f"{day}T00:00:00")
    return pa.table(
        {
            "feedback_id": [f"{day}-{product}" for product in products],
            "product_id": products,
            "package_type": ["box"] * len(products),
            "shipped_at": pa.array([moment] * len(products), pa.timestamp("us")),
            "shipments": [100] * len(products),
            "damage_reports": [90] * len(products),
        }
    )


def box_labels(home: Home, week: str) -> dict[str, int]:
    labels = home.table("labels", week, "labels.parquet")
    box = labels.filter(pc.equal(labels["package_type"], "box"))
    return dict(zip(box["product_id"].to_pylist(), box["label"].to_pylist(), strict=True))


@pytest.fixture
def passed(home: Home) -> list[str]:
    """Products of the history that the box suits by all that was known by the first week's end."""
    suited = [product for product, label in box_labels(home, EARLY).items() if label == 1]
    history = pq.read_table(home.folder / "simulated" / "history" / "products.parquet", columns=["product_id"])
    known = set(history["product_id"].to_pylist())
    return [product for product in suited if product in known][:50]


def test_what_happens_after_a_week_changes_nothing_in_it(home: Home, passed: list[str], tmp_path: Path) -> None:
    before = {asset: home.content(asset, WEEK) for asset in CHAIN}
    deliver(
        home,
        tmp_path,
        products=new_versions(home, passed, NEXT),
        package_tests=failing_tests(passed, NEXT),
        customer_feedback=shipments(passed, NEXT),
    )
    runner = home.runner()
    runner.run("warehouse", first=NEXT, last="2025-01-26")
    assert set(materialize(runner, *CHAIN, partition=WEEK).values()) == {"hit"}
    for asset in CHAIN:
        shutil.rmtree(home.folder / "artifacts" / asset / WEEK)
    assert set(materialize(runner, *CHAIN, partition=WEEK).values()) == {"miss"}
    assert {asset: home.content(asset, WEEK) for asset in CHAIN} == before
    materialize(runner, "labels", partition=NEXT)
    assert {box_labels(home, NEXT)[product] for product in passed} == {0}


def test_late_evidence_counts_in_its_own_week_when_that_is_run_again(
    home: Home, passed: list[str], tmp_path: Path
) -> None:
    early = home.content("labels", EARLY)
    assert {box_labels(home, WEEK)[product] for product in passed} != {0}
    deliver(home, tmp_path, package_tests=failing_tests(passed, "2025-01-15"))
    runner = home.runner()
    runner.run("warehouse", first="2025-01-15")
    assert materialize(runner, "labels", partition=EARLY) == {"labels": "hit"}
    assert materialize(runner, "labels", partition=WEEK) == {"labels": "miss"}
    assert {box_labels(home, WEEK)[product] for product in passed} == {0}
    assert home.content("labels", EARLY) == early
    assert {box_labels(home, EARLY)[product] for product in passed} == {1}
