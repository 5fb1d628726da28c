"""What the demo says to do next, in the shell it was started from."""

import sys
from pathlib import Path

import pytest

from packaging_assets.cli.demo import command_here, next_steps
from packaging_assets.settings import load_settings


@pytest.fixture
def venv(tmp_path, monkeypatch) -> Path:
    """A project folder to stand in, whose environment has the command."""
    monkeypatch.chdir(tmp_path)
    for name in ("packaging", "python"):
        file = tmp_path / ".venv" / "bin" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PACKAGING_HOME", str(tmp_path / "home"))
    return tmp_path / ".venv" / "bin"


def test_a_command_that_is_not_on_the_path_is_named_by_its_file(venv, monkeypatch):
    assert command_here() == ".venv/bin/packaging"
    (venv.parent / "elsewhere").mkdir()
    monkeypatch.chdir(venv.parent / "elsewhere")
    assert command_here() == str(venv / "packaging")
    monkeypatch.setenv("PATH", str(venv))
    assert command_here() == "packaging"


def test_another_command_of_that_name_is_not_taken_for_it(venv, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "packaging").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    assert command_here() == ".venv/bin/packaging"


def test_the_next_commands_are_for_the_homes_that_they_show(venv, tmp_path):
    assert [command for command, _ in next_steps(load_settings())] == [
        ".venv/bin/packaging ui",
        ".venv/bin/packaging models list",
    ]
    other = load_settings(tmp_path / "a small one")
    assert [command for command, _ in next_steps(other)] == [
        f".venv/bin/packaging ui --home '{other.home}'",
        f".venv/bin/packaging models list --home '{other.home}'",
    ]


def test_make_is_named_in_the_project_and_where_it_opens_the_home(venv, tmp_path, monkeypatch):
    (tmp_path / "Makefile").touch()
    assert not next_steps(load_settings())[0][0].startswith("make")
    monkeypatch.setattr("packaging_assets.settings.PROJECT_ROOT", tmp_path)
    assert next_steps(load_settings())[0][0] == "make ui, or .venv/bin/packaging ui"
    assert not next_steps(load_settings(tmp_path / "other"))[0][0].startswith("make")
    assert not next_steps(load_settings(env="aws"))[0][0].startswith("make")
