import json

import numpy as np
import pytest

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.catboost import CatBoostArchitecture
from packaging_assets.domain.architectures.catboost_multimodal import CatBoostMultimodalArchitecture
from packaging_assets.domain.features import FeatureSet
from packaging_assets.testing.example_products import ALL_FEATURES, as_texts, example_products

QUICK = {"iterations": 20}


def fit(features=ALL_FEATURES, frame=None, **parameters):
    example, labels = example_products(features)
    model = CatBoostMultimodalArchitecture(features, {**QUICK, **parameters})
    frame = example if frame is None else frame
    return model.fit(frame, labels, sample_weight=np.ones(len(labels)), seed=1)


def test_the_words_are_learned_in_training_and_saved_in_json(tmp_path):
    fit(words=4).save(tmp_path)

    saved = json.loads((tmp_path / "words.json").read_text())

    assert saved["words"]["title"] == ["glass", "paper", "steel"]
    assert len(saved["words"]["bullets"]) == 1
    assert saved["columns"] == list(ALL_FEATURES.columns)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.cbm", "words.json"]


def test_a_texts_importance_is_that_of_its_words():
    importance = fit().feature_importance()

    assert importance["title"] > importance["bullets"]
    assert sum(importance.values()) == pytest.approx(100)


def test_without_texts_it_is_catboost():
    features = ALL_FEATURES.model_copy(update={"text": ()})
    frame, labels = example_products(features)
    plain = CatBoostArchitecture(features, QUICK).fit(frame, labels, sample_weight=np.ones(len(labels)), seed=1)
    model = fit(features)

    assert (model.predict_proba(model.prepare(frame)) == plain.predict_proba(plain.prepare(frame))).all()


def test_the_same_rows_give_the_same_bytes(tmp_path):
    saved = []
    for _ in range(2):
        fit().save(tmp_path)
        saved.append((tmp_path / "model.cbm").read_bytes())

    assert saved[0] == saved[1]


@pytest.mark.parametrize("words", [0, 2.5, "many", True])
def test_a_number_of_words_that_is_none_is_refused(words):
    with pytest.raises(ArchitectureError, match=f"'words' is {words!r}; give a whole number from 1 on"):
        CatBoostMultimodalArchitecture(ALL_FEATURES, {"words": words})


def test_what_catboost_refuses_is_refused():
    with pytest.raises(ArchitectureError, match="'random_seed' cannot be set"):
        CatBoostMultimodalArchitecture(ALL_FEATURES, {"random_seed": 1})


def test_texts_without_a_frequent_word_and_nothing_else_are_refused():
    features = FeatureSet(text=("title",))
    frame, _ = example_products(features)
    frame["title"] = as_texts([f"w{row}" for row in range(len(frame))])

    with pytest.raises(ArchitectureError, match="no word stands in 10 of the 800 training rows of title"):
        fit(features, frame)


def test_a_model_that_is_not_trained_is_refused(tmp_path):
    with pytest.raises(ArchitectureError, match="fit or load it first"):
        CatBoostMultimodalArchitecture(ALL_FEATURES, {}).save(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"columns": []}'])
def test_a_damaged_vocabulary_is_refused(tmp_path, content):
    fit().save(tmp_path)
    (tmp_path / "words.json").write_text(content)

    with pytest.raises(ArchitectureError, match=r"words\.json does not describe a model"):
        CatBoostMultimodalArchitecture.load(tmp_path, ALL_FEATURES)
