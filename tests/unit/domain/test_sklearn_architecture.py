import json

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.sklearn import ROWS_PER_BLOCK, SklearnArchitecture
from packaging_assets.domain.features import FeatureSet
from packaging_assets.testing.example_products import ALL_FEATURES, example_products

LOGISTIC = "sklearn.linear_model.LogisticRegression"
FOREST = {"estimator": "sklearn.ensemble.RandomForestClassifier", "parameters": {"n_estimators": 10}}
NUMBERS = FeatureSet(numeric=("weight_kg", "noise"))
NOT_CALLABLE = 1


def make_scaled(c=1.0):
    """A pipeline in a pipeline, for frames of numbers."""
    return make_pipeline(StandardScaler(), make_pipeline(PCA(2), LogisticRegression(C=c)))


def make_own_columns():
    """One that picks columns of the frame by name."""
    return make_pipeline(make_column_transformer((StandardScaler(), ["weight_kg"])), LogisticRegression())


def make_calibrated():
    return CalibratedClassifierCV(LogisticRegression(), cv=2)


def make_with_function():
    return make_pipeline(FunctionTransformer(np.abs), FunctionTransformer(_twice), LogisticRegression())


def _twice(values):
    return 2 * values


def fit(parameters, features=ALL_FEATURES, weight=None, seed=1):
    frame, labels = example_products(features)
    weight = np.ones(len(labels)) if weight is None else weight
    return SklearnArchitecture(features, parameters).fit(frame, labels, sample_weight=weight, seed=seed)


def suitable(model, features):
    frame, _ = example_products(features, seed=2)
    return model.predict_proba(model.prepare(frame))[:, 1]


def test_columns_become_numbers_of_one_scale():
    model = fit({"estimator": LOGISTIC})
    frame, _ = example_products(ALL_FEATURES)

    made = model._pipeline.named_steps["preprocess"].transform(frame)

    assert made.dtype == np.float32
    assert made[:, :8].mean(axis=0) == pytest.approx(np.zeros(8), abs=1e-5)
    assert made[:, 8:].min() == 0
    assert made.shape == (800, 8 + 3 + 2 + 5 + 4)  # numbers, categories, brands, words of the title and of the bullets


def test_a_texts_words_are_limited():
    model = fit({"estimator": LOGISTIC, "words": 1})

    assert model._pipeline.named_steps["preprocess"].output_indices_["column title"] == slice(13, 14)


def test_a_columns_name_may_hold_two_underscores():
    features = FeatureSet(categorical=("a__b",))
    frame, labels = example_products(FeatureSet(categorical=("category",)))
    frame = frame.rename(columns={"category": "a__b"})

    model = SklearnArchitecture(features, {}).fit(frame, labels, sample_weight=np.ones(800), seed=1)

    assert model.feature_importance() == {"a__b": 100}


@pytest.mark.parametrize("estimator", [f"{__name__}:make_scaled", f"{__name__}.make_scaled"])
def test_ones_own_pipeline_gets_the_frame_as_it_is(estimator):
    model = fit({"estimator": estimator, "parameters": {"c": 0.5}, "preprocessing": "none"}, NUMBERS)

    frame, labels = example_products(NUMBERS, seed=2)
    assert ((suitable(model, NUMBERS) > 0.5) == labels).mean() > 0.85
    assert model._pipeline.named_steps["pipeline"].named_steps["logisticregression"].C == 0.5
    assert list(model._pipeline.feature_names_in_) == list(frame.columns)


def test_ones_own_pipeline_may_come_after_the_columns_were_made_into_numbers():
    model = fit({"estimator": f"{__name__}:make_scaled"})

    assert sum(model.feature_importance().values()) == pytest.approx(100)


def test_ones_own_pipeline_may_use_names_of_columns():
    importance = fit(
        {"estimator": f"{__name__}:make_own_columns", "preprocessing": "none"}, NUMBERS
    ).feature_importance()

    assert importance == {"weight_kg": 100, "noise": 0}


def test_the_seed_goes_to_every_random_state():
    model = fit(FOREST, seed=11)

    assert model._pipeline.named_steps["estimator"].random_state == 11


def test_the_weights_go_to_the_last_step():
    weight = np.where(example_products(NUMBERS)[1] == 1, 20.0, 1.0)
    parameters = {"estimator": f"{__name__}:make_scaled", "preprocessing": "none"}

    assert (
        suitable(fit(parameters, NUMBERS, weight), NUMBERS).mean() > suitable(fit(parameters, NUMBERS), NUMBERS).mean()
    )


def test_an_estimator_without_weights_trains_on_rows_that_weigh_alike_only():
    neighbours = {"estimator": "sklearn.neighbors.KNeighborsClassifier"}

    assert np.isfinite(suitable(fit(neighbours, NUMBERS), NUMBERS)).all()
    with pytest.raises(
        ArchitectureError, match="KNeighborsClassifier takes no sample_weight, and the rows weigh between 1 and 2"
    ):
        fit(neighbours, NUMBERS, weight=np.linspace(1, 2, 800))


def test_coefficients_are_added_up_per_column():
    model = fit({"estimator": LOGISTIC})
    coefficients = np.abs(model._pipeline.named_steps["estimator"].coef_[0])

    importance = model.feature_importance()

    assert importance["category"] == pytest.approx(100 * coefficients[8:11].sum() / coefficients.sum())
    assert importance["weight_kg"] == pytest.approx(100 * coefficients[0] / coefficients.sum())


def test_importances_of_the_estimator_are_taken():
    model = fit(FOREST)
    declared = model._pipeline.named_steps["estimator"].feature_importances_

    assert model.feature_importance()["category"] == pytest.approx(100 * declared[8:11].sum())


def test_without_any_a_column_counts_by_what_shifting_it_changes():
    importance = fit({"estimator": f"{__name__}:make_calibrated"}, NUMBERS).feature_importance()

    assert importance["weight_kg"] > 90
    assert importance == fit({"estimator": f"{__name__}:make_calibrated"}, NUMBERS).feature_importance()


def test_where_no_column_matters_all_count_alike():
    model = fit({"estimator": "sklearn.dummy.DummyClassifier"}, NUMBERS)

    assert model.feature_importance() == {"weight_kg": 50, "noise": 50}


def test_more_rows_than_a_block_are_scored():
    model = fit({"estimator": "sklearn.dummy.DummyClassifier"}, NUMBERS)
    frame, _ = example_products(NUMBERS, rows=ROWS_PER_BLOCK + 1)

    assert model.predict_proba(model.prepare(frame)).shape == (ROWS_PER_BLOCK + 1, 2)


def test_a_function_of_ones_own_in_the_pipeline_cannot_be_saved(tmp_path):
    model = fit({"estimator": f"{__name__}:make_with_function"}, NUMBERS)

    with pytest.raises(ArchitectureError, match=r"holds .*\._twice: only types of scikit-learn"):
        model.save(tmp_path)


def test_what_is_saved(tmp_path):
    fit(FOREST).save(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["estimator.json", "estimator.skops"]
    assert json.loads((tmp_path / "estimator.json").read_text())["columns"] == list(ALL_FEATURES.columns)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": "LogisticRegression"}, "'LogisticRegression' is not of the form 'package.module.Class'"),
        ({"estimator": "no_such_module:make"}, "cannot be imported: No module named 'no_such_module'"),
        ({"estimator": "sklearn.linear_model.NoSuch"}, "cannot be imported: "),
        ({"estimator": f"{__name__}:NOT_CALLABLE"}, "is neither a class nor a function"),
        ({"estimator": "sklearn.linear_model.LinearRegression"}, "makes a LinearRegression without predict_proba"),
        ({"estimator": "sklearn.svm.SVC"}, "makes a SVC without predict_proba"),
        ({"estimator": "builtins.dict"}, "makes a dict without fit"),
        ({"estimator": LOGISTIC, "parameters": {"c": 1}}, "refuses its parameters: .*'c'"),
        ({"parameters": {"random_state": 1}}, "'random_state' cannot be set: set `seed` of the model instead"),
        ({"parameters": {"base__random_state": 1}}, "'base__random_state' cannot be set"),
        ({"parameters": "fast"}, "'parameters' is 'fast'; give names and values"),
        ({"preprocessing": "some"}, "'preprocessing' is 'some'; use one of columns, none"),
        ({"words": 0}, "'words' is 0; give a whole number from 1 on"),
        ({"max_iter": 1}, "unknown sklearn parameter 'max_iter'; there is estimator, parameters, "),
    ],
)
def test_what_cannot_work_is_refused_before_training(parameters, message):
    with pytest.raises(ArchitectureError, match=message):
        SklearnArchitecture(ALL_FEATURES, parameters)


def test_the_estimators_own_reason_is_passed_on():
    with pytest.raises(ArchitectureError, match="LogisticRegression refuses to train: The 'C' parameter"):
        fit({"estimator": LOGISTIC, "parameters": {"C": -1.0}})


def test_dummies_are_classifiers_too():
    model = fit({"estimator": "sklearn.dummy.DummyClassifier", "preprocessing": "none"}, NUMBERS)

    assert isinstance(model._pipeline, DummyClassifier)
    assert isinstance(model.prepare(example_products(NUMBERS)[0]), pd.DataFrame)
