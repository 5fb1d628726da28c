"""Streams a CSV file as text, with the line on which each row begins.

Every value is read as text: what is wrong with a value is `validation`'s to say, row by row. Arrow skips no line here
without telling us, since a row's line number is the number of lines before it.
"""

import codecs
import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as arrow_csv

from packaging_assets.ingestion.chunks import Chunk, MalformedLine
from packaging_assets.ingestion.errors import IngestionError

pc: Any = pyarrow.compute  # its functions are made at run time, where pyright does not see them

BLOCK_BYTES = 16 * 2**20
"""Bytes read at a time, about 25,000 products with embeddings; no row may be longer."""
MAX_LINES_PER_ROW = 10
"""Titles hold a line break now and then; a row over more lines than this is a quote that nobody closed."""
_MAX_HEADER_BYTES = 2**20
_DECODED_BYTES = 2**20
_UTF8_BOM = b"\xef\xbb\xbf"
_VALUE = rb'(?:"(?:[^"]++|"")*+"|(?!")[^,\r\n]*+)'
_ROW = re.compile(_VALUE + rb"(?:," + _VALUE + rb")*+[\r\n]*+")
"""A row whose quotes close where their values end."""


class CsvFile:
    """A CSV file in UTF-8, comma-separated, with a header; empty is null; blank rows are passed over."""

    def __init__(self, path: Path, block_bytes: int = BLOCK_BYTES) -> None:
        self._path = path
        self._block_bytes = block_bytes
        self._names = _read_header(path)

    @property
    def column_names(self) -> Sequence[str]:
        """The names in the header."""
        return self._names

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Stream the rows; see `DeliveredFile.chunks`."""
        _check_encoding(self._path)
        try:
            with self._path.open("rb") as file, self._path.open("rb") as again:
                yield from self._read(file, columns, _Quotes(self._path, again))
        except pa.ArrowInvalid as error:
            raise IngestionError(f"{self._path}: {_explain(str(error))}") from None

    def _read(self, file: BinaryIO, columns: Sequence[str], quotes: "_Quotes") -> Iterator[Chunk]:
        _skip_header(file)
        if not file.read(1):
            return
        _skip_header(file)
        # Line 1 has gone, so Arrow's row number 1 is line 2 as long as no value holds a line break.
        numbering = _LineNumbers(self._path, quotes)
        reader = arrow_csv.open_csv(
            file,
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=self._block_bytes, column_names=list(self._names)
            ),
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=numbering.note_malformed
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in self._names}, null_values=[""], strings_can_be_null=True
            ),
        )
        for batch in reader:
            chunk = numbering.number(pa.Table.from_batches([batch]))
            yield Chunk(chunk.lines, chunk.rows.select(columns), chunk.malformed)
        yield numbering.rest(pa.schema([(name, pa.string()) for name in columns]))


class _LineNumbers:
    """Gives rows their line numbers, from Arrow's row numbers, the malformed rows and the line breaks in values."""

    def __init__(self, path: Path, quotes: "_Quotes") -> None:
        self._path = path
        self._quotes = quotes
        self._next_row = 1
        self._extra_lines = 1
        """Lines before the next row beyond one a row: the header, and line breaks in values."""
        self._malformed: list[Any] = []

    def note_malformed(self, row: Any) -> str:
        """Arrow's callback for a row whose number of values differs from the header's."""
        breaks = row.text.count("\n")
        self._malformed.append((row.number, row.actual_columns, row.expected_columns, row.text[:200], breaks))
        return "skip"

    def number(self, rows: pa.Table) -> Chunk:
        """The rows with their lines and with the malformed ones up to the last of them; blank rows are left out."""
        span = self._next_row + np.arange(len(rows) + len(self._malformed))
        malformed_rows = np.array([number for number, *_ in self._malformed], dtype=np.int64)
        valid_rows = span[~np.isin(span, malformed_rows)][: len(rows)]
        end = int(valid_rows[-1]) + 1 if len(rows) else self._next_row
        passed = [entry for entry in self._malformed if entry[0] < end]
        self._malformed = self._malformed[len(passed) :]

        breaks = np.zeros(end - self._next_row, dtype=np.int64)
        breaks[valid_rows - self._next_row] = _line_breaks(rows)
        for number, *_, in_text in passed:
            breaks[number - self._next_row] = in_text
        lines = np.arange(self._next_row, end) + self._extra_lines + np.cumsum(breaks) - breaks
        self._check_row_lengths(breaks, lines)
        malformed = tuple(_malformed_line(int(lines[entry[0] - self._next_row]), entry) for entry in passed)
        lines, row_breaks = lines[valid_rows - self._next_row], breaks[valid_rows - self._next_row]
        for row in np.flatnonzero(row_breaks):
            self._quotes.check(int(lines[row]), int(row_breaks[row]) + 1)
        self._next_row, self._extra_lines = end, self._extra_lines + int(breaks.sum())
        has_value = _has_value(rows)
        return Chunk(lines[has_value], rows.filter(pa.array(has_value)), malformed)

    def rest(self, schema: pa.Schema) -> Chunk:
        """The malformed rows after the last good one."""
        breaks = np.array([entry[-1] for entry in self._malformed], dtype=np.int64)
        rows = np.array([entry[0] for entry in self._malformed], dtype=np.int64)
        lines = rows + self._extra_lines + np.cumsum(breaks) - breaks
        self._check_row_lengths(breaks, lines)
        malformed = tuple(_malformed_line(int(line), row) for line, row in zip(lines, self._malformed, strict=True))
        return Chunk(np.zeros(0, dtype=np.int64), schema.empty_table(), malformed)

    def _check_row_lengths(self, breaks: np.ndarray, lines: np.ndarray) -> None:
        too_long = np.flatnonzero(breaks >= MAX_LINES_PER_ROW)
        if len(too_long):
            first = too_long[0]
            raise IngestionError(
                f"{self._path}, line {lines[first]}: a quote that opens there closes only {breaks[first]} lines later; "
                "close it, or write a quote inside a value twice."
            )


class _Quotes:
    """Looks at rows over several lines again, in their order.

    Arrow lets a quote close within a value and goes on: a quote that nobody closed takes in the lines up to the next
    quoted value, and their rows would be lost without a word.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._next_line = 1

    def check(self, line: int, count: int) -> None:
        """Look at the row that begins on a line and has so many."""
        skipped = line - self._next_line
        text = b"".join(itertools.islice(self._file, skipped, skipped + count))
        self._next_line = line + count
        if not _ROW.fullmatch(text):
            raise IngestionError(
                f"{self._path}, line {line}: a quote that opens there closes within a value, on line "
                f"{line + count - 1} at the latest; close it, or write a quote inside a value twice."
            )


def _read_header(path: Path) -> tuple[str, ...]:
    with path.open("rb") as file:
        first_line = file.readline(_MAX_HEADER_BYTES).removeprefix(_UTF8_BOM).rstrip(b"\r\n")
    if b"\r" in first_line:
        raise IngestionError(
            f"{path}: the lines end with a carriage return (CR) alone, as old Macs wrote them; end them with LF or "
            r"CR LF, for example by tr '\r' '\n' < OLD > NEW, and deliver again."
        )
    try:
        rows = list(csv.reader([first_line.decode("utf-8")], strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise IngestionError(
            f"{path}: line 1 is no header of a CSV file in UTF-8; deliver CSV in UTF-8 or Parquet."
        ) from None
    if not rows or not any(rows[0]):
        raise IngestionError(f"{path}: line 1 is blank; it must name the columns.")
    return tuple(rows[0])


def _check_encoding(path: Path) -> None:
    """Look at the whole file first: Arrow drops a malformed row without a word if its text is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        while block := file.read(_DECODED_BYTES):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line += block.count(b"\n", 0, error.start)
                raise IngestionError(f"{path}: line {line} is not UTF-8; save the file as UTF-8.") from None
            line += block.count(b"\n")
    if decoder.getstate()[0]:
        raise IngestionError(f"{path}: the file ends within a character; it may have been cut off: deliver it again.")


def _skip_header(file: BinaryIO) -> None:
    file.seek(0)
    file.readline(_MAX_HEADER_BYTES)


def _malformed_line(line: int, entry: tuple[int, int, int, str, int]) -> MalformedLine:
    _, actual, expected, text, breaks = entry
    spread = f", over {breaks + 1} lines: perhaps a quote is not closed" if breaks else ""
    return MalformedLine(line, text, f"has {actual} values where the header has {expected}{spread}")


def _line_breaks(rows: pa.Table) -> np.ndarray:
    breaks = np.zeros(len(rows), dtype=np.int64)
    for column in rows.columns:
        counts = pc.fill_null(pc.count_substring(column, "\n"), 0)
        breaks += counts.to_numpy()
    return breaks


def _has_value(rows: pa.Table) -> np.ndarray:
    has_value = np.zeros(len(rows), dtype=bool)
    for column in rows.columns:
        if has_value.all():
            break
        has_value |= pc.is_valid(column).to_numpy()
    return has_value


def _explain(error: str) -> str:
    if "straddl" in error or "block" in error or "sync" in error:
        return f"a quote is opened and never closed, or a row is longer than {BLOCK_BYTES // 2**20} MB; correct it."
    return f"cannot be read as CSV ({error}); correct it and deliver again."
