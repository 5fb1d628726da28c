"""How a long computation hears that it is to end: it asks, between two pieces of work, since no thread can be ended.

Whoever runs a step in a thread gives it a sign to look for. Without one, nothing is asked: an interruption reaches a
process's main thread by itself.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_sign: ContextVar[Event | None] = ContextVar("interruption", default=None)


@contextmanager
def interruptible(sign: Event) -> Generator[None]:
    """Inside the block, what is computed in this thread ends soon after `sign` is set."""
    token = _sign.set(sign)
    try:
        yield
    finally:
        _sign.reset(token)


def is_interrupted() -> bool:
    """Whether to end. A computation that then stops early must call `raise_if_interrupted` before it is used."""
    sign = _sign.get()
    return sign is not None and sign.is_set()


def raise_if_interrupted() -> None:
    """End here, if so.

    Raises:
        KeyboardInterrupt: as in a main thread.
    """
    if is_interrupted():
        raise KeyboardInterrupt
