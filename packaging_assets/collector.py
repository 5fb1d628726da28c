"""When Python's collector of cyclic garbage need not look: while much is made that stays."""

import atexit
import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def resting_collector(*, keeps_all: bool = False) -> Generator[None]:
    """Nothing is collected within the block, and what it has made counts as old afterwards.

    Definitions are hundreds of thousands of objects that live as long as the process, and while they are made the
    collector goes through them again and again: a fifth of the time that loading takes. Once more it would do so right
    after the block, were they young: frozen and thawed they are of the oldest generation, without a look at any.

    Args:
        keeps_all: do not look at anything that is there at the end of the block before the process ends; for one that
            loads once.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if keeps_all:
            gc.freeze()
            atexit.register(gc.unfreeze)  # or DuckDB finds that its objects have been left behind, and says so
    finally:
        if was_enabled:
            if not keeps_all:
                gc.freeze()
                gc.unfreeze()
            gc.enable()
