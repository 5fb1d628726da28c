"""The embedded warehouse: one DuckDB file.

DuckDB lets one process write, and none read meanwhile. So every call opens its own connection, closes it at once, and
waits for the lock; dbt does the same with its own connection.
"""

import os
import re
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from packaging_assets.resources.added_columns import ADDED_COLUMNS, FIND_COLUMN
from packaging_assets.resources.duckdb_slices import open_slices
from packaging_assets.resources.parquet_parts import write_parts
from packaging_assets.resources.warehouse import TABLES_SQL, Parameters, Slices, WarehouseError, check_staged_name

_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 8.0
_ROWS_PER_BATCH = 65_536
# DuckDB tells a locked file only by its text: another process has it, or this one opened it in the other mode.
_IS_BUSY = re.compile(r"could not set lock|conflicting lock|different configuration", re.IGNORECASE)
_IS_DAMAGED = re.compile(r"corrupt database file", re.IGNORECASE)  # of its pages, each when it is first read
_REMEDY = (
    "See that its disk has room and that it may be read and written. If it is damaged, put a copy in its place, or "
    "move it away and deliver everything again (packaging ingest)."
)
_MORE_MEMORY = "Give it more by the setting warehouse_memory_limit."


class DuckDBWarehouse:
    """A `Warehouse` in one DuckDB file, made on the first write.

    Args:
        path: the database file; spilled data goes to a folder beside it.
        memory_limit: as DuckDB writes it: "1GB"; beyond it DuckDB spills.
        threads: threads of a query.
        sleep: waits so many seconds for the lock; 0.25, 0.5, 1, ... and at most 8 at a time.
        attempts: how often to try to open a locked file (10: about 40 seconds) before `WarehouseError`.
    """

    def __init__(
        self,
        path: Path,
        memory_limit: str = "1GB",
        threads: int = 2,
        *,
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = 10,
    ) -> None:
        self.path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(path.with_name(f"{path.name}.spill")),
            # Queries say their order; keeping that of the input as well would cost memory.
            "preserve_insertion_order": False,
            # Without a network, looking for an extension would hang instead of failing.
            "autoinstall_known_extensions": False,
        }
        self._sleep = sleep
        self._attempts = attempts

    def fetch(self, query: str, parameters: Parameters) -> list[dict[str, Any]]:
        """The rows of a small result."""
        with self._connected(read_only=True) as connection:
            cursor = connection.execute(query, dict(parameters))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def unload(
        self, query: str, parameters: Parameters, folder: Path, *, rows_per_file: int, slices: Slices | None = None
    ) -> int:
        """Stream a result into Parquet files of `rows_per_file` rows, slice by slice if it comes in slices."""
        with self._connected(read_only=True) as connection:
            if slices is None:
                reader = connection.sql(query, params=dict(parameters)).to_arrow_reader(_ROWS_PER_BATCH)
            else:
                reader = open_slices(connection, slices, parameters)
            return write_parts(reader, folder, rows_per_file=rows_per_file)

    def load(self, staged: Mapping[str, Path | pa.Table], statements: Sequence[tuple[str, Parameters]]) -> None:
        """Run the statements in one transaction, the staged rows being read where they are each time."""
        with self._connected(read_only=False) as connection, _transaction(connection):
            for name, rows in staged.items():
                _stage(connection, name, rows)
            for sql, parameters in statements:
                connection.execute(sql, dict(parameters))

    def create_tables(self) -> None:
        """Create what does not exist yet of `warehouse_tables.sql`, and add the columns that older tables lack."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            self._create_file()
        with self._connected(read_only=False) as connection, _transaction(connection):
            connection.execute(TABLES_SQL.read_text(encoding="utf-8"))
            for column in ADDED_COLUMNS:
                if connection.execute(FIND_COLUMN, dict(column.key)).fetchone() is None:
                    connection.execute(column.statement)

    def _create_file(self) -> None:
        """Put an empty database in its place, whole or not at all; where another process was first, leave its own."""
        draft = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            self._connect(draft, read_only=False).close()
            with suppress(FileExistsError):
                os.link(draft, self.path)
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _connected(self, *, read_only: bool) -> Generator[duckdb.DuckDBPyConnection]:
        connection = self._connect(self.path, read_only=read_only)
        try:
            yield connection
        except duckdb.Error as error:
            if _IS_DAMAGED.search(str(error)):
                raise self._unusable("cannot be read", error) from error
            raise WarehouseError(f"The warehouse {self.path} refused a statement: {error}") from error
        finally:
            connection.close()

    def _connect(self, file: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if read_only and not file.exists():
            raise WarehouseError(f"There is no warehouse at {self.path}; ingest data first (`packaging ingest`).")
        wait = _FIRST_WAIT_SECONDS
        for attempt in range(1, self._attempts + 1):
            try:
                return duckdb.connect(str(file), read_only=read_only, config=self._config)
            except duckdb.Error as error:
                if not _IS_BUSY.search(str(error)):
                    raise self._unusable("cannot be opened", error) from error
                if attempt == self._attempts:
                    raise WarehouseError(
                        f"The warehouse {self.path} stayed locked through {attempt} attempts; "
                        f"end the process that has it open and try again ({error})"
                    ) from error
            self._sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        raise ValueError(f"attempts is {self._attempts}; at least 1 is needed")

    def _unusable(self, how: str, error: duckdb.Error) -> WarehouseError:
        remedy = _MORE_MEMORY if isinstance(error, duckdb.OutOfMemoryException) else _REMEDY
        return WarehouseError(f"The warehouse {self.path} {how}: {str(error).rstrip('.!')}. {remedy}")


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _stage(connection: duckdb.DuckDBPyConnection, name: str, rows: Path | pa.Table) -> None:
    check_staged_name(name)
    if not isinstance(rows, Path):
        connection.register(name, rows)
        return
    files = sorted(str(file) for file in rows.glob("*.parquet"))
    if not files:
        raise WarehouseError(f"{rows} holds no Parquet file to stage as {name}")
    # A copy in a temporary table would cost as much again as what the statements do with the rows.
    listed = ", ".join(f"'{file.replace(chr(39), 2 * chr(39))}'" for file in files)
    connection.execute(f"create temporary view {name} as select * from read_parquet([{listed}])")  # noqa: S608 - quoted
