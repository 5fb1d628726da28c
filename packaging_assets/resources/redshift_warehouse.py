"""The production warehouse: Redshift, by its Data API and by way of S3.

Small results come through the Data API; large ones, and all rows on their way in, as Parquet files below one prefix of
a bucket, from which they are deleted when they have been read.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.resources.backoff import Backoff
from packaging_assets.resources.parquet_parts import write_parts
from packaging_assets.resources.redshift_data_api import RedshiftDataApi
from packaging_assets.resources.redshift_errors import ConflictError, StatementError, exchange_errors
from packaging_assets.resources.redshift_load import stage
from packaging_assets.resources.redshift_rows import arrow_schema
from packaging_assets.resources.redshift_sql import reads_only
from packaging_assets.resources.redshift_tables import LOCK_TABLE, find_existing, missing_statements, with_keys
from packaging_assets.resources.redshift_unload import open_rows, unload_statement, unloaded_files
from packaging_assets.resources.warehouse import Parameters, Slices, WarehouseError

_CREATION = Backoff(attempts=5, first_seconds=0.5, longest_seconds=4.0)


class RedshiftWarehouse:
    """A `Warehouse` in one Redshift database.

    Loads are alone among the loads: each locks `ops.load_lock` before anything else, so that it sees what the one
    before it has written, in databases of snapshot isolation, too. Against other writers (dbt) Redshift's own rules
    hold, and a transaction that conflicts is run again.

    Args:
        data_api: runs the statements.
        objects: where files are exchanged with Redshift; everything below is this warehouse's own.
        copy_role_arn: the role with which Redshift reads and writes those files; "" for the cluster's default role.
        sleep: waits for seconds.
        new_id: a text that names an exchange; never the same twice.
    """

    def __init__(
        self,
        data_api: RedshiftDataApi,
        objects: S3Objects,
        copy_role_arn: str = "",
        *,
        sleep: Callable[[float], None] = time.sleep,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._data_api = data_api
        self._objects = objects
        self._role = copy_role_arn
        self._sleep, self._new_id = sleep, new_id

    def fetch(self, query: str, parameters: Parameters) -> list[dict[str, Any]]:
        """The rows of a small result."""
        self._refuse_writes(query)
        return self._data_api.query(query, parameters).rows

    def unload(
        self,
        query: str,
        parameters: Parameters,
        folder: Path,
        *,
        rows_per_file: int,
        slices: Slices | None = None,  # noqa: ARG002 - the cluster sorts what one machine could not
    ) -> int:
        """Stream a result by way of S3 into Parquet files of `rows_per_file` rows.

        The rows keep the order of a query that has an ORDER BY outside all parentheses; without one they have none.
        """
        self._refuse_writes(query)
        text = self._data_api.rendered(query, parameters)
        with self._exchange("unload") as prefix:
            key = self._objects.encryption.get("SSEKMSKeyId", "")
            statement = unload_statement(text, self._objects.uri(prefix), self._role, key)
            self._data_api.execute(statement, shown=query)
            files = unloaded_files(self._objects, prefix)
            if not files:
                return self._write_nothing(query, text, folder, rows_per_file, has_manifest=files is not None)
            with contextlib.contextmanager(open_rows)(self._objects, files) as reader:
                rows = write_parts(reader, folder, rows_per_file=rows_per_file)
        expected = sum(file.rows for file in files)
        if rows != expected:
            raise WarehouseError(f"{rows:,} of {expected:,} unloaded rows were written to {folder}; unload again")
        return rows

    def load(self, staged: Mapping[str, Path | pa.Table], statements: Sequence[tuple[str, Parameters]]) -> None:
        """Upload the tables, then stage them and run the statements in one transaction."""
        with self._exchange("load") as prefix:
            tables = [stage(self._objects, prefix, name, rows) for name, rows in staged.items()]
            staging = [(statement, {}) for table in tables for statement in table.statements(self._role)]
            if statements:
                self._data_api.run([(f"lock {LOCK_TABLE}", {}), *staging, *statements])

    def create_tables(self) -> None:
        """Create what there is not, in one transaction; where all is there, one look at the catalog says so."""
        for attempt in range(1, _CREATION.attempts + 1):
            missing = self._missing()
            if not missing:
                return
            try:
                self._data_api.run([(with_keys(statement), {}) for statement in missing])
            except StatementError as error:
                # Another process may have created some of it meanwhile, which "if not exists" does not always see.
                is_lost = attempt == _CREATION.attempts
                if is_lost or not (isinstance(error, ConflictError) or self._missing() != missing):
                    raise
                self._sleep(_CREATION.pause(attempt, self._new_id()))
            else:
                return

    def _missing(self) -> list[str]:
        rows = self._data_api.query(find_existing(), {}).rows
        return missing_statements([(row["table_schema"], row["table_name"], row["column_name"]) for row in rows])

    def _refuse_writes(self, query: str) -> None:
        if not reads_only(query):
            raise WarehouseError(
                f"{self._data_api.target} refused a statement: fetch and unload take queries (SELECT, WITH), and load "
                "takes what writes"
            )

    def _write_nothing(self, query: str, text: str, folder: Path, rows_per_file: int, *, has_manifest: bool) -> int:
        """Write the one file of an empty result, whose columns no unloaded file shows.

        Raises:
            WarehouseError: the result is not empty, but the manifest is missing: the unload is not whole.
        """
        first = self._data_api.query(f"select * from ({text}) as unloaded limit 1", {}, shown=query)  # noqa: S608
        if first.rows and not has_manifest:
            raise WarehouseError(f"{self._data_api.target} unloaded a query without a manifest; unload again")
        reader = pa.RecordBatchReader.from_batches(arrow_schema(first.columns), [])
        return write_parts(reader, folder, rows_per_file=rows_per_file)

    @contextlib.contextmanager
    def _exchange(self, kind: str) -> Generator[str]:
        """A prefix of the bucket that nothing had before; what is below it is deleted in the end."""
        prefix = f"{kind}/{self._new_id()}/"
        try:
            yield prefix
        finally:
            self._clean(prefix)

    def _clean(self, prefix: str) -> None:
        """Delete what is below a prefix; should that fail, the bucket's lifecycle rule sees to it."""
        with contextlib.suppress(WarehouseError, PermissionError), exchange_errors(f"Deleting {prefix}"):
            self._objects.delete([entry.key for entry in self._objects.entries(prefix)])
