"""The frame made into numbers for an estimator of scikit-learn, and the parts of such a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np

from packaging_assets.domain.features import FeatureSet

MAX_CATEGORIES = 100
"""Columns that one category becomes at most: its most frequent values, and one for all others."""

MIN_FREQUENCY = 10
"""Training rows that a value of a category needs for a column of its own."""

SINGLE: Any = np.float32
"""Halves the memory; scikit-learn takes it and does not declare it."""

PREPROCESS = "preprocess"
ESTIMATOR = "estimator"
NUMBERS = "numbers"


def preprocessor(features: FeatureSet, words: int, estimator: Any) -> Any:
    """A pipeline of two steps: a ColumnTransformer that returns dense float32 columns, and `estimator`.

    Its transformers are called `NUMBERS`, for all numeric columns together, and like the column for every other one.
    """
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    transformers: list[tuple[str, Any, Any]] = []
    if features.numbers:
        scale = Pipeline([("fill", fill), ("scale", StandardScaler())])
        transformers.append((NUMBERS, scale, list(features.numbers)))
    for column in features.categorical:
        encode = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=MIN_FREQUENCY,
            max_categories=MAX_CATEGORIES,
            sparse_output=False,
            dtype=SINGLE,
        )
        transformers.append((_step_name(column), encode, [column]))
    weigh = TfidfVectorizer(max_features=words, dtype=SINGLE)
    transformers += [(_step_name(column), clone(weigh), column) for column in features.text]
    columns = ColumnTransformer(transformers, sparse_threshold=0)  # dense: not every estimator takes a sparse matrix
    return Pipeline([(PREPROCESS, columns), (ESTIMATOR, estimator)])


def final_step(pipeline: Any) -> tuple[tuple[str, ...], Any]:
    """The last step of a pipeline, of the last of pipelines in one another, and the names of the steps on the way."""
    from sklearn.pipeline import Pipeline

    path: tuple[str, ...] = ()
    while isinstance(pipeline, Pipeline):
        name, pipeline = pipeline.steps[-1]
        path = (*path, name)
    return path, pipeline


def source_columns(pipeline: Any, features: FeatureSet) -> list[str] | None:
    """For each number that the estimator sees the column it was made of; None if the pipeline is not a known one."""
    steps = getattr(pipeline, "named_steps", {})
    if PREPROCESS not in steps or not hasattr(steps[PREPROCESS], "output_indices_"):
        return None
    places: dict[str, slice] = steps[PREPROCESS].output_indices_
    sources = list(features.numbers)
    for column in (*features.categorical, *features.text):
        made = places[_step_name(column)]
        sources += [column] * (made.stop - made.start)
    return sources


def _step_name(column: str) -> str:
    """scikit-learn keeps "__" in a step's name for itself."""
    return f"column {column}".replace("__", "_ _")
