import numpy as np
import pandas as pd
import pytest

from packaging_assets.domain.architectures.bag_of_words import PreparedTexts
from packaging_assets.domain.architectures.fusion_inputs import FusionInputs, Scale
from packaging_assets.domain.features import FeatureSet
from packaging_assets.testing.example_products import ALL_FEATURES, as_categories, as_texts, example_products

SMALL = FeatureSet(
    numeric=("weight_kg",),
    embedding=("image_0",),
    scores=("box",),
    categorical=("category",),
    text=("title", "bullets"),
)


def frame_of(rows):
    """Rows given as (weight, image, score, category code, title, bullets)."""
    weight, image, scores, codes, titles, bullets = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "weight_kg": np.array(weight, np.float32),
            "image_0": np.array(image, np.float32),
            "score_box": np.array(scores, np.float32),
            "category": as_categories(("toys", "rare", "tools"), np.array(codes)),
            "title": as_texts(list(titles)),
            "bullets": as_texts(list(bullets)),
        }
    )


def learn(frame, features=SMALL, words=10):
    labels = np.arange(len(frame), dtype=np.int8) % 2
    prepared = PreparedTexts(frame, features)
    return FusionInputs.learn(prepared, features, labels, np.ones(len(frame)), words=words), prepared


TRAINING = frame_of(
    [(0, 1, 0.5, 0, "glass mug", "dozen"), (np.expm1(2), 3, 0.5, 2, "wood mug", "")] * 10
    + [(np.nan, 2, 0.5, 1, "mug once", "dozen")]
)


def test_numbers_are_standardised_on_a_logarithmic_scale_and_absent_ones_marked():
    inputs, prepared = learn(TRAINING)

    arrays = inputs.arrays(prepared)

    assert arrays.tabular[0].tolist() == pytest.approx([-1, 0, 0, 0])
    assert arrays.tabular[1].tolist() == pytest.approx([1, 0, 0, 0])
    assert arrays.tabular[20].tolist() == pytest.approx([0, 0, 1, 0])
    assert arrays.tabular.dtype == np.float32


def test_embeddings_are_standardised_as_they_are():
    inputs, prepared = learn(TRAINING)

    assert inputs.arrays(prepared).embedding[:3, 0] == pytest.approx(np.array([-1, 1, -1]) / np.sqrt(20 / 21))


def test_rare_and_new_values_of_a_category_are_number_0():
    inputs, prepared = learn(TRAINING)
    frame = TRAINING.iloc[:2].assign(category=as_categories(("new", "tools"), np.array([0, 1])))

    assert inputs.categories == (("tools", "toys"),)
    assert inputs.arrays(prepared).categories[[0, 1, 20], 0].tolist() == [2, 1, 0]
    assert inputs.arrays(PreparedTexts(frame, SMALL)).categories[:, 0].tolist() == [0, 1]


def test_words_of_all_texts_are_numbered_row_by_row():
    inputs, prepared = learn(TRAINING)

    arrays = inputs.arrays(prepared)

    assert inputs.vocabulary == {"title": ("glass", "mug", "wood"), "bullets": ("dozen",)}
    assert inputs.words == 4
    assert arrays.words[:5].tolist() == [0, 1, 3, 2, 1]
    assert arrays.first_word[:3].tolist() == [0, 3, 5]
    assert arrays.words[arrays.first_word[20] :].tolist() == [1, 3]


def test_rows_can_be_taken_in_any_order():
    inputs, prepared = learn(TRAINING)
    arrays = inputs.arrays(prepared)

    taken = arrays.take(np.array([20, 0, 0]))

    assert taken.words.tolist() == [1, 3, 0, 1, 3, 0, 1, 3]
    assert taken.first_word.tolist() == [0, 2, 5, 8]
    assert taken.tabular.tolist() == arrays.tabular[[20, 0, 0]].tolist()


def test_a_column_that_is_constant_or_empty_is_0():
    scale = Scale.of(np.array([[7.0, np.nan], [7.0, np.nan]]))

    assert scale.apply(np.array([[7.0, np.nan]])).tolist() == [[0, 0]]


@pytest.mark.parametrize("kind", ALL_FEATURES.kinds)
def test_each_kind_of_feature_may_be_the_only_one(kind):
    features = FeatureSet(**{kind: getattr(ALL_FEATURES, kind)})
    frame, _ = example_products(features, rows=50)
    inputs, prepared = learn(frame, features)

    arrays = inputs.arrays(prepared)

    assert arrays.tabular.shape == (50, 2 * (len(features.numeric) + len(features.scores)))
    assert arrays.embedding.shape == (50, len(features.embedding))
    assert arrays.categories.shape == (50, len(features.categorical))
    assert (len(arrays.words) > 0) == (kind == "text")


def test_it_is_the_same_after_json():
    inputs, prepared = learn(TRAINING)

    loaded = FusionInputs.model_validate_json(inputs.model_dump_json())

    assert loaded == inputs
    for one, other in zip(loaded.arrays(prepared), inputs.arrays(prepared), strict=True):
        assert (one == other).all()
