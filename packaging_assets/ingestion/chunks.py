"""What every reader of delivered files yields, and what every delivered file must have: the contract's columns."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from packaging_assets.ingestion.errors import IngestionError


@dataclass(frozen=True)
class MalformedLine:
    """A line that is no row: its number of values differs from the header's."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file as they stand there.

    Attributes:
        lines: (n,) int64. CSV: the line in the file on which the row begins, the header's being 1. Parquet: the
            row's number, from 1.
        rows: n rows; the columns asked for, text in a CSV, any readable Arrow type in a Parquet file.
        malformed: lines among these rows that could not be taken apart.
    """

    lines: np.ndarray
    rows: pa.Table
    malformed: tuple[MalformedLine, ...] = ()


class DeliveredFile(Protocol):
    """A file opened for reading."""

    @property
    def column_names(self) -> Sequence[str]:
        """The names in the file's header or schema, in its order."""
        ...

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Stream the file, with these of its columns.

        Raises:
            IngestionError: the file turns out to be damaged.
        """
        ...


def check_columns(
    path: Path, found: Sequence[str], contract: Sequence[str], optional_block: Collection[str] = ()
) -> tuple[str, ...]:
    """Compare a file's columns with the contract's and return warnings about what is ignored or left out.

    Raises:
        IngestionError: a column is missing or named twice.
    """
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise IngestionError(f"{path}: the header names {_listed(twice)} more than once; keep one and deliver again.")
    missing = [name for name in contract if name not in found]
    is_block_left_out = bool(optional_block) and set(missing) >= set(optional_block)
    required = [name for name in missing if not (is_block_left_out and name in optional_block)]
    if required:
        noun = "column" if len(required) == 1 else "columns"
        raise IngestionError(f"{path}: lacks the {noun} {_listed(required)}. {_remedy(found)}")
    warnings: list[str] = []
    if is_block_left_out:
        block = [name for name in contract if name in optional_block]
        warnings.append(f"{block[0]} to {block[-1]} are left out and will be null.")
    unknown = [name for name in found if name not in contract]
    if unknown:
        warnings.append(f"Not in the contract and ignored: {_listed(unknown)}.")
    return tuple(warnings)


def _remedy(found: Sequence[str]) -> str:
    if len(found) == 1:
        for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if separator in found[0]:
                return f"The file is separated by {name}: write it with commas."
    return f"The file has {_listed(found)}; docs/data-contract.md lists what must be there."


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = [name[:80] if name else "(no name)" for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
