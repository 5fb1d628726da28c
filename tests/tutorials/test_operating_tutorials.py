"""The tutorials about operating do what they say: their commands run, and print what they show."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tutorial_runs import ABOUT_OPERATING, follow


@pytest.mark.parametrize("tutorial", ABOUT_OPERATING)
def test_a_tutorial_about_operating_does_what_it_says(tutorial: str, place: tuple[Path, Mapping[str, str]]):
    follow(tutorial, place)
