"""CatBoost: boosted symmetric trees on numbers and categories (Prokhorenkova et al., NeurIPS 2018).

The defaults differ from CatBoost's own. For speed of scoring: statistics of single categories only
(`max_ctr_complexity` 1 instead of 4: ten times the rows per second for .001 to .002 of AUC) and plain boosting. For
some 10,000 rows of 84 features, of which 64 are a noisy embedding: shallow trees, small steps and 32 borders fit in
half the CPU time of 200 trees of depth 6 with steps of .1 and 254 borders, and reach an average precision of .718
instead of .708 (mean of the four package types of the synthetic retailer). For weekly retrains that agree with one
another: columns drawn per split, no random strength and a stronger leaf penalty take the standard error of the
difference between two retrains from .0047 to .0028 (mailer) at the same average precision.
"""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.architectures import DEFAULT_KINDS, ArchitectureError
from packaging_assets.domain.architectures.columns import check_columns, check_trained_on
from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.interruptions import is_interrupted, raise_if_interrupted
from packaging_assets.domain.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from catboost import Pool

MODEL_FILE = "model.cbm"

DEFAULTS: Mapping[str, Any] = {
    "iterations": 500,
    "depth": 4,
    "learning_rate": 0.03,
    "border_count": 32,
    "rsm": 0.3,
    "random_strength": 0,
    "l2_leaf_reg": 10,
    "max_ctr_complexity": 1,
    "boosting_type": "Plain",
    # Beyond some 10,000 rows the sums, and so the trees, depend on the number of threads: it is a parameter like any
    # other. One, because models of several package types are trained side by side.
    "thread_count": 1,
}

SYNONYMS = {
    "iterations": ("n_estimators", "num_boost_round", "num_trees"),
    "depth": ("max_depth",),
    "learning_rate": ("eta",),
    "border_count": ("max_bin",),
    "rsm": ("colsample_bylevel",),
    "l2_leaf_reg": ("reg_lambda",),
}
"""CatBoost's other names for parameters of `DEFAULTS`: it refuses two names for one parameter."""

_FEATURES = "it follows from the feature set: list the column under `categorical` or `numeric`"
_LOSS = "scores must be probabilities, so the platform always minimises log-loss"
_SEED = "set `seed` of the model instead"
_FILES = "training writes no files but the model"
_INPUTS = "training reads no files but its inputs"
_LOGGING = "training is silent; points of its curve are kept in the model file"

SET_BY_PLATFORM = {
    "random_seed": _SEED,
    "random_state": _SEED,
    "cat_features": _FEATURES,
    "text_features": _FEATURES,
    "embedding_features": _FEATURES,
    "loss_function": _LOSS,
    "objective": _LOSS,
    "class_names": "labels are 0 and 1, and another order of classes would turn all scores round",
    "final_ctr_computation_mode": "a model without its statistics of categories cannot score, and ends the process",
    "allow_writing_files": _FILES,
    "train_dir": _FILES,
    "save_snapshot": _FILES,
    "snapshot_file": _FILES,
    "snapshot_interval": _FILES,
    "input_borders": _INPUTS,
    "output_borders": _FILES,
    "verbose": _LOGGING,
    "silent": _LOGGING,
    "logging_level": _LOGGING,
    "metric_period": _LOGGING,
    "callback": _LOGGING,
}
"""Parameters that nobody may set, each with the reason or the place to set it."""

METRIC_PERIOD = 50
"""Trees between two points of the learning curve: a loss after each tree is a twentieth of the time of training."""

SNAPSHOT_SECONDS = 60
"""Between two checkpoints, where they are kept: a machine of spare capacity is taken away with two minutes' notice."""

SNAPSHOT_FILE = "snapshot"
CIRCUMSTANCES = ("save_snapshot", "snapshot_file", "snapshot_interval", "train_dir", "callbacks")

STAMPS = {"train_finish_time": "1970-01-01T00:00:00Z", "model_guid": "0-0-0-0"}
"""What CatBoost stamps into a model besides what it learned, and what it is replaced by."""


class _UntilInterrupted:
    """Has training stop after the tree at hand when the step is to end. It costs nothing that could be measured."""

    def after_iteration(self, info: object) -> bool:  # noqa: ARG002 - CatBoost gives the losses so far
        return not is_interrupted()


class CatBoostArchitecture:
    """`CatBoostClassifier` behind the platform's interface; embeddings and scores are numbers to it."""

    name = "catboost"
    feature_kinds = DEFAULT_KINDS

    def __init__(self, features: FeatureSet, parameters: Mapping[str, Any]) -> None:
        from catboost import CatBoostClassifier

        check_catboost_parameters(parameters)
        self._features = features
        self._parameters = with_catboost_defaults(parameters, DEFAULTS)
        self._model = CatBoostClassifier()
        self._checkpoints: Path | None = None

    def checkpoint_in(self, folder: Path) -> None:
        """Keep a snapshot every minute in `folder`, and go on from the one that is there.

        CatBoost itself leaves aside a snapshot that is damaged, and refuses one of other parameters. The trees are the
        same as without an interruption: the state of its random numbers is part of the snapshot.
        """
        self._checkpoints = folder

    def fit(
        self, X: pd.DataFrame, y: npt.NDArray[np.int8], *, sample_weight: npt.NDArray[np.float64], seed: int
    ) -> Self:
        """Train; see `Architecture.fit`."""
        from catboost import CatBoostClassifier, CatBoostError, Pool

        check_columns(X, self._features)
        weight = None if (sample_weight == 1).all() else sample_weight  # the same trees, a twentieth sooner
        pool = Pool(X, y, weight=weight, cat_features=list(self._features.categorical))
        with tempfile.TemporaryDirectory() as scratch:
            self._model = CatBoostClassifier(
                **self._parameters,
                loss_function="Logloss",
                random_seed=seed,
                logging_level="Silent",
                metric_period=METRIC_PERIOD,
                **self._files_of_training(scratch),
            )
            try:
                self._model.fit(pool, callbacks=[_UntilInterrupted()])
            except CatBoostError as error:
                raise ArchitectureError(f"CatBoost refuses to train: {error}") from error
        raise_if_interrupted()
        return self

    def _files_of_training(self, scratch: str) -> dict[str, Any]:
        """None but the snapshot; CatBoost writes its others, too, where it writes that."""
        if self._checkpoints is None:
            return {"allow_writing_files": False}
        return {
            "allow_writing_files": True,
            "train_dir": scratch,
            "save_snapshot": True,
            "snapshot_file": str((self._checkpoints / SNAPSHOT_FILE).absolute()),
            "snapshot_interval": SNAPSHOT_SECONDS,
        }

    def prepare(self, X: pd.DataFrame) -> Pool:
        """A CatBoost pool, which every CatBoost model on this feature set can score."""
        from catboost import Pool

        check_columns(X, self._features)
        return Pool(X, cat_features=list(self._features.categorical))

    def predict_proba(self, prepared: Pool) -> npt.NDArray[np.float64]:
        """Probabilities of shape (rows, 2): unsuitable, suitable."""
        return self._model.predict_proba(prepared)

    def save(self, folder: Path) -> None:
        """Write model.cbm, the same bytes for the same trees: without time, GUID and snapshots."""
        metadata = self._model.get_metadata()
        for key, value in STAMPS.items():
            metadata[key] = value
        metadata["params"] = _without_circumstances(metadata["params"])
        metadata["output_options"] = "{}"
        self._model.save_model(str(folder / MODEL_FILE))

    @classmethod
    def load(cls, folder: Path, features: FeatureSet) -> Self:
        """The model that `save` wrote.

        Raises:
            ArchitectureError: model.cbm is absent or unreadable.
            FeatureError: the model was trained on other columns than `features`.
        """
        from catboost import CatBoostError

        architecture = cls(features, {})
        try:
            architecture._model.load_model(str(folder / MODEL_FILE))
        except CatBoostError as error:
            raise ArchitectureError(f"{folder / MODEL_FILE} is not a model that CatBoost can load: {error}") from error
        trained_on = cast("list[str]", architecture._model.feature_names_)
        check_trained_on(folder / MODEL_FILE, trained_on, features)
        return architecture

    def feature_importance(self) -> dict[str, float]:
        """Average change of the prediction when the feature's value changes, in percent of all features'."""
        importance = cast("npt.NDArray[np.float64]", self._model.get_feature_importance())
        return dict(zip(self._features.columns, importance.tolist(), strict=True))


def with_catboost_defaults(parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` and those of `defaults` that they do not name, by CatBoost's other names neither."""
    given = set(parameters)
    kept = {key: value for key, value in defaults.items() if given.isdisjoint(SYNONYMS.get(key, ()))}
    return {**kept, **parameters}


def check_catboost_parameters(parameters: Mapping[str, Any]) -> None:
    """Whether CatBoost knows all `parameters`, and none is one that the platform sets.

    Raises:
        ArchitectureError: the first that is not so.
    """
    from catboost import CatBoostClassifier

    known = inspect.signature(CatBoostClassifier.__init__).parameters
    for key in parameters:
        if key in SET_BY_PLATFORM:
            raise ArchitectureError(f"CatBoost parameter {key!r} cannot be set: {SET_BY_PLATFORM[key]}")
        if key == "self" or key not in known:
            near = did_you_mean(key, [name for name in known if name != "self"])
            see = "; see https://catboost.ai/docs/en/references/training-parameters/"
            raise ArchitectureError(f"unknown CatBoost parameter {key!r}{near or see}")


def _without_circumstances(params: str) -> str:
    """The training parameters in the model's metadata, as JSON, as if trained without snapshots."""
    values = json.loads(params)
    for name in CIRCUMSTANCES:
        values["flat_params"].pop(name, None)
    values["flat_params"]["allow_writing_files"] = False
    return json.dumps(values, sort_keys=True)
