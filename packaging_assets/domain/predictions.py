"""Predictions: score an inventory of any size with the model that serves each package type, in constant memory.

One Parquet part of the inventory is scored at a time, while the next is read and the last one written; its features
are read once, and made into the learner's form once for all models that share architecture and feature set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime, field_validator, model_validator

from packaging_assets.domain.features import FIT_COLUMNS, PackageType, iterate_features
from packaging_assets.domain.json_files import write_json
from packaging_assets.domain.model_folders import union_of_features
from packaging_assets.domain.models import TrainedModel, load_model, score_table
from packaging_assets.domain.package_types import PACKAGE_TYPES, WEAKEST_TO_STRONGEST
from packaging_assets.domain.parquet_files import count_rows, part_name
from packaging_assets.domain.probabilities import check_probabilities
from packaging_assets.domain.read_ahead import read_ahead
from packaging_assets.domain.recommendations import monotone_damage

PREDICTION_SCHEMA = pa.schema(
    [
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("package_type", pa.string(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("damage_probability", pa.float64(), nullable=False),
        pa.field("is_suitable", pa.bool_(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("model_version", pa.int64(), nullable=False),
    ]
)
"""One row per product and model: as in the inventory, then in the order of `PACKAGE_TYPES`, then by model.

No value is ever missing, and the files say so: columns that need no place for it take a quarter less time to write.
"""

SUMMARY = "predictions.json"
"""The file beside the parts: which models scored how many products, in the order of each product's rows."""

PRODUCTS_PER_GROUP = 32_768
"""Products of a row group: their long form stays in the processor's cache, and their ids below the megabyte at which a
dictionary is given up."""

_REPEATED = ["product_id", "package_type", "model", "model_version"]
_WRITTEN = pa.schema(
    [
        field.with_type(pa.dictionary(pa.int32(), pa.string())) if pa.types.is_string(field.type) else field
        for field in PREDICTION_SCHEMA
    ]
)


class NoApprovedModel(LookupError):  # noqa: N818 - the name under which people know it: it says what is wrong
    """There is no approved model to predict with."""


class PredictionCountError(RuntimeError):
    """There are not as many predictions as products times models."""


class PredictModel(BaseModel):
    """One model to score with."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    package_type: PackageType
    model: str = Field(min_length=1, description="The model's name: the package type, unless it has one of its own.")
    version: int = Field(ge=1, description="The model's version in the registry.")
    threshold: float = Field(ge=0, le=1, description="Suitable from this score on, if the product fits.")
    input_name: str = Field(description="Which input is the model's folder.")


class PredictParams(BaseModel):
    """Which models to score an inventory with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[PredictModel, ...]
    stage: Literal["live", "shadow"] = Field(
        default="live",
        description="live: at most one model per package type, and their damage probabilities are made to agree; "
        "shadow: each model stands by itself, and its damage probability is 1 - score.",
    )
    as_of: NaiveDatetime = Field(description="The moment, UTC, whose knowledge the inventory holds.")

    @field_validator("models")
    @classmethod
    def _in_order(cls, models: tuple[PredictModel, ...]) -> tuple[PredictModel, ...]:
        return tuple(sorted(models, key=lambda model: (PACKAGE_TYPES.index(model.package_type), model.model)))

    @model_validator(mode="after")
    def _applied_once(self) -> PredictParams:
        what = "package type" if self.stage == "live" else "name"
        keys = [model.package_type if self.stage == "live" else model.model for model in self.models]
        if len(set(keys)) < len(keys):
            raise ValueError(f"at most one model per {what} can be applied, got {', '.join(keys)}")
        return self


def predict(inputs: Mapping[str, Path], params: PredictParams, output: Path) -> None:
    """Score every product of the inventory with every model.

    Args:
        inputs: `inventory`: Parquet parts, one row per product, with the models' features and the `fits_*` of their
            package types; and each model's folder under its `input_name`.
        params: the models and the moment.
        output: gets one part per part of the inventory (`PREDICTION_SCHEMA`) and predictions.json.

    Raises:
        NoApprovedModel: `params.models` is empty.
        FeatureError: the inventory lacks a column, or has it in the wrong type.
        ArchitectureError: a model's score is no probability.
        PredictionCountError: the parts written do not hold products x models rows.
    """
    if not params.models:
        raise NoApprovedModel(
            "no package type has an approved model, so there is nothing to predict with; "
            "approve one: packaging models list, then packaging models approve"
        )
    models = [load_model(inputs[model.input_name]) for model in params.models]
    features = union_of_features([model.inventory_features for model in models])
    suitable = np.zeros(len(models), dtype=np.int64)
    parts = read_ahead(iterate_features(inputs["inventory"], features, extra_columns=_fit_columns(params)))
    predicted = read_ahead(_predict_part(part, models, params) for part in parts)
    for number, part in enumerate(predicted):
        part.write(output / part_name(number))
        suitable += part.is_suitable.sum(axis=0)
    products = count_rows(inputs["inventory"])
    check_count(count_rows(output), products=products, models=len(models))
    write_json(output / SUMMARY, _summarise(params, products, suitable))


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


@dataclass(frozen=True)
class _PredictedPart:
    """The predictions of some products: by product and model, shape (products, models) each."""

    product_ids: pa.Array
    scores: npt.NDArray[np.float64]
    damage: npt.NDArray[np.float64]
    is_suitable: npt.NDArray[np.bool_]
    models: Sequence[PredictModel]

    def write(self, path: Path) -> None:
        """Write them in long form, a few thousand products at a time.

        What repeats from row to row is written as a dictionary of it and numbers, and is a third of the bytes so.
        """
        # Without the notes of Arrow a reader gets plain strings, as PREDICTION_SCHEMA says. pyright takes the default
        # of use_dictionary for its type; a list of columns is documented.
        with pq.ParquetWriter(
            path,
            _WRITTEN,
            compression="lz4",
            store_schema=False,
            write_statistics=False,
            use_dictionary=_REPEATED,  # pyright: ignore[reportArgumentType]
        ) as writer:
            for first in range(0, max(len(self.product_ids), 1), PRODUCTS_PER_GROUP):
                writer.write_table(self._long_form(slice(first, first + PRODUCTS_PER_GROUP)))

    def _long_form(self, products: slice) -> pa.Table:
        scores, models = self.scores[products], self.models
        rows, columns = scores.shape
        model_of = np.tile(np.arange(columns, dtype=np.int32), rows)
        values = [
            _repeated(np.repeat(np.arange(rows, dtype=np.int32), columns), self.product_ids[products]),
            _repeated(model_of, [model.package_type for model in models]),
            pa.array(scores.ravel()),
            pa.array(self.damage[products].ravel()),
            pa.array(self.is_suitable[products].ravel()),
            _repeated(model_of, [model.model for model in models]),
            pa.array(np.array([model.version for model in models], dtype=np.int64)[model_of]),
        ]
        return pa.Table.from_arrays(values, schema=_WRITTEN)


def _repeated(which: npt.NDArray[np.int32], values: pa.Array | Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(which), pa.array(values, pa.string()))


def _predict_part(part: pa.Table, models: Sequence[TrainedModel], params: PredictParams) -> _PredictedPart:
    scores = score_table(models, part)
    check_probabilities(
        scores, part["product_id"], [f"{model.model} version {model.version}" for model in params.models]
    )
    fits = np.column_stack([part[column].fill_null(fill_value=False).to_numpy() for column in _fit_columns(params)])
    return _PredictedPart(
        product_ids=part["product_id"].combine_chunks(),
        scores=scores,
        damage=_damage(scores, params),
        is_suitable=(scores >= [model.threshold for model in params.models]) & fits,
        models=params.models,
    )


def _damage(scores: npt.NDArray[np.float64], params: PredictParams) -> npt.NDArray[np.float64]:
    """1 - score; of live models made monotone over the package types that have one."""
    if params.stage == "shadow":
        return 1 - scores
    types = [model.package_type for model in params.models]
    strength_order = [types.index(package_type) for package_type in WEAKEST_TO_STRONGEST if package_type in types]
    damage = np.empty_like(scores)
    damage[:, strength_order] = monotone_damage(1 - scores[:, strength_order])
    return damage


def _fit_columns(params: PredictParams) -> list[str]:
    return [FIT_COLUMNS[model.package_type] for model in params.models]


def _summarise(params: PredictParams, products: int, suitable: npt.NDArray[np.int64]) -> dict[str, Any]:
    return {
        "as_of": params.as_of.isoformat(),
        "inventory_rows": products,
        "rows": products * len(params.models),
        "models": [
            {
                "package_type": model.package_type,
                "model": model.model,
                "version": model.version,
                "rows": products,
                "suitable": count,
            }
            for model, count in zip(params.models, suitable.tolist(), strict=True)
        ],
    }
