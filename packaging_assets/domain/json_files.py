"""JSON as the platform writes it: one form for one value, so that equal values are equal bytes."""

import json
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
