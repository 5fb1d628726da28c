import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from packaging_assets.resources.redshift_literals import literal, quoted
from packaging_assets.resources.redshift_rows import arrow_schema, typed_rows
from packaging_assets.resources.redshift_sql import beginning, is_ordered, reads_only, rendered


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-1, "(-1)"),
        (2**31, "cast('2147483648' as bigint)"),
        (-(2**63), "cast('-9223372036854775808' as bigint)"),
        (np.int64(5), "5"),
        (np.float32(0.5), "cast('0.5' as double precision)"),
        (0.1, "cast('0.1' as double precision)"),
        (-0.0, "cast('-0.0' as double precision)"),
        (math.nan, "cast('NaN' as double precision)"),
        (-math.inf, "cast('-Infinity' as double precision)"),
        (Decimal("-12.50"), "cast('-12.50' as decimal(4, 2))"),
        (Decimal("1e3"), "cast('1000' as decimal(4, 0))"),
        (Decimal("0.001"), "cast('0.001' as decimal(3, 3))"),
        ("", "cast('' as varchar(1))"),
        ("it's", "cast('it''s' as varchar(4))"),
        ("ü", "cast('ü' as varchar(2))"),
        ("\\'; drop table x", "cast('' || chr(92) || '''; drop table x' as varchar(16))"),
        (dt.date(1969, 12, 31), "cast('1969-12-31' as date)"),
        (dt.datetime(2025, 1, 6, 1), "cast('2025-01-06 01:00:00.000000' as timestamp)"),  # noqa: DTZ001 - naive UTC
        (dt.datetime(2025, 1, 6, tzinfo=dt.UTC), "cast('2025-01-06 00:00:00.000000+00:00' as timestamptz)"),
    ],
)
def test_each_value_has_one_form(value: object, sql: str) -> None:
    assert literal(value) == sql


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (2**63, "beyond 64 bits"),
        (Decimal("NaN"), "not finite"),
        (Decimal(10) ** 38, "39 digits"),
        ("a\0b", "null character"),
        ("\ud800", "not valid Unicode"),
        (b"bytes", "type bytes has no form"),
        ([1], "type list has no form"),
    ],
)
def test_what_redshift_cannot_hold_is_refused(value: object, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        literal(value)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select $a", "select 1"),
        ("select $a, '$ab'", "select 1, '$ab'"),
        ("select 5 -$a ;\n", "select 5 -1"),
        ("select '$a', '''$a', \"$a\", $a", "select '$a', '''$a', \"$a\", 1"),
        ("select $$ $a ' $$, $tag$ $a $$ $tag$, $a", "select $$ $a ' $$, $tag$ $a $$ $tag$, 1"),
        ("-- it's $a\nselect $a -- $b", "select 1"),
        ("select /* it's\n$b */ $a", "select   1"),
        ("select col$a, $a", "select col$a, 1"),
        ("select '--', '/*', $a", "select '--', '/*', 1"),
    ],
)
def test_parameters_are_put_where_sql_has_a_value(sql: str, expected: str) -> None:
    assert rendered(sql, {"a": 1}) == expected


@pytest.mark.parametrize(
    ("sql", "parameters", "error"),
    [
        ("select $ab", {"a": 1}, r"parameter \$ab has no value"),
        ("select $a", {}, r"parameter \$a has no value"),
        ("select '$a'", {"a": 1}, r"parameter \$a stands nowhere"),
        ("select $a", {"a": object()}, r"parameter \$a: a parameter of type object"),
        ("select 'a", {}, "a ' that is not closed"),
        ('select "a', {}, 'a " that is not closed'),
        ("select 1 /* a", {}, r"a /\* that is not closed"),
        ("select '\\'", {}, "no backslash"),
    ],
)
def test_sql_that_cannot_be_rendered_is_refused(sql: str, parameters: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        rendered(sql, parameters)


def test_a_quoted_text_has_no_backslash() -> None:
    assert quoted("select 'a'") == "'select ''a'''"
    with pytest.raises(ValueError, match="no backslash"):
        quoted("\\")


ORDERED = (
    "select 1 order by 1",
    "select 1 ORDER\nBY 1",
    "select 1 order /* by */ by 1",
    "with a as (select 1 as b order by 1) select * from a order by b",
)
UNORDERED = (
    "select rank() over (order by a) from t",
    "select * from (select 1 as a order by 1) as t",
    "select 'order by' as a",
    "select 1 -- order by 1",
)


def test_the_order_of_a_query_is_seen() -> None:
    assert [sql for sql in ORDERED + UNORDERED if is_ordered(sql)] == list(ORDERED)


QUERIES = ("-- delete\n SELECT 1", "(with a as (select 1) select 2)")
WRITES = ("delete from t", "/* select */ drop table t", "")


def test_queries_are_told_from_what_writes() -> None:
    assert [sql for sql in QUERIES + WRITES if reads_only(sql)] == list(QUERIES)


def test_the_beginning_of_a_statement_is_one_short_line() -> None:
    assert beginning("-- why\nselect\n  $a /* b */ from t") == "select $a from t"
    assert len(beginning("select " + "x" * 500)) == 163


def test_fields_become_the_types_of_duckdb() -> None:
    names = ["bool", "int2", "int8", "float4", "float8", "numeric", "numeric", "date", "timestamp", "varchar", "float8"]
    columns = [
        {"name": f"c{at}", "label": "" if at else "first", "typeName": name, "scale": 2 if at == 6 else 0}
        for at, name in enumerate(names)
    ]
    record = [
        {"booleanValue": True},
        {"longValue": 5},
        {"longValue": 2**62},
        {"doubleValue": 0.1},
        {"doubleValue": 0.1},
        {"stringValue": "12345678901234567890"},
        {"stringValue": "12.50"},
        {"stringValue": "0001-01-01"},
        {"stringValue": "2025-01-06 01:02:03.5"},
        {"isNull": True},
        {"stringValue": "-Infinity"},
    ]
    (row,) = typed_rows(columns, [record])
    assert list(row.values()) == [
        True,
        5,
        2**62,
        0.10000000149011612,
        0.1,
        12345678901234567890,
        Decimal("12.50"),
        dt.date(1, 1, 1),
        dt.datetime(2025, 1, 6, 1, 2, 3, 500_000),  # noqa: DTZ001 - naive UTC
        None,
        -math.inf,
    ]
    assert list(row) == ["first", *(f"c{at}" for at in range(1, 11))]
    types = [str(kind) for kind in arrow_schema(columns).types]
    integers, doubles = ["int64"] * 2, ["double"]
    times = ["date32[day]", "timestamp[us]", "string", "double"]
    assert types == ["bool", *integers, "float", *doubles, "int64", "double", *times]
