"""Predictions: score an inventory of any size with the approved model of each package type, in constant memory.

One Parquet part of the inventory is read, scored and written at a time; its features are read once, and made into the
learner's form once for all models that share architecture and feature set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime, field_validator

from packaging_assets.domain.features import FIT_COLUMNS, FeatureSet, PackageType, feature_frame, iterate_features
from packaging_assets.domain.json_files import write_json
from packaging_assets.domain.models import TrainedModel, load_model
from packaging_assets.domain.package_types import PACKAGE_TYPES, WEAKEST_TO_STRONGEST
from packaging_assets.domain.parquet_files import count_rows, part_name, write_parquet
from packaging_assets.domain.recommendations import monotone_damage

PREDICTION_SCHEMA = pa.schema(
    [
        pa.field("product_id", pa.string()),
        pa.field("package_type", pa.string()),
        pa.field("score", pa.float64()),
        pa.field("damage_probability", pa.float64()),
        pa.field("is_suitable", pa.bool_()),
        pa.field("model_version", pa.int64()),
    ]
)
"""One row per product and package type with a model: by `product_id`, then in the order of `PACKAGE_TYPES`."""


class NoApprovedModel(LookupError):  # noqa: N818 - the name under which people know it: it says what is wrong
    """There is no approved model to predict with."""


class PredictionCountError(RuntimeError):
    """There are not as many predictions as products times models."""


class PredictModel(BaseModel):
    """One model to score with."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    package_type: PackageType
    version: int = Field(ge=1, description="The model's version in the registry.")
    threshold: float = Field(ge=0, le=1, description="Suitable from this score on, if the product fits.")
    input_name: str = Field(description="Which input is the model's folder.")


class PredictParams(BaseModel):
    """Which models to score an inventory with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[PredictModel, ...]
    as_of: NaiveDatetime = Field(description="The moment, UTC, whose knowledge the inventory holds.")

    @field_validator("models")
    @classmethod
    def _one_model_per_type(cls, models: tuple[PredictModel, ...]) -> tuple[PredictModel, ...]:
        types = [model.package_type for model in models]
        if len(set(types)) < len(types):
            raise ValueError(f"at most one model per package type can be applied, got {', '.join(types)}")
        return tuple(sorted(models, key=lambda model: PACKAGE_TYPES.index(model.package_type)))


def predict(inputs: Mapping[str, Path], params: PredictParams, output: Path) -> None:
    """Score every product of the inventory with every model.

    Args:
        inputs: `inventory`: Parquet parts in the order of `product_id`, with the models' features and the `fits_*`
            of their package types; and each model's folder under its `input_name`.
        params: the models and the moment.
        output: gets one part per part of the inventory (`PREDICTION_SCHEMA`) and predictions.json.

    Raises:
        NoApprovedModel: `params.models` is empty.
        FeatureError: the inventory lacks a column, or has it in the wrong type.
        PredictionCountError: the parts written do not hold products x models rows.
    """
    if not params.models:
        raise NoApprovedModel(
            "no package type has an approved model, so there is nothing to predict with; "
            "approve one: packaging models list, then packaging models approve"
        )
    models = [load_model(inputs[model.input_name]) for model in params.models]
    features = _union([model.features for model in models])
    suitable = np.zeros(len(models), dtype=np.int64)
    for number, part in enumerate(iterate_features(inputs["inventory"], features, extra_columns=_fit_columns(params))):
        predictions, is_suitable = _predict_part(part, models, params)
        suitable += is_suitable.sum(axis=0)
        write_parquet(predictions, output / part_name(number))
    products = count_rows(inputs["inventory"])
    check_count(count_rows(output), products=products, models=len(models))
    write_json(output / "predictions.json", _summarise(params, products, suitable))


def check_count(predictions: int, *, products: int, models: int) -> None:
    """Make sure that nothing was lost or doubled on the way.

    Raises:
        PredictionCountError: `predictions` is not products x models.
    """
    if predictions != products * models:
        raise PredictionCountError(
            f"{predictions} predictions were written for {products} products and {models} models, "
            f"{products * models} were due; nothing may be loaded: materialize the predictions again"
        )


def _predict_part(
    part: pa.Table, models: Sequence[TrainedModel], params: PredictParams
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """The predictions of one part in long form, and which are suitable, shape (products, models)."""
    scores = _score(part, models)
    fits = np.column_stack([part[column].fill_null(fill_value=False).to_numpy() for column in _fit_columns(params)])
    is_suitable = (scores >= [model.threshold for model in params.models]) & fits
    rows, columns = scores.shape
    product_of = pa.array(np.repeat(np.arange(rows), columns))
    model_of = pa.array(np.tile(np.arange(columns), rows))
    values = [
        part["product_id"].combine_chunks().take(product_of),
        pa.array([model.package_type for model in params.models]).take(model_of),
        pa.array(scores.ravel()),
        pa.array(_damage(scores, params).ravel()),
        pa.array(is_suitable.ravel()),
        pa.array([model.version for model in params.models], pa.int64()).take(model_of),
    ]
    return pa.Table.from_arrays(values, schema=PREDICTION_SCHEMA), is_suitable


def _score(part: pa.Table, models: Sequence[TrainedModel]) -> npt.NDArray[np.float64]:
    """P(suitable), shape (products, models); one preparation serves all models that can share it."""
    scores = np.empty((len(part), len(models)))
    if len(part) == 0:  # learners refuse to prepare nothing
        return scores
    sharing: dict[tuple[str, FeatureSet], list[int]] = {}
    for column, model in enumerate(models):
        sharing.setdefault(model.preparation, []).append(column)
    for (_, features), columns in sharing.items():
        prepared = models[columns[0]].prepare(feature_frame(part, features))
        for column in columns:
            scores[:, column] = models[column].score(prepared)
    return scores


def _damage(scores: npt.NDArray[np.float64], params: PredictParams) -> npt.NDArray[np.float64]:
    """1 - score, made monotone over the package types that have a model."""
    types = [model.package_type for model in params.models]
    strength_order = [types.index(package_type) for package_type in WEAKEST_TO_STRONGEST if package_type in types]
    damage = np.empty_like(scores)
    damage[:, strength_order] = monotone_damage(1 - scores[:, strength_order])
    return damage


def _fit_columns(params: PredictParams) -> list[str]:
    return [FIT_COLUMNS[model.package_type] for model in params.models]


def _union(feature_sets: Sequence[FeatureSet]) -> FeatureSet:
    return FeatureSet(
        numeric=tuple(dict.fromkeys(name for features in feature_sets for name in features.numeric)),
        categorical=tuple(dict.fromkeys(name for features in feature_sets for name in features.categorical)),
    )


def _summarise(params: PredictParams, products: int, suitable: npt.NDArray[np.int64]) -> dict[str, Any]:
    types = [model.package_type for model in params.models]
    return {
        "as_of": params.as_of.isoformat(),
        "inventory_rows": products,
        "rows": products * len(types),
        "rows_per_type": dict.fromkeys(types, products),
        "suitable_per_type": dict(zip(types, suitable.tolist(), strict=True)),
        "models": {model.package_type: model.version for model in params.models},
    }
