"""The columns of a model: whether a frame has them, and whether a saved model was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.features import FeatureError, FeatureSet
from packaging_assets.domain.json_files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd


def check_columns(X: pd.DataFrame, features: FeatureSet) -> None:
    """Whether `X` has exactly `features.columns`, in that order.

    Raises:
        FeatureError: it has not; a learner would score permuted columns without a word.
    """
    if tuple(X.columns) != features.columns:
        raise FeatureError(
            f"the frame has the columns {tuple(X.columns)}, the model expects {features.columns}; "
            "make the frame with feature_frame"
        )


def check_trained_on(file: Path, columns: Sequence[str], features: FeatureSet) -> None:
    """Whether the model in `file`, trained on `columns`, is one on `features`.

    Raises:
        FeatureError: it was trained on other columns, or on the same ones in another order.
    """
    if tuple(columns) != features.columns:
        raise FeatureError(f"{file} was trained on {tuple(columns)}, not on {features.columns}")


def write_description(file: Path, features: FeatureSet, **values: Any) -> None:
    """Write `values` as JSON, with the columns that the model was trained on."""
    write_json(file, {"columns": features.columns, **values})


def read_description(file: Path, features: FeatureSet, keys: Sequence[str]) -> dict[str, Any]:
    """The values that `write_description` wrote.

    Raises:
        ArchitectureError: the file is absent or unreadable, or lacks one of `keys`.
        FeatureError: the model was trained on other columns than `features`.
    """
    try:
        saved: dict[str, Any] = read_json(file)
        columns, _ = saved["columns"], [saved[key] for key in keys]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchitectureError(f"{file} does not describe a model ({error!r}); train it again") from error
    check_trained_on(file, columns, features)
    return saved
