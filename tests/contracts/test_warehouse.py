"""What every warehouse promises; a warehouse joins by a line in `WAREHOUSES`."""

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.resources.warehouse import Extract, Warehouse, WarehouseError

WAREHOUSES: dict[str, Callable[[Path], Warehouse]] = {
    "duckdb": lambda folder: DuckDBWarehouse(folder / "warehouse.duckdb", "200MB", 2),
}
DAYS = pa.table({"day": pa.array([dt.date(2025, 1, 6), dt.date(2025, 1, 7)]), "fingerprint": ["a", "b"]})
INSERT_DAYS = ("insert into ops.built_days (day, fingerprint) select day, fingerprint from staged", {})
ALL_DAYS = "select day, fingerprint from ops.built_days order by day"
NUMBERS = "select number, number % 7 as remainder from ml.numbers order by number"


@pytest.fixture(params=sorted(WAREHOUSES))
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    made = WAREHOUSES[request.param](tmp_path / "home")
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
