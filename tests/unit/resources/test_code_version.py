import subprocess
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path

import pytest

from packaging_assets.resources import code_version as module
from packaging_assets.resources.code_version import code_version


@pytest.fixture(autouse=True)
def _forgotten() -> Generator[None]:
    code_version.cache_clear()
    yield
    code_version.cache_clear()


def test_names_release_and_commit_in_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("content")
    author = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)  # noqa: S603, S607 - fixed commands
    monkeypatch.setattr(module, "PROJECT_ROOT", tmp_path)
    release, _, commit = code_version().partition("+")
    assert release == version("packaging-assets")
    assert len(commit) == 12
    assert int(commit, 16) >= 0


def test_names_the_release_alone_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROJECT_ROOT", tmp_path)
    assert code_version() == version("packaging-assets")


def test_does_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(module, "PROJECT_ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_version() == version("packaging-assets")
