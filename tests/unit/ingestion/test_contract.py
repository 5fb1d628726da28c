"""The written contract, the pandera schemas and the warehouse's tables say the same."""

import datetime as dt
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from packaging_assets.domain.features import EMBEDDING_COLUMNS
from packaging_assets.domain.parquet_files import read_parquet
from packaging_assets.ingestion.contract import CONTRACT_VERSION, TABLES, table_contract
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
    assert read_parquet(tmp_path / "part-00000.parquet").schema.equals(expected)


@pytest.mark.parametrize(
    ("table", "column", "kept", "refused"),
    [
        ("products", "updated_at", "2025-02-04 12:00", "2025-02-04 12:00:00.000001"),
        ("products", "updated_at", "1900-01-01", "1899-12-31 23:59:59.999999"),
        ("products", "weight_kg", 2000.0, 2000.1),
        ("products", "weight_kg", 0.001, 0.0),
        ("customer_feedback", "shipments", 1, 0),
        ("customer_feedback", "damage_reports", 0, -1),
    ],
)
def test_a_limit_itself_is_kept(table: str, column: str, kept: object, refused: object) -> None:
    checks = table_contract(table, RECEIVED_AT).columns.columns[column].checks
    values = pd.Series([kept, refused])
    values = pd.to_datetime(values, format="ISO8601") if isinstance(kept, str) else values
    assert np.all([check(values).check_output for check in checks], axis=0).tolist() == [True, False]


def test_rules_over_several_columns_hold_for_equal_times_and_for_all_of_the_embedding_or_none() -> None:
    times, embedding = table_contract("products", RECEIVED_AT).rules
    seen = pd.to_datetime(pd.Series(["2025-01-06 00:00:00", "2025-01-06 00:00:01"]))
    assert times.holds(pd.DataFrame({"created_at": seen, "updated_at": seen[0]})).tolist() == [True, False]
    missing = {name: [0.1, np.nan, np.nan] for name in EMBEDDING_COLUMNS} | {EMBEDDING_COLUMNS[7]: [0.1, np.nan, 0.1]}
    assert embedding.holds(pd.DataFrame(missing)).tolist() == [True, True, False]
    one_lacks = pd.DataFrame({name: [np.nan if name == EMBEDDING_COLUMNS[7] else 0.1] for name in EMBEDDING_COLUMNS})
    assert embedding.holds(one_lacks).tolist() == [False]
