import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from packaging_assets.domain.architectures.bag_of_words import MIN_ROWS, bag_of_words, choose_words, tokenise

STRINGS = pa.string()


def texts(values, kind=STRINGS):
    return pd.Series(pd.array(pa.array(values, kind), dtype=pd.ArrowDtype(kind)))


def chosen(values, labels, count=10, weight=None):
    labels = np.array(labels, dtype=np.int8)
    weight = np.ones(len(labels)) if weight is None else np.array(weight, dtype=np.float64)
    return choose_words({"title": tokenise(texts(values))}, labels, weight, count)["title"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_words_are_split_at_white_space_in_lower_case_without_punctuation(kind):
    tokens = tokenise(texts(["Glass  mug, (blue)", "", "MUG ... mug"], kind))

    assert tokens.distinct.to_pylist() == ["glass", "mug", "blue"]
    assert tokens.row.tolist() == [0, 0, 0, 2, 2]
    assert tokens.word.tolist() == [0, 1, 2, 1, 1]


def test_texts_in_several_chunks_are_one_column():
    chunks = pa.chunked_array([pa.array(["a"]), pa.array(["b a"])])

    tokens = tokenise(pd.Series(pd.array(chunks, dtype=pd.ArrowDtype(pa.string()))))

    assert tokens.row.tolist() == [0, 1, 1]
    assert tokens.distinct.to_pylist() == ["a", "b"]


def test_no_texts_have_no_words():
    tokens = tokenise(texts([]))

    assert tokens.rows == 0
    assert bag_of_words({"title": tokens}, {"title": ("a",)}, 0).shape == (0, 1)


def test_a_bag_says_which_text_has_which_word_of_which_column():
    tokens = {"title": tokenise(texts(["red mug mug", "pan"])), "bullets": tokenise(texts(["pan", "red"]))}

    bag = bag_of_words(tokens, {"title": ("mug", "pan"), "bullets": ("pan",)}, 2)

    assert bag.tolist() == [[True, False, True], [False, True, False]]
    assert bag.flags.f_contiguous


def test_the_most_telling_words_are_chosen_and_come_in_alphabetical_order():
    values = ["glass set"] * MIN_ROWS + ["zinc set"] * MIN_ROWS + ["wood set"] * 2 * MIN_ROWS
    labels = [0] * MIN_ROWS + [1] * MIN_ROWS + [0, 1] * MIN_ROWS

    assert chosen(values, labels, count=2) == ("glass", "zinc")
    assert chosen(values, labels, count=10) == ("glass", "set", "wood", "zinc")


def test_a_word_in_too_few_rows_is_not_chosen_however_often_it_stands_there():
    values = ["mug mug mug"] * (MIN_ROWS - 1) + ["pan"] * MIN_ROWS

    assert chosen(values, [1] * (MIN_ROWS - 1) + [0] * MIN_ROWS) == ("pan",)


def test_rows_count_by_their_weight():
    values = ["glass"] * MIN_ROWS + ["wood"] * MIN_ROWS + ["zinc"] * 2 * MIN_ROWS
    labels = [0] * MIN_ROWS + [1] * MIN_ROWS + [0, 1] * MIN_ROWS

    heavy_glass = chosen(values, labels, count=1, weight=[9] * MIN_ROWS + [0.1] * 3 * MIN_ROWS)
    heavy_wood = chosen(values, labels, count=1, weight=[0.1] * MIN_ROWS + [9] * MIN_ROWS + [0.1] * 2 * MIN_ROWS)

    assert (heavy_glass, heavy_wood) == (("glass",), ("wood",))


def test_mutual_information_is_that_of_the_textbook():
    """Manning, Raghavan and Schütze, example 13.3: "export" and the class poultry, .0001105 bits."""
    from packaging_assets.domain.architectures.bag_of_words import _mutual_information

    counts = {("export", 1): 49, ("export", 0): 27_652, ("", 1): 141, ("", 0): 774_106}
    values = [word for (word, _), count in counts.items() for _ in range(count)]
    labels = np.array([label for (_, label), count in counts.items() for _ in range(count)], dtype=np.int8)

    information, rows = _mutual_information(tokenise(texts(values)), labels, np.ones(len(labels)))

    assert information[0] / np.log(2) == pytest.approx(0.0001105, abs=5e-8)
    assert rows.tolist() == [49 + 27_652]


def test_words_of_all_columns_compete():
    labels = np.array([0, 1] * MIN_ROWS, dtype=np.int8)
    telling, empty = texts(["glass", "wood"] * MIN_ROWS), texts(["set"] * 2 * MIN_ROWS)

    vocabulary = choose_words(
        {"title": tokenise(empty), "bullets": tokenise(telling)}, labels, np.ones(2 * MIN_ROWS), 2
    )

    assert vocabulary == {"title": (), "bullets": ("glass", "wood")}
