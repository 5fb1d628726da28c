"""What all labelled products were like when a model was trained: the reference for the products it will score.

The profile of the training rows proper would not do for an inventory. Those rows fit the package type and have all
their measures, which an inventory's products do not; and looking only at products that fit would lose the very rows
that a fault in the measures makes unfit.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from packaging_assets.domain.features import TITLE, FeatureSet, feature_frame, iterate_features, title_column
from packaging_assets.domain.parquet_files import count_rows
from packaging_assets.domain.profiles import build_profile

MAX_ROWS = 50_000
"""Rows described, evenly spaced: an index of stability has a noise of .0006 from them."""


def profile_catalogue(folder: Path, features: FeatureSet) -> dict[str, Any]:
    """Describe the products of an extract of features, as `build_profile` does, part by part.

    Args:
        folder: Parquet parts written by `keep_features`.
        features: the columns to describe; titles too, if the parts have them.
    """
    step = -(-count_rows(folder) // MAX_ROWS) or 1
    titles = title_column(folder)
    parts: list[pa.Table] = []
    position = 0
    for part in iterate_features(folder, features, extra_columns=titles):
        first = -position % step
        parts.append(part.take(pa.array(range(first, len(part), step), pa.int64())) if step > 1 else part)
        position += len(part)
    table = pa.concat_tables(parts)
    return build_profile(feature_frame(table, features), features, table[TITLE] if titles else None)
