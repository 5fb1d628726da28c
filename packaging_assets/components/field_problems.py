"""What is wrong with the fields of a model's YAML, in the words of who writes it instead of pydantic's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from packaging_assets.components.spec_reference import spec_sections
from packaging_assets.domain.spelling import meant_or_all

SHOWN_CHARACTERS = 80

FieldPath = tuple[str | int, ...]


@dataclass(frozen=True)
class FieldProblem:
    """`path` leads to the field, from `attributes` on; it is empty where fields contradict one another."""

    path: FieldPath
    sentence: str


def field_problems(error: ValidationError, attributes: object) -> list[FieldProblem]:
    """Everything that `error` objects to, one problem for each field.

    Args:
        error: what `ModelSpec` said of the attributes.
        attributes: what the YAML says.
    """
    found: dict[FieldPath, list[ErrorDetails]] = {}
    for one in error.errors():
        found.setdefault(_path(one, attributes), []).append(one)
    # A field that may be one thing or another has errors for each: the deepest are about the thing that was meant.
    deepest = [path for path in found if not any(_is_below(other, path) for other in found)]
    return [FieldProblem(path, _sentence(path, found[path])) for path in deepest]


def _path(error: ErrorDetails, attributes: object) -> FieldPath:
    """Where the error is in the YAML: pydantic's location without the names of what a field may be."""
    path: list[str | int] = []
    value: Any = attributes
    for part in error["loc"]:
        if isinstance(value, Mapping | list) and _is_in(part, value):
            value = cast("Any", value)[part]
        elif error["type"] != "missing" or part != error["loc"][-1]:
            continue
        path.append(part)
    return tuple(path)


def _is_in(part: str | int, value: Mapping[Any, Any] | list[Any]) -> bool:
    return part in value if isinstance(value, Mapping) else isinstance(part, int)


def _is_below(path: FieldPath, other: FieldPath) -> bool:
    return len(path) > len(other) > 0 and path[: len(other)] == other


def _sentence(path: FieldPath, errors: Sequence[ErrorDetails]) -> str:
    name = ".".join(map(str, path))
    if errors[0]["type"] == "extra_forbidden":
        return _unknown(path)
    if errors[0]["type"] == "missing":
        return f"{name} is missing, and must be given"
    reason = ", or ".join(dict.fromkeys(one["msg"].removeprefix("Value error, ") for one in errors))
    value = repr(errors[0]["input"])
    shown = value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}..."
    return reason if not path or reason.startswith(name) else f"{name} = {shown} cannot be: {reason}"


def _unknown(path: FieldPath) -> str:
    name, names = ".".join(map(str, path)), list(_names_beside(path))
    if path[-1] in names:
        return f"{name} cannot stand beside the other fields of `{path[-2]}`: leave it out, or them"
    return f"{name}: there is no such field{meant_or_all(str(path[-1]), names)}"


def _names_beside(path: FieldPath) -> Iterator[str]:
    """The fields that there are where `path` names one that there is not."""
    parent: list[Any] = [*path[:-1]]
    if parent[:1] == ["search"]:  # whose keys are the fields of other mappings
        parent[1:] = ["<key>"]
    for section in spec_sections():
        if section.path == ".".join(map(str, parent)):
            yield from (field.name for field in section.fields)
