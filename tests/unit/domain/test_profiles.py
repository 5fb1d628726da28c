import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from packaging_assets.domain.features import MISSING, FeatureSet
from packaging_assets.domain.gate_policy import DEFAULT_POLICY
from packaging_assets.domain.profiles import (
    ProfileComparison,
    build_profile,
    compare,
    describe_numbers,
    histogram,
    population_stability_index,
)

FEATURES = FeatureSet(numeric=("weight_kg", "title_words"), categorical=("brand",))


def frame_of(weight_kg: object, title_words: object, brand: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "weight_kg": np.asarray(weight_kg, np.float32),
            "title_words": np.asarray(title_words, np.float32),
            "brand": pd.Categorical(brand, categories=sorted({*brand, MISSING, "never used"})),
        }
    )


def test_a_profile_describes_every_column_and_is_plain_json():
    frame = frame_of([1, 2, np.nan, 4], [7, 7, 7, 7], ["a", "a", "b", MISSING])

    profile = build_profile(frame, FEATURES)

    assert profile["rows"] == 4
    assert profile["numeric"]["weight_kg"]["missing_share"] == 0.25
    assert profile["numeric"]["title_words"] == {"edges": [7.0], "shares": [0.0, 1.0], "missing_share": 0.0}
    # What is missing once is no value that was seen once: no new ones are to be expected for it.
    brand = {"shares": {"a": 0.5, "b": 0.25}, "missing_share": 0.25, "singleton_share": 0.25}
    assert profile["categorical"]["brand"] == brand
    assert profile["title"] is None
    assert json.loads(json.dumps(profile, allow_nan=False)) == profile


def test_ten_bins_hold_a_tenth_each():
    values = np.arange(1000.0)

    profile = build_profile(frame_of(values, values, ["a"] * 1000), FEATURES)

    assert profile["numeric"]["weight_kg"]["shares"] == [0.1] * 10


def test_bins_end_where_a_sample_says_and_shares_are_of_all_values():
    values = np.random.default_rng(7).lognormal(size=100_000).astype(np.float32)
    values[::10] = np.nan

    described = describe_numbers(values)

    present = values[~np.isnan(values)].astype(np.float64)
    below = [float((present < edge).mean()) for edge in described["edges"]]
    np.testing.assert_allclose(np.cumsum(described["shares"]), [*below, 1.0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(described["shares"], 0.1, rtol=0, atol=0.01)
    assert described["missing_share"] == 0.1


def test_the_same_rows_have_not_drifted():
    frame = frame_of([1, 2, 3, np.nan], [7, 7, 7, 9], ["a", "a", "b", "b"])

    drift = compare(build_profile(frame, FEATURES), frame)

    assert drift["psi"] == {"weight_kg": 0.0, "title_words": 0.0}
    assert drift["missing"]["weight_kg"] == {"share": 0.25, "reference_share": 0.25, "increase": 0.0, "z": 0.0}
    assert drift["unseen"]["brand"] == {"share": 0, "expected_share": 0.0, "excess": 0.0}
    assert drift["title_words"] is None
    assert (drift["rows"], drift["reference_rows"]) == (4, 4)


def test_a_shift_a_gap_and_new_values_show():
    rng = np.random.default_rng(3)
    before = frame_of(rng.normal(size=2000), np.ones(2000), ["a"] * 1999 + ["b"])
    after = frame_of(rng.normal(1, 1, size=1000), np.r_[np.ones(900), [np.nan] * 100], ["a"] * 700 + ["c"] * 300)

    drift = compare(build_profile(before, FEATURES), after)

    assert drift["psi"]["weight_kg"] == pytest.approx(0.9, abs=0.15)  # a shift by one sd, in ten bins
    assert drift["psi"]["title_words"] == pytest.approx(0, abs=1e-3)
    assert drift["missing"]["title_words"]["increase"] == pytest.approx(0.1)
    assert drift["missing"]["title_words"]["z"] == pytest.approx(14.4, abs=0.1)
    assert drift["unseen"]["brand"] == {"share": 0.3, "expected_share": 1 / 2000, "excess": pytest.approx(0.2995)}


def test_a_category_that_is_missing_is_counted_as_missing_and_not_as_new():
    before = frame_of(np.ones(100), np.ones(100), ["a"] * 90 + [MISSING] * 10)
    after = frame_of(np.ones(100), np.ones(100), ["a"] * 60 + ["c"] * 10 + [MISSING] * 30)

    drift = compare(build_profile(before, FEATURES), after)

    error = np.sqrt(0.2 * 0.8 * (1 / 100 + 1 / 100))
    assert drift["missing"]["brand"] == {
        "share": 0.3,
        "reference_share": 0.1,
        "increase": pytest.approx(0.2),
        "z": pytest.approx(0.2 / error),
    }
    assert drift["unseen"]["brand"]["share"] == 0.1
    assert drift["missing"]["weight_kg"]["z"] == 0.0  # none is missing, then and now


def test_a_column_that_was_empty_or_becomes_empty_has_a_finite_index():
    empty, filled = (frame_of(values, np.ones(50), ["a"] * 50) for values in (np.full(50, np.nan), np.arange(50.0)))

    was_empty = compare(build_profile(empty, FEATURES), filled)
    became_empty = compare(build_profile(filled, FEATURES), empty)

    assert np.isfinite([was_empty["psi"]["weight_kg"], became_empty["psi"]["weight_kg"]]).all()
    assert became_empty["missing"]["weight_kg"]["increase"] == 1.0


def test_the_index_is_symmetric_and_grows_with_the_evidence_for_an_empty_bin():
    full, half = np.array([10.0, 10.0]), np.array([20.0, 0.0])

    assert population_stability_index(full, half) == pytest.approx(population_stability_index(half, full))
    assert population_stability_index(full, half) < population_stability_index(10 * full, 10 * half)
    assert population_stability_index(full, half) == pytest.approx(20 / 42 * (np.log(41 / 21) - np.log(1 / 21)))


@pytest.mark.parametrize("rows", [500, 2000])
def test_the_largest_of_79_features_stays_below_the_policys_limit_without_change(rows: int):
    rng = np.random.default_rng(rows)
    features = FeatureSet(numeric=tuple(f"x{i}" for i in range(79)))
    largest = []
    for _ in range(20):
        before, after = (pd.DataFrame(rng.normal(size=(rows, 79)), columns=list(features.numeric)) for _ in range(2))
        largest.append(max(compare(build_profile(before, features), after)["psi"].values()))

    assert max(largest) < DEFAULT_POLICY.psi_warn + DEFAULT_POLICY.psi_noise * 2 / rows


def test_parts_add_up_to_the_whole():
    rng = np.random.default_rng(5)
    frame = frame_of(rng.normal(size=300), np.r_[np.ones(250), [np.nan] * 50], [*"abc"] * 100)
    titles = pa.array(["Blue Box", "Red Bag", None] * 100)
    other = frame_of(rng.normal(size=300), np.ones(300), [*"abd"] * 100)
    profile = build_profile(frame, FEATURES, titles)

    comparison = ProfileComparison(profile)
    for rows in (slice(0, 7), slice(7, 7), slice(7, 300)):
        comparison.add(other[rows], pa.array(["Blue bag", "Green box", "Blaue Kiste"] * 100)[rows])

    assert comparison.drift() == compare(profile, other, pa.array(["Blue bag", "Green box", "Blaue Kiste"] * 100))
    assert comparison.drift()["title_words"]["share"] == 0.5


def test_no_rows_at_all_have_finite_figures():
    frame = frame_of([1, 2, 3, np.nan], [7, 7, 7, 9], ["a", "a", "b", "b"])

    drift = ProfileComparison(build_profile(frame, FEATURES)).drift()

    assert drift["rows"] == 0
    assert drift["missing"]["weight_kg"]["share"] == drift["unseen"]["brand"]["share"] == 0.0
    assert all(np.isfinite(index) for index in drift["psi"].values())


def test_rows_without_titles_leave_words_out():
    frame = frame_of([1, 2, 3, 4], [7, 7, 7, 9], ["a", "a", "b", "b"])
    profile = build_profile(frame, FEATURES, pa.array(["a"] * 4))

    assert compare(profile, frame)["title_words"] is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_counted_as_in_double_precision_also_at_the_edges(dtype):
    edges = np.array([-1.5, 0.1, 0.3, 1e30])  # .1 and .3 are no float32: one is above the nearest, the other below
    near = [np.nextafter(dtype(edge), dtype(to)) for edge in edges for to in (-np.inf, np.inf)]
    values = np.array([*edges, *near, np.inf, -np.inf, 0.0, np.nan, np.nan], dtype)

    present = values[~np.isnan(values)].astype(np.float64)
    expected = np.bincount(np.searchsorted(edges, present, side="right"), minlength=5)
    assert histogram(edges, values).tolist() == expected.tolist()
    assert histogram(np.empty(0), values).tolist() == [len(present)]
