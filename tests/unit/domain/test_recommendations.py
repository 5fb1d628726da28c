import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from packaging_assets.domain.recommendations import monotone_damage

PROBABILITY = st.floats(0, 1, allow_subnormal=False)
ROWS = st.integers(1, 5).flatmap(
    lambda types: st.lists(st.lists(PROBABILITY, min_size=types, max_size=types), min_size=1)
)


@settings(deadline=None)
@given(ROWS)
def test_it_is_the_isotonic_regression_of_each_row(rows):
    monotone = monotone_damage(np.array(rows))

    for given_row, row in zip(rows, monotone, strict=True):
        assert row == pytest.approx(isotonic_regression(given_row, increasing=False), abs=1e-12)


@settings(deadline=None)
@given(ROWS)
def test_it_never_increases_stays_in_range_and_leaves_monotone_rows_alone(rows):
    monotone = monotone_damage(np.array(rows))

    assert (np.diff(monotone, axis=1) <= 0).all()
    assert ((monotone >= 0) & (monotone <= 1)).all()
    ordered = np.sort(np.array(rows), axis=1)[:, ::-1]
    assert monotone_damage(ordered) == pytest.approx(ordered, abs=1e-15)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), PROBABILITY), min_size=1, max_size=5))
def test_types_without_a_model_do_not_influence_the_others(row):
    values = np.array([[np.nan if value is None else value for value in row]])
    present = ~np.isnan(values[0])

    monotone = monotone_damage(values)

    assert np.isnan(monotone[0]).tolist() == (~present).tolist()
    if present.any():
        assert monotone[:, present] == pytest.approx(monotone_damage(values[:, present]), abs=1e-15)


def test_a_violation_is_shared_between_neighbours():
    assert monotone_damage(np.array([[0.2, 0.6, 0.1, 0.0]])) == pytest.approx(np.array([[0.4, 0.4, 0.1, 0.0]]))


def test_no_products_give_no_rows():
    assert monotone_damage(np.empty((0, 4))).shape == (0, 4)
