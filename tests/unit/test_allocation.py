"""By which allocator the process has its memory, wherever the package is imported first."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Arrow and the C library choose")

SETTINGS = ("ARROW_DEFAULT_MEMORY_POOL", "MALLOC_ARENA_MAX")
POOL = "import packaging_assets, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
ARENAS = """
import ctypes, tempfile, threading
import packaging_assets

together, libc = threading.Barrier(8), ctypes.CDLL(None)

def allocate():
    kept = bytes(100_000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
with tempfile.NamedTemporaryFile() as told:
    stream = libc.fopen(told.name.encode(), b"w")
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(told.read().count(b"<heap nr="))
"""
"""Eight threads allocate at a time; how many heaps glibc's malloc_info(3) then tells of."""


@pytest.mark.parametrize(
    ("asked", "expected"), [({}, "system"), ({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, "mimalloc")]
)
def test_arrow_allocates_by_glibc_unless_something_else_is_asked_for(asked, expected):
    assert _told(POOL, asked) == (expected, "")


@pytest.mark.parametrize(("asked", "expected"), [({}, "2"), ({"MALLOC_ARENA_MAX": "5"}, "5")])
def test_threads_share_two_arenas_unless_something_else_is_asked_for(asked, expected):
    assert _told(ARENAS, asked) == (expected, "")


def _told(code: str, asked: dict[str, str]) -> tuple[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | asked
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603 - our own
    return told.stdout.strip(), told.stderr
