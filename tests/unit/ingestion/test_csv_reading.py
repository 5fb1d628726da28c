"""Rows of a CSV file come with the line on which they begin, whatever stands between them."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.ingestion.csv_reading import CsvFile
from packaging_assets.ingestion.errors import IngestionError


def read(
    path: Path, block_bytes: int = 2**16
) -> tuple[list[tuple[int, str | None, str | None]], list[tuple[int, str]]]:
    """Rows (line, a, b) and malformed lines (line, reason) of a file with the columns a and b."""
    rows: list[tuple[int, str | None, str | None]] = []
    malformed: list[tuple[int, str]] = []
    for chunk in CsvFile(path, block_bytes).chunks(["a", "b"]):
        values = chunk.rows.to_pydict()
        rows += zip(chunk.lines.tolist(), values["a"], values["b"], strict=True)
        malformed += [(entry.line, entry.reason) for entry in chunk.malformed]
    return rows, malformed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.csv"


@pytest.mark.parametrize("block_bytes", [16, 2**16])
def test_lines_count_blank_multi_line_and_malformed_rows(file: Path, block_bytes: int) -> None:
    file.write_bytes(b'a,b\n1,2\n\n3\n"x\ny",5\n6,7,8\n9,10\n"p\nq",11,"r\ns"\n12,13\n14\n')
    rows, malformed = read(file, block_bytes)
    assert rows == [(2, "1", "2"), (5, "x\ny", "5"), (8, "9", "10"), (12, "12", "13")]
    assert malformed == [
        (4, "has 1 values where the header has 2"),
        (7, "has 3 values where the header has 2"),
        (9, "has 3 values where the header has 2, over 3 lines: perhaps a quote is not closed"),
        (13, "has 1 values where the header has 2"),
    ]


def test_rows_that_an_unclosed_quote_took_in_are_told(file: Path) -> None:
    file.write_bytes(b'a,b\n1,2\n"3,4\n5,6\n7,8\n')
    reason = "has 1 values where the header has 2, over 3 lines: perhaps a quote is not closed"
    assert read(file) == ([(2, "1", "2")], [(3, reason)])


@pytest.mark.parametrize("block_bytes", [64, 2**16])
@pytest.mark.parametrize("swallowing", [b'"3,4\n5,6\n7"8,9\n', b'3,"4\n5,"6"\n', b'3,"4\r\n5,"6\r\n'])
def test_a_quote_that_closes_within_a_later_value_is_no_row(file: Path, swallowing: bytes, block_bytes: int) -> None:
    before = b'"p\nq","r ""s""\n"\n' + b'"1",2\n' * 20 + b'5" wide,\n"t\n",\n'
    file.write_bytes(b"a,b\n" + before)
    rows, malformed = read(file, block_bytes)
    assert (len(rows), malformed, rows[0], rows[-1]) == (23, [], (2, "p\nq", 'r "s"\n'), (26, "t\n", None))
    file.write_bytes(b"a,b\n" + before + swallowing + b"10,11\n" * 20)
    with pytest.raises(IngestionError, match=r"file\.csv, line 28: a quote that opens there closes within a value"):
        read(file, block_bytes)


def test_bom_and_windows_line_ends(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf"a",b\r\n1,2\r\n\r\n3,\r\n')
    assert read(file) == ([(2, "1", "2"), (4, "3", None)], [])


def test_rows_that_end_with_a_carriage_return_alone_below_a_header_that_does_not(file: Path) -> None:
    file.write_bytes(b"a,b\n1,2\r3,4\r")
    assert read(file) == ([(2, "1", "2"), (3, "3", "4")], [])


@pytest.mark.parametrize("content", [b"a,b", b"a,b\n", b"a,b\n\n\n", b"a,b\r\r\n"])
def test_header_only(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert read(file) == ([], [])


def test_columns_are_picked_by_name(file: Path) -> None:
    file.write_bytes(b"b,c,a\n1,2,3\n")
    assert read(file) == ([(2, "3", "1")], [])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n3,\xff\n", "line 3 is not UTF-8; save the file as UTF-8"),
        (b"a,b\n1,2\n3,4,\xff\n", "line 3 is not UTF-8; save the file as UTF-8"),
        (b"a,b\n1,2\n3,\xc3", "the file ends within a character"),
        (b'a,b\n1,2\n"3,4\n' + b"5,6\n" * 20, "line 3: a quote that opens there"),
        (
            b'a,b\n1,2\n"3,4\n' + b"5,6\n" * 200_000,
            "line 3: a quote that opens there|a quote is opened and never closed",
        ),
        (b"\xff\xfe\n", "line 1 is no header"),
        (b"\na,b\n", "line 1 is blank"),
        (b"a,b\r1,2\r3,4\r", r"the lines end with a carriage return \(CR\) alone, .* by tr '.r' '.n' < OLD > NEW"),
        (b"\xef\xbb\xbfa,b\r1,2\n3,4\n", r"the lines end with a carriage return \(CR\) alone"),
        (b"a,b\r" + "1,é\r".encode() * 300_000, r"the lines end with a carriage return \(CR\) alone"),
    ],
)
def test_a_file_that_is_no_csv_is_one_sentence(file: Path, content: bytes, sentence: str) -> None:
    file.write_bytes(content)
    with pytest.raises(IngestionError, match=sentence) as error:
        read(file)
    assert str(error.value).startswith(f"{file}")
    assert "\n" not in str(error.value)


VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6).filter(
    lambda text: text.count("\n") < 3
)
ROW = st.one_of(st.none(), st.lists(VALUE, min_size=2, max_size=2), st.lists(VALUE, min_size=3, max_size=3))


@given(rows=st.lists(ROW, max_size=30), block_bytes=st.sampled_from([64, 200, 2**16]))
def test_lines_are_those_of_the_python_reader(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str] | None], block_bytes: int
) -> None:
    file = tmp_path_factory.mktemp("csv") / "file.csv"
    text = io.StringIO()
    text.write("a,b\n")
    expected: list[tuple[int, str | None, str | None]] = []
    line = 2
    malformed: list[int] = []
    for row in rows:
        if row is None:
            text.write("\n")
        else:
            csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
            if len(row) == 3:
                malformed.append(line)
            elif any(row):
                expected.append((line, row[0] or None, row[1] or None))
        line += 1 + sum(value.count("\n") for value in row or [])
    file.write_bytes(text.getvalue().encode())
    found, found_malformed = read(file, block_bytes)
    assert found == expected
    assert [entry[0] for entry in found_malformed] == malformed
