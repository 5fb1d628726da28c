"""What criteria find, and how they read their numbers from the metrics.

Evidence that is absent, null or not a finite number raises `MissingEvidenceError`; `verdicts.judge_by` turns that into
a failed check, so no criterion needs to think of it and none can pass without its numbers.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast

from packaging_assets.domain.gate_policy import GatePolicy

Severity = Literal["ERROR", "WARN"]
Metrics = Mapping[str, Any]

NO_CHAMPION = "This is the first model of its type: there is no champion to compare with."


class MissingEvidenceError(LookupError):
    """The metrics lack a number that a criterion needs; the message names it."""


class Finding(NamedTuple):
    """What one criterion found. `failed_as` is None when it is satisfied."""

    failed_as: Severity | None
    sentence: str
    value: float | None = None
    limit: float | None = None
    standard_error: float | None = None
    rows: int | None = None


Criterion = Callable[[Metrics, GatePolicy], Finding]


def find(metrics: Metrics, *path: str) -> Any:
    """What is at that path of the metrics; absent and null are missing evidence."""
    found: Any = metrics
    for depth, key in enumerate(path, start=1):
        found = cast("Metrics", found).get(key) if isinstance(found, Mapping) else None
        if found is None:
            raise MissingEvidenceError(f"the metrics lack {'.'.join(path[:depth])}")
    return found


def number(metrics: Metrics, *path: str) -> float:
    """The finite number at that path."""
    found = find(metrics, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise MissingEvidenceError(f"{'.'.join(path)} is {found!r}, not a finite number")
    return float(found)


def is_null(metrics: Metrics, *path: str) -> bool:
    """Whether null is at that path: it was looked for, and there was nothing to measure it against."""
    *parents, last = path
    place = find(metrics, *parents)
    return isinstance(place, Mapping) and last in place and place[last] is None


def count(metrics: Metrics, *path: str) -> int:
    """The number at that path, as a count."""
    return int(number(metrics, *path))


def numbers(metrics: Metrics, *path: str, field: str | None = None) -> dict[str, float]:
    """The numbers of a map by name, or one `field` of each of its entries."""
    found = find(metrics, *path)
    if not isinstance(found, Mapping):
        raise MissingEvidenceError(f"{'.'.join(path)} is {found!r}, not a map by feature")
    names = cast("Metrics", found)
    return {name: number(metrics, *path, name, *([field] if field else [])) for name in names}


def is_first_model(metrics: Metrics) -> bool:
    """True only when the metrics say so and name no champion: a champion lost on the way is missing evidence."""
    return metrics.get("is_first_model") is True and metrics.get("champion") is None


def grade(value: float, warn: float, error: float) -> Severity | None:
    """How gravely a value fails, if it does."""
    if value > error:
        return "ERROR"
    return "WARN" if value > warn else None


def exceeded_limit(failed_as: Severity | None, warn: float, error: float) -> float:
    """The limit that was exceeded last, or the one that would be exceeded first."""
    return error if failed_as == "ERROR" else warn


def above_or_within(is_failed: bool) -> str:  # noqa: FBT001 - a word for a truth value
    """The word for where a value lies."""
    return "above" if is_failed else "within"


def largest(numbers: Mapping[str, float]) -> tuple[str, float]:
    """The largest number and its name, of at least one; the first by name among equals."""
    return min(numbers.items(), key=lambda item: (-item[1], item[0]))
