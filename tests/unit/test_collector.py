"""The collector of cyclic garbage rests while much is made, and is then as it was."""

import gc
import subprocess
import sys

import pytest

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


def test_it_rests_within_the_block_and_is_on_afterwards_also_after_an_error():
    frozen = gc.get_freeze_count()  # by another test, in this process
    with pytest.raises(ValueError, match="within"), resting_collector():  # noqa: PT012 - the state within is the point
        assert not gc.isenabled()
        raise ValueError("within")

    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen  # fewer where something of theirs went meanwhile


def test_one_that_was_off_stays_off():
    gc.disable()
    try:
        with resting_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_a_process_loaded_once_is_not_looked_at_again_before_its_end():
    done = subprocess.run(  # noqa: S603 - a constant
        [sys.executable, "-c", FROZEN], check=True, capture_output=True, text=True
    )

    assert done.stdout == "0\n"
