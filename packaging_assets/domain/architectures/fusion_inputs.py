"""What a neural network is fed: numbers of one scale, categories and words by number; learned in training."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from packaging_assets.domain.architectures.bag_of_words import MIN_ROWS, PreparedTexts, Vocabulary, choose_words
from packaging_assets.domain.features import FeatureSet

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SMALLEST_SPREAD = 1e-6
"""Standard deviation below which a column is constant; dividing by it would make noise of rounding."""


class FusionArrays(NamedTuple):
    """Rows as a network takes them.

    `tabular` (rows, 2 x numeric and scores): standardised values, then 1 where one is absent; `embedding` (rows,
    embedding); `categories` (rows, categorical): 0 for values unknown or rare; `words`: those of all rows, one row
    after the other, of which row k has `words[first_word[k]:first_word[k + 1]]`.
    """

    tabular: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float32]
    categories: Integers
    words: Integers
    first_word: Integers

    def take(self, rows: Integers) -> FusionArrays:
        """The given rows, in the given order."""
        lengths = np.diff(self.first_word)[rows]
        first_word = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(first_word[-1]) - np.repeat(first_word[:-1], lengths)
        words = self.words[np.repeat(self.first_word[:-1][rows], lengths) + within]
        return FusionArrays(self.tabular[rows], self.embedding[rows], self.categories[rows], words, first_word)


class Scale(BaseModel):
    """Mean and standard deviation of columns, of the values that are there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of(cls, values: Floats) -> Self:
        """The scale of each column of `values`, NaN where there is no value; shape (rows, columns)."""
        is_there = ~np.isnan(values)
        count = np.maximum(is_there.sum(axis=0), 1)
        mean = np.where(is_there, values, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(is_there, values - mean, 0.0) ** 2).sum(axis=0) / count)
        return cls(mean=tuple(mean.tolist()), spread=tuple(np.maximum(spread, SMALLEST_SPREAD).tolist()))

    def apply(self, values: Floats) -> npt.NDArray[np.float32]:
        """Standardised; 0, which is the mean, where there is no value."""
        scaled = (values - np.array(self.mean)) / np.array(self.spread)
        return np.nan_to_num(scaled, nan=0.0).astype(np.float32)


class FusionInputs(BaseModel):
    """How frames of one feature set become `FusionArrays`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: FeatureSet
    tabular: Scale
    embedding: Scale
    categories: tuple[tuple[str, ...], ...]
    vocabulary: Vocabulary

    @classmethod
    def learn(
        cls,
        prepared: PreparedTexts,
        features: FeatureSet,
        y: npt.NDArray[np.int8],
        weight: Floats,
        *,
        words: int,
    ) -> Self:
        """From training rows: scales, the values of categories in `MIN_ROWS` rows at least, and `words` words."""
        return cls(
            features=features,
            tabular=Scale.of(_tabular(prepared, features)),
            embedding=Scale.of(_embedding(prepared, features)),
            categories=tuple(_frequent_values(prepared.frame[column]) for column in features.categorical),
            vocabulary=choose_words(prepared.tokens, y, weight, words),
        )

    @property
    def words(self) -> int:
        """Words in the vocabularies of all texts together."""
        return sum(map(len, self.vocabulary.values()))

    def arrays(self, prepared: PreparedTexts) -> FusionArrays:
        """The rows of a frame of this feature set."""
        tabular = _tabular(prepared, self.features)
        is_absent = np.isnan(tabular).astype(np.float32)
        rows = len(prepared.frame)
        columns = zip(self.features.categorical, self.categories, strict=True)
        codes = [_codes(prepared.frame[column], values) for column, values in columns]
        words, first_word = self._find_words(prepared, rows)
        return FusionArrays(
            tabular=np.concatenate([self.tabular.apply(tabular), is_absent], axis=1),
            embedding=self.embedding.apply(_embedding(prepared, self.features)),
            categories=np.stack(codes, axis=1) if codes else np.zeros((rows, 0), np.int64),
            words=words,
            first_word=first_word,
        )

    def _find_words(self, prepared: PreparedTexts, rows: int) -> tuple[Integers, Integers]:
        found_rows, found_words = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        first = 0
        for column in self.features.text:
            row, place = prepared.tokens[column].places_in(self.vocabulary[column])
            found_rows.append(row)
            found_words.append(first + place)
            first += len(self.vocabulary[column])
        row, word = np.concatenate(found_rows), np.concatenate(found_words)
        order = np.argsort(row, kind="stable")
        return word[order], np.searchsorted(row[order], np.arange(rows + 1))


def _tabular(prepared: PreparedTexts, features: FeatureSet) -> Floats:
    """Measures on a logarithmic scale, on both sides of 0: they span orders of magnitude. Scores are among them."""
    columns = [name for name in features.numbers if name not in features.embedding]
    values = prepared.frame[columns].to_numpy(dtype=np.float64)
    return np.sign(values) * np.log1p(np.abs(values))


def _embedding(prepared: PreparedTexts, features: FeatureSet) -> Floats:
    return prepared.frame[list(features.embedding)].to_numpy(dtype=np.float64)


def _frequent_values(column: Any) -> tuple[str, ...]:
    counts = column.value_counts()
    return tuple(sorted(counts.index[counts.to_numpy() >= MIN_ROWS].tolist()))


def _codes(column: Any, values: tuple[str, ...]) -> Integers:
    """Place of each value in `values` plus 1; 0 where it is not among them. Looked up once per distinct value."""
    places = {value: place + 1 for place, value in enumerate(values)}
    by_code = np.array([places.get(value, 0) for value in column.cat.categories], dtype=np.int64)
    return by_code[column.cat.codes.to_numpy()]
