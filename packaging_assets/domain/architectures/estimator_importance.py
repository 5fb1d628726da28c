"""How much each column contributes to a model that does not say so per column by itself.

What an estimator of scikit-learn says, `feature_importances_` or the absolute values of `coef_`, is added up per
column. Where a model says nothing, a column's importance is the mean absolute change of the probability when the
column is shifted by half the rows: every row then has another row's value, as in permutation importance (Breiman
2001), but which one does not depend on chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.architectures.preprocessing import final_step, source_columns
from packaging_assets.domain.features import FeatureSet

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

MAX_ROWS = 2_000
"""Training rows on which columns are shifted: 84 columns of them are scored in a second or so."""


def estimator_importance(pipeline: Any, X: pd.DataFrame, features: FeatureSet) -> dict[str, float]:
    """Percent per column, adding up to 100; equal ones if no column matters.

    Args:
        pipeline: a fitted estimator or pipeline of scikit-learn.
        X: its training rows.
        features: the columns of `X`.
    """
    _, last = final_step(pipeline)
    declared = getattr(last, "feature_importances_", None)
    declared = getattr(last, "coef_", None) if declared is None else declared
    sources = source_columns(pipeline, features)
    if declared is None or sources is None or np.size(declared) != len(sources):
        return importance_by_shifting(lambda rows: pipeline.predict_proba(rows)[:, 1], X)
    importance = dict.fromkeys(features.columns, 0.0)
    for column, value in zip(sources, np.abs(np.ravel(declared)).tolist(), strict=True):
        importance[column] += value
    return in_percent(importance)


def importance_by_shifting(score: Callable[[pd.DataFrame], Floats], X: pd.DataFrame) -> dict[str, float]:
    """Percent per column of `X`, adding up to 100.

    Args:
        score: P(suitable) of a frame like `X`, shape (rows,).
        X: training rows, of which `MAX_ROWS` at most are scored, evenly spaced.
    """
    rows = X.iloc[:: -(-len(X) // MAX_ROWS)]
    order = np.roll(np.arange(len(rows)), len(rows) // 2)
    before = score(rows)
    importance: dict[str, float] = {}
    for column in X.columns:
        shifted = rows.assign(**{column: rows[column].array.take(order)})
        importance[column] = float(np.abs(score(shifted) - before).mean())
    return in_percent(importance)


def in_percent(importance: Mapping[str, float]) -> dict[str, float]:
    """Importances made to add up to 100; equal ones if all are 0."""
    total = sum(importance.values())
    return {column: 100 * value / total if total else 100 / len(importance) for column, value in importance.items()}
