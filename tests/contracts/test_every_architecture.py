"""What every architecture promises, whichever learner is behind it."""

import numpy as np
import pandas as pd
import pytest

from packaging_assets.domain.architectures import BUILT_IN, ArchitectureError, architecture_class
from packaging_assets.domain.features import MISSING, FeatureError, FeatureSet

FEATURES = FeatureSet(numeric=("weight_kg", "length_cm", "noise"), categorical=("category",))
SEED = 3

architectures = pytest.mark.parametrize("name", sorted(BUILT_IN))


def products(rows=400, seed=0):
    """Light toys are suitable; the noise is not informative."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({column: random.normal(size=rows).astype(np.float32) for column in FEATURES.numeric})
    frame.iloc[::17, 1] = np.nan
    categories = pd.Index(["toys", "tools", MISSING], dtype=object)
    frame["category"] = pd.Categorical.from_codes(random.integers(0, 3, rows), categories=categories)
    labels = (2 * (frame["category"] == "toys") - frame["weight_kg"] + random.normal(0, 0.3, rows) > 0).to_numpy()
    return frame, labels.astype(np.int8)


def fit(name, features=FEATURES, seed=SEED, **parameters):
    frame, labels = products()
    weight = np.ones(len(labels))
    return architecture_class(name)(features, parameters).fit(frame, labels, sample_weight=weight, seed=seed)


def scores(model, frame):
    return model.predict_proba(model.prepare(frame))


@architectures
def test_probabilities_are_two_columns_that_add_up_to_one(name):
    frame, labels = products(seed=1)

    probabilities = scores(fit(name), frame)

    assert probabilities.shape == (400, 2)
    assert probabilities.dtype == np.float64
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(400))
    assert ((probabilities[:, 1] > 0.5) == labels).mean() > 0.85


@architectures
def test_a_saved_model_scores_exactly_as_before(name, tmp_path):
    model = fit(name)
    frame, _ = products(seed=1)
    model.save(tmp_path)

    loaded = architecture_class(name).load(tmp_path, FEATURES)

    assert (scores(loaded, frame) == scores(model, frame)).all()
    assert loaded.feature_importance() == model.feature_importance()


@architectures
def test_equal_training_gives_equal_bytes_and_another_seed_another_model(name, tmp_path):
    saved = []
    for folder, seed in (("a", SEED), ("b", SEED), ("c", SEED + 1)):
        (tmp_path / folder).mkdir()
        fit(name, seed=seed).save(tmp_path / folder)
        saved.append({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()})

    assert saved[0] == saved[1]
    assert saved[0] != saved[2]


@architectures
def test_prepared_rows_are_shared_by_models_on_the_same_features(name):
    one, other = fit(name), fit(name, seed=SEED + 1)
    frame, _ = products(seed=1)

    prepared = one.prepare(frame)

    assert (other.predict_proba(prepared) == scores(other, frame)).all()


@architectures
def test_scores_of_a_row_do_not_depend_on_the_rows_beside_it(name):
    model = fit(name)
    frame, _ = products(seed=1)

    assert (scores(model, frame)[100:200] == scores(model, frame.iloc[100:200])).all()


@architectures
def test_values_never_seen_in_training_are_scored(name):
    model = fit(name)
    frame, _ = products(rows=5, seed=1)
    frame["category"] = pd.Categorical(["new"] * 5, categories=pd.Index(["new"], dtype=object))
    frame["weight_kg"] = np.float32(np.nan)

    assert np.isfinite(scores(model, frame)).all()


@architectures
def test_weights_matter(name):
    frame, labels = products()
    weight = np.where(labels == 1, 20.0, 1.0)

    weighted = architecture_class(name)(FEATURES, {}).fit(frame, labels, sample_weight=weight, seed=SEED)

    assert scores(weighted, frame)[:, 1].mean() > scores(fit(name), frame)[:, 1].mean()


@architectures
def test_importance_adds_up_to_100_percent_and_ranks_the_noise_below_the_signal(name):
    importance = fit(name).feature_importance()

    assert tuple(importance) == FEATURES.columns
    assert sum(importance.values()) == pytest.approx(100)
    assert importance["noise"] < importance["weight_kg"]


@architectures
def test_permuted_columns_are_refused(name):
    frame, labels = products()
    permuted = frame[["length_cm", "weight_kg", "noise", "category"]]

    with pytest.raises(FeatureError, match=r"the model expects \('weight_kg', 'length_cm', 'noise', 'category'\)"):
        fit(name).prepare(permuted)
    with pytest.raises(FeatureError, match="the frame has the columns"):
        architecture_class(name)(FEATURES, {}).fit(permuted, labels, sample_weight=np.ones(400), seed=SEED)


@architectures
def test_an_unknown_parameter_is_refused_before_training(name):
    with pytest.raises(ArchitectureError, match="'no_such_parameter'"):
        architecture_class(name)(FEATURES, {"no_such_parameter": 1})


@architectures
def test_a_folder_without_a_model_is_refused(name, tmp_path):
    with pytest.raises(ArchitectureError, match=str(tmp_path)):
        architecture_class(name).load(tmp_path, FEATURES)
