"""The grants in the warehouse: Redshift's grammar, and who gets what."""

import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(("role", "schemas"), [("packaging_watcher", {'"raw"'}), ("packaging_reader", {"marts", "ml"})])
def test_readers_read_and_change_nothing(role: str, schemas: set[str]):
    granted = [statement for statement in statements() if f"to role {role}" in statement]

    assert {re.sub(r" on .*", "", statement.partition("grant ")[2]) for statement in granted} == {"usage", "select"}
    assert {found for statement in granted for found in re.findall(r"schema (\S+)", statement)} == schemas


def test_readers_also_get_the_tables_that_dbt_makes_anew():
    for role, schemas in (("packaging_watcher", ['"raw"']), ("packaging_reader", ["marts", "ml"])):
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
