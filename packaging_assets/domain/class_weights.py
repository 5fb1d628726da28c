"""Class weights: how much the suitable and the unsuitable products of a training set count, on top of each row's own.

They move the scores: a model trained with them no longer says how probable the suitable is, which the calibration gate
will notice. For another trade-off at the same ranking, move the threshold instead.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from packaging_assets.domain.written_fields import WrittenFields


class ClassWeights(WrittenFields):
    """A factor for each class."""

    suitable: float = Field(default=1.0, gt=0, le=1000, description="Factor for the weight of suitable products.")
    not_suitable: float = Field(default=1.0, gt=0, le=1000, description="Factor for the weight of unsuitable products.")


ClassWeighting = Literal["balanced"] | ClassWeights | None
"""`balanced`: both classes get the same total weight; none: every row counts with its own."""


def weigh_classes(
    labels: npt.NDArray[np.int8], weights: npt.NDArray[np.float64], weighting: ClassWeighting
) -> npt.NDArray[np.float64]:
    """The weights of training rows, those of each class multiplied by its factor.

    Args:
        labels: 1 suitable, 0 not; shape (rows,), of both classes.
        weights: of each row by itself; shape (rows,).
        weighting: with `balanced` each class gets half of the total weight, which stays as it is.
    """
    if weighting is None:
        return weights
    is_suitable = labels == 1
    if weighting == "balanced":
        total = weights.sum()
        factors = total / (2 * weights[is_suitable].sum()), total / (2 * weights[~is_suitable].sum())
    else:
        factors = weighting.suitable, weighting.not_suitable
    return weights * np.where(is_suitable, *factors)
