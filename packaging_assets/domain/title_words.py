"""The words of titles: which ones a model's training products had, and how many of other titles' words are new.

A word is what stands between white space, in lower case and without punctuation around it.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MAX_WORDS = 20_000
"""Words kept, the most frequent ones: about 160 KB. What they leave out counts as expected to be unknown."""

MAX_EXAMPLES = 5
"""New words named in a finding."""

KEPT_EXAMPLES = 1_000
"""New words counted on the way, so that memory does not grow with the number of titles."""

PUNCTUATION = ".,;:!?()[]{}<>\"'`/\\&+-_|*"


def count_words(titles: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """The distinct words of titles (nulls have none) and how often each occurs."""
    column = titles.combine_chunks() if isinstance(titles, pa.ChunkedArray) else titles
    words = pc.list_flatten(pc.utf8_split_whitespace(pc.utf8_lower(column.cast(pa.string()))))
    words = pc.utf8_trim(words, PUNCTUATION)
    counted = words.filter(pc.not_equal(words, "")).value_counts()
    return counted.field("values"), counted.field("counts").to_numpy(zero_copy_only=False)


def describe_words(titles: pa.ChunkedArray | pa.Array) -> dict[str, Any]:
    """What is kept of training titles.

    Returns:
        `words`: the `MAX_WORDS` most frequent ones in alphabetical order, separated by spaces; `expected_share`: the
        share of the words of further titles that these will not hold though nothing changed. A word seen once would
        not be known without the title it stands in (Good 1953), nor is one that was left out.
    """
    words, counts = count_words(titles)
    frequency: dict[str, int] = dict(zip(words.to_pylist(), counts.tolist(), strict=True))
    kept = sorted(frequency, key=lambda word: (-frequency[word], word))[:MAX_WORDS]
    known_again = sum(frequency[word] for word in kept if frequency[word] > 1)
    total = int(counts.sum())
    return {"words": " ".join(sorted(kept)), "expected_share": 1 - known_again / total if total else 0.0}


class WordCounter:
    """Counts the words that a description does not know, part by part."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._known = pa.array(description["words"].split(" "), pa.string())
        self._expected_share = float(description["expected_share"])
        self._words = 0
        self._new = 0
        self._examples: Counter[str] = Counter()

    def add(self, titles: pa.ChunkedArray | pa.Array) -> None:
        """Count the words of some titles."""
        words, counts = count_words(titles)
        is_new = pc.invert(pc.is_in(words, value_set=self._known))
        new_counts = counts[is_new.to_numpy(zero_copy_only=False)]
        self._words += int(counts.sum())
        self._new += int(new_counts.sum())
        self._examples.update(dict(zip(words.filter(is_new).to_pylist(), new_counts.tolist(), strict=True)))
        self._examples = Counter(dict(_most_common(self._examples, KEPT_EXAMPLES)))

    def compare(self) -> dict[str, Any]:
        """`words` counted; the new ones' `share`, `expected_share` and `excess`; `examples`, the most frequent."""
        share = self._new / self._words if self._words else 0.0
        return {
            "words": self._words,
            "share": share,
            "expected_share": self._expected_share,
            "excess": share - self._expected_share,
            "examples": [word for word, _ in _most_common(self._examples, MAX_EXAMPLES)],
        }


def _most_common(counts: Counter[str], limit: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
