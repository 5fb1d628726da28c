"""Which version of the code is running, for the registry's lineage."""

import functools
import subprocess
from importlib.metadata import version
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def code_version() -> str:
    """The package's version, with the commit behind a plus sign where the code runs from a git checkout."""
    release = version("packaging-assets")
    commit = _git_commit()
    return f"{release}+{commit}" if commit else release


def _git_commit() -> str:
    if not (PROJECT_ROOT / ".git").exists():
        return ""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],  # noqa: S607 - git is found on PATH or is not there
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return ""
    return answer.stdout.strip()
