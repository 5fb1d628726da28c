"""Whether what models say are probabilities: an architecture of one's own may return anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from packaging_assets.domain.architectures import ArchitectureError


def check_probabilities(
    scores: npt.NDArray[np.float64], product_ids: pa.Array | pa.ChunkedArray, models: Sequence[str]
) -> None:
    """Make sure that every score lies between 0 and 1; NaN does not.

    Args:
        scores: shape (products, models).
        product_ids: of the rows.
        models: what each column's model is called in the message.

    Raises:
        ArchitectureError: one does not; the message names model, product, score and how many there are.
    """
    is_none = ~((scores >= 0) & (scores <= 1))
    if not is_none.any():
        return
    column = int(is_none.any(axis=0).argmax())
    row = int(is_none[:, column].argmax())
    raise ArchitectureError(
        f"{models[column]} scores product {product_ids[row].as_py()!r} with {scores[row, column]:g}, and "
        f"{int(is_none[:, column].sum()):,} of {len(scores):,} products alike: a score is a probability, from 0 to 1. "
        "Correct `predict_proba` of its architecture, or the training that makes it so (a lower learning rate, fewer "
        "extreme values among the features)"
    )
