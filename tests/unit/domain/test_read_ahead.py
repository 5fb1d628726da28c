import threading
from collections.abc import Iterator

import pytest

from packaging_assets.domain.read_ahead import read_ahead


def test_items_keep_their_order():
    assert list(read_ahead(range(50))) == list(range(50))
    assert list(read_ahead([])) == []


def test_the_next_item_is_made_while_one_is_used_and_no_more():
    made: list[int] = []
    second_is_made = threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second_is_made.set()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert second_is_made.wait(10)
    assert made == [0, 1]
    assert list(ahead) == [1, 2, 3]


def test_an_error_comes_after_the_items_before_it():
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no second item")

    found: list[int] = []
    with pytest.raises(ValueError, match="no second item"):
        found.extend(read_ahead(items()))
    assert found == [1]
