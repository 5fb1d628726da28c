"""By which allocator the process has its memory (docs/adr/0022-arrow-allocates-by-glibc.md).

Imported by the package itself, and so before Arrow and before any thread: neither is asked again later.
"""

import ctypes
import os
import sys

ARENAS = 2
"""Heaps that the threads share. Left to itself, glibc keeps up to eight for each core, and what is free in one of them
is of no use to the others."""

_M_ARENA_MAX = -8  # malloc.h


def allocate_by_glibc() -> None:
    """On Linux: Arrow's memory comes by glibc, like NumPy's, from few heaps; the environment can say otherwise."""
    if sys.platform != "linux":
        return
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and no arenas either
    if set_option is not None and "MALLOC_ARENA_MAX" not in os.environ:
        set_option(_M_ARENA_MAX, ARENAS)
