"""Signs that a model has seen the answer: shared products, and single features that give the label away."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.average_precision import FloatArray, Labels, area_under_roc
from packaging_assets.domain.features import FeatureSet

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 4_000
"""Of each label; an area under the curve does not depend on how many there are of either. One of .97 is known to .002
then, as of 20,000 rows of which a tenth have the rarer label."""


class StrongestFeature(NamedTuple):
    """The feature that alone ranks the labels best, and how well: 0.5 is chance, 1 perfect, in either direction."""

    feature: str
    area_under_roc: float


def find_strongest_feature(
    frame: pd.DataFrame, y: Labels, is_validation: npt.NDArray[np.bool_], features: FeatureSet
) -> StrongestFeature | None:
    """Rank the validation rows by each feature alone.

    Numeric features rank by their value, missing ones lowest. Categorical ones rank by the label rate their value has
    in the training rows: on the validation rows themselves, a value that occurs once would always look perfect.

    Args:
        frame: shape (rows, features), training and validation rows.
        y: shape (rows,), labels 0 and 1.
        is_validation: shape (rows,), both labels among these.
        features: which columns to look at; texts are not among these, which rank nothing as a whole.

    Returns:
        None if there are no numeric and no categorical features.
    """
    rows = np.concatenate([_thin_out(np.flatnonzero(is_validation & (y == label))) for label in (0, 1)])
    labels = y[rows]
    areas = {
        name: area_under_roc(labels, np.nan_to_num(frame[name].to_numpy()[rows], nan=-np.inf))
        for name in features.numbers
    }
    for name in features.categorical:
        areas[name] = area_under_roc(labels, _rates_by_value(frame[name].cat.codes.to_numpy(), y, ~is_validation)[rows])
    if not areas:
        return None
    strongest, area = max(areas.items(), key=lambda item: max(item[1], 1 - item[1]))
    return StrongestFeature(strongest, max(area, 1 - area))


def _thin_out(positions: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """At most `MAX_ROWS` of the positions, evenly spaced."""
    if len(positions) <= MAX_ROWS:
        return positions
    return positions[np.linspace(0, len(positions) - 1, MAX_ROWS).astype(np.intp)]


def _rates_by_value(codes: npt.NDArray[np.integer], y: Labels, is_training: npt.NDArray[np.bool_]) -> FloatArray:
    """For each row the label rate that its value has in the training rows, shape (rows,).

    One row at the overall rate is added to each value, which also gives values without training rows that rate.
    """
    values = int(codes.max()) + 1
    overall = float(y[is_training].mean()) if is_training.any() else 0.5
    counts = np.bincount(codes[is_training], minlength=values)
    positives = np.bincount(codes[is_training], weights=y[is_training], minlength=values)
    return ((positives + overall) / (counts + 1))[codes]
