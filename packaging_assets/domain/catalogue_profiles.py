"""What all labelled products were like when a model was trained: the reference for the products it will score.

The profile of the training rows proper would not do for an inventory. Those rows fit the package type and have all
their measures, which an inventory's products do not; and looking only at products that fit would lose the very rows
that a fault in the measures makes unfit.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from packaging_assets.domain.features import TITLE, FeatureSet, feature_frame
from packaging_assets.domain.parquet_files import count_rows
from packaging_assets.domain.profiles import build_profile

MAX_ROWS = 50_000
"""Rows described, evenly spaced: an index of stability has a noise of .0006 from them."""


class CatalogueSample:
    """Collects the products to describe, from the parts of an extract of features in their order.

    Args:
        folder: Parquet parts written by `keep_features`.
    """

    def __init__(self, folder: Path) -> None:
        self._step = -(-count_rows(folder) // MAX_ROWS) or 1
        self._position = 0
        self._parts: list[pa.Table] = []

    def add(self, part: pa.Table) -> None:
        """Take the next part's share of the rows."""
        rows = range(-self._position % self._step, len(part), self._step)
        self._parts.append(part.take(pa.array(rows, pa.int64())) if self._step > 1 else part)
        self._position += len(part)

    def profile(self, features: FeatureSet) -> dict[str, Any]:
        """Describe them as `build_profile` does, by the columns of `features`, and by their titles if they have any."""
        table = pa.concat_tables(self._parts)
        titles = table[TITLE] if TITLE in table.column_names else None
        return build_profile(feature_frame(table, features), features, titles)
