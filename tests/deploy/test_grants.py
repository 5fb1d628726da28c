"""The grants in the warehouse: Redshift's grammar, and who gets what."""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from packaging_assets.ingestion.contract import table_contract
from packaging_assets.ingestion.landing import fetch_known_rows

GRANTS = Path(__file__).resolve().parents[2] / "deploy" / "redshift" / "grants.sql"


def statements() -> list[str]:
    text = re.sub(r"--[^\n]*", "", GRANTS.read_text(encoding="utf-8"))
    return [" ".join(part.split()) for part in text.split(";") if part.strip()]


def test_every_statement_is_redshifts():
    from sqlfluff.core import FluffConfig, Linter

    linter = Linter(config=FluffConfig(overrides={"dialect": "redshift", "templater": "raw"}))
    for statement in statements():
        # Redshift takes a role in default privileges; the grammar at hand knows users and groups there.
        text = re.sub(r"(alter default privileges .* to) role", r"\1 group", statement)
        parsed = linter.parse_string(text + ";\n")
        assert parsed.violations == [], statement


@pytest.mark.parametrize(
    ("role", "schemas"), [("packaging_watcher", {'"raw"', "ops"}), ("packaging_reader", {"marts", "ml"})]
)
def test_readers_read_and_change_nothing(role: str, schemas: set[str]):
    granted = [statement for statement in statements() if f"to role {role}" in statement]

    assert {re.sub(r" on .*", "", statement.partition("grant ")[2]) for statement in granted} == {"usage", "select"}
    assert {found for statement in granted for found in re.findall(r"schema (\S+)", statement)} == schemas


def test_readers_also_get_the_tables_that_dbt_makes_anew():
    for role, schemas in (("packaging_watcher", ['"raw"', "ops"]), ("packaging_reader", ["marts", "ml"])):
        for schema in schemas:
            expected = (
                f'alter default privileges for user "IAMR:packaging-ENVIRONMENT-run" in schema {schema} '
                f"grant select on tables to role {role}"
            )
            assert expected in statements()


def test_the_platform_owns_its_schemas_and_nobody_is_a_superuser():
    owned = [statement.split()[5] for statement in statements() if statement.startswith("create schema")]

    assert owned == ['"raw"', "ml", "ops", "marts"]
    assert not [statement for statement in statements() if re.search("createuser|superuser|sys:|grant all", statement)]
    assert "revoke all on database packaging from public" in statements()


class NotingWarehouse:
    """Keeps the statements of loads, and has a row of everything but what others have left."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def fetch(self, query: str, _: Any) -> list[dict[str, Any]]:
        return [] if "information_schema" in query else [{"is_there": 1}]

    def load(self, _: Any, statements: Sequence[tuple[str, Any]]) -> None:
        self.statements += [" ".join(statement.split()) for statement, _ in statements]

    def unload(self, *_: Any, rows_per_file: int) -> None: ...


def test_deliverers_may_make_tables_where_ingestion_makes_them_and_nowhere_else(tmp_path: Path):
    warehouse: Any = NotingWarehouse()
    contract = table_contract("package_tests", dt.datetime(2025, 1, 1, tzinfo=dt.UTC))

    fetch_known_rows(warehouse, contract, tmp_path, dt.datetime(2025, 1, 1), tmp_path)  # noqa: DTZ001 - naive UTC

    made = [re.match(r"create table (\S+?)\.(\S+)", statement) for statement in warehouse.statements]
    schemas = {found[1] for found in made if found}
    may_make = [re.fullmatch(r"grant create on schema (\S+) to role packaging_deliverer", it) for it in statements()]
    assert schemas == {found[1] for found in may_make if found} == {'"raw"'}


def test_every_table_that_ingestion_drops_it_has_made_itself(tmp_path: Path):
    warehouse: Any = NotingWarehouse()
    contract = table_contract("package_tests", dt.datetime(2025, 1, 1, tzinfo=dt.UTC))

    fetch_known_rows(warehouse, contract, tmp_path, dt.datetime(2025, 1, 1), tmp_path)  # noqa: DTZ001 - naive UTC

    made = {found[1] for it in warehouse.statements if (found := re.match(r"create table (\S+)", it))}
    dropped = {found[1] for it in warehouse.statements if (found := re.match(r"drop table if exists (\S+)", it))}
    assert dropped == made != set()
