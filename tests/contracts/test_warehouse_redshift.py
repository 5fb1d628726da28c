"""What only the warehouse in Redshift does: trouble on the way, conflicts, cancellation, what is left behind."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redshift_fixtures import COPY_ROLE, MadeWarehouse

from packaging_assets.artifacts.s3_objects import S3Objects, encryption_arguments
from packaging_assets.resources.redshift_data_api import RedshiftDataApi
from packaging_assets.resources.redshift_errors import ConflictError, StatementError
from packaging_assets.resources.redshift_sql import rendered
from packaging_assets.resources.redshift_target import RedshiftTarget
from packaging_assets.resources.redshift_unload import unload_statement
from packaging_assets.resources.warehouse import WarehouseError

DAYS = pa.table({"day": pa.array([dt.date(2025, 1, 6), dt.date(2025, 1, 7)]), "fingerprint": ["a", "b"]})
INSERT_DAYS = ("insert into ops.built_days (day, fingerprint) select day, fingerprint from staged", {})
DAYS_NOW = "select day, fingerprint from ops.built_days order by day, fingerprint"
BOTH = [(dt.date(2025, 1, 6), "a"), (dt.date(2025, 1, 7), "b")]
PATIENCE_SECONDS = 60.0


@pytest.fixture
def warehouse(emptied_warehouse: MadeWarehouse) -> MadeWarehouse:
    return emptied_warehouse


def submitted(warehouse: MadeWarehouse) -> list[str]:
    return [call for call in warehouse.stand_in.calls if call.endswith("ExecuteStatement")]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["throttle", "error", "lost_answer", "twice", "slow"])
@pytest.mark.parametrize("operation", ["BatchExecuteStatement", "DescribeStatement"])
def test_a_load_happens_once_whatever_happens_to_the_calls(warehouse: MadeWarehouse, kind: str, operation: str) -> None:
    warehouse.stand_in.faults.inject(kind, operation=operation, times=2, seconds=0.05)
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    assert warehouse.rows(DAYS_NOW) == BOTH
    assert warehouse.stand_in.faults.waiting() == [] or kind in {"twice", "slow"}
    assert len(warehouse.batches()) == 1
    assert warehouse.left_behind() == []


@pytest.mark.parametrize("kind", ["throttle", "error", "lost_answer", "twice"])
@pytest.mark.parametrize("operation", ["ExecuteStatement", "GetStatementResult"])
def test_a_query_is_answered_whatever_happens_to_the_calls(warehouse: MadeWarehouse, kind: str, operation: str) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    warehouse.stand_in.faults.inject(kind, operation=operation, times=3)
    assert [tuple(row.values()) for row in warehouse.fetch(DAYS_NOW, {})] == BOTH


@pytest.mark.parametrize("kind", ["throttle", "error", "lost_answer"])
def test_a_service_that_stays_away_is_one_error(warehouse: MadeWarehouse, kind: str, tmp_path: Path) -> None:
    warehouse.stand_in.faults.inject(kind, times=1000)
    for action in (
        lambda: warehouse.fetch(DAYS_NOW, {}),
        lambda: warehouse.unload(DAYS_NOW, {}, tmp_path, rows_per_file=1),
        lambda: warehouse.load({"staged": DAYS}, [INSERT_DAYS]),
        warehouse.create_tables,
    ):
        with pytest.raises(
            WarehouseError, match=r"could not be reached: the Data API refused a call 4 times.*try again"
        ):
            action()
    assert list(tmp_path.iterdir()) == []
    # Where all answers were lost, Redshift runs the unload, and may write after all that was there has been deleted.
    late = warehouse.left_behind()
    assert late == [] or (kind == "lost_answer" and all(key.startswith("unload/") for key in late))


def test_the_pauses_between_looks_grow_to_their_limit(warehouse: MadeWarehouse, redshift_client: Any) -> None:
    pauses: list[float] = []

    def note(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds / 100)

    api = RedshiftDataApi(redshift_client, database=warehouse.database, workgroup="packaging", sleep=note)
    warehouse.stand_in.faults.inject("slow_statement", matching="select 5", seconds=0.6)
    assert api.query("select 5 as n", {}).rows == [{"n": 5}]
    longest = [min(5.0, 0.1 * 2**look) for look in range(len(pauses))]
    assert len(pauses) >= 3
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))


@pytest.mark.parametrize("kind", ["failed_statement", "disconnected", "aborted"])
def test_a_statement_that_fails_is_named_and_leaves_nothing(warehouse: MadeWarehouse, kind: str) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    warehouse.stand_in.faults.inject(kind, matching="insert into ops", message="disk full")
    delete = ("delete from ops.built_days where fingerprint <> $kept", {"kept": "nobody's business"})
    with pytest.raises(StatementError) as caught:
        warehouse.load({"staged": DAYS}, [delete, INSERT_DAYS])
    said = str(caught.value)
    assert (
        "(number 5 of 5), 'insert into ops.built_days (day, fingerprint) select day, fingerprint from staged'" in said
    )
    assert ("connection to the database was lost" in said.lower()) if kind == "disconnected" else ("disk full" in said)
    assert said.startswith(f"The warehouse {warehouse.database} in Redshift packaging ")
    assert warehouse.rows(DAYS_NOW) == BOTH
    assert warehouse.left_behind() == []


def test_an_error_names_the_statement_and_not_its_values(warehouse: MadeWarehouse, tmp_path: Path) -> None:
    query = "select no_such_column from ops.built_days where fingerprint = $secret order by 1"
    for action in (
        lambda: warehouse.fetch(query, {"secret": "hunter2"}),
        lambda: warehouse.unload(query, {"secret": "hunter2"}, tmp_path, rows_per_file=1),
        lambda: warehouse.load({}, [(f"insert into ops.built_days {query}", {"secret": "hunter2"})]),
    ):
        with pytest.raises(StatementError, match=r"where fingerprint = \$secret.*no_such_column") as caught:
            action()
        assert "hunter2" not in str(caught.value)


def test_a_load_that_conflicts_is_run_again_whole(warehouse: MadeWarehouse) -> None:
    warehouse.stand_in.faults.inject("conflict", matching="insert into ops", times=3)
    warehouse.load({"staged": DAYS}, [("delete from ops.built_days", {}), INSERT_DAYS])
    assert warehouse.rows(DAYS_NOW) == BOTH
    tried = warehouse.batches()
    assert [entry.whole.status for entry in tried] == ["FAILED"] * 3 + ["FINISHED"]
    assert len({entry.token for entry in tried}) == 4


UPSET = (
    "could not open relation with OID 6134794",
    "table 3380474 dropped by concurrent transaction",
    "1018\n  Detail: Relation does not exist.",
    "could not complete because of conflict with concurrent transaction",
)
"""What Redshift says of a table that another transaction made, replaced or dropped meanwhile."""


@pytest.mark.parametrize("said", UPSET)
def test_what_another_transaction_upsets_is_run_again(warehouse: MadeWarehouse, said: str) -> None:
    warehouse.stand_in.faults.inject("failed_statement", matching="insert into ops", message=said, times=2)
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    assert [entry.whole.status for entry in warehouse.batches()] == ["FAILED", "FAILED", "FINISHED"]
    warehouse.stand_in.faults.inject("failed_statement", matching="^select day", message=said, times=2)
    assert [tuple(row.values()) for row in warehouse.fetch(DAYS_NOW, {})] == BOTH
    assert submitted(warehouse) == ["BatchExecuteStatement"] * 3 + ["ExecuteStatement"] * 3


def test_an_unload_that_conflicts_is_not_run_again_into_its_own_files(warehouse: MadeWarehouse, tmp_path: Path) -> None:
    warehouse.stand_in.faults.inject("conflict", matching="^unload", times=2)
    with pytest.raises(ConflictError, match="1023"):
        warehouse.unload(DAYS_NOW, {}, tmp_path, rows_per_file=1)
    assert submitted(warehouse) == ["ExecuteStatement"]


def test_a_load_that_always_conflicts_says_so(warehouse: MadeWarehouse) -> None:
    warehouse.stand_in.faults.inject("conflict", matching="insert into ops", times=100)
    with pytest.raises(ConflictError, match=r"ERROR: 1023\s+Detail: Serializable isolation violation"):
        warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    assert len(warehouse.batches()) == 8
    assert warehouse.left_behind() == []


def test_loads_that_come_together_come_one_after_another(
    redshift: Any, snapshot_database: str, bucket: str, s3: Any, redshift_client: Any
) -> None:
    # Snapshot isolation lets both of two loads commit that have not seen one another: the lock makes them see.
    objects = S3Objects(s3, bucket, "exchange")
    warehouse = MadeWarehouse(redshift, snapshot_database, objects, redshift_client)
    warehouse.create_tables()
    append = "insert into ops.built_days (day, fingerprint) select day, fingerprint from staged"
    if_new = f"{append} where not exists (select 1 from ops.built_days as known where known.fingerprint = 'a')"
    count = (
        "insert into ops.built_groups (group_name, rows_hash, sql_hash) "
        "select $name, cast(count(*) as varchar(9)), '' from ops.built_groups"
    )

    def load(number: int) -> None:
        warehouse.load({"staged": DAYS}, [(if_new, {}), (count, {"name": f"load {number}"})])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(load, range(6)))
    assert warehouse.rows(DAYS_NOW) == BOTH
    numbers = warehouse.rows("select rows_hash from ops.built_groups order by rows_hash")
    assert numbers == [(str(number),) for number in range(6)]


def test_tables_are_created_once_by_many_and_with_their_keys(made_warehouse: MadeWarehouse) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: made_warehouse.create_tables(), range(4)))
    tables = made_warehouse.rows(
        "select table_schema, count(*) from information_schema.tables where table_schema in ('raw', 'ml', 'ops') "
        "group by table_schema order by table_schema"
    )
    assert tables == [("ml", 4), ("ops", 3), ("raw", 6)]
    keys = set(made_warehouse.stand_in.served.clauses)
    assert keys == {
        "distkey (product_id)",
        *(f"compound sortkey ({name})" for name in ("updated_at", "tested_at", "shipped_at", "partition_start")),
    }
    made_warehouse.stand_in.calls.clear()
    made_warehouse.create_tables()
    assert submitted(made_warehouse) == ["ExecuteStatement"]


class Cancelled:
    """A `sleep` that cancels the run as soon as something holds, or has it wait a little."""

    def __init__(self, error: BaseException, once: Callable[[], bool]) -> None:
        self.error, self.once, self.is_over = error, once, False

    def __call__(self, seconds: float) -> None:
        if not self.is_over and self.once():
            self.is_over = True
            raise self.error
        time.sleep(min(seconds, 0.02))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DagsterExecutionInterruptedError()])
def test_a_cancelled_run_cancels_its_statement(
    emptied_warehouse: MadeWarehouse, redshift_client: Any, error: BaseException
) -> None:
    stand_in = emptied_warehouse.stand_in
    is_begun = Cancelled(
        error, lambda: any(entry.parts[-1].status == "STARTED" for entry in emptied_warehouse.batches())
    )
    args = (stand_in, emptied_warehouse.database, emptied_warehouse.exchange, redshift_client)
    warehouse = MadeWarehouse(*args, sleep=is_begun)
    stand_in.faults.inject("slow_statement", matching="insert into ops", seconds=PATIENCE_SECONDS)
    with pytest.raises(type(error)) as caught:
        warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    (cancelled,) = warehouse.batches()
    assert caught.value.__notes__ == [f"Redshift's statement {cancelled.statement_id} was cancelled."]
    wait_until(lambda: cancelled.whole.status == "ABORTED")
    assert warehouse.rows(DAYS_NOW) == []
    assert warehouse.left_behind() == []


def test_a_run_cancelled_before_it_knows_its_statement_cancels_it(
    emptied_warehouse: MadeWarehouse, redshift_client: Any
) -> None:
    stand_in = emptied_warehouse.stand_in
    args = (stand_in, emptied_warehouse.database, emptied_warehouse.exchange, redshift_client)
    warehouse = MadeWarehouse(*args, sleep=Cancelled(KeyboardInterrupt(), lambda: True))
    stand_in.faults.inject("lost_answer", operation="BatchExecuteStatement")
    stand_in.faults.inject("slow_statement", matching="insert into ops", seconds=PATIENCE_SECONDS)
    with pytest.raises(KeyboardInterrupt) as caught:
        warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    (cancelled,) = warehouse.batches()
    assert caught.value.__notes__ == [f"Redshift's statement {cancelled.statement_id} was cancelled."]
    assert cancelled.ended.wait(PATIENCE_SECONDS)
    # Cancelled, or it failed a moment before that because its files were gone already: either way nothing is loaded.
    assert cancelled.whole.status in {"ABORTED", "FAILED"}
    assert warehouse.rows(DAYS_NOW) == []


def test_a_statement_that_takes_too_long_is_cancelled(emptied_warehouse: MadeWarehouse, redshift_client: Any) -> None:
    ticks = iter(range(0, 10**9, 6 * 3600))
    args = (emptied_warehouse.stand_in, emptied_warehouse.database, emptied_warehouse.exchange, redshift_client)
    warehouse = MadeWarehouse(*args, clock=lambda: float(next(ticks)))
    warehouse.stand_in.faults.inject("slow_statement", matching="select 1", seconds=PATIENCE_SECONDS)
    with pytest.raises(WarehouseError, match=r"did not end statement .* within 24 h") as caught:
        warehouse.fetch("select 1 as n", {})
    assert caught.value.__notes__[0].endswith("was cancelled.")


@dataclass(frozen=True)
class Tampered(S3Objects):
    """S3 objects, of which the one whose name ends so is cut off or gone."""

    ending: str = ""
    how: str = "gone"

    def get(self, key: str) -> Any:
        stored = super().get(key)
        return None if key.endswith(self.ending) and self.how == "gone" else stored

    def download(self, key: str, path: Path) -> bool:
        is_there = super().download(key, path)
        if not key.endswith(self.ending):
            return is_there
        if self.how == "cut":
            path.write_bytes(path.read_bytes()[:-100])
        return self.how != "gone"


@pytest.mark.parametrize(
    ("ending", "how", "error"),
    [
        ("manifest", "gone", "unloaded a query without a manifest; unload again"),
        ("000.parquet", "gone", "is in the manifest of its unload and not in S3; unload again"),
        ("000.parquet", "cut", "bytes, and .* by its manifest; unload again"),
    ],
)
def test_an_unload_that_is_not_whole_is_an_error(
    warehouse: MadeWarehouse, redshift_client: Any, tmp_path: Path, ending: str, how: str, error: str
) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    objects = Tampered(warehouse.exchange.client, warehouse.exchange.bucket, warehouse.exchange.prefix, {}, ending, how)
    tampered = MadeWarehouse(warehouse.stand_in, warehouse.database, objects, redshift_client)
    with pytest.raises(WarehouseError, match=error):
        tampered.unload(DAYS_NOW, {}, tmp_path, rows_per_file=10)
    assert list(tmp_path.iterdir()) == []
    assert warehouse.left_behind() == []


def test_an_empty_unload_needs_no_manifest(warehouse: MadeWarehouse, redshift_client: Any, tmp_path: Path) -> None:
    objects = Tampered(warehouse.exchange.client, warehouse.exchange.bucket, "", {}, "manifest", "gone")
    silent = MadeWarehouse(warehouse.stand_in, warehouse.database, objects, redshift_client)
    query = "select day, fingerprint, count(*) as n, sum(1.5) as total from ops.built_days group by 1, 2 order by 1"
    assert silent.unload(query, {}, tmp_path, rows_per_file=10) == 0
    schema = pq.read_schema(tmp_path / "part-00000.parquet")
    assert [str(kind) for kind in schema.types] == ["date32[day]", "string", "int64", "double"]


def test_only_an_ordered_query_is_unloaded_by_one_slice(warehouse: MadeWarehouse, tmp_path: Path) -> None:
    numbers = pa.table({"n": pa.array(range(1000))})
    warehouse.load({"staged": numbers}, [("create table ml.numbers as select n from staged", {})])
    for name, query, parallel in (
        ("ordered", "select n from ml.numbers order by n desc -- backwards", "off"),
        ("windowed", "select n, row_number() over (order by n) as place from ml.numbers", "on"),
        ("inner", "select n from (select n from ml.numbers order by n) as ordered", "on"),
    ):
        (tmp_path / name).mkdir()
        assert warehouse.unload(query, {}, tmp_path / name, rows_per_file=300) == 1000
        read = pa.concat_tables(pq.read_table(part) for part in sorted((tmp_path / name).iterdir()))["n"].to_pylist()
        assert sorted(read) == list(range(1000))
        assert (read == list(range(999, -1, -1))) is (name == "ordered")
        statement = warehouse.stand_in.served.statements[-1]
        assert statement.endswith(f"format as parquet manifest verbose parallel {parallel} maxfilesize 256 mb")
    assert warehouse.left_behind() == []


def test_files_are_encrypted_with_the_key_of_the_bucket(
    warehouse: MadeWarehouse, redshift_client: Any, tmp_path: Path
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/abc"
    place = warehouse.exchange
    objects = S3Objects(place.client, place.bucket, place.prefix, encryption_arguments(key))
    encrypted = MadeWarehouse(warehouse.stand_in, warehouse.database, objects, redshift_client)
    encrypted.load({"staged": DAYS}, [INSERT_DAYS])
    assert encrypted.unload(DAYS_NOW, {}, tmp_path, rows_per_file=10) == 2
    assert f"kms_key_id '{key}' encrypted " in warehouse.stand_in.served.statements[-1]
    assert COPY_ROLE in warehouse.stand_in.served.statements[-1]


def test_the_limits_of_the_data_api_are_told_beforehand(warehouse: MadeWarehouse) -> None:
    with pytest.raises(WarehouseError, match="takes at most 40 statements in one transaction, not 41"):
        warehouse.load({}, [INSERT_DAYS] * 40)
    with pytest.raises(WarehouseError, match=r"it has 100,0.. bytes, and the Data API takes 1 to 100,000"):
        warehouse.fetch("select $text as text", {"text": "x" * 100_000})
    with pytest.raises(WarehouseError, match="text of 65,536 bytes, and Redshift holds 65,535"):
        warehouse.load({"staged": pa.table({"word": ["ü" * 32_768]})}, [("select 1", {})])
    assert submitted(warehouse) == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"workgroup": "a", "cluster": "b"}, "set exactly one"),
        ({}, "set exactly one"),
        ({"workgroup": "a", "user": "u"}, "leave redshift_user empty"),
        ({"cluster": "c"}, "redshift_cluster is 'c' and redshift_user is empty; name the database user"),
    ],
)
def test_a_target_must_be_one(given: dict[str, str], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        RedshiftTarget("packaging", **given)


@pytest.mark.parametrize(
    "given",
    [
        {"cluster": "packaging", "user": "packaging"},
        {"cluster": "packaging", "secret": True},
        {"workgroup": "packaging", "secret": True, "user": "not asked"},
    ],
)
def test_a_target_is_reached_by_user_or_secret(
    redshift: Any, database: str, redshift_client: Any, given: dict[str, Any]
) -> None:
    from redshift_standin.server import SECRET

    settings = {**given, "secret_arn": SECRET if given.get("secret") else ""}
    settings.pop("secret", None)
    api = RedshiftDataApi(redshift_client, database=database, first_poll_seconds=0.01, **settings)
    assert api.query("select 1 as n", {}).rows == [{"n": 1}]


def test_a_target_that_is_not_there_is_told(redshift: Any, database: str, redshift_client: Any) -> None:
    api = RedshiftDataApi(redshift_client, database=database, workgroup="elsewhere")
    with pytest.raises(
        WarehouseError, match=r"in Redshift elsewhere cannot be used: .*endpoint doesn't exist.*redshift_"
    ):
        api.query("select 1 as n", {})


VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    st.text("'\\\\\"$:;-/* a\n", max_size=12),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_subnormal=False),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).filter(lambda value: abs(value) < 10**20),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(values=st.lists(VALUES, min_size=20, max_size=60))
def test_every_value_reaches_the_database_and_comes_back(emptied_warehouse: MadeWarehouse, values: list[Any]) -> None:
    parameters = {f"v{number}": value for number, value in enumerate(values)}
    (found,) = emptied_warehouse.fetch(f"select {', '.join(f'${name} as {name}' for name in parameters)}", parameters)
    assert [(type(value), value) for value in found.values()] == [(type(value), value) for value in values]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text("'\\\\$:;a-/* \u00fc\n", max_size=12), min_size=1, max_size=5))
def test_no_text_ends_the_query_of_an_unload(redshift: Any, texts: list[str]) -> None:
    from redshift_standin.unload import read_unload

    parameters = {f"v{number}": text for number, text in enumerate(texts)}
    query = rendered(f"select {', '.join(f'${name}' for name in parameters)}", parameters)
    statement = unload_statement(query, "s3://bucket/unload/1/", COPY_ROLE)
    assert read_unload(statement).query == query
    assert "\\" not in statement


KILLED = """
import sys
from pathlib import Path
import boto3, pyarrow as pa
from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.resources.redshift_data_api import RedshiftDataApi
from packaging_assets.resources.redshift_warehouse import RedshiftWarehouse
database, bucket = sys.argv[1:]
api = RedshiftDataApi(boto3.client("redshift-data"), database=database, workgroup="packaging")
warehouse = RedshiftWarehouse(api, S3Objects(boto3.client("s3"), bucket, "env/exchange"), "")
warehouse.load(
    {"staged": pa.table({"day": pa.array([0, 1], pa.date32()), "fingerprint": ["x", "y"]})},
    [("delete from ops.built_days", {}), ("insert into ops.built_days select day, fingerprint from staged", {})],
)
"""


def test_a_load_whose_process_is_killed_is_whole_or_nothing_and_can_be_repeated(
    warehouse: MadeWarehouse, bucket: str
) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    warehouse.stand_in.faults.inject("slow_statement", matching="insert into ops", seconds=0.5)
    command = [sys.executable, "-c", KILLED, warehouse.database, bucket]
    process = subprocess.Popen(command, env=dict(os.environ))  # noqa: S603 - our own
    try:
        wait_until(lambda: len(warehouse.batches()) == 2)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert warehouse.rows(DAYS_NOW) in (BOTH, [(dt.date(1970, 1, 1), "x"), (dt.date(1970, 1, 2), "y")])
    # The statement goes on without its client; a load that comes now waits for it, and replaces what it wrote.
    warehouse.load({"staged": DAYS}, [("delete from ops.built_days", {}), INSERT_DAYS])
    assert [entry.whole.status for entry in warehouse.batches()] == ["FINISHED"] * 3
    assert warehouse.rows(DAYS_NOW) == BOTH
