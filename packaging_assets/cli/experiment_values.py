"""What is typed after `--set`, and files with a search space."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from packaging_assets.components.search_space import SearchSpace


def parse_settings(given: Sequence[str]) -> dict[str, Any]:
    """`parameters.depth=8` and the like as dotted key -> value; values are JSON or YAML.

    Raises:
        click.BadParameter: there is no "=" or no key, a value is not YAML, or a key is given twice.
    """
    settings: dict[str, Any] = {}
    for each in given:
        key, equals, text = each.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"{each!r} sets nothing: write it like parameters.depth=8.", param_hint="--set")
        if key.strip() in settings:
            raise click.BadParameter(f"{key.strip()} is set twice: set it once.", param_hint="--set")
        settings[key.strip()] = parse_value(text)
    return settings


def parse_value(text: str) -> Any:
    """A value as JSON, else as YAML: `8`, `1e-3`, `true`, `[box, bag]`, `catboost`.

    YAML's dates stay text, since no field holds one; and `1e-3`, which YAML takes for text, is a number.

    Raises:
        click.BadParameter: it is neither.
    """
    import yaml

    from packaging_assets.components.yaml_file import FAULTS

    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()  # "\ud800" alone is no text that can be kept
    except (ValueError, RecursionError):
        pass
    else:
        return value
    try:
        value = yaml.safe_load(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except TypeError:
        return text
    except FAULTS:
        raise click.BadParameter(f"{text!r} is no value in JSON or YAML.", param_hint="--set") from None
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def read_space(path: Path) -> "SearchSpace":
    """The search space in a YAML file, with or without the key `search` above it.

    Raises:
        click.BadParameter: it is not YAML, or not a search space.
    """
    from pydantic import TypeAdapter, ValidationError

    from packaging_assets.components.search_space import SearchRange

    content = _only_document(path)
    inner = content.get("search", content) if isinstance(content, dict) else content
    try:
        return TypeAdapter(dict[str, SearchRange]).validate_python({} if inner is None else inner)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise click.BadParameter(f"{path}: {where}: {problem['msg']}", param_hint="--space") from None


def _only_document(path: Path) -> Any:
    """What a file of one YAML document says, read as models are; None if it is empty."""
    from packaging_assets.components.yaml_file import YamlFileError, read_documents

    try:
        documents = read_documents(path)
    except YamlFileError as error:
        raise click.BadParameter(f"{path} {error}", param_hint="--space") from None
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--space") from None
    if len(documents) > 1:
        raise click.BadParameter(f"{path} holds {len(documents)} documents: give one", param_hint="--space")
    return documents[0].value if documents else None


def set_lines(overrides: "dict[str, Any]") -> str:
    """The overrides as they are typed after a command, safe to paste into a shell."""
    import shlex

    return " ".join(f"--set {shlex.quote(f'{key}={_typed(value)}')}" for key, value in overrides.items())


def yaml_snippet(overrides: "dict[str, Any]") -> str:
    """The overrides as they stand in a model's YAML, under `attributes`."""
    import yaml

    nested: dict[str, Any] = {}
    for key, value in overrides.items():
        *path, last = key.split(".")
        inner = nested
        for name in path:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return yaml.safe_dump({"attributes": nested}, sort_keys=False, default_flow_style=None).rstrip()


def _typed(value: Any) -> str:
    """Text as it is where it reads back as the same text, everything else as JSON."""
    if isinstance(value, str) and parse_value(value) == value:
        return value
    return json.dumps(value)
