"""Following a tutorial, and where it goes wrong."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tutorial_script import blocks_of, first_missing, outputs_of, script_of

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
SETUP = FOLDER / "README.md"
OPTIONS = ("--products", "3000", "--weeks", "3")
"""Of the demo whose home the tutorials begin with."""

TIMEOUT_SECONDS = 600

ABOUT_MODELS = ("chaining-models", "experiments", "feature-sets", "first-model", "notebooks", "your-own-architecture")
ABOUT_OPERATING = ("caching", "promoting", "restarting", "shadow-models", "trigger-files")
"""In two parts, so that two processes can test them."""


def follow(name: str, place: tuple[Path, Mapping[str, str]]) -> None:
    """Run a tutorial's commands in the project copy of `place`, and hold what they print against what it shows."""
    project, environment = place
    blocks = blocks_of((FOLDER / f"{name}.md").read_text())
    assert any(block.expected for block in blocks)

    run = subprocess.run(  # noqa: S603 - the tutorials are the project's own
        ["bash", "-c", script_of(blocks)],  # noqa: S607 - wherever it is
        check=False,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )

    outputs = outputs_of(blocks, run.stdout)
    assert run.returncode == 0, f"{name}, line {max(outputs)}:\n{run.stdout[-3000:]}"
    for block in blocks:
        missing = first_missing(block.expected, outputs[block.line])
        assert missing is None, f"{name}, line {block.line}: {missing!r} in\n" + "\n".join(outputs[block.line])
