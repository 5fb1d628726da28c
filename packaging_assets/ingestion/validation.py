"""Sorts a chunk's rows into accepted ones, in the contract's types, and bad ones, each with field, value and reason."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.errors
import pyarrow as pa

from packaging_assets.ingestion.chunks import Chunk, MalformedLine
from packaging_assets.ingestion.contract import TableContract
from packaging_assets.ingestion.parsing import parse_column

LINE_COLUMN = "delivered_line"
"""Name of the line number beside the contract's columns."""
MAX_VALUE_CHARACTERS = 200
BAD_ROW_SCHEMA = pa.schema(
    [("line", pa.int64()), ("field", pa.string()), ("value", pa.string()), ("reason", pa.string())]
)


@dataclass(frozen=True)
class CheckedChunk:
    """The outcome for the rows of one chunk.

    Attributes:
        accepted: `LINE_COLUMN` and the contract's columns, in its types.
        bad: one row per bad row (`BAD_ROW_SCHEMA`): its first offending field in the contract's order; field is empty
            for a line that could not be taken apart.
    """

    accepted: pa.Table
    bad: pa.Table


def accepted_schema(contract: TableContract) -> pa.Schema:
    """The schema of accepted rows."""
    types = [(name, contract.arrow_type(name)) for name in contract.column_names]
    return pa.schema([(LINE_COLUMN, pa.int64()), *types])


def check_chunk(contract: TableContract, chunk: Chunk) -> CheckedChunk:
    """Hold every row of a chunk against the contract; rows are looked at on their own, never against one another."""
    findings = _Findings(len(chunk.rows))
    typed = _parse(contract, chunk.rows, findings)
    _check_rules(contract, typed, findings)
    lines = pa.array(chunk.lines, pa.int64())
    table = pa.Table.from_arrays([lines, *typed.columns], schema=accepted_schema(contract))
    bad = pa.concat_tables([_malformed_rows(chunk.malformed), findings.bad_rows(chunk)]).sort_by("line")
    return CheckedChunk(table.filter(pa.array(findings.is_good)), bad)


class _Findings:
    """The first problem found in each of n rows."""

    def __init__(self, rows: int) -> None:
        self.is_good = np.ones(rows, dtype=bool)
        self._fields = np.full(rows, None, dtype=object)
        self._reasons = np.full(rows, None, dtype=object)

    def note(self, is_bad: np.ndarray, field: str, reason: str) -> None:
        first = is_bad & self.is_good
        self._fields[first] = field
        self._reasons[first] = reason
        self.is_good[first] = False

    def bad_rows(self, chunk: Chunk) -> pa.Table:
        positions = np.flatnonzero(~self.is_good)
        values = np.full(len(positions), None, dtype=object)
        for field in set(self._fields[positions]):
            of_field = np.flatnonzero(self._fields[positions] == field)
            values[of_field] = _shown(chunk.rows, field, positions[of_field])
        columns = [chunk.lines[positions], self._fields[positions], values, self._reasons[positions]]
        return pa.Table.from_arrays(
            [pa.array(column, kind) for column, kind in zip(columns, BAD_ROW_SCHEMA.types, strict=True)],
            schema=BAD_ROW_SCHEMA,
        )


def _parse(contract: TableContract, rows: pa.Table, findings: _Findings) -> pa.Table:
    typed: list[pa.Array] = []
    for name in contract.column_names:
        target = contract.arrow_type(name)
        if name not in rows.column_names:
            typed.append(pa.nulls(len(rows), target))
            continue
        parsed = parse_column(rows.column(name).combine_chunks(), target)
        findings.note(parsed.is_bad, name, parsed.reason)
        if not contract.is_nullable(name) and parsed.values.null_count:
            findings.note(parsed.values.is_null().to_numpy(zero_copy_only=False), name, "is missing")
        typed.append(parsed.values)
    return pa.Table.from_arrays(typed, names=list(contract.column_names))


def _check_rules(contract: TableContract, typed: pa.Table, findings: _Findings) -> None:
    positions = np.flatnonzero(findings.is_good)
    frame = typed.filter(pa.array(findings.is_good)).to_pandas()
    try:
        contract.columns.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        _note_failures(errors.failure_cases, positions, contract, findings)
    for rule in contract.rules:
        is_bad = np.zeros(len(typed), dtype=bool)
        is_bad[positions] = ~rule.holds(frame).to_numpy()
        findings.note(is_bad, rule.field, rule.sentence)


def _note_failures(failures: pd.DataFrame, positions: np.ndarray, contract: TableContract, findings: _Findings) -> None:
    for column in contract.column_names:
        of_column = failures[failures["column"] == column]
        for reason in of_column["check"].unique().tolist():
            broken = of_column.loc[of_column["check"] == reason, "index"].to_numpy(dtype=np.int64)
            is_bad = np.zeros(len(findings.is_good), dtype=bool)
            is_bad[positions[broken]] = True
            findings.note(is_bad, column, reason)


def _shown(rows: pa.Table, field: str, positions: np.ndarray) -> list[str | None]:
    if field not in rows.column_names:
        return [None] * len(positions)
    # As bytes: a Parquet file's text may not be UTF-8.
    values = rows.column(field).take(pa.array(positions)).cast(pa.string()).cast(pa.binary()).to_pylist()
    return [None if value is None else _shortened(value.decode(errors="replace")) for value in values]


def _shortened(value: str) -> str:
    """What the quarantine keeps of a value: Redshift stores no null character."""
    return value[:MAX_VALUE_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}")


def _malformed_rows(malformed: tuple[MalformedLine, ...]) -> pa.Table:
    rows = [
        {"line": entry.line, "field": None, "value": _shortened(entry.text), "reason": entry.reason}
        for entry in malformed
    ]
    return pa.Table.from_pylist(rows, schema=BAD_ROW_SCHEMA)
