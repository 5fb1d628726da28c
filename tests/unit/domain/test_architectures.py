import time
from threading import Event

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, Pool

from packaging_assets.domain.architectures import (
    BUILT_IN,
    ArchitectureError,
    architecture_class,
    architecture_module,
    architecture_modules,
    check_feature_kinds,
)
from packaging_assets.domain.architectures.catboost import DEFAULTS, SET_BY_PLATFORM, CatBoostArchitecture
from packaging_assets.domain.features import FeatureError, FeatureSet
from packaging_assets.domain.interruptions import interruptible

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


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_built_in_architecture_has_the_name_it_is_called_by(name):
    assert architecture_class(name).name == name


@pytest.mark.parametrize(
    ("name", "parameters", "modules"),
    [
        ("catboost", {"estimator": "a:b"}, ("packaging_assets.domain.architectures.catboost",)),
        ("my_team.models:Mine", {}, ("my_team.models",)),
        ("sklearn", {}, ("packaging_assets.domain.architectures.sklearn",)),
        ("sklearn", {"estimator": "sklearn.svm.SVC"}, ("packaging_assets.domain.architectures.sklearn",)),
        ("sklearn", {"estimator": "a.b:make"}, ("packaging_assets.domain.architectures.sklearn", "a.b")),
        ("sklearn", {"estimator": "a.b.Make"}, ("packaging_assets.domain.architectures.sklearn", "a.b")),
    ],
)
def test_the_code_of_an_architecture_is_its_module_and_that_of_its_estimator(name, parameters, modules):
    assert architecture_modules(name, parameters) == modules


def test_a_kind_of_feature_that_is_not_taken_is_named():
    with pytest.raises(ArchitectureError, match=r"'catboost' takes no text features \(title\); it takes categorical, "):
        check_feature_kinds("catboost", FeatureSet(text=("title",)))


def test_a_class_that_does_not_say_takes_numbers_and_categories():
    check_feature_kinds(f"{__name__}:Silent", FeatureSet(numeric=("a",), scores=("b",), categorical=("c",)))


class Silent:
    """An architecture without `feature_kinds`."""

    fit = prepare = predict_proba = save = load = feature_importance = print


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xgboost", "'xgboost' is neither 'catboost', .*'torch_fusion' nor of the form 'package.module:Class'"),
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


@pytest.mark.parametrize(
    ("parameter", "hint"),
    [("depht", "did you mean 'depth'?"), ("random_sed", "did you mean 'random_seed'?"), ("zzz", "see https://")],
)
def test_an_unknown_parameter_is_told_with_the_one_that_is_meant(parameter, hint):
    with pytest.raises(ArchitectureError) as caught:
        CatBoostArchitecture(FEATURES, {parameter: 1})
    assert str(caught.value).startswith(f"unknown CatBoost parameter {parameter!r}; {hint}")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"class_names": [1, 0]}, "another order of classes would turn all scores round"),
        ({"final_ctr_computation_mode": "Skip"}, "cannot score, and ends the process"),
    ],
)
def test_parameters_that_turn_scores_round_or_end_the_process_are_refused(parameters, reason):
    with pytest.raises(ArchitectureError, match=reason):
        CatBoostArchitecture(FEATURES, parameters)


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


def test_the_same_rows_give_the_same_bytes(tmp_path):
    saved = []
    for _ in range(2):
        fit()[0].save(tmp_path)
        saved.append((tmp_path / "model.cbm").read_bytes())

    assert saved[0] == saved[1]


def test_weights_that_are_all_1_give_the_trees_that_catboost_makes_of_them():
    frame, labels = many_products()
    model = CatBoostArchitecture(FeatureSet(numeric=tuple(frame.columns)), {"iterations": 15})
    model.fit(frame, labels, sample_weight=np.ones(len(labels)), seed=1)
    by_hand = CatBoostClassifier(**DEFAULTS | {"iterations": 15}, random_seed=1, allow_writing_files=False)
    by_hand.fit(Pool(frame, labels, weight=np.ones(len(labels))), logging_level="Silent")

    assert (model.predict_proba(model.prepare(frame)) == by_hand.predict_proba(frame)).all()


def test_weights_that_differ_count():
    frame, labels = many_products()
    scores = []
    for weights in (np.ones(len(labels)), np.where(labels == 1, 1.0, 5.0)):
        model = CatBoostArchitecture(FeatureSet(numeric=tuple(frame.columns)), {"iterations": 15})
        model.fit(frame, labels, sample_weight=weights, seed=1)
        scores.append(model.predict_proba(model.prepare(frame))[:, 1].mean())

    assert scores[1] < scores[0] - 0.1


def test_the_number_of_threads_is_a_parameter_since_the_trees_depend_on_it():
    frame, labels = many_products()
    features = FeatureSet(numeric=tuple(frame.columns))
    scores = []
    for parameters in ({}, {"thread_count": 1}, {"thread_count": 2}):
        model = CatBoostArchitecture(features, {"iterations": 15, **parameters})
        model.fit(frame, labels, sample_weight=np.ones(len(labels)), seed=1)
        scores.append(model.predict_proba(model.prepare(frame)))

    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


def many_products():
    """As many rows as CatBoost divides among threads, with features that are as good as one another."""
    values = np.random.default_rng(2).random((20_000, 20), dtype=np.float32)
    labels = (values[:, 0] + np.random.default_rng(3).random(20_000) > 1).astype(np.int8)
    return pd.DataFrame(values, columns=[f"feature_{number}" for number in range(20)]), labels


def test_training_that_is_interrupted_ends_early_and_gives_no_model():
    sign, started = Event(), time.monotonic()
    sign.set()

    with interruptible(sign), pytest.raises(KeyboardInterrupt):
        fit(iterations=100_000)
    assert time.monotonic() - started < 60


def test_a_model_of_other_features_is_refused(tmp_path):
    model, _ = fit()
    model.save(tmp_path)

    with pytest.raises(FeatureError, match=r"was trained on \('weight_kg',\), not on \('length_cm',\)"):
        CatBoostArchitecture.load(tmp_path, FeatureSet(numeric=("length_cm",)))
