import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.domain import row_order
from packaging_assets.domain.row_order import in_order, is_before_next

ORDER = ("day", "id")


def rows(*keys: tuple[int, str | None]) -> pa.Table:
    days = pa.array([dt.datetime.fromisoformat(f"2025-01-0{day}") for day, _ in keys], pa.timestamp("us"))
    return pa.table({"id": pa.array([name for _, name in keys], pa.string()), "day": days})


def keys(table: pa.Table) -> list[tuple[int, str | None]]:
    return [(row["day"].day, row["id"]) for row in table.to_pylist()]


def test_rows_are_compared_column_by_column_and_null_is_in_no_order():
    table = rows((1, "b"), (1, "é"), (2, "a"), (2, "a"), (1, "z"), (3, None), (4, "a"), (4, None))
    assert is_before_next(table, ORDER).to_pylist() == [True, True, False, False, False, False, False]
    assert is_before_next(table.slice(0, 1), ORDER).to_pylist() == []
    assert is_before_next(table.slice(0, 0), ORDER).to_pylist() == []


def test_texts_are_not_compared_where_the_first_column_decides(monkeypatch):
    compared = []
    real = row_order.pc.less
    monkeypatch.setattr(row_order.pc, "less", lambda *columns: compared.append(columns[0].type) or real(*columns))
    assert is_before_next(rows((1, "b"), (2, "a"), (4, "c"), (3, "d")), ORDER).to_pylist() == [True, True, False]
    assert compared == [pa.timestamp("us")]
    assert is_before_next(rows((1, "b"), (2, "a"), (2, "c")), ORDER).to_pylist() == [True, True]
    assert compared[1:] == [pa.timestamp("us"), pa.string()]


def test_what_is_in_order_stays_where_it_is():
    table = rows((1, "a"), (1, "b"), (2, "a"))
    assert in_order(table, ORDER)["id"].chunk(0).buffers()[2].address == table["id"].chunk(0).buffers()[2].address
    assert keys(in_order(table.slice(0, 0), ORDER)) == []


def test_stretches_change_places_without_being_copied():
    table = rows((3, "a"), (3, "b"), (1, "c"), (2, "a"))
    found = in_order(table, ORDER)
    assert keys(found) == [(1, "c"), (2, "a"), (3, "a"), (3, "b")]
    addresses = {chunk.buffers()[2].address for chunk in found["id"].chunks}
    assert addresses == {table["id"].chunk(0).buffers()[2].address}


def test_stretches_that_overlap_are_sorted_row_by_row():
    assert keys(in_order(rows((1, "a"), (3, "a"), (2, "a"), (4, "a")), ORDER)) == [(n, "a") for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("limit", [1, 64])
def test_many_stretches_are_sorted_row_by_row(monkeypatch, limit):
    monkeypatch.setattr(row_order, "MAX_STRETCHES", limit)
    assert keys(in_order(rows((2, "a"), (1, "b"), (1, "a")), ORDER)) == [(1, "a"), (1, "b"), (2, "a")]


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abc")), unique=True, max_size=12))
def test_any_distinct_rows_come_out_sorted(given_keys: list[tuple[int, str]]):
    assert keys(in_order(rows(*given_keys), ORDER)) == sorted(given_keys)
