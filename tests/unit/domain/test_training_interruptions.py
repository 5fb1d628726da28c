"""Computations hear of an interruption inside the block that names a sign, and nowhere else."""

from threading import Event

import pytest

from packaging_assets.domain.interruptions import interruptible, is_interrupted, raise_if_interrupted


def test_without_a_sign_nothing_is_interrupted():
    raise_if_interrupted()

    assert not is_interrupted()


def test_a_sign_interrupts_once_it_is_set():
    sign = Event()
    with interruptible(sign):
        raise_if_interrupted()
        before = is_interrupted()
        sign.set()
        after = is_interrupted()
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted()

    assert (before, after) == (False, True)
    assert not is_interrupted()
