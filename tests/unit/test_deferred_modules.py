"""Modules that are executed on first use."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from packaging_assets.deferred_modules import UNUSED, defer

LOUD = """
import sys
sys.executed = [*getattr(sys, "executed", []), __name__]
VALUE = 7
"""


@pytest.fixture
def loud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules `loud`, `pack` and `pack.loud` that say when they are executed."""
    (tmp_path / "pack").mkdir()
    for file in ("loud.py", "pack/loud.py", "pack/__init__.py"):
        (tmp_path / file).write_text(LOUD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "executed", [], raising=False)
    for name in ("loud", "pack", "pack.loud"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def executed() -> list[str]:
    return sys.executed  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.usefixtures("loud")
def test_a_module_is_executed_when_it_is_first_asked_for_something_and_once() -> None:
    defer("loud")
    module = importlib.import_module("loud")
    assert executed() == []
    assert (module.VALUE, module.VALUE) == (7, 7)
    assert executed() == ["loud"]
    assert type(module) is ModuleType
    with pytest.raises(AttributeError, match="'loud' has no attribute 'OTHER'"):
        _ = module.OTHER


@pytest.mark.usefixtures("loud")
def test_a_module_of_a_package_is_deferred_for_those_who_import_it_from_the_package() -> None:
    defer("pack.loud")
    from pack import loud  # pyright: ignore[reportMissingImports]

    assert executed() == ["pack"]
    assert loud.VALUE == 7
    assert executed() == ["pack", "pack.loud"]


@pytest.mark.usefixtures("loud")
def test_modules_of_a_deferred_package_are_imported_without_it() -> None:
    defer("pack")
    assert importlib.import_module("pack.loud").VALUE == 7
    assert executed() == ["pack.loud"]
    assert sys.modules["pack"].VALUE == 7
    assert executed() == ["pack.loud", "pack"]


@pytest.mark.usefixtures("loud")
def test_what_has_been_imported_or_is_not_there_stays_so() -> None:
    module = importlib.import_module("loud")
    defer("loud", "nowhere_to_be_found")
    assert sys.modules["loud"] is module
    assert "nowhere_to_be_found" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        defer("nowhere_to_be_found.at_all")


def test_what_is_deferred_is_there_and_works_once_it_is_used() -> None:
    assert [name for name in UNUSED if importlib.util.find_spec(name) is None] == []
    import mako.exceptions
    from dagster._daemon.controller import DagsterDaemonController

    assert issubclass(mako.exceptions.CompileException, mako.exceptions.MakoException)
    assert callable(DagsterDaemonController.check_daemon_heartbeats)
