"""The CloudFormation templates with their loops written out, as far as these templates use loops."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml

TEMPLATES = Path(__file__).resolve().parents[2] / "deploy" / "cloudformation"
ORDER = ("images", "data", "registry", "network", "roles", "warehouse", "platform", "observability")
"""In which they are deployed."""


def template(name: str) -> Any:
    """A template as it is written."""
    return cfn_yaml.load(str(TEMPLATES / f"{name}.yaml"))


def resources(name: str) -> dict[str, Any]:
    """The resources of a template by logical name."""
    written = template(name)
    found: dict[str, Any] = {}
    for logical, given in written["Resources"].items():
        if not logical.startswith("Fn::ForEach::"):
            found[logical] = given
            continue
        identifier, collection, body = given
        for value in _listed(collection, written):
            found.update(_filled_in(body, identifier, value, written))
    return found


def of_type(kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Template, logical name and properties of all resources of a type."""
    for name in ORDER:
        for logical, given in resources(name).items():
            if given["Type"] == kind:
                yield name, logical, given.get("Properties", {})


def texts(value: Any) -> Iterator[str]:
    """Every text in a template, keys included."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    else:
        yield str(value)


def uses(value: Any, function: str) -> Iterator[Any]:
    """What a function is given, wherever it occurs."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == function:
                yield item
            yield from uses(item, function)
    elif isinstance(value, list):
        for item in value:
            yield from uses(item, function)


def _listed(collection: Any, written: Any) -> list[str]:
    if isinstance(collection, dict):
        return str(written["Parameters"][collection["Ref"]]["Default"]).split(",")
    return list(collection)


def _filled_in(value: Any, identifier: str, text: str, written: Any) -> Any:
    if isinstance(value, dict):
        if dict(value) == {"Ref": identifier}:
            return text
        filled = {
            key.replace(f"${{{identifier}}}", text): _filled_in(item, identifier, text, written)
            for key, item in value.items()
        }
        return _mapped(filled, written)
    if isinstance(value, list):
        return [_filled_in(item, identifier, text, written) for item in value]
    return value.replace(f"${{{identifier}}}", text) if isinstance(value, str) else value


def _mapped(value: dict[str, Any], written: Any) -> Any:
    """A text whose parts come from a mapping, and what a mapping gives."""
    if "Fn::FindInMap" in value:
        mapping, first, second = value["Fn::FindInMap"]
        return written["Mappings"][mapping][first][second]
    if isinstance(value.get("Fn::Sub"), list):
        text, parts = value["Fn::Sub"]
        if all(isinstance(part, str) for part in parts.values()):
            return {"Fn::Sub": re.sub(r"\$\{(\w+)\}", lambda found: parts.get(found[1], found[0]), text)}
    return value
