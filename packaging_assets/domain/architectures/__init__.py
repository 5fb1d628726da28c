"""Model architectures, one file each, and what the platform asks of them.

The interface is scikit-learn's, with two differences: a fitted model is saved to and loaded from a folder, and
`prepare` turns a frame into the learner's own form once, for all models that share it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.features import FeatureSet

if TYPE_CHECKING:
    import pandas as pd

BUILT_IN = {"catboost": "packaging_assets.domain.architectures.catboost:CatBoostArchitecture"}
"""Short names for the architectures that come with the platform."""

METHODS = ("fit", "prepare", "predict_proba", "save", "load", "feature_importance")


class ArchitectureError(ValueError):
    """An architecture cannot be found, or refuses its parameters or its data; the message says which and why."""


class Architecture(Protocol):
    """A binary classifier of products: given equal data, parameters and seed it gives equal bytes and equal scores."""

    def __init__(self, features: FeatureSet, parameters: Mapping[str, Any]) -> None:
        """Check `parameters` by name before any training.

        Raises:
            ArchitectureError: a parameter is unknown, or one that the platform sets itself.
        """
        ...

    def fit(
        self, X: pd.DataFrame, y: npt.NDArray[np.int8], *, sample_weight: npt.NDArray[np.float64], seed: int
    ) -> Self:
        """Train on `X` (rows, features), as made by `feature_frame`, and labels and weights of shape (rows,).

        Raises:
            ArchitectureError: the learner refuses a value or the data; the message carries its reason.
        """
        ...

    def prepare(self, X: pd.DataFrame) -> object:
        """`X` in the learner's own form; fit to share among models of equal class and feature set.

        Raises:
            FeatureError: the columns are not those of the feature set, in its order.
        """
        ...

    def predict_proba(self, prepared: Any) -> npt.NDArray[np.float64]:
        """Probabilities of shape (rows, 2): unsuitable, suitable."""
        ...

    def save(self, folder: Path) -> None:
        """Write the fitted model into `folder`: the same bytes for the same model."""
        ...

    @classmethod
    def load(cls, folder: Path, features: FeatureSet) -> Self:
        """The model that `save` wrote, trained on `features`."""
        ...

    def feature_importance(self) -> dict[str, float]:
        """How much each feature contributes, in percent: adds up to 100."""
        ...


def architecture_class(name: str) -> type[Architecture]:
    """The architecture called `name`: a built-in name, or "package.module:Class".

    Raises:
        ArchitectureError: there is none of that name, or the class lacks a method of `Architecture`.
    """
    module_name, separator, class_name = BUILT_IN.get(name, name).partition(":")
    if not separator:
        raise ArchitectureError(f"architecture {name!r} is neither {_choices()} nor of the form 'package.module:Class'")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ArchitectureError(f"architecture {name!r} cannot be imported: {error}") from error
    lacking = [method for method in METHODS if not callable(getattr(found, method, None))]
    if not inspect.isclass(found) or lacking:
        raise ArchitectureError(f"architecture {name!r} is not a class with the methods {', '.join(METHODS)}")
    return cast("type[Architecture]", found)


def architecture_module(name: str) -> str:
    """The module that holds the architecture called `name`: part of what a training step's code is."""
    return BUILT_IN.get(name, name).partition(":")[0]


def _choices() -> str:
    return ", ".join(repr(name) for name in BUILT_IN)
