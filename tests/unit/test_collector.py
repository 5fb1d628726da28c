"""The collector of cyclic garbage rests while much is made, and is then as it was."""

import gc
import subprocess
import sys

from packaging_assets.collector import resting_collector

FROZEN = """
import gc
from packaging_assets.collector import resting_collector
with resting_collector(keeps_all=True):
    assert not gc.isenabled()
    kept = [[] for _ in range(1000)]
assert gc.isenabled()
assert gc.get_freeze_count() > 1000
import atexit
atexit._run_exitfuncs()
print(gc.get_freeze_count())
"""

RAISES = """
import gc
from packaging_assets.collector import resting_collector
try:
    with resting_collector():
        assert not gc.isenabled()
        raise ValueError("within")
except ValueError as error:
    assert str(error) == "within"
    print(gc.isenabled(), gc.get_freeze_count())
"""


OLD = """
import gc
from packaging_assets.collector import resting_collector
with resting_collector():
    kept = [[] for _ in range(1000)]
old = {id(each) for each in gc.get_objects(generation=2)}
print(sum(id(each) in old for each in kept), gc.get_freeze_count())
"""


def printed_by(code: str) -> str:
    """What a process of its own prints: in this one, other tests have frozen objects."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: S603 - a constant


def test_it_rests_within_the_block_and_is_on_afterwards_also_after_an_error():
    assert printed_by(RAISES) == "True 0\n"


def test_one_that_was_off_stays_off():
    gc.disable()
    try:
        with resting_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_made_within_counts_as_old_so_that_nobody_looks_at_it_right_afterwards():
    assert printed_by(OLD) == "1000 0\n"


def test_what_a_process_loaded_once_is_not_looked_at_again_before_its_end():
    assert printed_by(FROZEN) == "0\n"
