"""What every warehouse promises; a warehouse joins by a line in `warehouse`."""

import datetime as dt
import hashlib
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain.parquet_files import read_parquet
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.resources.warehouse import Extract, Slices, Warehouse, WarehouseError

DAYS = pa.table({"day": pa.array([dt.date(2025, 1, 6), dt.date(2025, 1, 7)]), "fingerprint": ["a", "b"]})
INSERT_DAYS = ("insert into ops.built_days (day, fingerprint) select day, fingerprint from staged", {})
ALL_DAYS = "select day, fingerprint from ops.built_days order by day"
NUMBERS = "select number, number % 7 as remainder from ml.numbers order by number"


@pytest.fixture
def duckdb_warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "home" / "warehouse.duckdb", "200MB", 2)


@pytest.fixture(params=["duckdb", "redshift"])
def warehouse(request: pytest.FixtureRequest) -> Warehouse:
    fixture = {"duckdb": "duckdb_warehouse", "redshift": "emptied_warehouse"}[request.param]
    made = request.getfixturevalue(fixture)
    made.create_tables()
    return made


def load_numbers(warehouse: Warehouse, rows: int) -> None:
    # Backwards, so that the order of the result is the query's doing.
    staged = pa.table({"number": pa.array(range(rows - 1, -1, -1), pa.int64())})
    warehouse.load(
        {"staged": staged},
        [
            ("create table ml.numbers (number bigint)", {}),
            ("insert into ml.numbers (number) select number from staged", {}),
        ],
    )


def rows_of(folder: Path) -> list[int]:
    return [pq.ParquetFile(part).metadata.num_rows for part in sorted(folder.glob("*.parquet"))]


def digests(folder: Path) -> list[str]:
    return [hashlib.sha256(part.read_bytes()).hexdigest() for part in sorted(folder.iterdir())]


def test_creating_the_tables_again_keeps_their_rows(warehouse: Warehouse) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    warehouse.create_tables()
    assert warehouse.fetch(ALL_DAYS, {}) == [
        {"day": dt.date(2025, 1, 6), "fingerprint": "a"},
        {"day": dt.date(2025, 1, 7), "fingerprint": "b"},
    ]


def test_parameters_are_named_and_typed(warehouse: Warehouse) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    query = "select fingerprint from ops.built_days where day < cast($as_of as timestamp) and fingerprint <> $other"
    assert warehouse.fetch(query, {"as_of": dt.datetime(2025, 1, 7), "other": "it's"}) == [{"fingerprint": "a"}]  # noqa: DTZ001 - naive UTC


def test_a_load_stages_folders_and_tables_together(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    pq.write_table(DAYS.slice(0, 1), folder / "part-00000.parquet")
    pq.write_table(DAYS.slice(1, 1), folder / "part-00001.parquet")
    (folder / "notes.json").write_text("{}")
    warehouse.load(
        {"staged": folder, "renamed": pa.table({"fingerprint": ["b"], "name": ["c"]})},
        [
            (
                """
                insert into ops.built_days (day, fingerprint)
                select staged.day, coalesce(renamed.name, staged.fingerprint)
                from staged left join renamed on staged.fingerprint = renamed.fingerprint
                """,
                {},
            )
        ],
    )
    assert [row["fingerprint"] for row in warehouse.fetch(ALL_DAYS, {})] == ["a", "c"]


@pytest.mark.parametrize(
    "failing",
    [
        ("insert into ops.no_such_table values (1)", {}),
        ("insert into ops.built_days (day, fingerprint) values (null, 'x')", {}),
        ("select $missing", {}),
    ],
)
def test_a_load_that_fails_changes_nothing(warehouse: Warehouse, failing: tuple[str, dict[str, object]]) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    before = warehouse.fetch(ALL_DAYS, {})
    with pytest.raises(WarehouseError, match="refused a statement"):
        warehouse.load({"staged": DAYS}, [("delete from ops.built_days", {}), INSERT_DAYS, failing])
    assert warehouse.fetch(ALL_DAYS, {}) == before
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    assert len(warehouse.fetch(ALL_DAYS, {})) == 2 * len(before)


def test_a_folder_without_parquet_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="holds no Parquet file to stage as staged"):
        warehouse.load({"staged": tmp_path / "nothing"}, [INSERT_DAYS])


def test_a_staged_name_is_not_sql(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="cannot name a staged table"):
        warehouse.load({"x; drop schema ml": DAYS}, [])


def test_fetching_what_is_not_there_is_a_warehouse_error(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="no_such_table"):
        warehouse.fetch("select * from ops.no_such_table", {})


@pytest.mark.parametrize(
    ("rows", "rows_per_file", "expected"),
    [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3]), (0, 4, [0]), (70_000, 66_000, [66_000, 4_000])],
)
def test_an_unload_writes_files_of_exactly_so_many_rows_in_order(
    warehouse: Warehouse, tmp_path: Path, rows: int, rows_per_file: int, expected: list[int]
) -> None:
    load_numbers(warehouse, rows)
    assert warehouse.unload(NUMBERS, {}, tmp_path, rows_per_file=rows_per_file) == rows
    assert rows_of(tmp_path) == expected
    assert [part.name for part in sorted(tmp_path.glob("part-*"))] == [
        f"part-{number:05d}.parquet" for number in range(len(expected))
    ]
    read = pa.concat_tables(pq.read_table(part) for part in sorted(tmp_path.glob("*.parquet")))
    assert read["number"].to_pylist() == list(range(rows))


def test_unloads_of_the_same_rows_are_the_same_bytes(warehouse: Warehouse, tmp_path: Path) -> None:
    load_numbers(warehouse, 200_000)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        warehouse.unload(NUMBERS, {}, tmp_path / name, rows_per_file=150_000)
    assert digests(tmp_path / "first") == digests(tmp_path / "second")


def test_an_unload_keeps_to_plain_types(warehouse: Warehouse, tmp_path: Path) -> None:
    query = """
    select
        cast($as_of as timestamp) as as_of, cast($as_of as date) as day, $word as word, true as is_true,
        cast(1 as smallint) as small, sum(cast(fingerprint as bigint)) as total, cast(0.5 as real) as single,
        cast(0.1 as double precision) as double, cast(12.5 as decimal(9, 2)) as price, cast(null as varchar(3)) as gone
    from (select '3' as fingerprint union all select '4' as fingerprint) as two
    """
    warehouse.unload(query, {"as_of": "2025-01-06 12:30:00.000001", "word": "ü"}, tmp_path, rows_per_file=10)
    table = pq.read_table(tmp_path / "part-00000.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "as_of": "timestamp[us]",
        "day": "date32[day]",
        "word": "string",
        "is_true": "bool",
        "small": "int64",
        "total": "int64",
        "single": "float",
        "double": "double",
        "price": "double",
        "gone": "string",
    }
    assert table.to_pylist() == [
        {
            "as_of": dt.datetime(2025, 1, 6, 12, 30, 0, 1),  # noqa: DTZ001 - naive UTC
            "day": dt.date(2025, 1, 6),
            "word": "ü",
            "is_true": True,
            "small": 1,
            "total": 7,
            "single": 0.5,
            "double": 0.1,
            "price": 12.5,
            "gone": None,
        }
    ]


def test_an_extract_is_known_by_its_content_and_unloaded_when_opened(warehouse: Warehouse, tmp_path: Path) -> None:
    load_numbers(warehouse, 5)
    below = "select number from ml.numbers where number < $limit order by number"
    queries = {"": (NUMBERS, {}), "small": (below, {"limit": 2})}
    extract = Extract(warehouse, queries, rows_per_file=3, version="v1")
    assert extract.open(tmp_path) == tmp_path
    assert rows_of(tmp_path) == [3, 2]
    assert rows_of(tmp_path / "small") == [2]

    same = Extract(warehouse, dict(reversed(queries.items())), rows_per_file=3, version="v1")
    others = [
        Extract(warehouse, queries, rows_per_file=4, version="v1"),
        Extract(warehouse, queries, rows_per_file=3, version="v2"),
        Extract(warehouse, {"": (NUMBERS, {})}, rows_per_file=3, version="v1"),
        Extract(warehouse, {**queries, "small": (below, {"limit": 3})}, rows_per_file=3, version="v1"),
        Extract(
            warehouse, {**queries, "small": (below, {"limit": dt.date(2025, 1, 6)})}, rows_per_file=3, version="v1"
        ),
    ]
    assert same.content_hash == extract.content_hash
    assert len({other.content_hash for other in others} | {extract.content_hash}) == 6
    with pytest.raises(TypeError, match="no stable text"):
        _ = Extract(warehouse, {"": (below, {"limit": object()})}, rows_per_file=3, version="v1").content_hash


SLICES = Slices(
    shared={"dropped": "select number from ml.moments where number % 10 = $dropped"},
    sizes="select date_trunc('hour', seen_at) as slice_start, count(*) as slice_rows, min(rowid) as first_row, "
    "max(rowid) as last_row from ml.moments where seen_at >= $slice_start and seen_at < $slice_end "
    "group by date_trunc('hour', seen_at) order by slice_start",
    rows="select moments.* from ml.moments as moments left join dropped on moments.number = dropped.number "
    "where dropped.number is null and moments.seen_at >= $slice_start and moments.seen_at < $slice_end",
    order=("seen_at", "number"),
)
FIRST, LAST = (dt.datetime.fromisoformat(day) for day in ("2025-01-06", "2025-01-08"))


def load_moments(warehouse: Warehouse, rows: int) -> None:
    """So many numbers, not in the order of their times, of which the last is too late."""
    numbers = [number * 7 % rows for number in range(rows)]
    times = [LAST if number == rows - 1 else FIRST + dt.timedelta(minutes=number // 3) for number in numbers]
    staged = pa.table({"number": numbers, "seen_at": pa.array(times, pa.timestamp("us")), "word": ["x"] * rows})
    create = "create table ml.moments (number bigint, seen_at timestamp, word varchar(9))"
    insert = "insert into ml.moments (number, seen_at, word) select number, seen_at, word from staged"
    warehouse.load({"staged": staged}, [(create, {}), (insert, {})])


def test_slices_are_the_very_rows_of_the_whole(warehouse: Warehouse, tmp_path: Path) -> None:
    load_moments(warehouse, 1000)
    parameters = {"dropped": 5, "slice_start": FIRST, "slice_end": LAST}
    for name, slices in (("whole", None), ("sliced", SLICES)):
        (tmp_path / name).mkdir()
        rows = warehouse.unload(SLICES.whole(), parameters, tmp_path / name, rows_per_file=600, slices=slices)
        assert rows == 899
        assert rows_of(tmp_path / name) == [600, 299]
    assert digests(tmp_path / "whole") == digests(tmp_path / "sliced")
    found = pq.read_table(tmp_path / "sliced")["number"].to_pylist()
    assert found == [number for number in range(999) if number % 10 != 5]


def test_slices_of_nothing_are_one_file_with_the_columns(warehouse: Warehouse, tmp_path: Path) -> None:
    load_moments(warehouse, 10)
    parameters = {"dropped": 5, "slice_start": LAST + dt.timedelta(1), "slice_end": LAST + dt.timedelta(2)}
    assert warehouse.unload(SLICES.whole(), parameters, tmp_path, rows_per_file=5, slices=SLICES) == 0
    assert rows_of(tmp_path) == [0]
    assert pq.read_schema(tmp_path / "part-00000.parquet").names == ["number", "seen_at", "word"]


def columns_of(warehouse: Warehouse, table: str) -> list[str]:
    query = (
        "select column_name from information_schema.columns where table_schema = 'ml' and table_name = $table "
        "order by ordinal_position"
    )
    return [row["column_name"] for row in warehouse.fetch(query, {"table": table})]


def test_a_table_of_an_earlier_version_gets_its_new_columns_and_keeps_its_rows(warehouse: Warehouse) -> None:
    new = columns_of(warehouse, "predictions")
    row = "('daily', date '2025-01-06', 'p', 'box', 0.5, 0.5, true, 1, timestamp '2025-01-07 00:00:00', 1)"
    insert = f"insert into ml.predictions values {row}"
    warehouse.load({}, [("alter table ml.predictions drop column model", {}), (insert, {})])
    for _ in range(2):
        warehouse.create_tables()
    assert columns_of(warehouse, "predictions") == new
    assert new[-1] == "model"
    assert warehouse.fetch("select product_id, model from ml.predictions", {}) == [{"product_id": "p", "model": None}]


NAIVE = dt.datetime.fromisoformat
VALUES: dict[str, list[Any]] = {
    "id": list(range(1, 9)),
    "is_true": [True, False, None, True, False, None, True, False],
    "whole": [0, -(2**63), 2**63 - 1, -1, None, 1, 2**53 + 1, 7],
    "single": [
        0.0,
        -0.0,
        1.1754943508222875e-38,
        3.4028234663852886e38,
        None,
        math.inf,
        -math.inf,
        0.10000000149011612,
    ],
    "double_": [0.1, -0.0, 2.2250738585072014e-308, 1.7976931348623157e308, None, math.inf, -math.inf, 1 / 3],
    "word": [
        "",
        " ",
        None,
        'it\'s "quoted"',
        "back\\slash\\",
        "tab\tand\nline\r\n",
        "Stra\u00dfe",
        "\U0001f4e6 e\u0301 \u4e2d",
    ],
    "day": [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(1970, 1, 1), None, *[dt.date(9999, 12, 31)] * 4],
    "happened_at": [
        NAIVE("0001-01-01"),
        NAIVE("1582-10-04 23:59:59.999999"),
        NAIVE("1969-12-31 23:59:59.999999"),
        NAIVE("1970-01-01 00:00:00.000001"),
        None,
        NAIVE("2262-04-12"),
        NAIVE("9999-12-31 23:59:59.999999"),
        NAIVE("2025-01-06 12:30:00"),
    ],
}
ARROW_TYPES = [
    pa.int64(),
    pa.bool_(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.date32(),
    pa.timestamp("us"),
]
COLUMNS = (
    "id bigint, is_true boolean, whole bigint, single real, double_ double precision, word varchar(64), day date, "
    "happened_at timestamp"
)
UNLOADED = "select id, is_true, whole, single, double_, word, day, happened_at from ml.everything order by id"
GROUPED = """
select word, count(*) as n, sum(id) as total, count(whole) as wholes, max(happened_at) as last_at
from ml.everything group by word order by word nulls last
"""


def load_everything(warehouse: Warehouse) -> pa.Table:
    """One row of each kind of value, loaded from a folder of two files, the second row first."""
    arrays = [pa.array(values, kind) for values, kind in zip(VALUES.values(), ARROW_TYPES, strict=True)]
    rows = pa.table(arrays, names=list(VALUES))
    warehouse.load(
        {"staged": rows.take(pa.array([1, 0, *range(2, len(rows))]))},
        [(f"create table ml.everything ({COLUMNS})", {}), ("insert into ml.everything select * from staged", {})],
    )
    return rows


def test_every_value_arrives_and_leaves_as_it_is(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = load_everything(warehouse)
    assert warehouse.unload(UNLOADED, {}, tmp_path, rows_per_file=100) == len(rows)
    part = tmp_path / "part-00000.parquet"
    unloaded = read_parquet(part)
    assert unloaded.schema.equals(rows.schema)
    assert [field.name for field in pq.read_schema(part) if not field.nullable] == ["id"]
    assert repr(unloaded.to_pylist()) == repr(rows.to_pylist())
    fetched = warehouse.fetch(UNLOADED, {})
    assert repr(fetched) == repr(rows.to_pylist())


@pytest.mark.parametrize("rows_per_file", [3, 100])
def test_every_warehouse_unloads_the_same_bytes(
    duckdb_warehouse: Warehouse, emptied_warehouse: Warehouse, tmp_path: Path, rows_per_file: int
) -> None:
    found: list[list[str]] = []
    for name, warehouse in (("duckdb", duckdb_warehouse), ("redshift", emptied_warehouse)):
        warehouse.create_tables()
        load_everything(warehouse)
        for query, part in (
            (UNLOADED, "all"),
            (GROUPED, "grouped"),
            ("select * from ml.everything where id < 0 order by id", "nothing"),
        ):
            folder = tmp_path / name / part
            folder.mkdir(parents=True)
            warehouse.unload(query, {}, folder, rows_per_file=rows_per_file)
        found.append([digest for part in ("all", "grouped", "nothing") for digest in digests(tmp_path / name / part)])
    assert found[0] == found[1]


def test_parameters_arrive_as_they_are(warehouse: Warehouse, tmp_path: Path) -> None:
    given = {
        "text": "it's $text, \\ and :text -- not a comment",
        "empty": "",
        "whole": -5,
        "large": 2**63 - 1,
        "double": 0.1,
        "flag": False,
        "day": dt.date(1969, 12, 31),
        "at": NAIVE("2025-01-06 12:30:00.000001"),
        "price": Decimal("12.50"),
    }
    query = f"""
        -- What's in a comment is no parameter: $nothing.
        select {", ".join(f"${name} as {name}_" for name in given)}, '$text' as quoted, /* $nothing */ 1 -$whole as sum_
        """
    expected = {f"{name}_": value for name, value in given.items()} | {"quoted": "$text", "sum_": 6}
    assert warehouse.fetch(query, given) == [expected]
    warehouse.unload(query, given, tmp_path, rows_per_file=10)
    assert pq.read_table(tmp_path / "part-00000.parquet").to_pylist() == [expected | {"price_": 12.5}]
    assert warehouse.fetch("select case when $gone is null then 'null' end as is_gone", {"gone": None}) == [
        {"is_gone": "null"}
    ]


@pytest.mark.parametrize("parameters", [{}, {"id": 1, "other": 2}])
def test_parameters_must_fit_the_statement(warehouse: Warehouse, parameters: dict[str, int]) -> None:
    with pytest.raises(WarehouseError, match="refused a statement"):
        warehouse.fetch("select $id as id", parameters)


def test_reading_changes_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.load({"staged": DAYS}, [INSERT_DAYS])
    for read in (
        lambda sql: warehouse.fetch(sql, {}),
        lambda sql: warehouse.unload(sql, {}, tmp_path, rows_per_file=10),
    ):
        with pytest.raises(WarehouseError, match="refused a statement"):
            read("delete from ops.built_days")
    assert len(warehouse.fetch(ALL_DAYS, {})) == 2


def test_staged_tables_are_gone_after_the_load(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.load({"staged": DAYS.slice(0, 0)}, [INSERT_DAYS])
    assert warehouse.fetch(ALL_DAYS, {}) == []
    with pytest.raises(WarehouseError, match="staged"):
        warehouse.load({}, [INSERT_DAYS])


def test_a_staged_column_may_be_of_categories(warehouse: Warehouse, tmp_path: Path) -> None:
    pq.write_table(DAYS.set_column(1, "fingerprint", DAYS["fingerprint"].dictionary_encode()), tmp_path / "1.parquet")
    warehouse.load({"staged": tmp_path}, [INSERT_DAYS])
    assert [row["fingerprint"] for row in warehouse.fetch(ALL_DAYS, {})] == ["a", "b"]
