"""From what a file holds (text, or some Arrow type) to the contract's types, value by value.

A value that cannot be converted becomes null and is marked: one bad value costs its row, never the file. The quick
way, one Arrow cast, is tried first; only a column with a value that it refuses is looked at more closely.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute  # its functions are made at run time, where pyright does not see them

_NUMBER = r"^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:[+-]?(nan|inf|infinity)))$"
_WHOLE_NUMBER = r"^([+-]?\d{1,18})(\.0*)?$"
_TIMESTAMP = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)? ?(Z|[+-]\d{2}(:?\d{2})?)?)?$"
_TRUE = pa.array(["true", "t", "1"])
_FALSE = pa.array(["false", "f", "0"])


@dataclass(frozen=True)
class ParsedColumn:
    """A column of n values in the contract's type, with a mask (n,) of those that could not be converted."""

    values: pa.Array
    is_bad: np.ndarray
    reason: str


def parse_column(raw: pa.Array, target: pa.DataType) -> ParsedColumn:
    """Convert a column to the contract's type; empty text is null, and null is never bad here."""
    if pa.types.is_string(target):
        text = _without_null_characters(_as_text(raw))
        return ParsedColumn(_trimmed(text), _is_lost(raw, text), "is not text in UTF-8 without null characters")
    if pa.types.is_timestamp(target):
        values, reason = _parse(raw, _is_time, target, _timestamps), "is not an ISO 8601 timestamp"
    elif pa.types.is_boolean(target):
        values, reason = _parse(raw, pa.types.is_boolean, target, _booleans), "is not one of true, false, t, f, 1, 0"
    elif pa.types.is_integer(target):
        values, reason = _parse(raw, pa.types.is_integer, target, _whole_numbers), "is not a whole number"
    else:
        values = _finite(_parse(raw, _is_binary_number, target, partial(_numbers, target=target)))
        reason = "is not a finite number"
    return ParsedColumn(values, _is_lost(raw, values), reason)


def is_parsable(source: pa.DataType) -> bool:
    """Whether values of an Arrow type can be read as anything that the contract asks for."""
    return _is_text(source) or _is_number(source) or _is_time(source) or source in (pa.bool_(), pa.null())


def _parse(
    raw: pa.Array, is_same_kind: Callable[[pa.DataType], bool], target: pa.DataType, parse: Callable[..., pa.Array]
) -> pa.Array:
    if is_same_kind(raw.type):
        try:
            # A cast that drops a time zone keeps UTC. Truncation below a microsecond is wanted; anything else that
            # loses information is refused.
            return pc.cast(raw, options=pc.CastOptions(target, allow_time_truncate=True))
        except pa.ArrowInvalid:
            pass
    return parse(_as_text(raw))


def _numbers(text: pa.Array, target: pa.DataType) -> pa.Array:
    try:
        return pc.cast(text, target)
    except pa.ArrowInvalid:
        return pc.cast(_matching(pc.utf8_trim_whitespace(text), _NUMBER), target)


def _whole_numbers(text: pa.Array) -> pa.Array:
    trimmed = _matching(pc.utf8_trim_whitespace(text), _WHOLE_NUMBER)
    return pc.cast(pc.utf8_ltrim(pc.replace_substring_regex(trimmed, _WHOLE_NUMBER, r"\1"), "+"), pa.int64())


def _timestamps(text: pa.Array) -> pa.Array:
    try:
        return pc.cast(text, pa.timestamp("us"))
    except pa.ArrowInvalid:
        iso = _matching(pc.utf8_trim_whitespace(text), _TIMESTAMP)
        microseconds = pc.replace_substring_regex(iso, r"(\.\d{6})\d+", r"\1")
        times = pd.to_datetime(pd.Series(microseconds.to_pandas()), format="ISO8601", utc=True, errors="coerce")
        return pa.array(times.dt.tz_convert(None).to_numpy(), from_pandas=True).cast(pa.timestamp("us"))


def _booleans(text: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(text))
    is_true = pc.is_in(lower, value_set=_TRUE)
    is_known = pc.or_(is_true, pc.is_in(lower, value_set=_FALSE))
    return pc.if_else(is_known, is_true, pa.scalar(None, pa.bool_()))


def _finite(numbers: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, numbers.type))


def _matching(text: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(text, pattern), text, pa.scalar(None, pa.string()))


def _as_text(raw: pa.Array) -> pa.Array:
    text = _null_if_empty(raw.cast(pa.string()))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([_decoded(value) for value in text.cast(pa.binary()).to_pylist()], pa.string())
    return text


def _decoded(value: bytes | None) -> str | None:
    """The text, or none where it is not UTF-8, which a Parquet file may hold in a column of text."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _without_null_characters(text: pa.Array) -> pa.Array:
    """Redshift stores no null character."""
    return pc.if_else(pc.match_substring(text, "\0"), pa.scalar(None, pa.string()), text)


def _trimmed(text: pa.Array) -> pa.Array:
    """Without blanks at either end: to Redshift `P1` and `P1 ` are the same id, to DuckDB two."""
    return _null_if_empty(pc.ascii_trim_whitespace(text))


def _null_if_empty(raw: pa.Array) -> pa.Array:
    if not _is_text(raw.type):
        return raw
    text = raw.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _is_lost(raw: pa.Array, values: pa.Array) -> np.ndarray:
    is_lost = pc.and_not(pc.is_valid(_null_if_empty(raw)), pc.is_valid(values))
    return is_lost.to_numpy(zero_copy_only=False).astype(bool)


def _is_text(source: pa.DataType) -> bool:
    if pa.types.is_dictionary(source):
        return _is_text(source.value_type)
    return pa.types.is_string(source) or pa.types.is_large_string(source) or pa.types.is_string_view(source)


def _is_number(source: pa.DataType) -> bool:
    return _is_binary_number(source) or pa.types.is_decimal(source)


def _is_binary_number(source: pa.DataType) -> bool:
    """Not decimals: cast by Arrow, 5.10 would be 5.1000000000000005, and another number than the text 5.10."""
    return pa.types.is_integer(source) or pa.types.is_floating(source)


def _is_time(source: pa.DataType) -> bool:
    return pa.types.is_timestamp(source) or pa.types.is_date(source)
