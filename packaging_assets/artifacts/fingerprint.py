"""What a step's outcome depends on, as one hash: its code, its params, its inputs' content.

The code of a step is its module and every module of its project that those import, wherever in the file the import
stands, and so on; modules that belong to no installed distribution, such as a file beside one's own, are code as well.
Modules are compared by what they do: the hash is over the syntax tree without docstrings, so comments, formatting and
documentation do not count, and everything else does. Of other people's libraries the version counts.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from packaging_assets.collector import resting_collector

PROJECT = __name__.partition(".")[0]

DISTRIBUTIONS = {
    "PIL": "pillow",
    "dateutil": "python-dateutil",
    "google": "protobuf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
"""Import names whose distribution has another name. Asking `packages_distributions` instead reads every installed
file list (0.3 s); it is the fallback for names that are not here."""

WITHOUT_INFLUENCE = frozenset({"pydantic", "pydantic_core", "annotated_types", "typing_extensions"})
"""Libraries that check params and annotate code; the params themselves are part of the fingerprint."""

_LIBRARIES = tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib"))
"""Folders in which code is installed and not edited."""

_noted: dict[str, tuple[ModuleSpec, tuple[int, int]]] = {}
"""By module: as what it was loaded, and its source's time and size when that was first noticed."""

_looked_at: set[str] = set()
"""Modules of which it is known whether they are a library's: of 3,000 nearly all, and to ask takes milliseconds."""

_ONE_AT_A_TIME = threading.Lock()
"""Steps run in threads, and in CPython 3.11 `ast.parse` in two of them at once can raise "AST constructor recursion
depth mismatch": its depth is counted for the whole interpreter (python/cpython#106905). Libraries parse, too, when they
are imported, for instance. But a tree is made in one go unless the collector runs Python in the middle, so it rests."""


class FingerprintError(Exception):
    """A step's code cannot be found or read; the message names the module and the remedy."""


@dataclass(frozen=True)
class CodeHash:
    """sha256 of each module of the project, and the version of each library that they import ("python" too)."""

    modules: Mapping[str, str]
    libraries: Mapping[str, str]


@dataclass(frozen=True)
class FingerprintParts:
    """Everything a fingerprint is made from, kept beside the artifact to explain later which part changed."""

    step: str
    modules: Mapping[str, str]
    libraries: Mapping[str, str]
    params: Mapping[str, Any]
    inputs: Mapping[str, str]

    @functools.cached_property
    def fingerprint(self) -> str:
        """sha256 of the parts in canonical JSON, 64 hexadecimal digits."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def fingerprint_parts(
    step: Callable[..., None],
    *,
    params: BaseModel,
    inputs: Mapping[str, str],
    extra_modules: Sequence[str] = (),
) -> FingerprintParts:
    """The parts of a step's fingerprint.

    Args:
        step: a function at the top level of a module.
        params: its params; sequences must be tuples or lists, since a set has no order to hash.
        inputs: content hash by input name.
        extra_modules: modules that the step finds by name, which no import shows ("my_team.models:Transformer" or
            "my_team.models"), inside the project or not.

    Raises:
        FingerprintError: a module has no source that can be read.
    """
    code = code_hash(step, extra_modules)
    return FingerprintParts(
        step=f"{step.__module__}:{step.__qualname__}",
        modules=code.modules,
        libraries=code.libraries,
        params=params.model_dump(mode="json"),
        inputs=dict(sorted(inputs.items())),
    )


def code_hash(step: Callable[..., None], extra_modules: Sequence[str] = ()) -> CodeHash:
    """Hashes of the modules that a step is made of, and the versions of the libraries they use.

    Computed once per process and set of modules: a process runs the code it has loaded.

    Raises:
        FingerprintError: a module has no source that can be read.
    """
    return code_of_modules([step.__module__, *extra_modules])


def code_of_modules(names: Iterable[str]) -> CodeHash:
    """As `code_hash`, for a step of which only its module's name is at hand.

    Raises:
        FingerprintError: a module has no source that can be read.
    """
    with _ONE_AT_A_TIME:
        return _code_hash(frozenset(name.partition(":")[0] for name in names))


def note_loaded_code() -> None:
    """Remember how the sources of the loaded modules look, of those that are no library's.

    A process goes on with the code that it has loaded. Where a source is edited before its hash is taken, the hash
    would stand for code that was not run, and the new code would find the old one's results in the cache, for good.
    """
    loaded = set(sys.modules)
    for name in {*_noted, *(loaded - _looked_at)}:
        spec = _loaded_as(name)
        if spec is None or (name in _noted and _noted[name][0] is spec):
            continue
        origin = str(spec.origin)
        if origin.endswith(".py") and not origin.startswith(_LIBRARIES):
            with suppress(OSError):
                _noted[name] = (spec, _stamp(origin))
    _looked_at.update(loaded)


def _loaded_as(name: str) -> ModuleSpec | None:
    """What a module was loaded by, without waking one that is loaded on first use; each loading has another."""
    try:
        spec = object.__getattribute__(sys.modules.get(name), "__dict__").get("__spec__")
    except AttributeError:  # what libraries put among the modules need not be one
        return None
    return spec if isinstance(spec, ModuleSpec) else None


def _stamp(file: str) -> tuple[int, int]:
    found = Path(file).stat()
    return found.st_mtime_ns, found.st_size


def is_module(name: str) -> bool:
    """Whether there is a module of that name, found without importing it."""
    return _spec(name) is not None


@functools.cache
@resting_collector()
def _code_hash(roots: frozenset[str]) -> CodeHash:
    note_loaded_code()
    own = frozenset({PROJECT, *(root.partition(".")[0] for root in roots)})
    modules: dict[str, str] = {}
    libraries: set[str] = set()
    waiting = {package for root in roots for package in _with_parents(root)}
    for root in roots:
        _source_of(root)  # refuses a root that is not there, before the loop passes over names that are not modules
    while waiting:
        name = waiting.pop()
        if name in modules:
            continue
        source = _read(name)
        if source is None:
            continue
        modules[name] = source.sha256
        code = {imported for imported in source.imports if _top(imported) in own or _is_nobodys(_top(imported))}
        libraries |= {_top(imported) for imported in source.imports - code}
        waiting |= {package for imported in code for package in _with_parents(imported)}
    versions = {name: version for library in libraries for name, version in _version(library)}
    versions["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    return CodeHash(dict(sorted(modules.items())), dict(sorted(versions.items())))


@functools.cache
def _is_nobodys(library: str) -> bool:
    """Whether a module has no version that could count, since no installed distribution brought it.

    `__main__` is whichever program runs.
    """
    if library in {"__main__", *WITHOUT_INFLUENCE} or library in sys.stdlib_module_names or _version(library):
        return False
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # made by a program while it ran
        return False


def _top(module: str) -> str:
    return module.partition(".")[0]


def _with_parents(module: str) -> Iterable[str]:
    """`a.b.c` runs `a` and `a.b` as well."""
    names = module.split(".")
    return (".".join(names[: length + 1]) for length in range(len(names)))


@dataclass(frozen=True)
class _Source:
    sha256: str
    imports: frozenset[str]


def _source_of(module: str) -> _Source:
    source = _read(module)
    if source is None:
        raise FingerprintError(
            f"No module {module!r} can be found, so its code cannot be part of a fingerprint: correct the import path, "
            "or install the package it is in."
        )
    return source


@functools.cache
def _read(module: str) -> _Source | None:
    """A module's hash and the names it imports, or None where the name is not a module (a function, a class)."""
    spec = _spec(module)
    if spec is None:
        return None
    if spec.origin is None or not spec.has_location:
        return _Source(hashlib.sha256(b"").hexdigest(), frozenset())  # a namespace package has no code
    content = Path(spec.origin).read_bytes()
    _refuse_edited(module, spec.origin)
    if not spec.origin.endswith(".py"):
        return _Source(hashlib.sha256(content).hexdigest(), frozenset())
    try:
        tree = ast.parse(content, spec.origin)
    except SyntaxError as error:
        raise FingerprintError(f"{spec.origin}, line {error.lineno}, is not valid Python: {error.msg}.") from error
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    imports = frozenset(_imports(tree, package))
    return _Source(hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest(), imports)


def _refuse_edited(module: str, origin: str) -> None:
    spec, stamp = _noted.get(module, (None, None))
    if spec is not None and spec is _loaded_as(module) and spec.origin == origin and stamp != _stamp(origin):
        raise FingerprintError(
            f"{origin} was changed after this process had loaded it, so its results would be kept as those of the new "
            "code: run it again."
        )


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is, without importing its packages as `importlib.util.find_spec` would."""
    name, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:
        raise FingerprintError(
            f"Module {module!r} has no import path, so its code cannot be part of a fingerprint: define the step in a "
            "module that can be imported."
        ) from None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    return spec


def _imports(tree: ast.AST, package: str) -> Iterable[str]:
    """Every name that could be a module, from the imports at any depth: `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names if alias.name != "*")


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_bare_string(statement)]
    return tree


def _is_bare_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@functools.cache
def _version(library: str) -> tuple[tuple[str, str], ...]:
    """Name and version of the distribution that an import name comes from; none for the standard library."""
    if library in sys.stdlib_module_names or library in WITHOUT_INFLUENCE:
        return ()
    try:
        name = DISTRIBUTIONS.get(library, library)
        return ((name, importlib.metadata.version(name)),)
    except importlib.metadata.PackageNotFoundError:
        names = importlib.metadata.packages_distributions().get(library, ())
        return tuple((name, importlib.metadata.version(name)) for name in sorted(set(names)))
