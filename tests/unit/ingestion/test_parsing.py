"""Which texts and Parquet values become which typed values, and which are bad."""

import datetime as dt
import decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packaging_assets.ingestion.parsing import is_parsable, parse_column

BAD = object()
TIME = pa.timestamp("us")
SIX = dt.datetime(2025, 1, 6)  # noqa: DTZ001 - the contract's times are naive UTC


def parsed(values: pa.Array, target: pa.DataType) -> list[Any]:
    column = parse_column(values, target)
    assert column.values.type == target
    return [BAD if bad else value for bad, value in zip(column.is_bad, column.values.to_pylist(), strict=True)]


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("2025-01-06", TIME, SIX),
        ("2025-01-06T09:30", TIME, SIX.replace(hour=9, minute=30)),
        ("2025-01-06 09:30:15.25", TIME, SIX.replace(hour=9, minute=30, second=15, microsecond=250_000)),
        ("2025-01-06T09:30:00Z", TIME, SIX.replace(hour=9, minute=30)),
        ("2025-01-06T00:30:00+02:00", TIME, SIX.replace(day=5, hour=22, minute=30)),
        ("2025-01-06T00:30-0530", TIME, SIX.replace(hour=6)),
        ("2025-01-06T00:00:00.1234567", TIME, SIX.replace(microsecond=123_456)),
        ("2025-02-30", TIME, BAD),
        ("06/01/2025", TIME, BAD),
        ("20250106", TIME, BAD),
        ("1736121600", TIME, BAD),
        ("", TIME, None),
        ("true", pa.bool_(), True),
        ("T", pa.bool_(), True),
        ("1", pa.bool_(), True),
        ("False", pa.bool_(), False),
        ("f", pa.bool_(), False),
        ("0", pa.bool_(), False),
        ("yes", pa.bool_(), BAD),
        ("", pa.bool_(), None),
        ("1.5", pa.float64(), 1.5),
        (" 1.5 ", pa.float64(), 1.5),
        ("-2e3", pa.float64(), -2000.0),
        ("nan", pa.float64(), BAD),
        ("inf", pa.float64(), BAD),
        ("1e400", pa.float64(), BAD),
        ("1e39", pa.float32(), BAD),
        ("1,5", pa.float64(), BAD),
        ("0x10", pa.float64(), BAD),
        ("", pa.float64(), None),
        ("3", pa.int64(), 3),
        ("+3", pa.int64(), 3),
        ("+3.0", pa.int64(), 3),
        ("+-3", pa.int64(), BAD),
        ("++3", pa.int64(), BAD),
        ("+3", pa.float64(), 3.0),
        ("3.0", pa.int64(), 3),
        ("3.5", pa.int64(), BAD),
        ("-3", pa.int64(), -3),
        ("99999999999999999999", pa.int64(), BAD),
        ("", pa.int64(), None),
        ("Mug, blue", pa.string(), "Mug, blue"),
        ("Mug\0", pa.string(), BAD),
        (" \tMug, blue \r\n", pa.string(), "Mug, blue"),
        ("\u00a0Mug", pa.string(), "\u00a0Mug"),
        ("  ", pa.string(), None),
        (" \0", pa.string(), BAD),
        ("", pa.string(), None),
    ],
)
def test_text(text: str, target: pa.DataType, expected: object) -> None:
    assert parsed(pa.array([text]), target) == [expected]
    # Beside a value that only the closer look can read, the outcome is the same.
    assert parsed(pa.array([text, "x"]), target)[0] == expected


@pytest.mark.parametrize(
    ("values", "target", "expected"),
    [
        (pa.array([3.0, 3.5, None]), pa.int64(), [3, BAD, None]),
        (pa.array([3, None]), pa.float64(), [3.0, None]),
        (pa.array([1.5, float("nan"), float("inf"), None]), pa.float64(), [1.5, BAD, BAD, None]),
        (pa.array([decimal.Decimal("1.25")]), pa.float64(), [1.25]),
        (pa.array([decimal.Decimal("5.10"), decimal.Decimal("0.07"), None]), pa.float64(), [5.1, 0.07, None]),
        (pa.array([decimal.Decimal("5.10")], pa.decimal256(50, 2)), pa.float32(), [5.099999904632568]),
        (pa.array([decimal.Decimal("1e-30")]), pa.float64(), [1e-30]),
        (pa.array([1e39]), pa.float32(), [BAD]),
        (pa.array([1, 0, 2]), pa.bool_(), [True, False, BAD]),
        (pa.array([True]), pa.float64(), [BAD]),
        (pa.array([17]), pa.string(), ["17"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), pa.string(), ["a", "b", "a"]),
        (pa.array([None, None]), pa.float32(), [None, None]),
        (pa.array([SIX], pa.timestamp("ns")), TIME, [SIX]),
        (pa.array([1], pa.timestamp("ns")), TIME, [dt.datetime(1970, 1, 1)]),  # noqa: DTZ001
        (pa.array([SIX.date()]), TIME, [SIX]),
        (pa.array([1736121600]), TIME, [BAD]),
    ],
)
def test_parquet_values(values: pa.Array, target: pa.DataType, expected: list[Any]) -> None:
    assert parsed(values, target) == expected


@pytest.mark.parametrize(
    ("target", "good"), [(pa.string(), "true"), (pa.bool_(), True), (TIME, BAD), (pa.int64(), BAD), (pa.float32(), BAD)]
)
def test_text_that_is_not_utf8_costs_its_value_only(target: pa.DataType, good: object) -> None:
    values = pa.array([b"true", b"tr\xff", b"", None], pa.binary()).view(pa.string())
    assert parsed(values, target) == [good, BAD, None, None]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_the_number_that_its_text_is(number: decimal.Decimal) -> None:
    values = pa.array([number], pa.decimal128(20, 3))
    assert parsed(values, pa.float64()) == parsed(pa.array([str(number)]), pa.float64()) == [float(number)]


@example(["+5"])
@given(st.lists(st.from_regex(r"[-+.eE0-9,]{1,6}", fullmatch=True), min_size=1, max_size=5))
def test_what_looks_like_a_number_is_one_or_bad(texts: list[str]) -> None:
    for target in (pa.int64(), pa.float64(), pa.float32()):
        assert len(parsed(pa.array(texts), target)) == len(texts)


def test_times_with_a_zone_are_converted_to_utc() -> None:
    eleven_utc = 1_736_118_000_000  # 2025-01-05 23:00 UTC, 01:00 in Athens
    values = pa.array([eleven_utc], pa.timestamp("ms", "Europe/Athens"))
    assert parsed(values, TIME) == [SIX.replace(day=5, hour=23)]


def test_nested_and_binary_columns_are_not_parsable() -> None:
    assert [is_parsable(kind) for kind in (pa.list_(pa.string()), pa.binary(), pa.time32("s"))] == [False] * 3
    assert all(is_parsable(kind) for kind in (pa.string(), pa.large_string(), pa.int8(), pa.date32(), pa.bool_()))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_number_written_out_is_read_back(numbers: list[float]) -> None:
    assert parsed(pa.array([repr(number) for number in numbers]), pa.float64()) == numbers


@given(st.lists(st.text(), min_size=1), st.sampled_from([TIME, pa.bool_(), pa.int64(), pa.float32(), pa.string()]))
def test_any_text_is_a_value_or_null_or_bad(texts: list[str], target: pa.DataType) -> None:
    for text, value in zip(texts, parsed(pa.array(texts), target), strict=True):
        missing = text.strip(" \t\n\v\f\r") if target == pa.string() else text
        assert (value is None) == (missing == "")
