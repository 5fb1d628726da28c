"""Dagster's SQLite storage for a process that runs jobs: the same files, tables and statements, at a fifth of the cost.

Dagster makes an engine for every statement, opens a connection, and closes both. So SQLAlchemy compiles each statement
anew, and closing the last connection to a file makes SQLite copy its write-ahead log back and flush it, as each commit
flushes. Here a file has one engine, which keeps its connections and what it has compiled, and commits reach the
write-ahead log without waiting for the disk: after a crash of the process nothing is lost; after a power failure the
last events may be, while the file stays consistent (https://www.sqlite.org/pragma.html#pragma_synchronous).

What is overridden is how Dagster connects (`_connect` and `connect`), which is not public:
tests/unit/test_sqlite_storage.py fails when Dagster does it otherwise.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import packaging_assets.deferred_modules  # noqa: F401  # pyright: ignore[reportUnusedImport] - before the storage

# isort: split
from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event


class Engines:
    """One engine per SQLite file, with its connections; safe to use from several threads."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()

    def of(self, url: str) -> Engine:
        """The engine of a file."""
        with self._lock:
            if url not in self._engines:
                engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
                event.listen(engine, "connect", _do_not_wait_for_the_disk)
                self._engines[url] = engine
            return self._engines[url]

    def release(self) -> None:
        """Close every connection that nobody uses; the next statement opens one again."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()


def _do_not_wait_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("pragma synchronous = normal")


class EventLog(SqliteEventLogStorage):
    """Dagster's events, a file for each run and one for what concerns assets."""

    def __init__(self, base_dir: str) -> None:
        self._engines = Engines()
        self._tables: set[str] = set()
        super().__init__(base_dir)

    def has_table(self, table_name: str) -> bool:
        """Whether there is such a table; asked for every check, while tables only ever come."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def release(self) -> None:
        """See `Engines.release`."""
        self._engines.release()

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock:
            engine = self._engines.of(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection


class Runs(SqliteRunStorage):
    """Dagster's runs and their tags."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(conn_string, inst_data)
        self._engines = Engines()

    def release(self) -> None:
        """See `Engines.release`."""
        self._engines.release()

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """A connection in a transaction."""
        with self._engines.of(self._conn_string).connect() as connection, connection.begin():
            yield connection


class HomeStorage(DagsterSqliteStorage):
    """All of Dagster's storage in a home."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        history = Path(base_dir) / "history"
        self.base_dir = base_dir
        self._run_storage = Runs.from_local(str(history))
        self._event_log_storage = EventLog(str(history / "runs"))
        self._schedule_storage = SqliteScheduleStorage.from_local(str(Path(base_dir) / "schedules"))
        self._inst_data = inst_data
        # Dagster's own constructor would make these again, each with a look at its tables' versions.
        super(DagsterSqliteStorage, self).__init__()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "HomeStorage":
        """As Dagster makes it from an instance's configuration."""
        return cls(config_value["base_dir"], inst_data)


def with_home_storage(ref: InstanceRef) -> InstanceRef:
    """The same instance with `HomeStorage` where it has Dagster's own SQLite storage; another is left alone."""
    storage = ref.storage_data
    if storage is None or storage.class_name != DagsterSqliteStorage.__name__:
        return ref
    return ref._replace(storage_data=ConfigurableClassData(__name__, HomeStorage.__name__, storage.config_yaml))


@contextmanager
def releasing(instance: DagsterInstance) -> Generator[None]:
    """Close the instance's connections after the block, which moves what the write-ahead logs hold into the files."""
    try:
        yield
    finally:
        for storage in (instance.run_storage, instance.event_log_storage):
            if isinstance(storage, Runs | EventLog):
                storage.release()
