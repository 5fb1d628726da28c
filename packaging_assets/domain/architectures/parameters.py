"""What every architecture does with its parameters: refuse the unknown ones, take defaults for the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.spelling import meant_or_all


def with_defaults(architecture: str, parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` and, for what they do not name, `defaults`.

    Raises:
        ArchitectureError: a parameter is not one of `defaults`.
    """
    for key in parameters:
        if key not in defaults:
            raise ArchitectureError(f"unknown {architecture} parameter {key!r}{meant_or_all(key, sorted(defaults))}")
    return {**defaults, **parameters}


def check_whole_number(architecture: str, name: str, value: object, *, at_least: int = 1) -> int:
    """`value`, if it is a whole number from `at_least` on.

    Raises:
        ArchitectureError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ArchitectureError(
            f"{architecture} parameter {name!r} is {value!r}; give a whole number from {at_least} on"
        )
    return value


def check_number(architecture: str, name: str, value: object, *, above: float, below: float = float("inf")) -> float:
    """`value` as a float, if it lies between `above` and `below`, both exclusive.

    Raises:
        ArchitectureError: it does not, or is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value < below:
        limit = f"above {above:g}" if below == float("inf") else f"between {above:g} and {below:g}"
        raise ArchitectureError(f"{architecture} parameter {name!r} is {value!r}; give a number {limit}")
    return float(value)
