"""Columns that tables got after their first release: `create table if not exists` does not bring them to older ones.

The SQL is portable between DuckDB and Redshift, which has no `add column if not exists`.
"""

from typing import NamedTuple

from packaging_assets.resources.warehouse import Parameters

FIND_COLUMN = """
select column_name from information_schema.columns
where table_schema = $schema and table_name = $table and column_name = $column
"""


class AddedColumn(NamedTuple):
    """A column to add where it is missing; rows that are there get null."""

    schema: str
    table: str
    column: str
    data_type: str

    @property
    def key(self) -> Parameters:
        """The parameters of `FIND_COLUMN`, which finds a row if the table has the column."""
        return {"schema": self.schema, "table": self.table, "column": self.column}

    @property
    def statement(self) -> str:
        """What adds it."""
        return f"alter table {self.schema}.{self.table} add column {self.column} {self.data_type}"


ADDED_COLUMNS = (AddedColumn("ml", "predictions", "model", "varchar(64)"),)
"""In the order they were added in. Where `ml.predictions.model` is null, the model has its package type's name."""
