"""JSON as the platform writes it: one form for one value, so that equal values are equal bytes."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write `value` with sorted keys, two spaces of indent, shortest exact floats and a newline at the end.

    Raises:
        ValueError: `value` holds a NaN or an infinity, which JSON cannot say.
    """
    path.write_text(json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value in the JSON file `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: a figure that could not be computed is null."""
    if isinstance(value, Mapping):
        return {str(name): without_nan(item) for name, item in value.items()}  # pyright: ignore
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]  # pyright: ignore
    return None if isinstance(value, float) and not math.isfinite(value) else value
