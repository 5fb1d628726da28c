"""CatBoost on measures, categories, the image's embedding and the words of texts.

The embedding's values are plain numeric columns, and a text is a bag of words: one column per word, 1 if the text has
it. Both are columns to CatBoost like any other, which scores some ten times as fast as with CatBoost's own text
features and learns more from a title of few words; its own embedding features score slower by two orders of magnitude.

The vocabulary is learned from the training rows and saved with the model. Which words of a text are in it is looked up
when the model scores, so that models with different vocabularies can share what `prepare` made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.architectures import DEFAULT_KINDS, ArchitectureError
from packaging_assets.domain.architectures.bag_of_words import (
    MIN_ROWS,
    PreparedTexts,
    Vocabulary,
    bag_of_words,
    choose_words,
)
from packaging_assets.domain.architectures.catboost import (
    DEFAULTS,
    MODEL_FILE,
    CatBoostArchitecture,
    check_catboost_parameters,
    with_catboost_defaults,
)
from packaging_assets.domain.architectures.columns import check_columns, read_description, write_description
from packaging_assets.domain.architectures.parameters import check_whole_number
from packaging_assets.domain.features import FeatureSet

if TYPE_CHECKING:
    import pandas as pd

VOCABULARY_FILE = "words.json"

WORDS = 300
"""Words chosen when the parameter `words` does not say how many."""


class CatBoostMultimodalArchitecture:
    """`CatBoostArchitecture` that takes texts too.

    Its parameters are CatBoost's, and `words`: how many words to choose, of all texts together.
    """

    name = "catboost_multimodal"
    feature_kinds = DEFAULT_KINDS | {"text"}

    def __init__(self, features: FeatureSet, parameters: Mapping[str, Any]) -> None:
        given = dict(parameters)
        self._words = check_whole_number(self.name, "words", given.pop("words", WORDS))
        check_catboost_parameters(given)
        self._features = features
        self._parameters = with_catboost_defaults(given, DEFAULTS)
        self._vocabulary: Vocabulary = {}
        self._trees: CatBoostArchitecture | None = None
        self._checkpoints: Path | None = None

    def checkpoint_in(self, folder: Path) -> None:
        """As CatBoost's; the words are chosen anew, which takes no time."""
        self._checkpoints = folder

    def fit(
        self, X: pd.DataFrame, y: npt.NDArray[np.int8], *, sample_weight: npt.NDArray[np.float64], seed: int
    ) -> Self:
        """Choose the words, then train; see `Architecture.fit`."""
        prepared = self.prepare(X)
        self._vocabulary = choose_words(prepared.tokens, y, sample_weight, self._words)
        if not (prepared.frame.columns.size or self._word_columns()):
            raise ArchitectureError(
                f"no word stands in {MIN_ROWS} of the {len(X)} training rows of {', '.join(self._features.text)}, "
                "and there are no other features; add some"
            )
        trees = CatBoostArchitecture(self._expanded_features(), self._parameters)
        if self._checkpoints is not None:
            trees.checkpoint_in(self._checkpoints)
        self._trees = trees.fit(self._expand(prepared), y, sample_weight=sample_weight, seed=seed)
        return self

    def prepare(self, X: pd.DataFrame) -> PreparedTexts:
        """The frame with its texts split into words, which every model of this class can look up in its vocabulary."""
        check_columns(X, self._features)
        return PreparedTexts(X, self._features)

    def predict_proba(self, prepared: PreparedTexts) -> npt.NDArray[np.float64]:
        """Probabilities of shape (rows, 2): unsuitable, suitable."""
        trees = self._fitted()
        return trees.predict_proba(trees.prepare(self._expand(prepared)))

    def save(self, folder: Path) -> None:
        """Write model.cbm and words.json."""
        self._fitted().save(folder)
        write_description(folder / VOCABULARY_FILE, self._features, words=self._vocabulary)

    @classmethod
    def load(cls, folder: Path, features: FeatureSet) -> Self:
        """The model that `save` wrote.

        Raises:
            ArchitectureError: a file is absent or unreadable.
            FeatureError: the model was trained on other columns than `features`.
        """
        words = read_description(folder / VOCABULARY_FILE, features, ("words",))["words"]
        architecture = cls(features, {})
        architecture._vocabulary = {column: tuple(words[column]) for column in features.text}
        architecture._trees = CatBoostArchitecture.load(folder, architecture._expanded_features())
        return architecture

    def feature_importance(self) -> dict[str, float]:
        """Like CatBoost's; a text's is the sum of its words'."""
        importance = self._fitted().feature_importance()
        texts = {
            column: sum(importance.pop(_word_column(column, word)) for word in words)
            for column, words in self._vocabulary.items()
        }
        return {**importance, **texts}

    def _fitted(self) -> CatBoostArchitecture:
        if self._trees is None:
            raise ArchitectureError(f"the {self.name} model has no trees yet ({MODEL_FILE}); fit or load it first")
        return self._trees

    def _word_columns(self) -> list[str]:
        return [_word_column(column, word) for column, words in self._vocabulary.items() for word in words]

    def _expanded_features(self) -> FeatureSet:
        """The feature set that the trees see: words are numbers to them."""
        features = self._features
        return FeatureSet(numeric=(*features.numbers, *self._word_columns()), categorical=features.categorical)

    def _expand(self, prepared: PreparedTexts) -> pd.DataFrame:
        import pandas as pd

        rows = len(prepared.frame)
        bag = bag_of_words(prepared.tokens, self._vocabulary, rows)
        words = pd.DataFrame(bag, columns=self._word_columns(), index=prepared.frame.index, copy=False)
        frame = prepared.frame
        numbers, categories = list(self._features.numbers), list(self._features.categorical)
        return pd.concat([frame[numbers], words, frame[categories]], axis=1)


def _word_column(column: str, word: str) -> str:
    return f"{column}: {word}"
