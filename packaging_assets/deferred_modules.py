"""Modules that Dagster's storage imports and does not use, deferred: they are executed when somebody does use them.

With it come the daemon, for one type of it, with structlog and Rich; and by Alembic and Mako the part of Pygments that
colours errors in templates. Together they take a third of the storage's import. Import this module before the storage.
"""

import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

UNUSED = ("dagster._daemon", "mako.exceptions")

_executing = threading.RLock()


class DeferredModule(ModuleType):
    """A module whose code is run when it is first asked for a name that it has not (PEP 562, for the whole module).

    `importlib.util.LazyLoader` would run it as soon as an import statement meets it, before Python 3.12.
    """

    def __getattr__(self, name: str) -> Any:
        with _executing:
            if type(self) is DeferredModule:  # no other thread was first
                self.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue]
                self.__spec__.loader.exec_module(self)  # pyright: ignore[reportOptionalMemberAccess] - see `defer`
        return getattr(self, name)


def defer(*names: str) -> None:
    """Have modules executed on first use; what has been imported or is not there stays so.

    Raises:
        ModuleNotFoundError: the package that a module would be in is not installed.
    """
    for name in names:
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        module.__class__ = DeferredModule
        sys.modules[name] = module
        package, _, child = name.rpartition(".")
        if package:
            setattr(sys.modules[package], child, module)


defer(*UNUSED)
