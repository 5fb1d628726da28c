"""Fitted scikit-learn estimators as files that run no code when they are read, and are equal for equal estimators.

skops writes a zip of JSON and arrays, which names every type it will construct. Where pickle runs whatever the file
says, skops refuses types that it is not told to trust. As skops writes it, such a file differs from run to run: parts
are named by memory address and stamped with the time. Here they are numbered in the order of the JSON instead. How
many cores the machine had is left out too.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging_assets.domain.architectures import ArchitectureError

SCHEMA = "schema.json"

STAMP = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""

ADDRESSES = frozenset({"_stop_words_id"})
"""Attributes in which scikit-learn keeps an `id()`, to see whether another attribute was replaced."""

BINNING_CLASS = "_BinMapper"
"""What a HistGradientBoosting model sorts values into bins with, in training; it keeps the number of threads that the
machine gave it (`n_threads`). None means as many as there are."""

TRUSTED = frozenset({"numpy.dtype"})
"""Types that skops asks about and that hold data only."""


def write_estimator(estimator: object, file: Path) -> None:
    """Write a fitted estimator: the same bytes for the same estimator.

    Raises:
        ArchitectureError: it holds something that `read_estimator` would refuse, or that skops cannot write.
    """
    import skops.io

    try:
        content = skops.io.dumps(estimator)
    except Exception as error:  # skops passes on whatever an attribute of the estimator raises
        raise ArchitectureError(f"{type(estimator).__name__} cannot be written by skops: {error}") from error
    _refuse_untrusted(skops.io.get_untrusted_types(data=content), f"the fitted {type(estimator).__name__}")
    file.write_bytes(_normalise(content))


def read_estimator(file: Path) -> Any:
    """The estimator that `write_estimator` wrote.

    Raises:
        ArchitectureError: the file is absent or damaged, or holds a type other than scikit-learn's and what skops
            trusts by itself (numpy's and scipy's among them); the message names the types. Nothing of it has run then.
    """
    import skops.io

    try:
        types = skops.io.get_untrusted_types(file=file)
    except Exception as error:  # a damaged file fails in zip, JSON or skops alike
        raise ArchitectureError(f"{file} is not a model that skops can load: {error!r}; train it again") from error
    _refuse_untrusted(types, str(file))
    return skops.io.load(file, trusted=types)


def _refuse_untrusted(types: Iterable[str], where: str) -> None:
    refused = [name for name in types if name not in TRUSTED and not _is_sklearn_class(name)]
    if refused:
        raise ArchitectureError(
            f"{where} holds {', '.join(refused)}: only types of scikit-learn, numpy and scipy are loaded; build the "
            "estimator from those, or write an architecture of your own"
        )


def _is_sklearn_class(name: str) -> bool:
    """Whether `name` is a class that scikit-learn defines; a name of something it imports is not."""
    module, _, attribute = name.rpartition(".")
    if not module.startswith("sklearn."):
        return False
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    return inspect.isclass(found) and found.__module__.startswith("sklearn.")


def _normalise(content: bytes) -> bytes:
    """The same archive with parts numbered in the order of the schema, and with one time for all of them."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        schema = json.loads(source.read(SCHEMA))
        numbering = _Numbering()
        numbering.apply(schema)
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for old, new in numbering.files.items():
                archive.writestr(zipfile.ZipInfo(new, STAMP), source.read(old))
            archive.writestr(zipfile.ZipInfo(SCHEMA, STAMP), json.dumps(schema, sort_keys=True))
    return target.getvalue()


class _Numbering:
    """New names for the addresses and files of a schema, given in the order in which they are met."""

    def __init__(self) -> None:
        self._identities: dict[int, int] = {}
        self.files: dict[str, str] = {}
        self._count = 0

    def apply(self, node: Any) -> None:
        """Rename in `node`, a value of a JSON document, in place."""
        if isinstance(node, list):
            for value in node:
                self.apply(value)
        elif isinstance(node, dict):
            self._apply_to_object(node)

    def _apply_to_object(self, node: dict[str, Any]) -> None:
        for key in ADDRESSES.intersection(node):
            node[key]["content"] = "null"
        if node.get("__class__") == BINNING_CLASS:
            node["content"]["content"]["n_threads"]["content"] = "null"
        for key in sorted(node):
            self.apply(node[key])
        if isinstance(node.get("file"), str):
            file = node["file"]
            node["file"] = self.files.setdefault(file, f"{len(self.files)}{Path(file).suffix}")
        if "__id__" in node:
            node["__id__"] = self._identity(node)

    def _identity(self, node: dict[str, Any]) -> int:
        """A plain value is no other's twin: whether Python keeps equal ones once is an accident."""
        self._count += 1
        if node.get("__loader__") == "JsonNode":
            return self._count
        return self._identities.setdefault(node["__id__"], self._count)
