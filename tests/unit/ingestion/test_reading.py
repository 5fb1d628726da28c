"""What can be opened, and the one sentence for what cannot."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.ingestion.chunks import check_columns
from packaging_assets.ingestion.csv_reading import CsvFile
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.parquet_reading import ParquetFile
from packaging_assets.ingestion.reading import content_hash, open_delivery


def parquet_bytes(tmp_path: Path, table: pa.Table) -> bytes:
    pq.write_table(table, tmp_path / "made.parquet")
    return (tmp_path / "made.parquet").read_bytes()


def test_content_decides_what_a_file_is(tmp_path: Path) -> None:
    table = pa.table({"a": [1]})
    (tmp_path / "one.csv").write_bytes(parquet_bytes(tmp_path, table))
    (tmp_path / "two.txt").write_bytes(b"a,b\n1,2\n")
    assert isinstance(open_delivery(tmp_path / "one.csv"), ParquetFile)
    assert isinstance(open_delivery(tmp_path / "two.txt"), CsvFile)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.csv", b"", "is empty"),
        ("a.csv.gz", gzip.compress(b"a,b\n", mtime=0), "is compressed by gzip: decompress it"),
        ("a.xlsx", b"PK\x03\x04rest", "Excel workbook"),
        ("a.csv", "a,b\n".encode("utf-16"), "UTF-16: save it as UTF-8"),
        ("a.csv", b"a,b\n1,\x00\n", "some binary format"),
        ("a.csv", "a,b\n".encode("utf-16-le"), "text in UTF-16; deliver CSV in UTF-8 or Parquet"),
        ("a.parquet", b"a,b\n1,2\n", "does not begin as a Parquet file does"),
        ("a.parquet", b"PAR1", "is no whole Parquet file"),
        ("a.parquet", b"PAR1" + b"\x07" * 64, "is no whole Parquet file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(IngestionError, match=sentence) as error:
        open_delivery(path)
    assert str(error.value).startswith(f"{path}: ")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(IngestionError, match=r"cannot be read .*; check the path"):
            open_delivery(path)
        with pytest.raises(IngestionError, match=r"cannot be read .*; check the path"):
            content_hash(path)


def test_parquet_damaged_in_the_middle(tmp_path: Path) -> None:
    whole = bytearray(parquet_bytes(tmp_path, pa.table({"a": [f"value {i}" for i in range(1000)]})))
    whole[4:60] = b"\xff" * 56
    path = tmp_path / "damaged.parquet"
    path.write_bytes(whole)
    with pytest.raises(IngestionError, match=r"damaged\.parquet: is no whole Parquet file"):
        list(open_delivery(path).chunks(["a"]))


def test_parquet_rows_are_numbered_across_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": list(range(7)), "b": list("abcdefg")}), path, row_group_size=3)
    chunks = list(open_delivery(path).chunks(["b"]))
    assert [line for chunk in chunks for line in chunk.lines.tolist()] == [1, 2, 3, 4, 5, 6, 7]
    assert pa.concat_tables([chunk.rows for chunk in chunks]).to_pydict() == {"b": list("abcdefg")}


def test_parquet_with_a_nested_column_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "nested.parquet"
    pq.write_table(pa.table({"a": [[1, 2]]}), path)
    with pytest.raises(IngestionError, match=r"the column a is of type list<.*>"):
        list(open_delivery(path).chunks(["a"]))


CONTRACT = ["id", "size", "e_0", "e_1"]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (["id", "e_0", "e_1"], "f.csv: lacks the column size. The file has id, e_0, e_1;"),
        (["e_0", "e_1"], "f.csv: lacks the columns id, size. The file has"),
        (["id", "size", "e_0"], "f.csv: lacks the column e_1. "),
        (["id", "size", "id"], "f.csv: the header names id more than once; keep one"),
        (["id;size"], "f.csv: lacks the columns id, size. The file is separated by semicolons: write it with commas."),
    ],
)
def test_missing_and_repeated_columns(found: list[str], sentence: str) -> None:
    with pytest.raises(IngestionError) as error:
        check_columns(Path("f.csv"), found, CONTRACT, ("e_0", "e_1"))
    assert str(error.value).startswith(sentence)


def test_warnings_for_what_is_ignored_or_left_out() -> None:
    block = ("e_0", "e_1")
    assert check_columns(Path("f.csv"), CONTRACT[::-1], CONTRACT, block) == ()
    assert check_columns(Path("f.csv"), ["size", "id", "note", ""], CONTRACT, block) == (
        "e_0 to e_1 are left out and will be null.",
        "Not in the contract and ignored: note, (no name).",
    )
