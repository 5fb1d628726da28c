import numpy as np
import pandas as pd
import pytest

from packaging_assets.domain.architectures import ArchitectureError, architecture_class, architecture_module
from packaging_assets.domain.architectures.catboost import SET_BY_PLATFORM, CatBoostArchitecture
from packaging_assets.domain.features import FeatureError, FeatureSet

FEATURES = FeatureSet(numeric=("weight_kg",))


def fit(frame=None, **parameters):
    random = np.random.default_rng(0)
    if frame is None:
        frame = pd.DataFrame({"weight_kg": random.normal(size=3000).astype(np.float32)})
    labels = (frame["weight_kg"] + random.normal(size=len(frame)) > 0).to_numpy().astype(np.int8)
    model = CatBoostArchitecture(FEATURES, {"iterations": 10, **parameters})
    return model.fit(frame, labels, sample_weight=np.ones(len(labels)), seed=1), frame


def test_architectures_are_found_by_name_or_import_path():
    path = "packaging_assets.domain.architectures.catboost:CatBoostArchitecture"

    assert architecture_class("catboost") is CatBoostArchitecture
    assert architecture_class(path) is CatBoostArchitecture


@pytest.mark.parametrize("name", ["catboost", "packaging_assets.domain.architectures.catboost:CatBoostArchitecture"])
def test_the_module_of_an_architecture_is_known_without_importing_it(name):
    assert architecture_module(name) == "packaging_assets.domain.architectures.catboost"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xgboost", "'xgboost' is neither 'catboost' nor of the form 'package.module:Class'"),
        ("no_such_module:Model", "cannot be imported: No module named 'no_such_module'"),
        ("json:Model", "cannot be imported: module 'json' has no attribute 'Model'"),
        ("json:JSONEncoder", "is not a class with the methods fit, prepare"),
        ("json:dumps", "is not a class with the methods"),
    ],
)
def test_an_architecture_that_cannot_be_used_is_named(name, message):
    with pytest.raises(ArchitectureError, match=message):
        architecture_class(name)


@pytest.mark.parametrize("parameter", ["iteration", "self", "n_jobs"])
def test_an_unknown_parameter_is_named(parameter):
    with pytest.raises(ArchitectureError, match=f"unknown CatBoost parameter '{parameter}'"):
        CatBoostArchitecture(FEATURES, {parameter: 1})


@pytest.mark.parametrize("parameter", sorted(SET_BY_PLATFORM))
def test_what_the_platform_sets_cannot_be_set(parameter):
    with pytest.raises(ArchitectureError, match=f"'{parameter}' cannot be set: "):
        CatBoostArchitecture(FEATURES, {parameter: 1})


@pytest.mark.parametrize("synonym", ["n_estimators", "num_boost_round", "num_trees"])
def test_catboosts_other_names_replace_our_defaults(synonym):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"weight_kg": random.normal(size=100).astype(np.float32)})
    labels = (frame["weight_kg"] > 0).to_numpy().astype(np.int8)

    model = CatBoostArchitecture(FEATURES, {synonym: 3, "max_depth": 2, "eta": 0.5, "max_bin": 16})

    model.fit(frame, labels, sample_weight=np.ones(100), seed=1)
    assert model._model.tree_count_ == 3


@pytest.mark.parametrize(
    ("parameters", "message"), [({"depth": 40}, "Maximum tree depth is 16"), ({"depth": "six"}, 'parameter "depth"')]
)
def test_catboosts_own_reason_is_passed_on(parameters, message):
    with pytest.raises(ArchitectureError, match=f"CatBoost refuses to train: .*{message}"):
        fit(**parameters)


def test_scores_and_bytes_do_not_depend_on_the_number_of_threads(tmp_path):
    saved, scores = [], []
    for threads in (1, 2):
        model, frame = fit(thread_count=threads)
        model.save(tmp_path)
        saved.append((tmp_path / "model.cbm").read_bytes())
        scores.append(model.predict_proba(model.prepare(frame)))

    assert saved[0] == saved[1]
    assert (scores[0] == scores[1]).all()


def test_a_model_of_other_features_is_refused(tmp_path):
    model, _ = fit()
    model.save(tmp_path)

    with pytest.raises(FeatureError, match=r"was trained on \('weight_kg',\), not on \('length_cm',\)"):
        CatBoostArchitecture.load(tmp_path, FeatureSet(numeric=("length_cm",)))
