"""Model architectures, one file each, and what the platform asks of them.

docs/architectures.md says what each does; `packaging_assets.testing` has the tests that all of them pass.

The interface is scikit-learn's, with two differences: a fitted model is saved to and loaded from a folder, and
`prepare` turns a frame into the learner's own form once, for all models that share it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.features import FeatureKind, FeatureSet

if TYPE_CHECKING:
    import pandas as pd

BUILT_IN = {
    "catboost": "packaging_assets.domain.architectures.catboost:CatBoostArchitecture",
    "catboost_multimodal": "packaging_assets.domain.architectures.catboost_multimodal:CatBoostMultimodalArchitecture",
    "sklearn": "packaging_assets.domain.architectures.sklearn:SklearnArchitecture",
    "stacked": "packaging_assets.domain.architectures.stacked:StackedArchitecture",
    "torch_fusion": "packaging_assets.domain.architectures.torch_fusion:TorchFusionArchitecture",
}
"""Short names for the architectures that come with the platform."""


@dataclass(frozen=True)
class Extra:
    """What an architecture needs that is not installed with the platform."""

    modules: tuple[str, ...]
    installing: str


NEEDED_EXTRAS = {
    "torch_fusion": Extra(
        ("torch", "safetensors"), "`uv sync --extra torch`, or `pip install 'packaging-assets[torch]'`"
    )
}
"""By the short name of the architecture."""

DEFAULT_KINDS: frozenset[FeatureKind] = frozenset({"numeric", "embedding", "scores", "categorical"})
"""What an architecture takes that does not say: numbers and categories."""

METHODS = ("fit", "prepare", "predict_proba", "save", "load", "feature_importance")


class ArchitectureError(ValueError):
    """An architecture cannot be found, or refuses its parameters or its data; the message says which and why."""


class Architecture(Protocol):
    """A binary classifier of products: given equal data, parameters and seed it gives equal bytes and equal scores.

    A class may say which kinds of features it takes in the class attribute `feature_kinds`; else it is `DEFAULT_KINDS`.
    """

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


@runtime_checkable
class KeepsCheckpoints(Protocol):
    """What an architecture has, besides the methods of `Architecture`, that can go on from where it was interrupted."""

    def checkpoint_in(self, folder: Path) -> None:
        """Keep checkpoints of the next `fit` in `folder`, and go on from the one that is there.

        The fitted model is the same, byte for byte, whether it was interrupted or not. `fit` is called with the same
        data, weights and seed as when the checkpoint was made.
        """
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


def feature_kinds(architecture: type[Architecture]) -> frozenset[FeatureKind]:
    """The kinds of features that an architecture takes."""
    return getattr(architecture, "feature_kinds", DEFAULT_KINDS)


def check_feature_kinds(name: str, features: FeatureSet) -> None:
    """Whether the architecture called `name` takes features of all these kinds.

    Raises:
        ArchitectureError: it does not; the message names the kind and what to do.
    """
    taken = feature_kinds(architecture_class(name))
    for kind in features.kinds:
        if kind not in taken:
            raise ArchitectureError(
                f"architecture {name!r} takes no {kind} features ({', '.join(getattr(features, kind)[:3])}); it takes "
                f"{', '.join(sorted(taken))}: leave them out of `features`, or choose another architecture"
            )


def architecture_module(name: str) -> str:
    """The module that holds the architecture called `name`: part of what a training step's code is."""
    return BUILT_IN.get(name, name).partition(":")[0]


def architecture_modules(name: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """All modules that a training step with this architecture finds by name: part of what its code is.

    They are the architecture's own, and for `sklearn` the one that `estimator` names, if it is not scikit-learn's:
    of a library the version counts, of one's own pipeline the code. Nothing is imported.
    """
    module = architecture_module(name)
    if module != architecture_module("sklearn"):
        return (module,)
    path = str(parameters.get("estimator", ""))
    estimator = path.partition(":")[0] if ":" in path else path.rpartition(".")[0]
    return (module,) if estimator.partition(".")[0] in {"", "sklearn"} else (module, estimator)


def _choices() -> str:
    return ", ".join(repr(name) for name in BUILT_IN)
