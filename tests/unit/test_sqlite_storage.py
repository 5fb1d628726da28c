"""A home's storage is Dagster's own, over the same files, with connections that are kept while jobs run."""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import create_engine

from packaging_assets import sqlite_storage
from packaging_assets.sqlite_storage import Engines, EventLog, Runs, releasing, with_home_storage


@dg.asset(check_specs=[dg.AssetCheckSpec("is_there", asset="thing")])
def thing() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        data_version=dg.DataVersion("1"), check_results=[dg.AssetCheckResult(passed=True, check_name="is_there")]
    )


@pytest.fixture
def plain(tmp_path: Path) -> InstanceRef:
    return InstanceRef.from_dir(str(tmp_path), overrides={"telemetry": {"enabled": False}})  # type: ignore[arg-type]


@pytest.fixture
def instance(plain: InstanceRef) -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_ref(with_home_storage(plain)) as found:
        yield found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files to which connections are opened, in order."""
    files: list[str] = []
    connect = sqlite3.dbapi2.connect

    def remember(database: str, *arguments: object, **options: object) -> sqlite3.Connection:
        files.append(Path(str(database)).name)
        return connect(database, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3.dbapi2, "connect", remember)
    return files


def test_dagster_reads_what_was_written_through_it(instance: dg.DagsterInstance, plain: InstanceRef) -> None:
    assert isinstance(instance.event_log_storage, EventLog)
    assert isinstance(instance.run_storage, Runs)
    result = dg.materialize([thing], instance=instance)
    with releasing(instance):
        pass
    with dg.DagsterInstance.from_ref(plain) as other:
        run = other.get_run_by_id(result.run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.SUCCESS
        (event,) = other.fetch_materializations(thing.key, limit=9).records
        assert event.run_id == result.run_id
        kinds = [str(log.dagster_event_type) for log in other.all_logs(run.run_id) if log.is_dagster_event]
        assert "DagsterEventType.ASSET_CHECK_EVALUATION" in kinds
        assert kinds[-1] == "DagsterEventType.RUN_SUCCESS"


def test_a_run_opens_each_file_a_few_times_and_not_for_every_event(
    instance: dg.DagsterInstance, opened: list[str]
) -> None:
    """Fails when Dagster connects by another way than those that are overridden."""
    dg.materialize([thing], instance=instance)
    events = len(instance.all_logs(instance.get_runs(limit=1)[0].run_id))
    assert events > 10
    assert len(opened) <= 12, opened
    before = len(opened)
    dg.materialize([thing], instance=instance)
    shard = f"{instance.get_runs(limit=1)[0].run_id}.db"
    assert set(opened[before:]) <= {shard, "index.db"}
    assert opened[before:].count(shard) <= 2


def test_connections_are_closed_after_the_block_and_opened_again_when_needed(
    instance: dg.DagsterInstance, opened: list[str], tmp_path: Path
) -> None:
    with releasing(instance):
        dg.materialize([thing], instance=instance)
        assert list(tmp_path.rglob("*.db-wal"))
    assert not list(tmp_path.rglob("*.db-wal")), "closing the last connection moves the log into the file"
    opened.clear()
    assert len(instance.get_runs()) == 1
    assert opened == ["runs.db"]


def test_connections_are_closed_also_where_the_block_fails(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    def run_and_be_interrupted() -> None:
        with releasing(instance):
            dg.materialize([thing], instance=instance)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_and_be_interrupted()
    assert not list(tmp_path.rglob("*.db-wal"))


def test_a_table_is_there_once_it_was_made(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, EventLog)
    assert [storage.has_table("later") for _ in range(2)] == [False, False]
    with storage.index_connection() as connection:
        connection.exec_driver_sql("create table later (id int)")
    assert [storage.has_table("later") for _ in range(2)] == [True, True]


def test_connections_do_not_wait_for_the_disk(tmp_path: Path) -> None:
    engines = Engines()
    url = f"sqlite:///{tmp_path}/some.db"
    with engines.of(url).connect() as connection:
        assert connection.exec_driver_sql("pragma synchronous").scalar() == 1  # normal
        assert connection.exec_driver_sql("pragma busy_timeout").scalar() == 30_000
    assert engines.of(url) is engines.of(url)
    engines.release()


def at_once(action: Callable[[], object]) -> list[object]:
    """What four threads get that begin together."""
    start = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        return [each.result() for each in [pool.submit(lambda: [start.wait(), action()][1]) for _ in range(4)]]


def test_threads_that_begin_together_share_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make_slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.05)
        return create_engine(*arguments, **options)

    monkeypatch.setattr(sqlite_storage, "create_engine", make_slowly)
    engines = Engines()
    assert len({id(engine) for engine in at_once(lambda: engines.of(f"sqlite:///{tmp_path}/some.db"))}) == 1
    engines.release()


def test_the_file_of_a_run_is_made_once_also_where_threads_begin_together(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, EventLog)
    really, made = storage._initdb, list[str]()

    def make_slowly(engine: Any) -> None:
        made.append(Path(engine.url.database).name)
        time.sleep(0.05)
        really(engine)

    monkeypatch.setattr(storage, "_initdb", make_slowly)

    def count() -> int:
        with storage.run_connection("some-run") as connection:
            return connection.exec_driver_sql("select count(*) from event_logs").scalar_one()

    assert at_once(count) == [0] * 4
    assert made == ["some-run.db"]


def test_another_storage_is_left_alone(plain: InstanceRef) -> None:
    assert plain.storage_data is not None
    assert plain.storage_data.class_name == DagsterSqliteStorage.__name__
    other = plain._replace(storage_data=plain.storage_data._replace(class_name="DagsterPostgresStorage"))
    assert with_home_storage(other) == other
