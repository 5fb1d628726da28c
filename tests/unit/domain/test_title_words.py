import pyarrow as pa
import pytest

from packaging_assets.domain import title_words
from packaging_assets.domain.title_words import WordCounter, count_words, describe_words


def test_words_are_lower_case_and_without_punctuation_around_them():
    words, counts = count_words(pa.chunked_array([["Blue box, 2-pack", None], ["BLUE (box) -"]], pa.string()))

    assert dict(zip(words.to_pylist(), counts.tolist(), strict=True)) == {"blue": 2, "box": 2, "2-pack": 1}


def test_words_seen_once_are_expected_to_be_new_next_time():
    description = describe_words(pa.array(["blue box", "blue bag"]))

    assert description == {"words": "bag blue box", "expected_share": 0.5}


def test_titles_without_words_describe_nothing_and_know_nothing():
    description = describe_words(pa.array([None, ""], pa.string()))

    counter = WordCounter(description)
    counter.add(pa.array([], pa.string()))
    assert counter.compare() == {"words": 0, "share": 0.0, "expected_share": 0.0, "excess": 0.0, "examples": []}
    counter.add(pa.array(["new"]))
    assert counter.compare()["share"] == 1.0


def test_only_the_most_frequent_words_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(title_words, "MAX_WORDS", 1)

    assert describe_words(pa.array(["a a a b b"])) == {"words": "a", "expected_share": pytest.approx(0.4)}
    assert describe_words(pa.array(["b b a a"])) == {"words": "a", "expected_share": 0.5}


def test_new_words_are_counted_over_parts_and_the_most_frequent_named():
    counter = WordCounter(describe_words(pa.array(["glass jar glass jar"])))
    counter.add(pa.array(["Glas Krug", "glass jar"]))
    counter.add(pa.array(["Glas jar"]))

    assert counter.compare() == {
        "words": 6,
        "share": 0.5,
        "expected_share": 0.0,
        "excess": 0.5,
        "examples": ["glas", "krug"],
    }


def test_the_excess_is_beyond_the_words_that_are_expected_to_be_new():
    counter = WordCounter(describe_words(pa.array(["blue box", "blue bag"])))
    counter.add(pa.array(["blue urn jar", "blue tub tin"]))

    found = counter.compare()

    assert (found["share"], found["expected_share"]) == (4 / 6, 0.5)
    assert found["excess"] == pytest.approx(1 / 6)
    assert found["examples"] == ["jar", "tin", "tub", "urn"]


def test_at_most_five_new_words_are_named_the_most_frequent_first_and_equals_by_the_alphabet():
    counter = WordCounter(describe_words(pa.array(["box"])))
    counter.add(pa.array(["f e d c b a", "F e f"]))

    assert counter.compare()["examples"] == ["f", "e", "a", "b", "c"]


def test_of_the_new_words_so_far_only_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(title_words, "KEPT_EXAMPLES", 2)
    counter = WordCounter(describe_words(pa.array(["box"])))
    counter.add(pa.array(["c c c c a a a b b"]))
    counter.add(pa.array(["b b b"]))

    found = counter.compare()

    assert found["examples"] == ["c", "a"]
    assert (found["words"], found["share"]) == (12, 1.0)
