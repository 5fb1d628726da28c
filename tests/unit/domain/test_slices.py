import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import log_loss

from packaging_assets.domain.features import MISSING
from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy
from packaging_assets.domain.slices import compare_slices, holm, log_losses, slice_rows


def test_rows_are_sliced_by_value_and_by_bands_of_equally_many():
    frame = pd.DataFrame(
        {
            "category": pd.Categorical(["a", "b"] * 4),
            "brand": pd.Categorical(["x"] * 8),
            "volume_l": np.r_[np.arange(7.0), np.nan].astype(np.float32),
            "price_usd": np.full(8, np.nan, np.float32),
        }
    )

    slices = slice_rows(frame, GatePolicy.model_validate({"slice_band_count": 2}))

    assert list(slices["category"]) == ["a", "b"] * 4
    assert list(slices["volume_l"]) == ["below 3"] * 3 + ["from 3"] * 4 + [MISSING]
    assert set(slices["price_usd"]) == {MISSING}


def test_bands_in_the_middle_are_named_by_both_ends():
    frame = pd.DataFrame({"price_usd": np.arange(8.0)})

    slices = slice_rows(frame, GatePolicy.model_validate({"slice_categories": (), "slice_bands": ("price_usd",)}))

    assert list(dict.fromkeys(slices["price_usd"])) == ["below 1.75", "1.75 to 3.5", "3.5 to 5.25", "from 5.25"]


def test_edges_that_read_alike_give_names_that_differ():
    frame = pd.DataFrame({"price_usd": 1 + np.arange(80.0) / 1e6})

    slices = slice_rows(frame, GatePolicy.model_validate({"slice_categories": (), "slice_bands": ("price_usd",)}))

    assert list(dict.fromkeys(slices["price_usd"])) == ["below 1", "1 to 1 (1)", "1 to 1 (2)", "from 1"]


def test_each_slices_figures_are_those_of_its_rows():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 600)
    candidate, champion = rng.uniform(0.1, 0.9, (2, 600))
    values = np.repeat(["a", "b", "tiny"], [300, 290, 10])

    compared = compare_slices({"category": pd.Categorical(values)}, y, candidate, champion, DEFAULT_POLICY)

    rows = compared["rows"]
    assert [row["value"] for row in rows] == ["a", "b"]
    for row in rows:
        mask = values == row["value"]
        losses = [-np.log(np.where(y == 1, scores, 1 - scores))[mask] for scores in (candidate, champion)]
        difference = losses[0] - losses[1]
        z = difference.mean() / (difference.std() / np.sqrt(mask.sum()))
        assert (row["rows"], row["minority_rows"]) == (mask.sum(), y[mask].sum())
        assert row["candidate_log_loss"] == pytest.approx(log_loss(y[mask], candidate[mask]))
        assert row["champion_log_loss"] == pytest.approx(log_loss(y[mask], champion[mask]))
        assert row["relative_change"] == pytest.approx(row["candidate_log_loss"] / row["champion_log_loss"] - 1)
        assert row["z"] == pytest.approx(z)
        assert row["p_value"] == pytest.approx(norm.sf(z))


def test_a_slice_that_got_much_worse_is_found_and_the_rest_is_not():
    rng = np.random.default_rng(2)
    champion = rng.beta(1, 3, 4000)
    y = (rng.random(4000) < champion).astype(int)
    values = np.repeat(["a", "b", "c", "d"], 1000)
    candidate = np.where(values == "b", rng.permutation(champion), champion)

    rows = compare_slices({"category": pd.Categorical(values)}, y, candidate, champion, DEFAULT_POLICY)["rows"]

    assert [row["value"] for row in rows if row["is_worse"]] == ["b"]


def test_a_difference_that_is_everywhere_the_same_is_beyond_doubt():
    y = np.ones(50, int)

    for candidate, z, is_worse in ((0.4, 99.0, True), (0.6, -99.0, False), (0.5, 0.0, False)):
        (row,) = compare_slices(
            {"x": pd.Categorical(["a"] * 50)}, y, np.full(50, candidate), np.full(50, 0.5), DEFAULT_POLICY
        )["rows"]
        assert (row["z"], row["is_worse"]) == (z, is_worse)


def test_certainty_that_is_wrong_costs_much_and_not_everything():
    y, scores = np.array([1, 0, 1, 0]), np.array([0.0, 1.0, 1.0, 0.0])

    eps = np.finfo(np.float64).eps
    assert log_losses(y, scores).tolist() == pytest.approx([-np.log(eps), -np.log(eps), eps, eps], rel=1e-9)
    assert log_losses(y, scores).mean() == pytest.approx(log_loss(y, scores))


def test_copies_of_rows_make_no_slice_surer_if_they_are_one_group():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 300)
    candidate, champion = rng.uniform(0.1, 0.9, (2, 300))
    values = np.repeat(["a", "b"], [200, 100])
    rows = rng.permutation(np.repeat(np.arange(300), 4))
    (first, second) = compare_slices({"x": pd.Categorical(values)}, y, candidate, champion, DEFAULT_POLICY)["rows"]
    copies = ({"x": pd.Categorical(values[rows])}, y[rows], candidate[rows], champion[rows], DEFAULT_POLICY)

    grouped = compare_slices(*copies, groups=rows)["rows"]
    independent = compare_slices(*copies)["rows"]

    assert [row["z"] for row in grouped] == pytest.approx([first["z"], second["z"]])
    assert [row["z"] for row in independent] == pytest.approx([2 * first["z"], 2 * second["z"]])
    assert [(row["rows"], row["minority_rows"]) for row in grouped] == [
        (4 * row["rows"], 4 * row["minority_rows"]) for row in (first, second)
    ]


@pytest.mark.parametrize(("families", "compared"), [(20, ["a"]), (19, [])])
def test_a_slice_needs_as_many_groups_as_it_would_need_rows(families: int, compared: list[str]):
    rng = np.random.default_rng(4)
    groups = np.arange(200) % families
    groups[100:] += 100  # of the other slice, where no row has the rarer label
    y, values = np.repeat([1, 0], 100), pd.Categorical(np.repeat(["a", "b"], 100))
    candidate, champion = rng.uniform(0.1, 0.9, (2, 200))

    rows = compare_slices({"x": values}, y, candidate, champion, DEFAULT_POLICY, groups)["rows"]

    assert [row["value"] for row in rows] == compared


def test_a_group_that_lies_in_two_slices_is_one_unit_in_either():
    groups, y = np.arange(240) // 2, np.ones(240, int)  # pairs, one row of each in either slice
    values = pd.Categorical(np.tile(["a", "b"], 120))
    candidate, champion = np.random.default_rng(5).uniform(0.1, 0.9, (2, 240))

    rows = compare_slices({"x": values}, y, candidate, champion, DEFAULT_POLICY, groups)["rows"]

    plain = compare_slices({"x": values}, y, candidate, champion, DEFAULT_POLICY)["rows"]
    assert [row["z"] for row in rows] == pytest.approx([row["z"] for row in plain])


def test_holm_is_what_the_textbook_says():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([1e-6]) == [1e-6]
    assert holm([]) == []


def test_a_small_difference_that_is_the_same_in_every_row_is_beyond_doubt():
    y, slices = np.ones(40, int), {"category": pd.Categorical(["toys"] * 40)}

    (row,) = compare_slices(slices, y, np.full(40, 0.5), np.full(40, 0.501), DEFAULT_POLICY)["rows"]

    assert row["z"] == 99.0
    assert not row["is_worse"]  # it is too small to matter


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusting_never_lowers_a_p_value_and_keeps_the_order(p_values: list[float]):
    adjusted = holm(p_values)

    order = np.argsort(p_values, kind="stable")
    assert all(0 <= p <= after <= 1 for p, after in zip(p_values, adjusted, strict=True))
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
