"""A meta-learner: one probability from the scores of other models (Wolpert, "Stacked generalization", 1992).

Logistic regression with an L2 penalty on the logits of the scores. In training those are out-of-fold scores, so that
it learns how far to trust models on products that they have not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.architectures.columns import check_columns, read_description, write_description
from packaging_assets.domain.architectures.estimator_importance import in_percent
from packaging_assets.domain.architectures.parameters import check_number, with_defaults
from packaging_assets.domain.features import FeatureKind, FeatureSet

if TYPE_CHECKING:
    import pandas as pd

MODEL_FILE = "stacked.json"

SAVED = ("coefficients", "intercept", "mean_logits", "spread_of_logits")

DEFAULTS: Mapping[str, Any] = {"C": 1.0}

NEAREST_TO_CERTAIN = 1e-6
"""Scores are kept this far from 0 and 1, whose logits are infinite."""

Floats = npt.NDArray[np.float64]


class StackedArchitecture:
    """Logistic regression on the logits of other models' scores.

    Its one parameter, `C`, is the inverse of the strength of the penalty, as in scikit-learn.
    """

    name = "stacked"
    feature_kinds: frozenset[FeatureKind] = frozenset({"scores"})

    def __init__(self, features: FeatureSet, parameters: Mapping[str, Any]) -> None:
        self._c = check_number(self.name, "C", with_defaults(self.name, parameters, DEFAULTS)["C"], above=0)
        if features.kinds != ("scores",):
            raise ArchitectureError(
                f"architecture 'stacked' learns from the scores of other models only, not from "
                f"{', '.join(features.inventory_columns[:3])}: list those models under `feeds_from`, no other features"
            )
        self._features = features
        self._middle: Floats = np.zeros(len(features.columns))
        self._spread: Floats = np.zeros(len(features.columns))
        self._coefficients: Floats = np.zeros(len(features.columns))
        self._intercept = 0.0

    def fit(
        self,
        X: pd.DataFrame,
        y: npt.NDArray[np.int8],
        *,
        sample_weight: npt.NDArray[np.float64],
        seed: int,  # noqa: ARG002 - the optimum is the same from every start
    ) -> Self:
        """Train; a score that is absent counts as its model's mean one."""
        logits = _logits(self._numbers(X))
        is_known = ~np.isnan(logits)
        known = np.maximum(is_known.sum(axis=0), 1)
        self._middle = np.where(is_known, logits, 0.0).sum(axis=0) / known
        logits = np.where(is_known, logits, self._middle)
        self._spread = np.sqrt(((logits - self._middle) ** 2).sum(axis=0) / len(logits))
        self._coefficients, self._intercept = _minimise(logits, y.astype(np.float64), sample_weight, self._c)
        return self

    def prepare(self, X: pd.DataFrame) -> Floats:
        """The logits of the scores, shape (rows, models), which every stacked model on them can use."""
        return _logits(self._numbers(X))

    def predict_proba(self, prepared: Floats) -> Floats:
        """Probabilities of shape (rows, 2): unsuitable, suitable."""
        logits = np.where(np.isnan(prepared), self._middle, prepared)
        suitable = _sigmoid(_weigh(logits, self._coefficients, self._intercept))
        return np.column_stack([1 - suitable, suitable])

    def save(self, folder: Path) -> None:
        """Write stacked.json."""
        write_description(
            folder / MODEL_FILE,
            self._features,
            coefficients=self._coefficients.tolist(),
            intercept=self._intercept,
            mean_logits=self._middle.tolist(),
            spread_of_logits=self._spread.tolist(),
        )

    @classmethod
    def load(cls, folder: Path, features: FeatureSet) -> Self:
        """The model that `save` wrote.

        Raises:
            ArchitectureError: stacked.json is absent or unreadable.
            FeatureError: the model was trained on other scores than `features`.
        """
        saved = read_description(folder / MODEL_FILE, features, SAVED)
        architecture = cls(features, {})
        architecture._coefficients = np.array(saved["coefficients"], dtype=np.float64)
        architecture._intercept = float(saved["intercept"])
        architecture._middle = np.array(saved["mean_logits"], dtype=np.float64)
        architecture._spread = np.array(saved["spread_of_logits"], dtype=np.float64)
        return architecture

    def feature_importance(self) -> dict[str, float]:
        """Coefficient times standard deviation of each logit, in percent of their absolute sum."""
        effect = np.abs(self._coefficients) * self._spread
        return in_percent(dict(zip(self._features.columns, effect.tolist(), strict=True)))

    def _numbers(self, X: pd.DataFrame) -> Floats:
        check_columns(X, self._features)
        return np.ascontiguousarray(X.to_numpy(dtype=np.float64))


def _logits(scores: Floats) -> Floats:
    clipped = np.clip(scores, NEAREST_TO_CERTAIN, 1 - NEAREST_TO_CERTAIN)
    return np.log(clipped) - np.log1p(-clipped)


def _sigmoid(values: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(values / 2))


def _weigh(logits: Floats, coefficients: Floats, intercept: float) -> Floats:
    """Weighted sums of rows by numpy itself: the last digit of a BLAS product depends on the number of rows."""
    return (logits * coefficients).sum(axis=1) + intercept


def _minimise(logits: Floats, y: Floats, weight: Floats, c: float) -> tuple[Floats, float]:
    """Coefficients (models,) and intercept with the least `c` * weighted log-loss + squared coefficients / 2."""
    from scipy.optimize import minimize

    def loss(point: Floats) -> tuple[float, Floats]:
        value = _weigh(logits, point[:-1], point[-1])
        error = weight * (_sigmoid(value) - y)
        log_loss = (weight * (np.logaddexp(0, value) - y * value)).sum()
        slope = np.append((logits * error[:, None]).sum(axis=0) + point[:-1] / c, error.sum())
        return float(log_loss + (point[:-1] ** 2).sum() / (2 * c)), slope

    start = np.zeros(logits.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 0, "gtol": 1e-6}).x
    return found[:-1], float(found[-1])
