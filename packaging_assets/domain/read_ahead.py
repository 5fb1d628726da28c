"""Making the next item while one is used: reading, computing and writing overlap, since all of them leave Python."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """The items in their order, the next one being made by a thread while one is used; no more than one ahead.

    What making an item raises is raised here, after the items before it.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        coming = thread.submit(next, iterator, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, iterator, end)
            yield item  # pyright: ignore[reportReturnType] - it is not `end`
