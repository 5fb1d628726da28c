"""The files: which row goes into which, and what an incident does to a week's files.

Layout under the output folder: `history/` (everything before the first week), `<monday>/` for each week, in both
`products.parquet`, `package_tests.parquet`, `customer_feedback.parquet`; further deliveries of a week in
`<monday>/late/`, `<monday>/resent/`, `<monday>/again/` and `<monday>/renamed/`.
"""

import datetime as dt
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.simulator.catalogue import Ints
from packaging_assets.simulator.config import WEEK_US, RetailerConfig
from packaging_assets.simulator.tables import EMBEDDING_COLUMNS, TABLES, TRUTH
from packaging_assets.simulator.truth import TRUTH_FILE

HISTORY = "history"
LACKED_COLUMN = "weight_kg"
_DICTIONARY = ["category", "subcategory", "product_type", "brand", "package_type"]


@dataclass(frozen=True)
class Delivery:
    """Files that arrive together. `week`: "history" or a Monday; `folder`: where they are under the output folder."""

    week: str
    folder: str
    files: Mapping[str, Path]
    received_on: dt.date
    """The day after the last one it covers: the Monday that ends its week."""


@dataclass(frozen=True)
class DeliveryPlan:
    """Which faults of whole files happen in which week (from 1)."""

    config: RetailerConfig

    def has(self, kind: str, week: int) -> bool:
        """Whether an incident of that kind happens in that week."""
        return any(incident.kind == kind and incident.week == week for incident in self.config.incidents)

    def folder(self, week: int) -> str:
        """The folder of a week's own delivery; week 0 is the history."""
        return HISTORY if week == 0 else self.config.week_labels[week - 1]

    def targets(self, table: str, week: int) -> list[tuple[str, pa.Schema]]:
        """Where that week's rows of a table go: folder and the columns it gets. None: they never arrive."""
        schema = TABLES[table]
        next_folder = self.folder(week + 1) if week < self.config.weeks else None
        if table == "package_tests" and self.has("late_delivery", week):
            return [(f"{next_folder}/late", schema)] if next_folder else []
        if table == "products" and self.has("missing_column", week):
            lacking = schema.remove(schema.get_field_index(LACKED_COLUMN))
            resent = [(f"{next_folder}/resent", schema)] if next_folder else []
            return [(self.folder(week), lacking), *resent]
        return [(self.folder(week), schema)]


class DeliveryWriter:
    """Appends blocks of rows to every file of the simulation; all files exist, also those without a row."""

    def __init__(self, plan: DeliveryPlan, out: Path) -> None:
        self._plan = plan
        self._out = out
        self._stack = ExitStack()
        self._writers: dict[tuple[str, str], pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        """Create every file."""
        with self._stack:
            for week in range(self._plan.config.weeks + 1):
                for table in TABLES:
                    for folder, schema in self._plan.targets(table, week):
                        self._writers[folder, table] = self._open(folder, f"{table}.parquet", schema)
            self._writers["truth", "truth"] = self._open("truth", TRUTH_FILE, TRUTH)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete and close every file."""
        self._stack.close()

    def _open(self, folder: str, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        path = self._out / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # noise does not compress: trying costs a third of the writing time
        compression: Any = {column: "NONE" if column in EMBEDDING_COLUMNS else "SNAPPY" for column in schema.names}
        dictionary: Any = [column for column in _DICTIONARY if column in schema.names]
        writer = pq.ParquetWriter(path, schema, compression=compression, use_dictionary=dictionary)
        return self._stack.enter_context(writer)

    def write(self, table: str, week: int, rows: pa.Table) -> None:
        """Append rows of one week (0: history) to the files that get them."""
        for folder, schema in self._plan.targets(table, week):
            self._append(folder, table, rows.select(schema.names))

    def write_truth(self, rows: pa.Table) -> None:
        """Append rows of the truth."""
        self._append("truth", "truth", rows)

    def _append(self, folder: str, table: str, rows: pa.Table) -> None:
        if rows.num_rows:
            self._writers[folder, table].write_table(rows)


def weeks_of(config: RetailerConfig, time_us: Ints) -> Ints:
    """The week from 1 in which each time lies; 0 for any time before the first."""
    return np.maximum((time_us - config.start_us) // WEEK_US, -1) + 1


def list_deliveries(plan: DeliveryPlan, out: Path) -> tuple[Delivery, ...]:
    """All deliveries in the order of their arrival, writing the copies of duplicated ones."""
    deliveries: list[Delivery] = []
    for week in range(plan.config.weeks + 1):
        folder = plan.folder(week)
        received = plan.config.first_week + dt.timedelta(weeks=week)
        subfolders = [f"{folder}/late", f"{folder}/resent", folder]
        if plan.has("duplicated_delivery", week):
            subfolders += _duplicate(out, folder)
        found = [(subfolder, _files(out / subfolder)) for subfolder in subfolders]
        deliveries += [Delivery(folder, subfolder, files, received) for subfolder, files in found if files]
    return tuple(deliveries)


def _files(folder: Path) -> Mapping[str, Path]:
    paths = {table: sorted(folder.glob(f"{table}*.parquet")) for table in TABLES}
    return MappingProxyType({table: found[0] for table, found in paths.items() if found})


def _duplicate(out: Path, folder: str) -> list[str]:
    """The week's files again, byte by byte, and once more under another name in another encoding."""
    again, renamed = f"{folder}/again", f"{folder}/renamed"
    for subfolder in (again, renamed):
        (out / subfolder).mkdir()
    for table, path in _files(out / folder).items():
        shutil.copyfile(path, out / again / path.name)
        _encode_anew(path, out / renamed / f"{table}-export.parquet")
    return [again, renamed]


def _encode_anew(source: Path, target: Path) -> None:
    with (
        pq.ParquetFile(source) as file,
        pq.ParquetWriter(target, file.schema_arrow, compression="ZSTD", use_dictionary=False) as writer,
    ):
        for batch in file.iter_batches(batch_size=10_000):
            writer.write_batch(batch)
