"""What the Redshift stand-in emulates, through the clients that will talk to the real one."""

import gc
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector
from aws_fixtures import TESTS
from botocore.exceptions import ClientError
from redshift_fixtures import DataApi

# redshift_connector makes its TLS settings in a way that Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning")

ROLE = "iam_role 'arn:aws:iam::123456789012:role/packaging-warehouse'"
PARQUET = f"{ROLE} format as parquet"
THINGS = (
    "create table things (id bigint not null, name varchar(10), seen_on date, seen_at timestamp, "
    "size double precision, share real, is_new boolean, price numeric(10, 2)) "
    "diststyle key distkey (id) compound sortkey (seen_on)"
)
ROWS = (
    "insert into things values (1, 'a''b', '2025-01-06', '2025-01-06 08:00:00.000001', 0.1, 0.5, true, 1.25), "
    "(2, '', null, null, null, null, null, null), (3, null, '2025-01-07', '2025-01-07', 46.95, 0.25, false, 2)"
)


def connected(redshift: Any, database: str, **settings: Any) -> redshift_connector.Connection:
    """A session by Amazon's driver."""
    from redshift_standin.server import PASSWORD, USER

    given = {"user": USER, "password": PASSWORD, **settings}
    return redshift_connector.connect(host="127.0.0.1", port=redshift.port, database=database, **given)


@pytest.fixture
def session(redshift: Any, database: str) -> Iterator[redshift_connector.Connection]:
    connection = connected(redshift, database)
    yield connection
    connection.close()


@pytest.fixture
def things(data_api: DataApi) -> DataApi:
    """A database with three rows of every type."""
    assert data_api.outcome(THINGS, ROWS) == "FINISHED"
    return data_api


@pytest.fixture
def s3(aws: None) -> Iterator[Any]:
    client = boto3.client("s3")
    yield client
    client.close()


def keys(s3: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]


def table_at(s3: Any, bucket: str, key: str) -> pa.Table:
    return pq.read_table(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))


def put_table(s3: Any, bucket: str, key: str, **columns: pa.Array) -> int:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    s3.put_object(Bucket=bucket, Key=key, Body=content.getvalue())
    return content.getbuffer().nbytes


# The wire


def test_the_driver_connects_over_tls_and_sees_redshift(session: redshift_connector.Connection) -> None:
    assert "SSLSocket" in type(session._usock).__name__
    cursor = session.cursor()
    cursor.execute("select version(), current_database() like 'test_%'")
    version, is_ours = cursor.fetchone()
    assert version.startswith("PostgreSQL 8.0.2 on ")
    assert is_ours


@pytest.fixture
def _forgotten_sockets() -> Iterator[None]:
    """Collects them while their test is still the one that is told; its own frame holds the last of them until then."""
    yield
    gc.collect()


# The driver forgets to close its socket when it is refused.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("_forgotten_sockets")
def test_a_wrong_password_and_an_unknown_database_are_refused(redshift: Any, database: str) -> None:
    with pytest.raises(redshift_connector.InterfaceError, match="password authentication failed"):
        connected(redshift, database, password="guessed")  # noqa: S106 - it is wrong
    with pytest.raises(redshift_connector.ProgrammingError, match="does not exist"):
        connected(redshift, "nowhere")


def test_truncate_commits_what_was_done_before_it(session: redshift_connector.Connection) -> None:
    cursor = session.cursor()
    for statement in (
        "create table kept (a bigint)",
        "create table emptied (a bigint)",
        "insert into emptied values (1)",
    ):
        cursor.execute(statement)
    session.commit()
    cursor.execute("insert into kept values (1)")
    cursor.execute("truncate emptied")
    session.rollback()
    cursor.execute("select (select count(*) from kept), (select count(*) from emptied)")
    assert cursor.fetchall() == ([1, 0],)


def test_a_refused_statement_fails_its_transaction(session: redshift_connector.Connection) -> None:
    cursor = session.cursor()
    cursor.execute("create table kept (a bigint)")
    with pytest.raises(redshift_connector.ProgrammingError, match="no DISTINCT ON"):
        cursor.execute("select distinct on (a) a from kept")
    with pytest.raises(redshift_connector.ProgrammingError, match="current transaction is aborted"):
        cursor.execute("select 1")
    session.rollback()


# The dialect


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select avg(a) from (select 1 as a union all select 4) as t", [[2]]),
        ("select avg(a) over () from (select cast(1 as bigint) as a union all select 2) as t limit 1", [[1]]),
        ("select dateadd(day, 2, cast('2025-01-30' as date))", [["2025-02-01 00:00:00"]]),
        ("select datediff(week, date '2025-01-04', date '2025-01-05')", [[1]]),
        ("select datediff('month', timestamp '2024-12-31', timestamp '2025-01-01')", [[1]]),
        ("select len('abc'), nvl(null, 'x'), left(sha2('a', 256), 6), strtol('ff', 16)", [[3, "x", "ca9781", 255]]),
        (
            "select listagg(a, ', ') within group (order by a desc) from (select 'x' as a union select 'y') as t",
            [["y, x"]],
        ),
        ("select last_day(date '2024-02-03'), sysdate > date '2025-01-01'", [["2024-02-29", True]]),
        ("select 1 union all select 1 minus select 2", [[1]]),
        ("select cast(repeat('x', 300) as varchar) = repeat('x', 256)", [[True]]),
    ],
)
def test_redshifts_own_functions_and_rules(data_api: DataApi, sql: str, rows: list[list[Any]]) -> None:
    assert data_api.rows(sql) == rows


BEST = "with best as (select * from pairs as p qualify row_number() over (partition by a order by b) = 1) "
NINES = "select 9 as a, 9 as b union all "


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            "select a, b from pairs as p qualify rank() over (partition by a order by b desc) = 1 order by a",
            [[1, 2], [2, 3]],
        ),
        ("select p.* from pairs as p where b < 3 qualify rank() over (order by b desc) = 1", [[1, 2]]),
        (BEST + "select count(*), sum(b) from best", [[2, "4"]]),
        ("select a, count(*) from pairs group by a qualify rank() over (order by count(*) desc) = 1", [[1, 2]]),
        (NINES + "select a, b from pairs as p qualify rank() over (order by b) = 1 order by a", [[1, 1], [9, 9]]),
    ],
)
def test_qualify_keeps_rows_and_adds_no_column(data_api: DataApi, sql: str, rows: list[list[Any]]) -> None:
    made = "create table pairs as (select 1 as a, cast(1 as bigint) as b union all select 1, 2 union all select 2, 3)"
    assert data_api.outcome(made) == "FINISHED"
    assert data_api.rows(sql) == rows


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("select sum(a) filter (where a > 1) from t", "aggregates have no FILTER"),
        ("select distinct on (a) a from t", "no DISTINCT ON"),
        ("select * from (values (1), (2)) as t", "VALUES makes no table"),
        ("select * from generate_series(1, 3) as t", "function generate_series(integer, integer) does not exist"),
        ("select array_agg(a) from (select 1 as a) as t", "function array_agg(integer) does not exist"),
        ("select string_agg('a', 'b')", "function string_agg(unknown, unknown) does not exist"),
        ("select array[1, 2]", "no PostgreSQL arrays"),
        ("select cast('{}' as json)", 'json" does not exist'),
        ("select a from t, lateral (select 1) as s", "no LATERAL"),
        ("insert into t values (1) on conflict do nothing", "no ON CONFLICT"),
        ("delete from t returning a", "no RETURNING"),
        ("create index i on t (a)", "no indexes"),
        ("alter table t add column if not exists b int", "no ADD COLUMN IF NOT EXISTS"),
        ("alter table t add column b int, add column c int", "one column at a time"),
        ("create table if not exists u as select 1 as a", "no IF NOT EXISTS"),
        ("select 1 from (select 1)", "subquery in FROM must have an alias"),
        ("select sum(a) over (order by a) from (select 1 as a) as t", "require a frame clause"),
        ("select sum(a) over (order by a range unbounded preceding) from (select 1 as a) as t", "ROWS frames"),
        ("select count(distinct a) over () from (select 1 as a) as t", "no DISTINCT"),
        ("select * from raw.products", "RAW is a reserved word; quote it"),
        ("create table t (tag varchar(10))", "TAG is a reserved word"),
        ("select * from t qualify row_number() over (order by a) = 1", "give t an alias"),
        ("select 1; select 2", "multiple commands"),
    ],
)
def test_what_redshift_lacks_is_refused(data_api: DataApi, sql: str, error: str) -> None:
    assert error in data_api.outcome(sql)


def test_what_postgresql_does_not_know_is_taken_out_and_remembered(redshift: Any, things: DataApi) -> None:
    view = "create view seen as select id from things with no schema binding"
    assert things.outcome(view) == "FINISHED"
    assert things.outcome("alter table things alter sortkey (id)") == "FINISHED"
    assert redshift.served.clauses == [
        "diststyle key",
        "distkey (id)",
        "compound sortkey (seen_on)",
        view,
        "alter table things alter sortkey (id)",
    ]


def test_a_column_of_text_without_a_length_holds_256_characters(data_api: DataApi) -> None:
    assert data_api.outcome("create table notes (note text)") == "FINISHED"
    assert "value too long for type character varying(256)" in data_api.outcome(
        "insert into notes select repeat('x', 257)"
    )


# The Data API


def test_fields_are_typed_and_decimals_and_times_are_text(things: DataApi) -> None:
    statement_id = things.submit("select * from things order by id")
    assert things.ended(statement_id)["ResultRows"] == 3
    result = things.client.get_statement_result(Id=statement_id)
    assert result["Records"][0] == [
        {"longValue": 1},
        {"stringValue": "a'b"},
        {"stringValue": "2025-01-06"},
        {"stringValue": "2025-01-06 08:00:00.000001"},
        {"doubleValue": 0.1},
        {"doubleValue": 0.5},
        {"booleanValue": True},
        {"stringValue": "1.25"},
    ]
    assert result["Records"][1][1:] == [{"stringValue": ""}, *[{"isNull": True}] * 6]
    names = [(column["name"], column["typeName"]) for column in result["ColumnMetadata"]]
    assert names[:3] == [("id", "int8"), ("name", "varchar"), ("seen_on", "date")]
    price = result["ColumnMetadata"][-1]
    assert (price["typeName"], price["precision"], price["scale"]) == ("numeric", 10, 2)


def test_results_come_in_pages(things: DataApi) -> None:
    ones = " union all ".join(f"select {number} as n" for number in range(7))
    statement_id = things.submit(f"select n from ({ones}) as t order by n")
    things.ended(statement_id)
    pages = [*things.client.get_paginator("get_statement_result").paginate(Id=statement_id)]
    assert [len(page["Records"]) for page in pages] == [3, 3, 1]
    assert {page["TotalNumRows"] for page in pages} == {7}


def test_parameters_are_texts_that_the_database_converts(things: DataApi) -> None:
    sql = "select id from things where seen_on >= :day and name = :name and size < :size"
    assert things.rows(sql, {"day": "2025-01-01", "name": "a'b", "size": "1.5"}) == [[1]]
    assert things.rows("select cast(:text as varchar(9))", {"text": "'); --"}) == [["'); --"]]


def test_parameters_in_quotes_are_none_and_all_must_be_used(data_api: DataApi) -> None:
    with pytest.raises(ClientError, match=r"contains unused parameters. Unused parameters: \[day\]") as refusal:
        data_api.rows("select ':day'", {"day": "2025-01-01"})
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert 'syntax error at or near ":"' in data_api.outcome("select :day")


def test_a_batch_happens_whole_or_not_at_all(things: DataApi) -> None:
    statement_id = things.submit("delete from things", "insert into things (id) values (9)", "select 1 / 0")
    described = things.ended(statement_id)
    assert described["Status"] == "FAILED"
    assert described["Error"] == "Query #3 failed with ERROR: division by zero"
    assert [part["Status"] for part in described["SubStatements"]] == ["FINISHED", "FINISHED", "FAILED"]
    assert things.rows("select count(*) from things") == [[3]]
    statement_id = things.submit("delete from things where id = 1", "select id from things order by id")
    assert things.ended(statement_id)["Status"] == "FINISHED"
    assert things.client.get_statement_result(Id=f"{statement_id}:2")["TotalNumRows"] == 2


def test_a_batch_that_commits_each_statement_keeps_what_succeeded(things: DataApi) -> None:
    outcome = things.outcome("delete from things where id = 1", "select 1 / 0", ExecutionMode="AUTO_COMMIT")
    assert "division by zero" in outcome
    assert things.rows("select count(*) from things") == [[2]]


@pytest.mark.parametrize("statement", ["truncate things", "commit"])
def test_an_atomic_batch_takes_nothing_that_commits(things: DataApi, statement: str) -> None:
    assert "takes none in an atomic batch" in things.outcome("delete from things", statement)
    assert things.rows("select count(*) from things") == [[3]]


def test_the_limits_of_the_service(data_api: DataApi) -> None:
    with pytest.raises(ClientError, match="at most 100000 bytes"):
        data_api.submit(f"select '{'x' * 100_000}'")
    with pytest.raises(ClientError, match="1 to 40 statements"):
        data_api.submit(*["select 1"] * 41)
    with pytest.raises(ClientError, match="Query does not exist"):
        data_api.client.describe_statement(Id="00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ({"WorkgroupName": "packaging"}, "Database must be specified"),
        ({"Database": "d"}, "Either ClusterIdentifier or WorkgroupName"),
        ({"Database": "d", "WorkgroupName": "elsewhere"}, "endpoint doesn't exist"),
        ({"Database": "d", "ClusterIdentifier": "packaging", "SecretArn": "arn:other"}, "specified secret"),
        ({"Database": "d", "WorkgroupName": "packaging", "DbUser": "packaging"}, "DbUser goes with"),
    ],
)
def test_who_asks_must_say_where_and_as_whom(data_api: DataApi, target: dict[str, str], error: str) -> None:
    with pytest.raises(ClientError, match=error):
        data_api.client.execute_statement(Sql="select 1", **target)


def test_a_cluster_is_reached_by_user_or_secret(redshift: Any, data_api: DataApi, database: str) -> None:
    from redshift_standin.server import CLUSTER, SECRET

    for way in ({"DbUser": "packaging"}, {"SecretArn": SECRET}, {}):
        data_api.target = {"ClusterIdentifier": CLUSTER, "Database": database, **way}
        assert data_api.outcome("select 1") == "FINISHED"
    data_api.target = {"ClusterIdentifier": CLUSTER, "Database": database, "DbUser": "stranger"}
    assert "authentication failed" in data_api.outcome("select 1")


def test_a_client_token_runs_a_statement_once(things: DataApi) -> None:
    ids = {things.submit("insert into things (id) values (4)", ClientToken="load-4") for _ in range(3)}
    assert len(ids) == 1
    assert things.ended(*ids)["Status"] == "FINISHED"
    assert things.rows("select count(*) from things where id = 4") == [[1]]


def test_a_statement_is_cancelled_and_changes_nothing(redshift: Any, things: DataApi) -> None:
    # Cancelled before it is reached, the slow one would be waited for by the next statement like it.
    redshift.faults.inject("slow_statement", matching="as slow", seconds=30)
    statement_id = things.submit("delete from things", "select count(*) as slow from things")
    deadline = time.monotonic() + 10
    while things.client.describe_statement(Id=statement_id)["Status"] != "STARTED" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert things.client.cancel_statement(Id=statement_id)["Status"] is True
    assert things.ended(statement_id)["Status"] == "ABORTED"
    assert things.rows("select count(*) from things") == [[3]]
    with pytest.raises(ClientError, match="already in ABORTED state"):
        things.client.cancel_statement(Id=statement_id)


def test_a_statement_that_brought_no_result_has_none_to_get(things: DataApi) -> None:
    statement_id = things.submit("select 1 / 0")
    things.ended(statement_id)
    with pytest.raises(ClientError, match="Query does not have result"):
        things.client.get_statement_result(Id=statement_id)


def test_statements_are_listed_by_name(data_api: DataApi) -> None:
    mine = data_api.submit("select 1", StatementName="listing-mine")
    data_api.ended(mine)
    listed = data_api.client.list_statements(StatementName="listing-")["Statements"]
    assert [(entry["Id"], entry["Status"]) for entry in listed] == [(mine, "FINISHED")]


def test_describing_may_wait_for_the_end(redshift: Any, data_api: DataApi) -> None:
    redshift.faults.inject("slow_statement", seconds=0.3)
    described = data_api.client.describe_statement(Id=data_api.submit("select 1"), WaitTimeSeconds=10)
    assert described["Status"] == "FINISHED"
    assert described["Duration"] >= 0.3e9


# UNLOAD and COPY


def test_a_parallel_unload_deals_rows_to_slices_and_says_so_in_a_manifest(
    things: DataApi, s3: Any, bucket: str
) -> None:
    sql = f"unload ('select * from things where name <> ''x'' or name is null order by id') to 's3://{bucket}/t/'"
    assert things.outcome(f"{sql} {PARQUET} manifest verbose maxfilesize 64 mb rowgroupsize 32 mb") == "FINISHED"
    assert keys(s3, bucket) == ["t/0000_part_00.parquet", "t/0001_part_00.parquet", "t/manifest"]
    manifest = json.loads(s3.get_object(Bucket=bucket, Key="t/manifest")["Body"].read())
    assert [entry["meta"]["record_count"] for entry in manifest["entries"]] == [2, 1]
    assert manifest["meta"]["record_count"] == 3
    table = table_at(s3, bucket, "t/0000_part_00.parquet")
    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "string",
        "date32[day]",
        "timestamp[us]",
        "double",
        "float",
        "bool",
        "decimal128(10, 2)",
    ]
    assert table["id"].to_pylist() == [1, 3]
    assert table["name"].to_pylist() == ["a'b", None]
    assert table_at(s3, bucket, "t/0001_part_00.parquet")["name"].to_pylist() == [""]


def test_a_serial_unload_keeps_the_order_and_an_empty_one_writes_no_file(things: DataApi, s3: Any, bucket: str) -> None:
    unload = f"to 's3://{bucket}/t/' {PARQUET} parallel off"
    assert things.outcome(f"unload ($$select id from things where id > 9$$) {unload}") == "FINISHED"
    assert keys(s3, bucket) == []
    assert things.outcome(f"unload ($$select id from things order by id desc$$) {unload}") == "FINISHED"
    assert table_at(s3, bucket, "t/000.parquet")["id"].to_pylist() == [3, 2, 1]


def test_a_large_unload_is_cut_into_files(data_api: DataApi, s3: Any, bucket: str) -> None:
    ten = "(" + " union all ".join(["select 1 as n"] * 10) + ")"
    rows = f"select repeat(''x'', 120) as filler from {ten} as a, {ten} as b, {ten} as c, {ten} as d, {ten} as e"
    sql = f"unload ('{rows}') to 's3://{bucket}/t/' {PARQUET} parallel off maxfilesize as 5 mb"
    assert data_api.outcome(sql) == "FINISHED"
    assert keys(s3, bucket) == ["t/000.parquet", "t/001.parquet", "t/002.parquet"]
    assert sum(table_at(s3, bucket, key).num_rows for key in keys(s3, bucket)) == 100_000


def test_a_partitioned_unload_cleans_the_partitions_that_it_writes(things: DataApi, s3: Any, bucket: str) -> None:
    for stale in ("p/seen_on=2025-01-06/old.parquet", "p/seen_on=2024-12-31/old.parquet"):
        s3.put_object(Bucket=bucket, Key=stale, Body=b"stale")
    sql = f"unload ('select id, seen_on from things') to 's3://{bucket}/p/' {PARQUET} partition by (seen_on)"
    assert things.outcome(f"{sql} cleanpath parallel off") == "FINISHED"
    assert keys(s3, bucket) == [
        "p/seen_on=2024-12-31/old.parquet",
        "p/seen_on=2025-01-06/000.parquet",
        "p/seen_on=2025-01-07/000.parquet",
        "p/seen_on=__HIVE_DEFAULT_PARTITION__/000.parquet",
    ]
    assert table_at(s3, bucket, "p/seen_on=2025-01-06/000.parquet").to_pydict() == {"id": [1]}


def test_an_unload_overwrites_only_if_it_is_told_to(things: DataApi, s3: Any, bucket: str) -> None:
    sql = f"unload ('select id from things') to 's3://{bucket}/t/' {PARQUET}"
    s3.put_object(Bucket=bucket, Key="t/other", Body=b"")
    assert "destination on S3 is not empty" in things.outcome(sql)
    assert things.outcome(f"{sql} allowoverwrite") == "FINISHED"
    assert "t/other" in keys(s3, bucket)
    assert things.outcome(f"{sql} cleanpath") == "FINISHED"
    assert "t/other" not in keys(s3, bucket)


@pytest.mark.parametrize(
    ("query", "options", "error"),
    [
        ("select 1 as a limit 5", PARQUET, "Limit clause is not supported"),
        ("select 1 as a", f"{ROLE} format csv", "FORMAT PARQUET"),
        ("select 1 as a", "format parquet", "UNLOAD needs IAM_ROLE"),
        ("select 1 as a", "iam_role 'me' format parquet", "Invalid IAM role"),
        ("select 1 as a", f"{PARQUET} maxfilesize 4 mb", "is not between 5 MB"),
        ("select 1 as a", f"{PARQUET} rowgroupsize 1 gb", "is not between 32 MB"),
        ("select 1 as a", f"{PARQUET} cleanpath allowoverwrite", "cannot be used together"),
        ("select 1 as a", f"{PARQUET} partition by (b)", 'column "b" used in PARTITION BY'),
        ("select 1 as a", f"{PARQUET} header", "knows allowoverwrite, cleanpath"),
        ("select array_agg(1)", PARQUET, "does not exist"),
    ],
)
def test_unloads_that_are_refused(data_api: DataApi, bucket: str, query: str, options: str, error: str) -> None:
    assert error in data_api.outcome(f"unload ('{query}') to 's3://{bucket}/t/' {options}")


def test_a_copy_appends_by_position(things: DataApi, s3: Any, bucket: str) -> None:
    unload = f"unload ('select * from things') to 's3://{bucket}/t/' {PARQUET} manifest"
    assert things.outcome(unload) == "FINISHED"
    copied = "create temp table staged (like things)"
    copy = f"copy staged from 's3://{bucket}/t/manifest' {PARQUET} manifest"
    compared = "insert into things select * from staged"
    assert things.outcome(copied, copy, compared) == "FINISHED"
    assert things.rows("select count(*), count(distinct id), count(name) from things") == [[6, 3, 4]]
    put_table(s3, bucket, "two/a.parquet", other=pa.array([8]), name=pa.array(["z"]))
    assert things.outcome(f"copy things (id, name) from 's3://{bucket}/two/' {PARQUET}") == "FINISHED"
    assert things.rows("select name, size from things where id = 8") == [["z", None]]


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"id": pa.array([1])}, "Unmatched number of columns"),
        ({"id": pa.array([1], pa.int32()), "name": pa.array(["a"])}, "Column type: BIGINT, Parquet schema: id int32"),
        ({"name": pa.array(["a"]), "id": pa.array([1])}, "incompatible Parquet schema for column 'id'"),
        ({"id": pa.array([None], pa.int64()), "name": pa.array(["a"])}, "Cannot insert a NULL value into column id"),
        # A length is counted in bytes: six letters of two bytes are too long for VARCHAR(10).
        ({"id": pa.array([1]), "name": pa.array(["üüüüüü"])}, "Table: 10, Data: 12"),
    ],
)
def test_a_copy_takes_all_files_or_none(
    data_api: DataApi, s3: Any, bucket: str, columns: dict[str, pa.Array], error: str
) -> None:
    assert data_api.outcome("create table things (id bigint not null, name varchar(10))") == "FINISHED"
    put_table(s3, bucket, "c/1.parquet", id=pa.array([1]), name=pa.array(["good"]))
    put_table(s3, bucket, "c/2.parquet", **columns)
    assert error in data_api.outcome(f"copy things from 's3://{bucket}/c/' {PARQUET}")
    assert data_api.rows("select count(*) from things") == [[0]]


def test_a_copy_needs_files(things: DataApi, s3: Any, bucket: str) -> None:
    assert "does not exist" in things.outcome(f"copy things from 's3://{bucket}/none' {PARQUET}")
    entry = {"url": f"s3://{bucket}/gone.parquet", "mandatory": True}
    s3.put_object(Bucket=bucket, Key="m", Body=json.dumps({"entries": [entry]}).encode())
    copy = f"copy things from 's3://{bucket}/m' {PARQUET} manifest"
    assert "no meta.content_length" in things.outcome(copy)
    entry["meta"] = {"content_length": 1}
    s3.put_object(Bucket=bucket, Key="m", Body=json.dumps({"entries": [entry]}).encode())
    assert "NoSuchKey" in things.outcome(copy)


# Trouble


def test_two_transactions_that_replace_rows_of_one_table_conflict(redshift: Any, things: DataApi) -> None:
    # Each waits with its changes made and not committed, until the other has made its own.
    redshift.faults.inject("slow_statement", matching=r"select count\(\*\) from things where", seconds=0.7, times=2)
    ids = [
        things.submit(
            f"delete from things where id = {number}",
            f"insert into things (id) select {number} from things having count(*) > 0",
            f"select count(*) from things where id = {number}",
        )
        for number in (71, 72)
    ]
    ends = [things.ended(statement_id) for statement_id in ids]
    assert sorted(end["Status"] for end in ends) == ["FAILED", "FINISHED"]
    error = next(end["Error"] for end in ends if end["Status"] == "FAILED")
    assert "ERROR: 1023\n  Detail: Serializable isolation violation on table" in error
    assert things.rows("select count(*) from things where id > 70") == [[1]]


def test_the_wire_reports_a_conflict_as_redshift_does(redshift: Any, session: redshift_connector.Connection) -> None:
    redshift.faults.inject("conflict", matching="select 1")
    with pytest.raises(redshift_connector.ProgrammingError, match="Serializable isolation violation") as error:
        session.cursor().execute("select 1")
    assert error.value.args[0]["M"] == "1023"
    session.rollback()


@pytest.mark.parametrize(("kind", "code"), [("throttle", "ThrottlingException"), ("error", "InternalServerException")])
def test_a_call_fails_before_anything_is_done(redshift: Any, things: DataApi, kind: str, code: str) -> None:
    redshift.faults.inject(kind, operation="ExecuteStatement", times=9)
    with pytest.raises(ClientError) as refusal:
        things.submit("delete from things")
    assert refusal.value.response["Error"]["Code"] == code
    assert redshift.calls.count("ExecuteStatement") == 3
    redshift.faults.clear()
    assert things.rows("select count(*) from things") == [[3]]


def test_boto3_repeats_a_throttled_call(redshift: Any, things: DataApi) -> None:
    redshift.faults.inject("throttle", operation="DescribeStatement", times=2)
    assert things.rows("select count(*) from things") == [[3]]
    assert redshift.faults.waiting() == []


@pytest.mark.parametrize("kind", ["lost_answer", "twice"])
def test_a_repeated_call_runs_once_by_its_client_token(redshift: Any, things: DataApi, kind: str) -> None:
    redshift.faults.inject(kind, operation="ExecuteStatement", matching="insert")
    # boto3 makes a token for every call and repeats the call with it.
    assert things.outcome("insert into things (id) values (5)") == "FINISHED"
    assert things.rows("select count(*) from things where id = 5") == [[1]]


def test_a_slow_answer_is_late(redshift: Any, data_api: DataApi) -> None:
    redshift.faults.inject("slow", operation="ExecuteStatement", seconds=0.3)
    started = time.monotonic()
    data_api.submit("select 1")
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("failed_statement", "FAILED", "ERROR: disk full"),
        ("aborted", "ABORTED", "disk full"),
        ("conflict", "FAILED", "ERROR: 1023"),
        ("disconnected", "FAILED", "Connection to the database was lost"),
    ],
)
def test_a_statement_fails_and_changes_nothing(
    redshift: Any, things: DataApi, kind: str, status: str, error: str
) -> None:
    redshift.faults.inject(kind, matching="insert into", message="disk full")
    described = things.ended(things.submit("delete from things", "insert into things (id) values (5)"))
    assert described["Status"] == status
    assert error in described["Error"]
    assert things.rows("select count(*) from things") == [[3]]


def test_faults_are_switched_over_http(redshift: Any, data_api: DataApi) -> None:
    def call(method: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{redshift.url}/standin/faults", content, method=method)  # noqa: S310 - ours
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            return json.loads(answer.read())

    call("POST", {"kind": "failed_statement", "matching": "select 1", "message": "on request"})
    assert [fault["kind"] for fault in call("GET")] == ["failed_statement"]
    assert data_api.outcome("select 1") == "ERROR: on request"
    call("POST", {"kind": "throttle", "times": 5})
    call("DELETE")
    assert data_api.outcome("select 1") == "FINISHED"
    with pytest.raises(ValueError, match="fault 'explode' is none of throttle"):
        redshift.faults.inject("explode")


def test_many_statements_run_at_once(redshift: Any, data_api: DataApi) -> None:
    redshift.faults.inject("slow_statement", seconds=0.5, times=4)
    started = time.monotonic()
    for statement_id in [data_api.submit(f"select {number}") for number in range(4)]:
        assert data_api.ended(statement_id)["Status"] == "FINISHED"
    assert time.monotonic() - started < 1.9


# Beginning and end


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_its_process_ends(moto_url: str, signal_number: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS / "standins" / "redshift")}
    process = subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "redshift_standin", "--s3", moto_url], stdout=subprocess.PIPE, env=environment
    )
    timer = threading.Timer(30, process.kill)
    timer.start()
    with closing(process.stdout):
        where = json.loads(process.stdout.readline())
        children = descendants(process.pid)
        process.send_signal(signal_number)
        process.wait()
    timer.cancel()
    assert where["database"] == "packaging"
    assert len(children) >= 2
    deadline = time.monotonic() + 10
    while (alive := [child for child in children if is_alive(child)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive == []


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they did."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)  # noqa: S607
    parents = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found = [pid]
    for parent in found:
        found += [child for child, of in parents if of == parent]
    return found[1:]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
