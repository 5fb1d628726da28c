"""The written contract, the pandera schemas and the warehouse's tables say the same."""

import datetime as dt
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.ingestion.contract import CONTRACT_VERSION, EMBEDDING_COLUMNS, TABLES, table_contract
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.settings import PROJECT_ROOT

DOCUMENT = (PROJECT_ROOT / "docs" / "data-contract.md").read_text(encoding="utf-8")
RECEIVED_AT = dt.datetime(2025, 2, 3, 12)  # noqa: DTZ001 - the contract's times are naive UTC


def documented_columns(table: str) -> list[tuple[str, str, str, str]]:
    """Name, type, required and rule of every column in the table's section."""
    section = DOCUMENT.split(f"\n## {table}\n")[1].split("\n## ")[0]
    found: list[tuple[str, str, str, str]] = []
    for line in section.splitlines():
        if match := re.match(r"\| `(\w+)`(?: to `\d+`)? \| (.+?) \| (yes|no) \| (.*?) ?\| (.+) \|$", line):
            name, sql_type, required, rule, _ = match.groups()
            names = EMBEDDING_COLUMNS if name == EMBEDDING_COLUMNS[0] else (name,)
            found += [(each, sql_type, required, rule) for each in names]
    return found


@pytest.mark.parametrize("table", TABLES)
def test_document_lists_the_columns_types_and_rules_of_the_schema(table: str) -> None:
    contract = table_contract(table, RECEIVED_AT)
    expected: list[tuple[str, str, str, str]] = []
    for name in contract.column_names:
        rules = [check.error for check in contract.columns.columns[name].checks]
        asked = EMBEDDING_COLUMNS[0] if name in EMBEDDING_COLUMNS else name
        rules += [rule.sentence for rule in contract.rules if rule.field == asked]
        required = "no" if contract.is_nullable(name) else "yes"
        expected.append((name, contract.sql_type(name), required, "; ".join(rules)))
    assert documented_columns(table) == expected


def test_document_names_the_version_and_each_key() -> None:
    assert f"\nContract version: {CONTRACT_VERSION}\n" in DOCUMENT
    for table in TABLES:
        contract = table_contract(table, RECEIVED_AT)
        key = ", ".join(f"`{name}`" for name in contract.key)
        assert f"Key: {key}. Its day is that of `{contract.event_time}`." in DOCUMENT


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_described(table: str) -> None:
    columns = table_contract(table, RECEIVED_AT).columns.columns
    assert [name for name, column in columns.items() if not column.description] == []


@pytest.mark.parametrize("table", TABLES)
def test_warehouse_has_the_contracts_columns_in_its_order_and_types(table: str, tmp_path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    warehouse.create_tables()
    warehouse.unload(f"select * from raw.{table} order by 1", {}, tmp_path, rows_per_file=1)
    contract = table_contract(table, RECEIVED_AT)
    expected = pa.schema([(name, contract.arrow_type(name)) for name in contract.column_names])
    assert pq.read_schema(tmp_path / "part-00000.parquet").equals(expected)
