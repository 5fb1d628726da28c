import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fixed_clock import FixedClock

from packaging_assets.ingestion.delivery import ingest_file
from packaging_assets.ingestion.report import DeliveryReport
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse

NOW = FixedClock(dt.datetime(2025, 2, 3, 12, tzinfo=dt.UTC))
TESTS_HEADER = "test_id,product_id,package_type,tested_at,is_passed,is_random_sample"
RAW_TABLES = ("products", "package_tests", "customer_feedback", "quarantine", "deliveries", "delivery_days")


class Shop:
    """A warehouse and a folder to deliver from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = DuckDBWarehouse(folder / "warehouse.duckdb")

    def write(self, name: str, content: str | bytes | Sequence[str]) -> Path:
        if not isinstance(content, str | bytes):
            content = "".join(f"{line}\n" for line in content)
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, table: str, path: Path, *, max_bad_row_share: float = 1.0) -> DeliveryReport:
        return ingest_file(self.warehouse, table, path, max_bad_row_share=max_bad_row_share, clock=NOW)

    def ingest_tests(self, *rows: str, name: str = "tests.csv", max_bad_row_share: float = 1.0) -> DeliveryReport:
        path = self.write(name, [TESTS_HEADER, *rows])
        return self.ingest("package_tests", path, max_bad_row_share=max_bad_row_share)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.warehouse.fetch(query, {})]

    def quarantined(self) -> list[tuple[Any, ...]]:
        return self.rows("select line, field, value, reason from raw.quarantine order by line")

    def counts(self) -> dict[str, int]:
        return {table: self.rows(f"select count(*) as n from raw.{table}")[0][0] for table in RAW_TABLES}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def fresh_shop(tmp_path: Path) -> Callable[[], Shop]:
    """A new shop each time, for properties that need one per example."""
    made: list[Shop] = []

    def make() -> Shop:
        folder = tmp_path / f"shop-{len(made)}"
        folder.mkdir()
        made.append(Shop(folder))
        return made[-1]

    return make
