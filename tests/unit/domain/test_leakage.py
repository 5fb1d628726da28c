import numpy as np
import pandas as pd
import pytest

from packaging_assets.domain import leakage
from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.leakage import find_strongest_feature

RNG = np.random.default_rng(5)
ROWS = 2000
Y = (RNG.random(ROWS) < 0.3).astype(np.int8)
IS_VALIDATION = np.arange(ROWS) % 4 == 0


def strongest(features: FeatureSet, **columns: object) -> tuple[str, float] | None:
    return find_strongest_feature(pd.DataFrame(columns), Y, IS_VALIDATION, features)


def test_a_numeric_feature_made_from_the_label_is_found_in_either_direction():
    features = FeatureSet(numeric=("noise", "leak"))

    found = strongest(features, noise=RNG.normal(size=ROWS), leak=-10.0 * Y + RNG.normal(size=ROWS))

    assert found[0] == "leak"
    assert found[1] > 0.999


def test_among_texts_only_there_is_none():
    assert strongest(FeatureSet(text=("title",)), title=["a mug"] * ROWS) is None


def test_a_feature_that_is_missing_for_one_label_only_is_found():
    assert strongest(FeatureSet(numeric=("leak",)), leak=np.where(Y == 1, 3.0, np.nan)) == ("leak", 1.0)


def test_a_number_that_is_missing_counts_as_less_than_any():
    leak = np.where(Y == 1, 3.0, np.where(np.arange(ROWS) % 8 == 0, np.nan, -1.0))

    assert strongest(FeatureSet(numeric=("leak",)), leak=leak) == ("leak", 1.0)


def test_a_category_ranks_by_its_training_rows_and_one_that_has_none_by_the_overall_rate():
    brand = pd.Categorical([*"aaab", *"accb"])  # rates (2 + .5) / 4, (0 + .5) / 2 and .5: a, then c, then b
    y, is_validation = np.array([1, 1, 0, 0, 1, 1, 0, 0]), np.arange(8) >= 4

    found = find_strongest_feature(
        pd.DataFrame({"brand": brand}), y, is_validation, FeatureSet(numeric=(), categorical=("brand",))
    )

    assert found == ("brand", 3.5 / 4)


def test_a_category_made_from_the_label_is_found():
    found = strongest(
        FeatureSet(numeric=("noise",), categorical=("leak",)),
        noise=RNG.normal(size=ROWS),
        leak=pd.Categorical(np.where(Y == 1, "passed", "failed")),
    )

    assert found == ("leak", 1.0)


def test_a_category_that_names_each_row_gives_nothing_away():
    found = strongest(
        FeatureSet(numeric=(), categorical=("product",)), product=pd.Categorical([f"p{row}" for row in range(ROWS)])
    )

    assert found == ("product", 0.5)


def test_without_training_rows_categories_know_nothing():
    frame = pd.DataFrame({"brand": pd.Categorical(["a", "b"])})

    found = find_strongest_feature(
        frame, np.array([0, 1]), np.array([True, True]), FeatureSet(numeric=(), categorical=("brand",))
    )

    assert found == ("brand", 0.5)


def test_many_rows_are_thinned_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leakage, "MAX_ROWS", 100)

    found = strongest(FeatureSet(numeric=("leak",)), leak=Y * 1.0)

    assert found == ("leak", 1.0)


def test_of_many_rows_all_with_a_rare_label_are_looked_at(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leakage, "MAX_ROWS", 100)
    y = np.zeros(ROWS, np.int8)
    y[[400, 404, 1200]] = 1  # of 500 validation rows
    looked_at = []
    monkeypatch.setattr(leakage, "area_under_roc", lambda labels, _: looked_at.append(np.bincount(labels)) or 0.5)

    find_strongest_feature(pd.DataFrame({"a": y * 1.0}), y, IS_VALIDATION, FeatureSet(numeric=("a",)))

    assert [counts.tolist() for counts in looked_at] == [[100, 3]]
