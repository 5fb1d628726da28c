"""Made-up products for tests of architectures: every kind of feature says something about the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from packaging_assets.domain.features import MISSING, FeatureKind, FeatureSet

NOISE = "noise"
"""The numeric column that says nothing about the label."""

ALL_FEATURES = FeatureSet(
    numeric=("weight_kg", "length_cm", NOISE),
    embedding=("image_0", "image_1", "image_2"),
    scores=("first", "second"),
    categorical=("category", "brand"),
    text=("title", "bullets"),
)
"""Two columns and more of each kind, all of which `example_products` fills."""

CATEGORIES = ("toys", "tools", MISSING)
MATERIALS = ("Glass", "Steel", "Paper,")


def features_of(kinds: frozenset[FeatureKind]) -> FeatureSet:
    """The columns of `ALL_FEATURES` of these kinds."""
    return FeatureSet(**{kind: getattr(ALL_FEATURES, kind) for kind in ALL_FEATURES.kinds if kind in kinds})


def example_products(
    features: FeatureSet, *, rows: int = 800, seed: int = 0
) -> tuple[pd.DataFrame, npt.NDArray[np.int8]]:
    """A frame as `feature_frame` makes it, and labels that depend on each kind of `features`.

    Args:
        features: columns of `ALL_FEATURES`.
        rows: products.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({name: random.normal(size=rows).astype(np.float32) for name in ALL_FEATURES.numbers})
    category, material = random.integers(0, 3, rows), random.integers(0, 3, rows)
    first = frame["score_first"].to_numpy()
    effects = {
        "numeric": frame["weight_kg"].to_numpy(),
        "embedding": frame["image_0"].to_numpy(),
        "scores": first,
        "categorical": np.array([1.5, 0.0, -1.5])[category],
        "text": np.array([1.5, 0.0, -1.5])[material],
    }
    frame["score_first"] = (1 / (1 + np.exp(-2 * first))).astype(np.float32)
    frame["score_second"] = (1 / (1 + np.exp(-frame["score_second"]))).astype(np.float32)
    frame.loc[::17, "length_cm"] = np.nan
    frame["category"] = as_categories(CATEGORIES, category)
    frame["brand"] = as_categories(("Acme", "Bolt"), random.integers(0, 2, rows))
    frame["title"] = as_texts([f"mug {MATERIALS[code]} set" for code in material])
    frame["bullets"] = as_texts(["" if code else "sold by the dozen" for code in random.integers(0, 2, rows)])
    total = np.sum([effects[kind] for kind in features.kinds], axis=0) + random.normal(0, 0.3, rows)
    return frame[list(features.columns)], (total > 0).astype(np.int8)


def as_categories(values: tuple[str, ...], codes: npt.NDArray[np.integer]) -> pd.Categorical:
    """Categories as `feature_frame` makes them."""
    return pd.Categorical.from_codes(codes, categories=pd.Index(values, dtype=object))


def as_texts(values: list[str]) -> pd.api.extensions.ExtensionArray:
    """Texts as `feature_frame` makes them."""
    return pd.array(pa.array(values, pa.string()), dtype=pd.ArrowDtype(pa.string()))


def numbered_otherwise(column: pd.Series) -> pd.Categorical:
    """The same values, whose codes run the other way and begin with that of a value that no row has."""
    values: list[str] = column.cat.categories.tolist()
    codes = len(values) - column.cat.codes.to_numpy().astype(np.int64)
    return as_categories(("no row has this", *reversed(values)), codes)


def unlike(frame: pd.DataFrame, labels: npt.NDArray[np.int8]) -> tuple[pd.DataFrame, npt.NDArray[np.int8]]:
    """Other products: numbers on another scale, a category and words that the given ones lack, labels turned round."""
    changes: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            values: list[str] = column.cat.categories.tolist()
            changes[name] = as_categories((*values[:-1], "another"), column.cat.codes.to_numpy().astype(np.int64))
        elif name in ALL_FEATURES.text:
            changes[name] = as_texts([f"large {text}" for text in column])
        elif name in (*ALL_FEATURES.numeric, *ALL_FEATURES.embedding):
            changes[name] = 3 * column + 1
    return frame.assign(**changes), (1 - labels).astype(np.int8)
