"""Dagster's own storage of a home, and what is wrong with the file that says where and how it is kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import packaging_assets.deferred_modules  # noqa: F401  # pyright: ignore[reportUnusedImport] - before the storage

# isort: split
import dagster as dg
from dagster._config import EvaluationError
from dagster._core.instance.ref import InstanceRef

from packaging_assets.components.yaml_file import Document, YamlFileError, read_documents

REMEDY = "correct it, or delete the file if nothing in it is yours: the next command writes it anew"


class DagsterYamlError(ValueError):
    """A home's `dagster.yaml` cannot be used; the message names file, line and remedy, `problems` no remedy."""

    def __init__(self, problems: str) -> None:
        super().__init__(f"{problems}; {REMEDY}")
        self.problems = problems


def open_instance(dagster_home: Path) -> dg.DagsterInstance:
    """Dagster's storage, to be used in a `with` statement.

    Raises:
        DagsterYamlError: its configuration cannot be used.
    """
    return dg.DagsterInstance.from_ref(instance_ref(dagster_home))


def instance_ref(dagster_home: Path, *, overrides: Mapping[str, Any] | None = None) -> InstanceRef:
    """What Dagster's storage is made from: the file `dagster.yaml`, with some of it replaced.

    Raises:
        DagsterYamlError: the file cannot be used.
    """
    try:
        return InstanceRef.from_dir(str(dagster_home), overrides=overrides)
    except OSError:
        raise
    except Exception as error:  # a file of another shape fails wherever Dagster first looks at it
        raise DagsterYamlError("\n".join(_problems(dagster_home / "dagster.yaml", error))) from error


def _problems(path: Path, error: Exception) -> Iterator[str]:
    try:
        documents = read_documents(path)
    except YamlFileError as problem:
        yield f"{path} {problem}"
        return
    if isinstance(error, dg.DagsterInvalidConfigError) and documents:
        yield from (_of_field(path, documents[0], problem) for problem in error.errors)
    else:
        yield f"{path} is nothing that Dagster can read ({error})"


def _of_field(path: Path, document: Document, problem: EvaluationError) -> str:
    """What Dagster says of a field, without all that could stand there instead."""
    where = [getattr(part, "field_name", None) or getattr(part, "list_index", 0) for part in problem.stack.entries]
    name = getattr(problem.error_data, "field_name", None)
    line = document.line([*where, *([name] if name else [])])
    return f"{path}:{line}: {problem.message.partition(' Expected: ')[0]}"
