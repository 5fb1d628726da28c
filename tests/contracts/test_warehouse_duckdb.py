"""What only DuckDB does: its lock on the file, and the files beside it."""

import datetime as dt
import errno
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain.parquet_files import read_parquet
from packaging_assets.resources import duckdb_warehouse, parquet_parts
from packaging_assets.resources.duckdb_slices import Slice, open_slices, plan_slices
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.resources.parquet_parts import plain_type, write_parts
from packaging_assets.resources.warehouse import Slices, WarehouseError

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


REMEDY = (
    r"See that its disk has room and that it may be read and written\. If it is damaged, put a copy in its place, or "
    r"move it away and deliver everything again \(packaging ingest\)\.$"
)

FILL = """
import resource, signal, sys
from pathlib import Path
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
DuckDBWarehouse(Path(sys.argv[1])).create_tables()
"""


@pytest.mark.parametrize("room", [0, 4096])
def test_a_disk_that_is_full_at_the_first_use_leaves_nothing_in_the_way_of_the_next(tmp_path: Path, room: int) -> None:
    path = tmp_path / "warehouse.duckdb"
    filled = subprocess.run(  # noqa: S603 - this interpreter, the text above
        [sys.executable, "-c", FILL, str(path), str(room)], capture_output=True, text=True, check=False
    )
    assert f"WarehouseError: The warehouse {path} cannot be opened: IO Error" in filled.stderr
    assert list(tmp_path.iterdir()) == []
    DuckDBWarehouse(path).create_tables()
    assert DuckDBWarehouse(path).fetch('select count(*) as n from "raw".deliveries', {}) == [{"n": 0}]
    assert list(tmp_path.iterdir()) == [path]


def test_a_warehouse_that_another_process_has_made_meanwhile_stays(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "warehouse.duckdb"
    link = os.link

    def be_second(draft: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        DuckDBWarehouse(path).create_tables()
        DuckDBWarehouse(path).load({}, [("insert into \"raw\".delivery_days values ('x', 't', '2025-01-06', 1)", {})])
        link(draft, target)

    monkeypatch.setattr(os, "link", be_second)
    DuckDBWarehouse(path).create_tables()
    assert DuckDBWarehouse(path).fetch('select count(*) as n from "raw".delivery_days', {}) == [{"n": 1}]
    assert list(tmp_path.iterdir()) == [path]


def test_a_locked_file_is_waited_for_with_growing_pauses(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    DuckDBWarehouse(path).create_tables()
    holder = subprocess.Popen(  # noqa: S603 - this interpreter, the text above
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    waits: list[float] = []

    def sleep_until_freed(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            holder.communicate()

    try:
        with pytest.raises(WarehouseError, match="stayed locked through 2 attempts"):
            DuckDBWarehouse(path, sleep=waits.append, attempts=2).fetch("select 1 as one", {})
        assert waits == [0.25]
        waits.clear()
        assert DuckDBWarehouse(path, sleep=sleep_until_freed).fetch("select 1 as one", {}) == [{"one": 1}]
        assert waits == [0.25, 0.5, 1.0]
    finally:
        holder.kill()
        holder.communicate()


def test_the_pauses_stop_growing_at_eight_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise duckdb.IOException("Could not set lock on file")

    monkeypatch.setattr(duckdb_warehouse.duckdb, "connect", refuse)
    waits: list[float] = []
    with pytest.raises(WarehouseError, match="stayed locked through 9 attempts"):
        DuckDBWarehouse(tmp_path / "w.duckdb", sleep=waits.append, attempts=9).create_tables()
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 8, 8]


def test_a_reader_in_this_process_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    DuckDBWarehouse(path).create_tables()
    reader = duckdb.connect(str(path), read_only=True)
    warehouse = DuckDBWarehouse(path, sleep=lambda _: reader.close())
    warehouse.load({}, [("insert into ops.built_days values (date '2025-01-06', 'a')", {})])
    assert warehouse.fetch("select count(*) as days from ops.built_days", {}) == [{"days": 1}]


def test_another_error_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_text("not a database " * 1000)
    with pytest.raises(WarehouseError, match=f"cannot be opened: .* is not a valid DuckDB database file. {REMEDY}"):
        DuckDBWarehouse(path, sleep=lambda _: pytest.fail("waited")).fetch("select 1", {})


def test_a_page_that_is_damaged_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    warehouse = DuckDBWarehouse(path)
    warehouse.load({}, [("create table t as select random() as a from range(100000)", {})])
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 1000)
    with pytest.raises(WarehouseError, match=f"cannot be read: Corrupt database file: .*. {REMEDY}"):
        warehouse.fetch("select sum(a) from t", {})


def test_too_little_memory_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    DuckDBWarehouse(path).create_tables()
    with pytest.raises(WarehouseError, match=r"(?s)cannot be opened: Out of Memory.*by the setting warehouse_memory_l"):
        DuckDBWarehouse(path, memory_limit="0MB").fetch("select 1", {})


def test_reading_before_anything_was_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"There is no warehouse at .*none\.duckdb; ingest data first"):
        DuckDBWarehouse(tmp_path / "none.duckdb").fetch("select 1", {})
    assert list(tmp_path.iterdir()) == []


def test_attempts_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="attempts is 0"):
        DuckDBWarehouse(tmp_path / "w.duckdb", attempts=0).create_tables()


def test_other_ways_to_say_a_type_come_out_plain() -> None:
    assert plain_type(pa.dictionary(pa.int8(), pa.large_string())) == pa.string()
    assert plain_type(pa.timestamp("ns", "UTC")) == pa.timestamp("us")
    assert plain_type(pa.decimal128(38, 0)) == pa.int64()


def test_the_size_of_a_file_must_be_positive(tmp_path: Path) -> None:
    empty = pa.table({"number": [1]}).to_reader()
    with pytest.raises(ValueError, match="rows_per_file is 0"):
        write_parts(empty, tmp_path, rows_per_file=0)


def test_each_part_but_the_last_is_put_on_disk_while_the_next_is_written(tmp_path: Path, monkeypatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(parquet_parts, "flush", lambda path: flushed.append(f"{path.name}: {pq.read_table(path)[0]}"))
    assert write_parts(pa.table({"number": [1, 2, 3]}).to_reader(), tmp_path, rows_per_file=1) == 3
    expected = [f"part-0000{number}.parquet: {pa.chunked_array([[number + 1]])}" for number in range(2)]
    assert flushed == expected


def test_a_disk_that_does_not_take_a_part_is_an_error(tmp_path: Path, monkeypatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EIO, "no luck", str(path))

    monkeypatch.setattr(parquet_parts, "flush", refuse)
    with pytest.raises(OSError, match=r"no luck: .*part-00000"):
        write_parts(pa.table({"number": [1, 2, 3]}).to_reader(), tmp_path, rows_per_file=1)


HOUR = dt.timedelta(hours=1)
MIDNIGHT = dt.datetime.fromisoformat("2025-01-06")
SIZES_OF_MOMENTS = """
select date_trunc('hour', seen_at) as slice_start, count(*) as slice_rows, min(rowid), max(rowid)
from moments group by 1 order by 1
"""


def sizes_of(*hours: tuple[int, int]) -> list[tuple[dt.datetime, int, int, int]]:
    """Hours from midnight on, each with so many rows, stored from such a row on."""
    return [(MIDNIGHT + number * HOUR, rows, at, at + rows - 1) for number, (rows, at) in enumerate(hours)]


def test_hours_that_are_not_stored_in_their_order_are_one_slice_as_far_as_they_fit() -> None:
    sizes = sizes_of((4, 90), (6, 80), (1, 70), (30, 40), (2, 30), (3, 20))
    start, end = MIDNIGHT - HOUR, MIDNIGHT + 9 * HOUR
    assert plan_slices(sizes, start, end, 10) == [
        Slice(start, MIDNIGHT + 2 * HOUR, 10, is_stored_so=False),
        Slice(MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR, 1),
        Slice(MIDNIGHT + 3 * HOUR, MIDNIGHT + 4 * HOUR, 30, is_stored_so=False),
        Slice(MIDNIGHT + 4 * HOUR, end, 5, is_stored_so=False),
    ]
    assert plan_slices([], start, end, 10) == []


def test_hours_that_are_stored_in_their_order_are_one_slice_however_many_rows_they_have() -> None:
    rebuilt = (8, 900)
    sizes = sizes_of((9, 0), (9, 10), (9, 20), rebuilt, (9, 30), (9, 40))
    start, end = MIDNIGHT, MIDNIGHT + 6 * HOUR
    assert plan_slices(sizes, start, end, 10) == [
        Slice(start, MIDNIGHT + 4 * HOUR, 35),
        Slice(MIDNIGHT + 4 * HOUR, end, 18),
    ]


@pytest.mark.parametrize("slice_rows", [1, 7, 100, 1000])
@pytest.mark.parametrize("numbers", ["as they came", "a day built again", "in no order", "from the last to the first"])
def test_small_and_large_slices_give_the_same_rows(slice_rows: int, numbers: str) -> None:
    """A slice that is too large is sorted by DuckDB, one that is not is put in order here."""
    slices = Slices(
        shared={"nothing": "select 1 as number where $zero = 1"},
        sizes=SIZES_OF_MOMENTS,
        rows="select * from moments where seen_at >= $slice_start and seen_at < $slice_end  -- $unknown",
        order=("seen_at", "number"),
    )
    stored = {
        "as they came": [*range(500)],
        "a day built again": [*range(130), *range(250, 500), *range(130, 250)],
        "in no order": [number * 37 % 500 for number in range(500)],
        "from the last to the first": [*reversed(range(500))],
    }[numbers]
    with duckdb.connect() as connection:
        connection.execute("create table moments (number bigint, seen_at timestamp)")
        rows = [(number, MIDNIGHT + dt.timedelta(minutes=number)) for number in stored]
        connection.executemany("insert into moments values (?, ?)", rows)
        parameters = {"zero": 0, "slice_start": MIDNIGHT, "slice_end": MIDNIGHT + 24 * HOUR}
        found = open_slices(connection, slices, parameters, slice_rows=slice_rows).read_all()
    assert found["number"].to_pylist() == list(range(500))


def test_what_is_stored_in_order_is_put_in_order_within_its_hours_as_it_is_read(tmp_path: Path) -> None:
    """More rows than DuckDB hands over at a time, out of order within each hour, with rows deleted in between."""
    slices = Slices(
        shared={},
        sizes=SIZES_OF_MOMENTS,
        rows="select * from moments where seen_at >= $slice_start and seen_at < $slice_end",
        order=("seen_at", "number"),
    )
    with duckdb.connect(str(tmp_path / "moments.duckdb"), config={"threads": 2}) as connection:
        connection.execute(
            "create table moments as select i as number, $midnight::timestamp + to_hours(i // 10000) "
            "+ to_seconds((i * 7919) % 3600) as seen_at from range(400000) as numbers (i)",
            {"midnight": MIDNIGHT},
        )
        connection.execute("delete from moments where number % 13 = 0")
        parameters = {"slice_start": MIDNIGHT, "slice_end": MIDNIGHT + 48 * HOUR}
        found = open_slices(connection, slices, parameters, slice_rows=25_000).read_all()
        expected = connection.sql("select * from moments order by seen_at, number").to_arrow_table()
        threads = connection.sql("select current_setting('threads')").fetchall()
    assert found.equals(expected)
    assert threads == [(2,)]  # as before: one alone reads what is stored in order


def test_texts_that_repeat_eight_times_are_written_once(tmp_path: Path) -> None:
    columns = {"id": 4, "brand": 8}  # times that each value comes
    rows = pa.table({name: [f"{number // times}" for number in range(96)] for name, times in columns.items()})
    write_parts(rows.to_reader(), tmp_path, rows_per_file=96)
    group = pq.read_metadata(tmp_path / "part-00000.parquet").row_group(0)
    assert [group.column(index).has_dictionary_page for index in (0, 1)] == [False, True]


def rows_with_a_gap(gap: int | None, *, rows: int = 60_000) -> pa.Table:
    """Numbers and texts, of which one number is missing."""
    return pa.table(
        {
            "number": [None if row == gap else row for row in range(rows)],
            "text": [f"{row % 7}" for row in range(rows)],
        },
        schema=pa.schema([("number", pa.int64()), ("text", pa.string())]),
    )


def test_columns_are_required_until_a_value_is_missing(tmp_path: Path) -> None:
    """The fourth of five files has it in its second row group, and nothing of the groups before it is lost."""
    table = pa.concat_tables([rows_with_a_gap(None), rows_with_a_gap(19_000, rows=40_000)])
    assert write_parts(table.to_reader(10_000), tmp_path, rows_per_file=20_000) == 100_000
    parts = sorted(tmp_path.iterdir())
    assert [part.name for part in parts] == [f"part-0000{number}.parquet" for number in range(5)]
    nullable = [[field.name for field in pq.read_schema(part) if field.nullable] for part in parts]
    assert nullable == [[], [], [], ["number"], ["number"]]
    assert pa.concat_tables([read_parquet(part) for part in parts]).equals(table)


def test_groups_that_are_written_again_are_as_if_written_at_once(tmp_path: Path) -> None:
    known, found_late = tmp_path / "known", tmp_path / "late"
    for folder, first_gap in ((known, 0), (found_late, None)):
        folder.mkdir()
        table = pa.concat_tables([rows_with_a_gap(first_gap), rows_with_a_gap(59_000)])
        write_parts(table.to_reader(), folder, rows_per_file=60_000)
    first, second = "part-00000.parquet", "part-00001.parquet"
    assert (known / first).read_bytes() != (found_late / first).read_bytes()
    assert (known / second).read_bytes() == (found_late / second).read_bytes()
