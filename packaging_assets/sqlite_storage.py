"""Dagster's SQLite storage without a disk flush per event.

Dagster opens and closes a connection for every event. Closing the last connection to a file makes SQLite copy its
write-ahead log back and flush it, and every commit flushes too: two thirds of a cached run's time. Here one idle
connection per file stays open, and commits reach the write-ahead log without waiting for the disk: after a crash of the
process nothing is lost; after a power failure the last events may be, while the file stays consistent
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Pool, event


@contextmanager
def unhurried_sqlite(folder: Path) -> Generator[None]:
    """Within the block, treat the SQLite files under `folder` as described above; those elsewhere are left alone."""
    kept: dict[str, sqlite3.Connection] = {}
    with ExitStack() as stack:

        def on_connect(connection: Any, _record: Any) -> None:
            if not isinstance(connection, sqlite3.Connection):
                return
            path = connection.execute("pragma database_list").fetchone()[2]
            if not path or not Path(path).is_relative_to(folder):
                return
            connection.execute("pragma synchronous = normal")
            if path not in kept:
                kept[path] = stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
                kept[path].execute("select count(*) from sqlite_master").fetchone()

        event.listen(Pool, "connect", on_connect)
        stack.callback(event.remove, Pool, "connect", on_connect)
        yield
