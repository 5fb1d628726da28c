"""Parquet as the platform writes and lists it: fixed settings, so that equal tables are equal bytes."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_GROUP = 131_072
"""Large enough to compress well, small enough that a reader of one row group holds tens of megabytes."""

JUDGED_ROWS = 16_384
"""First rows by which it is judged whether a column repeats its values."""

REPEATS = 8
"""Times, on average: a product comes up to four times in labels and evidence, once for each package type."""


def part_name(number: int) -> str:
    """File name of the part `number`, from 0; names sort as their numbers do."""
    return f"part-{number:05d}.parquet"


def list_parts(folder: Path) -> list[Path]:
    """The Parquet files directly in `folder`, in the order of their names."""
    return sorted(folder.glob("*.parquet"))


def count_rows(folder: Path) -> int:
    """Rows of all parts in `folder`, by their footers."""
    return sum(pq.read_metadata(part).num_rows for part in list_parts(folder))


def count_rows_of_groups(path: Path) -> list[int]:
    """Rows of each row group of one file, by its footer."""
    footer = pq.read_metadata(path)
    return [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]


def one_group_in(every: int, parts: Iterable[Path]) -> Iterator[tuple[Path, range]]:
    """Of each file the numbers of its row groups that are one in `every`, counted through all files; of some none."""
    position = 0
    for part in parts:
        groups = pq.read_metadata(part).num_row_groups
        yield part, range(-position % every, groups, every)
        position += groups


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write `table` as one file, without the notes that pandas leaves in the schema."""
    plain = set(text_columns(table.schema)).difference(repeating_texts(table.slice(0, JUDGED_ROWS)))
    pq.write_table(
        table.replace_schema_metadata(None),
        path,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        # pyright takes the default for the type; a list of columns is documented.
        use_dictionary=[name for name in table.column_names if name not in plain],  # pyright: ignore[reportArgumentType]
        write_statistics=False,  # nothing looks for single rows in these files
    )


def repeating_texts(first_rows: pa.Table) -> list[str]:
    """Text columns that are written as dictionaries: judged by the first rows, each value comes `REPEATS` times.

    A dictionary of ids outgrows the megabyte that it may have, and is given up: such a column takes half as long to
    write plain, and a third to read.
    """
    texts = text_columns(first_rows.schema)
    return [name for name in texts if REPEATS * len(first_rows[name].unique()) <= len(first_rows)]


def text_columns(schema: pa.Schema) -> list[str]:
    """The names of the columns of texts."""
    return [field.name for field in schema if pa.types.is_string(field.type)]


def read_column_names(path: Path) -> list[str]:
    """The names of the columns of one file."""
    return pq.read_schema(path).names


def read_parquet(
    path: Path,
    columns: Sequence[str] | None = None,
    *,
    dictionary: Sequence[str] = (),
    groups: Sequence[int] | None = None,
    use_threads: bool = True,
) -> pa.Table:
    """Read one file.

    Args:
        path: the file.
        columns: in that order; all by default.
        dictionary: those that come as dictionary arrays.
        groups: the numbers of the row groups that are read; all by default.
        use_threads: whether columns are read side by side; without, the same takes less CPU time.
    """
    names = None if columns is None else list(columns)
    with pq.ParquetFile(path, read_dictionary=list(dictionary)) as file:
        if groups is None:
            table = file.read(names, use_threads=use_threads)
        else:
            table = file.read_row_groups(list(groups), names, use_threads=use_threads)
    return _with_nullable_columns(table if columns is None else table.select(columns))


def _with_nullable_columns(table: pa.Table) -> pa.Table:
    """The same table: parts may differ in which columns are required, and Arrow puts no such tables together."""
    return pa.Table.from_arrays(
        table.columns, schema=pa.schema([field.with_nullable(nullable=True) for field in table.schema])
    )
