"""The project with more models than it is shipped with, without touching its folder."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

import packaging_assets.defs

DEFS = Path(packaging_assets.defs.__file__).parent


@contextmanager
def project_with(folder: Path, **files: str) -> Generator[None]:
    """Let definitions that are loaded meanwhile have these models too: name -> the text of its defs.yaml.

    Dagster reads YAML files from where the module `packaging_assets.defs` says it lies: for the time being in a copy in
    `folder`. Python modules it imports by name, so they stay those of the project.
    """
    copy = folder / "defs"
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(DEFS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        (copy / name).mkdir()
        (copy / name / "defs.yaml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaging_assets.defs, "__file__", str(copy / "__init__.py"))
        yield
