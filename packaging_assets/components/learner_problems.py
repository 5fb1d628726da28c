"""What learners say of models' parameters and features, as training would, after an hour perhaps."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import yaml

from packaging_assets.components.model_spec import ModelSpec, OverrideError, override
from packaging_assets.components.training_steps import train_params
from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.models import make_architecture


def learner_problems(specs: Iterable[ModelSpec]) -> Iterator[str]:
    """A sentence for each model whose learner refuses it; this imports the learners."""
    for spec in specs:
        problem = _problem(spec)
        if problem:
            yield f"{spec.name}: {problem}"


def search_problems(specs: Iterable[ModelSpec]) -> Iterator[str]:
    """The first problem of each field of `search`: at the ends of a range, or with one of the choices."""
    for spec in specs:
        for key, values in spec.search.items():
            tried = (_problem_with(spec, key, value) for value in values.extremes)
            problem = next(filter(None, tried), None)
            if problem:
                yield f"{spec.name}: search: {problem}"


def _problem(spec: ModelSpec) -> str:
    """What is wrong with the model's parameters; "" for nothing."""
    for path, text in _texts(spec.parameters, "parameters"):
        if _is_meant_for_a_number(text):
            number = yaml.safe_dump(float(text)).partition("\n")[0]
            return (
                f"{path} = {text!r} is text: YAML's numbers with an exponent have a point and its sign; write {number}"
            )
    try:
        make_architecture(train_params(spec))
    except ArchitectureError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an architecture of one's own may raise anything
        return f"{type(error).__name__}: {error}"
    return ""


def _problem_with(spec: ModelSpec, key: str, value: object) -> str:
    try:
        return _problem(override(spec, {key: value}))
    except OverrideError as error:
        return str(error).removeprefix(f"{spec.name}: ")


def _is_meant_for_a_number(text: str) -> bool:
    """Whether it is like 1e-3, which JSON and Python take for a number."""
    try:
        float(text)
    except ValueError:
        return False
    return "e" in text.lower() and any(character.isdigit() for character in text)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every text in nested mappings and lists, with its dotted path."""
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from _texts(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[Any]", value)):
            yield from _texts(inner, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value
