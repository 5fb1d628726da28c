"""Texts as bags of words: which words matter is learned in training, which of them a text has is looked up in scoring.

A word is what stands between white space, in lower case and without punctuation around it, as it is where drift in
titles is looked for. Texts are split by Arrow, whole columns at a time: a loop over rows would be slower than the
trees behind it.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.title_words import PUNCTUATION

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 10
"""Rows that must have a word before it can be chosen: what is rarer says more about those rows than about others."""

Vocabulary = dict[str, tuple[str, ...]]
"""Per text column the words chosen, in alphabetical order."""


@dataclass(frozen=True)
class Tokens:
    """The words of one column of texts, each as its row and its place among the distinct words."""

    rows: int
    distinct: pa.Array
    row: npt.NDArray[np.int64]
    word: npt.NDArray[np.int64]

    def places_in(self, words: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row and place in `words` of every word that is one of them, in the order of the text; shape (found,)."""
        found = pc.fill_null(pc.index_in(self.distinct, value_set=pa.array(words, pa.string())), -1)
        places = _as_integers(found)[self.word]
        is_known = places >= 0
        return self.row[is_known], places[is_known]


def tokenise(texts: pd.Series) -> Tokens:
    """The words of `texts`, shape (rows,), Arrow strings without nulls."""
    column = pa.array(texts)
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    split = pc.utf8_split_whitespace(pc.utf8_lower(column.cast(pa.string())))
    words = pc.utf8_trim(pc.list_flatten(split), PUNCTUATION)
    is_word = pc.not_equal(words, "")
    encoded = words.filter(is_word).dictionary_encode()
    return Tokens(
        rows=len(texts),
        distinct=encoded.dictionary,
        row=_as_integers(pc.list_parent_indices(split).filter(is_word)),
        word=_as_integers(encoded.indices),
    )


class PreparedTexts:
    """A frame and the words of its texts: they are found once, however many models look them up."""

    def __init__(self, frame: pd.DataFrame, features: FeatureSet) -> None:
        self.frame = frame.drop(columns=list(features.text))
        self.tokens: dict[str, Tokens] = {column: tokenise(frame[column]) for column in features.text}


def choose_words(
    tokens: Mapping[str, Tokens], y: npt.NDArray[np.int8], weight: npt.NDArray[np.float64], count: int
) -> Vocabulary:
    """The `count` words, of all columns together, that tell most about the label.

    They are ranked by the mutual information between the label and whether a text has the word (Manning, Raghavan and
    Schütze, Introduction to Information Retrieval, 13.5.1): it favours words that are both frequent and telling.

    Args:
        tokens: the training texts by column.
        y: labels, shape (rows,).
        weight: of the rows, shape (rows,).
        count: words to choose; fewer if there are fewer in `MIN_ROWS` rows.

    Returns:
        Every column of `tokens`, perhaps without a word.
    """
    ranked: list[tuple[float, str, str]] = []
    for column, its_tokens in tokens.items():
        words = its_tokens.distinct.to_pylist()
        information, rows = _mutual_information(its_tokens, y, weight)
        ranked += [(-information[k], column, words[k]) for k in np.flatnonzero(rows >= MIN_ROWS).tolist()]
    chosen = sorted(ranked)[:count]
    return {column: tuple(sorted(word for _, its, word in chosen if its == column)) for column in tokens}


def bag_of_words(tokens: Mapping[str, Tokens], vocabulary: Vocabulary, rows: int) -> npt.NDArray[np.bool_]:
    """Which texts have which words, shape (rows, words of all columns), column by column in memory."""
    bag = np.zeros((rows, sum(map(len, vocabulary.values()))), dtype=np.bool_, order="F")
    first = 0
    for column, words in vocabulary.items():
        row, place = tokens[column].places_in(words)
        bag[row, first + place] = True
        first += len(words)
    return bag


def _mutual_information(
    tokens: Tokens, y: npt.NDArray[np.int8], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """In nats per distinct word, and in how many rows it stands; shape (words,) each."""
    words = len(tokens.distinct)
    once = np.unique(tokens.row * max(words, 1) + tokens.word)
    row, word = np.divmod(once, max(words, 1))
    total, suitable = weight.sum(), (weight * y).sum()
    with_word = np.bincount(word, weights=weight[row], minlength=words)
    suitable_with_word = np.bincount(word, weights=weight[row] * y[row], minlength=words)
    information = np.zeros(words)
    for label_total, both in ((suitable, suitable_with_word), (total - suitable, with_word - suitable_with_word)):
        for word_total, joint in ((with_word, both), (total - with_word, label_total - both)):
            share, expected = joint / total, label_total * word_total / total**2
            occurs = (share > 0) & (expected > 0)
            information[occurs] += share[occurs] * np.log(share[occurs] / expected[occurs])
    return information, np.bincount(word, minlength=words)


def _as_integers(values: pa.Array) -> npt.NDArray[np.int64]:
    return values.to_numpy(zero_copy_only=False).astype(np.int64)
