"""The platform's tables in Redshift: those of `warehouse_tables.sql`, with the keys by which it stores them.

DuckDB has no such keys, so they are said here. Whatever asks for one product's rows, or joins them, finds them on one
node (distribution key); whatever asks for a window of time reads that window only (sort key). Tables without keys are
small: Redshift keeps a copy on every node, as its AUTO style does.
"""

import re
from collections.abc import Sequence

from packaging_assets.resources.added_columns import ADDED_COLUMNS
from packaging_assets.resources.warehouse import TABLES_SQL

LOCK_TABLE = "ops.load_lock"
"""Empty. A load locks it first, and so is alone among the loads."""

TABLE_KEYS = {
    '"raw".products': ("product_id", "updated_at"),
    '"raw".package_tests': ("product_id", "tested_at"),
    '"raw".customer_feedback': ("product_id", "shipped_at"),
    "ml.predictions": ("product_id", "partition_start"),
    "ml.shadow_predictions": ("product_id", "partition_start"),
}
"""Distribution key and sort key of the tables that grow."""

_CREATE = re.compile(r"create (schema|table) if not exists (\S+)")
_COMMENT = re.compile(r"--[^\n]*")

EXISTING = """
select
    cast(spaces.nspname as varchar(128)) as table_schema,
    cast(tables.relname as varchar(128)) as table_name,
    cast('' as varchar(128)) as column_name
from pg_catalog.pg_class as tables
inner join pg_catalog.pg_namespace as spaces on tables.relnamespace = spaces.oid
where spaces.nspname in ('raw', 'ml', 'ops') and tables.relkind = 'r'
union all
select
    cast(spaces.nspname as varchar(128)) as table_schema,
    cast(tables.relname as varchar(128)) as table_name,
    cast(columns.attname as varchar(128)) as column_name
from pg_catalog.pg_attribute as columns
inner join pg_catalog.pg_class as tables on columns.attrelid = tables.oid
inner join pg_catalog.pg_namespace as spaces on tables.relnamespace = spaces.oid
where columns.attnum > 0 and not columns.attisdropped and ({added})
"""
"""From the catalog itself: `information_schema` shows what its reader may use, and who delivers may not use all."""


def find_existing() -> str:
    """The query for the tables that there are, and for the added columns that they have."""
    added = (
        f"(spaces.nspname = '{column.schema}' and tables.relname = '{column.table}' "
        f"and columns.attname = '{column.column}')"
        for column in ADDED_COLUMNS
    )
    return EXISTING.format(added=" or ".join(added))


def missing_statements(existing: Sequence[tuple[str, str, str]]) -> list[str]:
    """What creates what there is not, in order: schemas, tables, then columns of tables that are older.

    Args:
        existing: rows of `find_existing`: schema, table and column, "" for the table itself.
    """
    tables = {(schema, table) for schema, table, column in existing if not column}
    creations = [statement.strip() for statement in _COMMENT.sub("", TABLES_SQL.read_text("utf-8")).split(";")]
    creations = [*filter(None, creations), f"create table if not exists {LOCK_TABLE} (holder integer)"]
    missing = [statement for statement in creations if _is_missing(statement, tables)]
    if any(statement.startswith("create table") for statement in missing):
        missing = [statement for statement in creations if statement.startswith("create schema")] + missing
    columns = [
        column.statement
        for column in ADDED_COLUMNS
        if (column.schema, column.table) in tables and (column.schema, column.table, column.column) not in existing
    ]
    return [*missing, *columns]


def _is_missing(statement: str, tables: set[tuple[str, str]]) -> bool:
    kind, name = _named(statement)
    if kind == "schema":
        return False  # needed by its tables only
    schema, _, table = name.replace('"', "").partition(".")
    return (schema, table) not in tables


def _named(statement: str) -> tuple[str, str]:
    found = _CREATE.match(statement)
    if found is None:
        raise ValueError(f"warehouse_tables.sql holds a statement that creates no schema or table: {statement[:60]!r}")
    return found[1], found[2]


def with_keys(statement: str) -> str:
    """A statement that creates a table, with the table's keys."""
    found = _CREATE.match(statement)
    keys = TABLE_KEYS.get(found[2]) if found else None
    return statement if keys is None else f"{statement} distkey ({keys[0]}) compound sortkey ({keys[1]})"
