"""A model registry of one's own."""

from pathlib import Path

import pytest

from packaging_assets.resources.sqlite_registry import SqliteModelRegistry


@pytest.fixture
def registry(tmp_path: Path) -> SqliteModelRegistry:
    return SqliteModelRegistry(tmp_path / "registry.db")
