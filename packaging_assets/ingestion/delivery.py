"""Takes in one delivered file: read, validate, match, then append everything in one transaction, or nothing."""

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.ingestion.chunks import DeliveredFile, check_columns
from packaging_assets.ingestion.contract import TABLES, TableContract, table_contract
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.landing import (
    append_delivery,
    count_deliveries,
    delivered_days,
    fetch_known_rows,
    find_delivery,
)
from packaging_assets.ingestion.matching import delivered_rows, find_matches, rows_by_day
from packaging_assets.ingestion.reading import content_hash, open_delivery
from packaging_assets.ingestion.report import SHOWN_BAD_ROWS, BadRow, DeliveryRefusedError, DeliveryReport
from packaging_assets.ingestion.staging import staging_folder
from packaging_assets.ingestion.validation import BAD_ROW_SCHEMA, accepted_schema, check_chunk
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.warehouse import Warehouse


def ingest_files(
    warehouse: Warehouse,
    files: Mapping[str, Path],
    *,
    max_bad_row_share: float,
    clock: Clock,
    staging: Path | None = None,
) -> Iterator[DeliveryReport]:
    """Take in files by table name, in the order products, package_tests, customer_feedback; lazily, one at a time.

    Each file is a transaction of its own: when one fails, those before it stay, and those after it are not touched.

    Raises:
        IngestionError: as `ingest_file`.
    """
    for table in TABLES:
        if table in files:
            yield ingest_file(
                warehouse, table, files[table], max_bad_row_share=max_bad_row_share, clock=clock, staging=staging
            )


def ingest_file(
    warehouse: Warehouse,
    table: str,
    path: Path,
    *,
    max_bad_row_share: float,
    clock: Clock,
    staging: Path | None = None,
) -> DeliveryReport:
    """Validate a CSV or Parquet file and append its rows to a raw table; memory does not grow with the file.

    Args:
        warehouse: where to append; its tables are created if need be.
        table: one of `contract.TABLES`.
        path: the file.
        max_bad_row_share: refuse the file when more than this share of its rows is bad.
        clock: says when the delivery was received.
        staging: where the checked rows wait to be appended, see `staging_folder`.

    Raises:
        DeliveryRefusedError: too many bad rows.
        IngestionError: the file cannot be read, or lacks a column.
        WarehouseError: the warehouse cannot be reached or written.
    """
    _check_file(path)
    received_at = clock.now().astimezone(dt.UTC).replace(tzinfo=None)
    contract = table_contract(table, received_at)
    delivery_id = content_hash(path)
    file = open_delivery(path)
    warnings = check_columns(path, file.column_names, contract.column_names, contract.optional_block)
    warehouse.create_tables()
    earlier = _report_of_earlier(warehouse, table, path, delivery_id)
    if earlier is not None:
        return earlier
    with staging_folder(staging) as scratch:
        checked = _CheckedFile(contract, scratch)
        checked.read(file)
        while True:
            standing = count_deliveries(warehouse, table)
            left_out, days = _match(warehouse, checked, received_at)
            report = _report(path, delivery_id, checked, left_out, days, warnings)
            if report.quarantined > max_bad_row_share * report.row_count:
                raise DeliveryRefusedError(path, report, max_bad_row_share)
            append_delivery(
                warehouse,
                contract,
                _record(report, received_at),
                standing_deliveries=standing,
                delivered=checked.good_folder,
                left_out=left_out,
                days=days,
                bad_rows=checked.bad_folder,
            )
            record = find_delivery(warehouse, table, delivery_id)
            if record is not None:
                is_ours = record["received_at"] == received_at
                return report if is_ours else _report_of(record, warehouse, table, path, delivery_id)
            # Another file was taken in since the rows were matched, so they are matched again.


def _check_file(path: Path) -> None:
    """Refuse what the warehouse cannot name or we cannot read twice, before the file is read."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise IngestionError(f"{str(path)!a}: its name is not UTF-8; rename the file.") from None
    if path.is_fifo():
        raise IngestionError(f"{path}: is a pipe, and a delivery is read more than once; deliver it as a file.")


class _CheckedFile:
    """A file's good and bad rows in Parquet parts on disk, and their counts."""

    def __init__(self, contract: TableContract, scratch: Path) -> None:
        self.contract = contract
        self.scratch = scratch
        self.good_folder = self.folder("good")
        self.bad_folder = self.folder("bad")
        self.good_count = 0
        self.conflict_count = 0
        self._bad_count = 0
        self._first_bad: list[BadRow] = []
        self._first_conflicts: list[BadRow] = []

    def folder(self, name: str) -> Path:
        folder = self.scratch / name
        folder.mkdir()
        return folder

    @property
    def bad_count(self) -> int:
        return self._bad_count + self.conflict_count

    @property
    def first_bad(self) -> list[BadRow]:
        return _first([*self._first_bad, *self._first_conflicts])

    def read(self, file: DeliveredFile) -> None:
        # A folder without a part would have no columns.
        _write_part(accepted_schema(self.contract).empty_table(), self.good_folder)
        _write_part(BAD_ROW_SCHEMA.empty_table(), self.bad_folder)
        for chunk in file.chunks([name for name in self.contract.column_names if name in file.column_names]):
            outcome = check_chunk(self.contract, chunk)
            self.good_count += len(outcome.accepted)
            _write_part(outcome.accepted, self.good_folder)
            self._add_bad(outcome.bad)

    def set_conflicts(self, conflicts: pa.Table) -> None:
        """The good rows that contradict what is there, which are bad then; those found before no longer count."""
        pq.write_table(conflicts, self.bad_folder / "conflicts.parquet", use_dictionary=False)
        self.conflict_count, self._first_conflicts = len(conflicts), _bad_rows(conflicts)

    def _add_bad(self, bad: pa.Table) -> None:
        if len(bad):
            _write_part(bad, self.bad_folder)
        self._bad_count += len(bad)
        self._first_bad = _first([*self._first_bad, *_bad_rows(bad)])


def _bad_rows(bad: pa.Table) -> list[BadRow]:
    return [BadRow(**row) for row in bad.slice(0, SHOWN_BAD_ROWS).to_pylist()]


def _first(rows: list[BadRow]) -> list[BadRow]:
    return sorted(rows, key=lambda row: row.line)[:SHOWN_BAD_ROWS]


def _match(warehouse: Warehouse, checked: _CheckedFile, received_at: dt.datetime) -> tuple[pa.Table, pa.Table]:
    """Find the good rows that are not to be appended: their lines, and the days of the others."""
    contract = checked.contract
    with tempfile.TemporaryDirectory(dir=checked.scratch) as scratch:
        known, spill = Path(scratch, "known"), Path(scratch, "spill")
        known.mkdir()
        spill.mkdir()
        found = fetch_known_rows(warehouse, contract, checked.good_folder, received_at, known)
        with delivered_rows(checked.good_folder, spill) as database:
            matches = find_matches(database, contract, found)
            checked.set_conflicts(matches.conflicts)
            return matches.left_out, rows_by_day(database, contract, matches.left_out)


def _report(
    path: Path,
    delivery_id: str,
    checked: _CheckedFile,
    left_out: pa.Table,
    days: pa.Table,
    warnings: tuple[str, ...],
) -> DeliveryReport:
    return DeliveryReport(
        table=checked.contract.name,
        file_name=path.name,
        delivery_id=delivery_id,
        accepted=checked.good_count - len(left_out),
        duplicates=len(left_out) - checked.conflict_count,
        quarantined=checked.bad_count,
        days=tuple(days.column("day").to_pylist()),
        warnings=warnings if checked.good_count + checked.bad_count else (*warnings, "The file has no rows."),
        bad_rows=tuple(checked.first_bad),
    )


def _report_of_earlier(warehouse: Warehouse, table: str, path: Path, delivery_id: str) -> DeliveryReport | None:
    record = find_delivery(warehouse, table, delivery_id)
    return None if record is None else _report_of(record, warehouse, table, path, delivery_id)


def _report_of(
    record: Mapping[str, Any], warehouse: Warehouse, table: str, path: Path, delivery_id: str
) -> DeliveryReport:
    """The report of a file that was taken in before, or by somebody else at this moment."""
    return DeliveryReport(
        table=table,
        file_name=path.name,
        delivery_id=delivery_id,
        accepted=record["accepted_rows"],
        duplicates=record["duplicate_rows"],
        quarantined=record["quarantined_rows"],
        is_already_delivered=True,
        days=delivered_days(warehouse, table, delivery_id),
        warnings=(f"The same file was delivered at {record['received_at']:%Y-%m-%d %H:%M} UTC; nothing changed.",),
    )


def _record(report: DeliveryReport, received_at: dt.datetime) -> dict[str, str | int | dt.datetime]:
    """The row of `raw.deliveries`."""
    return {
        "delivery_id": report.delivery_id,
        "table_name": report.table,
        "file_name": report.file_name,
        "accepted_rows": report.accepted,
        "duplicate_rows": report.duplicates,
        "quarantined_rows": report.quarantined,
        "received_at": received_at,
    }


def _write_part(rows: pa.Table, folder: Path) -> None:
    pq.write_table(rows, folder / f"part-{sum(1 for _ in folder.iterdir()):05d}.parquet", use_dictionary=False)
