"""What became of a delivered file, for the terminal, for JSON and for a refusal."""

import datetime as dt
from dataclasses import dataclass

from packaging_assets.ingestion.errors import IngestionError

SHOWN_BAD_ROWS = 10
"""Bad rows that a report carries; the quarantine holds them all."""
_BAD_ROWS_IN_MESSAGE = 3


@dataclass(frozen=True)
class BadRow:
    """A row that breaks the contract: where it stands, what is wrong, and the value found there.

    `field` is none for a line that could not be taken apart into the header's columns.
    """

    line: int
    field: str | None
    value: str | None
    reason: str

    def __str__(self) -> str:
        if self.field is None:
            return f"line {self.line} {self.reason}"
        found = "" if self.value is None else f" ({self.value!r})"
        return f"line {self.line}: {self.field}{found} {self.reason}"


@dataclass(frozen=True)
class DeliveryReport:
    """The outcome of one file.

    Attributes:
        table: the raw table.
        file_name: the file's name without its folder.
        delivery_id: sha256 of the file's bytes.
        accepted: rows appended.
        duplicates: rows equal to one that was there, in the warehouse or earlier in the file; passed over.
        quarantined: bad rows.
        is_already_delivered: the same file came before; this time nothing changed, and the counts are those of then.
        days: the days (UTC) to which rows were added, ascending.
        warnings: sentences about what was ignored or left out.
        bad_rows: the first of the bad rows, by line; at most `SHOWN_BAD_ROWS`.
    """

    table: str
    file_name: str
    delivery_id: str
    accepted: int
    duplicates: int
    quarantined: int
    is_already_delivered: bool = False
    days: tuple[dt.date, ...] = ()
    warnings: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()

    @property
    def row_count(self) -> int:
        """Rows in the file, blank ones aside."""
        return self.accepted + self.duplicates + self.quarantined


class DeliveryRefusedError(IngestionError):
    """Too large a share of a file's rows is bad: nothing of it was taken in, not even into the quarantine.

    `report` holds what was found; its `accepted` are the rows that would have been.
    """

    def __init__(self, path: object, report: DeliveryReport, max_bad_row_share: float) -> None:
        self.report = report
        share = report.quarantined / report.row_count
        first = "; ".join(str(row) for row in report.bad_rows[:_BAD_ROWS_IN_MESSAGE])
        super().__init__(
            f"{path}: refused whole, since {report.quarantined:,} of its {report.row_count:,} rows are bad: "
            f"{share:.1%}, and at most {max_bad_row_share:.1%} may be. The first: {first}. "
            "Correct the file, or allow more with --max-bad-rows."
        )
