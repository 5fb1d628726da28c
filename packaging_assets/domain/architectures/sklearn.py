"""Any classifier of scikit-learn, or a pipeline of one's own, named by import path.

By default the columns are made into numbers first: numbers are filled with their median and scaled, categories become
one column per frequent value, texts become TF-IDF weights of their frequent words. With `preprocessing: none` the
estimator is handed the frame as `feature_frame` makes it.

The fitted estimator is kept by skops, which runs no code of the file when it loads it, as pickle would.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.architectures import DEFAULT_KINDS, ArchitectureError
from packaging_assets.domain.architectures.columns import check_columns, read_description, write_description
from packaging_assets.domain.architectures.estimator_importance import estimator_importance
from packaging_assets.domain.architectures.parameters import check_whole_number, with_defaults
from packaging_assets.domain.architectures.preprocessing import final_step, preprocessor
from packaging_assets.domain.architectures.skops_files import read_estimator, write_estimator
from packaging_assets.domain.features import FeatureSet

if TYPE_CHECKING:
    import pandas as pd

ESTIMATOR_FILE = "estimator.skops"
DESCRIPTION_FILE = "estimator.json"

DEFAULTS: Mapping[str, Any] = {
    "estimator": "sklearn.ensemble.HistGradientBoostingClassifier",
    "parameters": {},
    "preprocessing": "columns",
    "words": 300,
}

PREPROCESSING = ("columns", "none")

SEED = "random_state"

ROWS_PER_BLOCK = 20_000
"""Rows made into numbers at a time: of a thousand columns 80 MB, whatever the size of the inventory's parts."""


class SklearnArchitecture:
    """An estimator with `fit` and `predict_proba` behind the platform's interface.

    Its parameters: `estimator`, the import path of a class or of a function that returns an estimator; `parameters`,
    what that is called with; `preprocessing`, "columns" or "none"; `words`, the most frequent words kept of each text.
    """

    name = "sklearn"
    feature_kinds = DEFAULT_KINDS | {"text"}

    def __init__(self, features: FeatureSet, parameters: Mapping[str, Any]) -> None:
        given = with_defaults(self.name, parameters, DEFAULTS)
        if given["preprocessing"] not in PREPROCESSING:
            raise ArchitectureError(
                f"sklearn parameter 'preprocessing' is {given['preprocessing']!r}; "
                f"use one of {', '.join(PREPROCESSING)}"
            )
        words = check_whole_number(self.name, "words", given["words"])
        estimator = build_estimator(given["estimator"], given["parameters"])
        self._features = features
        self._pipeline = preprocessor(features, words, estimator) if given["preprocessing"] == "columns" else estimator
        self._importance: dict[str, float] = {}

    def fit(
        self, X: pd.DataFrame, y: npt.NDArray[np.int8], *, sample_weight: npt.NDArray[np.float64], seed: int
    ) -> Self:
        """Train; every `random_state` in the pipeline is set to `seed`, and the weights go to its last step."""
        check_columns(X, self._features)
        nested = [key for key in self._pipeline.get_params(deep=True) if _is_seed(key)]
        self._pipeline.set_params(**dict.fromkeys(nested, seed))
        try:
            self._pipeline.fit(X, y, **_weights(self._pipeline, sample_weight))
        except (ValueError, TypeError) as error:
            raise ArchitectureError(
                f"{type(final_step(self._pipeline)[1]).__name__} refuses to train: {error}"
            ) from error
        self._importance = estimator_importance(self._pipeline, X, self._features)
        return self

    def prepare(self, X: pd.DataFrame) -> pd.DataFrame:
        """The frame itself: what is made of it is learned by each model."""
        check_columns(X, self._features)
        return X

    def predict_proba(self, prepared: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Probabilities of shape (rows, 2): unsuitable, suitable."""
        starts = range(0, len(prepared), ROWS_PER_BLOCK)
        blocks = [self._pipeline.predict_proba(prepared.iloc[first : first + ROWS_PER_BLOCK]) for first in starts]
        return np.concatenate(blocks).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write estimator.skops and estimator.json.

        Raises:
            ArchitectureError: the estimator holds something that could not be loaded again, such as a function of its
                own.
        """
        write_estimator(self._pipeline, folder / ESTIMATOR_FILE)
        write_description(folder / DESCRIPTION_FILE, self._features, feature_importance=self._importance)

    @classmethod
    def load(cls, folder: Path, features: FeatureSet) -> Self:
        """The model that `save` wrote.

        Raises:
            ArchitectureError: a file is absent or unreadable, or holds types that are not trusted.
            FeatureError: the model was trained on other columns than `features`.
        """
        saved = read_description(folder / DESCRIPTION_FILE, features, ("feature_importance",))
        architecture = cls(features, {})
        architecture._pipeline = read_estimator(folder / ESTIMATOR_FILE)
        architecture._importance = {column: saved["feature_importance"][column] for column in features.columns}
        return architecture

    def feature_importance(self) -> dict[str, float]:
        """In percent; see `estimator_importance`."""
        return dict(self._importance)


def build_estimator(path: object, parameters: object) -> Any:
    """What the class or function at `path`, "package.module.Name" or "package.module:name", makes of `parameters`.

    Raises:
        ArchitectureError: it cannot be imported, refuses the parameters, or makes no classifier that can be weighted
            and gives probabilities; or the parameters hold a seed.
    """
    if not isinstance(parameters, Mapping):
        raise ArchitectureError(f"sklearn parameter 'parameters' is {parameters!r}; give names and values")
    if seeds := [key for key in parameters if _is_seed(str(key))]:
        raise ArchitectureError(f"sklearn parameter {seeds[0]!r} cannot be set: set `seed` of the model instead")
    make = _import(path)
    try:
        estimator = make(**parameters)
    except (TypeError, ValueError) as error:
        raise ArchitectureError(f"estimator {path!r} refuses its parameters: {error}") from error
    lacking = [name for name in ("fit", "get_params", "predict_proba") if not callable(getattr(estimator, name, None))]
    if lacking:
        raise ArchitectureError(
            f"estimator {path!r} makes a {type(estimator).__name__} without {lacking[0]}; name a classifier of "
            "scikit-learn that gives probabilities, or a function that returns one"
        )
    return estimator


def _import(path: object) -> Callable[..., Any]:
    text = str(path)
    module, _, name = text.partition(":") if ":" in text else text.rpartition(".")
    if not module:
        raise ArchitectureError(
            f"estimator {path!r} is not of the form 'package.module.Class' or 'package.module:name'"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ArchitectureError(f"estimator {path!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ArchitectureError(f"estimator {path!r} is neither a class nor a function")
    return found


def _is_seed(parameter: str) -> bool:
    return parameter == SEED or parameter.endswith(f"__{SEED}")


def _weights(pipeline: Any, sample_weight: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The argument of `fit` that hands the weights to the last step; none if all rows weigh the same."""
    from sklearn.utils.validation import has_fit_parameter

    path, last = final_step(pipeline)
    if has_fit_parameter(last, "sample_weight"):
        return {"__".join((*path, "sample_weight")): sample_weight}
    if np.ptp(sample_weight) == 0:
        return {}
    raise ArchitectureError(
        f"{type(last).__name__} takes no sample_weight, and the rows weigh between {sample_weight.min():g} and "
        f"{sample_weight.max():g}; choose an estimator that does"
    )
