import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.stacked import StackedArchitecture
from packaging_assets.domain.features import DEFAULT_FEATURES, FeatureError, FeatureSet

FEATURES = FeatureSet(scores=("box", "bag"))


def scores(rows=500):
    random = np.random.default_rng(0)
    logits = random.normal(size=(rows, 2))
    labels = (logits[:, 0] + random.normal(size=rows) > 0).astype(np.int8)
    return pd.DataFrame(1 / (1 + np.exp(-logits)), columns=list(FEATURES.columns)).astype(np.float32), labels


def fit(frame, labels, weight=None, **parameters):
    weight = np.ones(len(labels)) if weight is None else weight
    return StackedArchitecture(FEATURES, parameters).fit(frame, labels, sample_weight=weight, seed=1)


@pytest.mark.parametrize("c", [0.01, 1, 100.0])
def test_it_finds_what_scikit_learns_logistic_regression_finds(c):
    frame, labels = scores()
    weight = np.linspace(0.5, 2, len(labels))
    values = frame.to_numpy(np.float64)
    logits = np.log(values / (1 - values))
    reference = LogisticRegression(C=c, tol=1e-10, max_iter=1000).fit(logits, labels, sample_weight=weight)

    model = fit(frame, labels, weight, C=c)

    assert model._coefficients == pytest.approx(reference.coef_[0], abs=1e-5)
    assert model._intercept == pytest.approx(reference.intercept_[0], abs=1e-5)
    probabilities = model.predict_proba(model.prepare(frame))
    assert probabilities == pytest.approx(reference.predict_proba(logits), abs=1e-5)


def test_the_informative_score_matters_more():
    importance = fit(*scores()).feature_importance()

    assert importance["score_box"] > 90


def test_scores_that_never_vary_matter_alike():
    frame, labels = scores()
    frame[:] = np.float32(0.5)

    assert fit(frame, labels).feature_importance() == {"score_box": 50, "score_bag": 50}


def test_certain_scores_are_kept_from_infinity():
    frame, labels = scores()
    frame["score_box"] = labels.astype(np.float32)

    model = fit(frame, labels)

    assert np.isfinite(model.predict_proba(model.prepare(frame))).all()


def test_an_absent_score_counts_as_the_mean_one():
    frame, labels = scores()
    model = fit(frame, labels)
    absent, mean = frame.iloc[:1].copy(), frame.iloc[:1].copy()
    absent["score_box"] = np.float32(np.nan)
    mean["score_box"] = 1 / (1 + np.exp(-model._middle[0]))

    found = model.predict_proba(model.prepare(absent))

    assert found == pytest.approx(model.predict_proba(model.prepare(mean)), abs=1e-6)


def test_it_trains_though_a_model_never_scored():
    frame, labels = scores()
    frame["score_bag"] = np.float32(np.nan)

    assert fit(frame, labels).feature_importance() == {"score_box": 100, "score_bag": 0}


@pytest.mark.parametrize("features", [DEFAULT_FEATURES, FeatureSet(numeric=("weight_kg",), scores=("box",))])
def test_other_features_are_refused_with_the_place_to_list_models(features):
    with pytest.raises(ArchitectureError, match="list those models under `feeds_from`, no other features"):
        StackedArchitecture(features, {})


@pytest.mark.parametrize("c", [0, -1, "strong", True])
def test_a_strength_that_is_none_is_refused(c):
    with pytest.raises(ArchitectureError, match=f"'C' is {c!r}; give a number above 0"):
        StackedArchitecture(FEATURES, {"C": c})


def test_it_is_saved_as_json(tmp_path):
    fit(*scores()).save(tmp_path)

    saved = json.loads((tmp_path / "stacked.json").read_text())

    assert sorted(saved) == ["coefficients", "columns", "intercept", "mean_logits", "spread_of_logits"]
    assert [path.name for path in tmp_path.iterdir()] == ["stacked.json"]


def test_what_was_saved_scores_alike(tmp_path):
    frame, labels = scores()
    model = fit(frame, labels)
    model.save(tmp_path)

    loaded = StackedArchitecture.load(tmp_path, FEATURES)

    assert loaded.predict_proba(loaded.prepare(frame)).tolist() == model.predict_proba(model.prepare(frame)).tolist()
    assert loaded.feature_importance() == model.feature_importance()


def test_a_frame_in_another_order_is_refused():
    frame, labels = scores()
    model = fit(frame, labels)

    with pytest.raises(FeatureError, match=r"has the columns \('score_bag', 'score_box'\).*expects \('score_box',"):
        model.prepare(frame[["score_bag", "score_box"]])
