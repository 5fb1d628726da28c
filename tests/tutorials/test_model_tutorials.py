"""The tutorials about models do what they say: their commands run, and print what they show."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tutorial_runs import ABOUT_MODELS, ABOUT_OPERATING, FOLDER, SETUP, follow

TUTORIALS = sorted(path for path in FOLDER.glob("*.md") if path != SETUP)


def test_every_tutorial_is_followed():
    assert [path.stem for path in TUTORIALS] == sorted((*ABOUT_MODELS, *ABOUT_OPERATING))


@pytest.mark.parametrize("tutorial", ABOUT_MODELS)
def test_a_tutorial_about_models_does_what_it_says(tutorial: str, place: tuple[Path, Mapping[str, str]]):
    follow(tutorial, place)
