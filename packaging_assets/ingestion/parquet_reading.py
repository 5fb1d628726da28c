"""Streams a Parquet file, with row numbers."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.ingestion.chunks import Chunk
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.parsing import is_parsable

ROWS_PER_CHUNK = 50_000


class ParquetFile:
    """A Parquet file whose columns are plain: text, numbers, booleans, timestamps or dates."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _reading(path) as file:
            self._schema = file.schema_arrow

    @property
    def column_names(self) -> Sequence[str]:
        """The names in the file's schema."""
        return self._schema.names

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Stream the rows; see `DeliveredFile.chunks`."""
        self._check_types(columns)
        next_row = 1
        with _reading(self._path) as file:
            for batch in file.iter_batches(batch_size=ROWS_PER_CHUNK, columns=list(columns)):
                lines = np.arange(next_row, next_row + len(batch))
                next_row += len(batch)
                yield Chunk(lines, pa.Table.from_batches([batch]).select(list(columns)))

    def _check_types(self, columns: Sequence[str]) -> None:
        for name in columns:
            found = self._schema.field(name).type
            if not is_parsable(found):
                raise IngestionError(
                    f"{self._path}: the column {name} is of type {found}; docs/data-contract.md says what it must be."
                )


@contextmanager
def _reading(path: Path) -> Generator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise IngestionError(
            f"{path}: is no whole Parquet file ({_first_sentence(error)}); it may have been cut off: deliver it again."
        ) from None


def _first_sentence(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")[:200] if str(error) else type(error).__name__
