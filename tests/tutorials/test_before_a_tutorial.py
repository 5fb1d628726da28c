"""What the page before the tutorials says to do leads to where the tests begin, and back to it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tutorial_runs import ABOUT_MODELS, ABOUT_OPERATING, FOLDER, OPTIONS, SETUP
from tutorial_script import blocks_of


def block_with(command: str) -> str:
    """The block of the page that has the command."""
    (found,) = (block.shell for block in blocks_of(SETUP.read_text()) if command in block.shell)
    return found


def bash(script: str, folder: Path, environment: Mapping[str, str]) -> None:
    command = ["bash", "-c", f"set -eo pipefail\n{script}"]
    subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True, capture_output=True)  # noqa: S603


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_the_page_makes_the_home_that_the_tests_begin_with():
    assert f"packaging demo {' '.join(OPTIONS)}\n" in block_with("packaging demo")


@pytest.mark.parametrize("tutorial", [*ABOUT_MODELS, *ABOUT_OPERATING])
def test_every_tutorial_sends_there_at_its_top(tutorial: str):
    title, first, *_ = (FOLDER / f"{tutorial}.md").read_text().split("\n\n")
    assert title.startswith("# ")
    assert "[before a tutorial](README.md)" in first


def test_a_tutorial_is_undone(tmp_path: Path):
    project, home = tmp_path / "project", tmp_path / "project" / ".packaging-tutorial"
    environment = {"PACKAGING_HOME": str(home), "GIT_CONFIG_GLOBAL": "/dev/null"}
    mailer, database = project / "packaging_assets" / "defs" / "mailer" / "defs.yaml", home / "warehouse.duckdb"
    write(mailer, "depth: 6")
    by_somebody = "-c user.name=ann -c user.email=ann@example.org"
    bash(f"git init -q && git add . && git {by_somebody} commit -qm 'Begin'", project, environment)
    write(database, "three weeks")
    (keep,) = (line for line in block_with("packaging demo").splitlines() if line.startswith("cp "))
    bash(keep, project, environment)
    before = contents(project)

    write(mailer, "depth: 5")
    write(mailer.parents[1] / "mailer_words" / "defs.yaml", "name: mailer_words")
    write(project / "my_team" / "naive_bayes.py", "")
    write(database, "four weeks")
    write(Path(f"{home}-live") / "registry.db", "")
    for _ in range(2):  # the second time there is nothing to undo
        bash(block_with("git restore"), project, environment)
        assert contents(project) == before
