"""Models: train one for a package type, keep it as a folder, load it again to score.

A model's folder holds `model/` (the learner's own files), model.json (what it is and was trained on),
training_ids.parquet (so that nobody judges it on rows it has seen), profile.json (what its training rows were like)
and catalogue_profile.json (what all labelled products were like then): drift is measured against these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.architectures import Architecture, architecture_class
from packaging_assets.domain.features import (
    DEFAULT_FEATURES,
    TITLE,
    FeatureSet,
    PackageType,
    feature_frame,
    read_features,
    title_column,
)
from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.domain.parquet_files import read_parquet, write_parquet

if TYPE_CHECKING:
    import pandas as pd


class ModelError(ValueError):
    """A model's folder is not one that `train` wrote; the message names the file."""


class TrainParams(BaseModel):
    """What to train."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: PackageType
    architecture: str = Field(default="catboost", description="A built-in architecture, or 'package.module:Class'.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Passed to the architecture.")
    features: FeatureSet = DEFAULT_FEATURES
    seed: int = Field(default=20250106, ge=0, lt=2**31, description="Seeds the learner.")


@dataclass(frozen=True)
class TrainedModel:
    """A fitted model together with the feature set it must be fed."""

    package_type: str
    architecture_name: str
    architecture: Architecture
    features: FeatureSet
    minority_label: int

    @property
    def preparation(self) -> tuple[str, FeatureSet]:
        """Models equal in this can share what `prepare` returns."""
        return self.architecture_name, self.features

    def prepare(self, frame: pd.DataFrame) -> object:
        """`frame`, made by `feature_frame` for these features, in the learner's own form."""
        return self.architecture.prepare(frame)

    def score(self, prepared: object) -> npt.NDArray[np.float64]:
        """P(suitable) of each row, shape (rows,)."""
        return self.architecture.predict_proba(prepared)[:, 1]


def train(inputs: Mapping[str, Path], params: TrainParams, output: Path) -> None:
    """Train a model for one package type.

    Args:
        inputs: `split` (train.parquet) and `features` (Parquet parts).
        params: architecture, its parameters, features and seed.
        output: gets the model's folder.

    Raises:
        ArchitectureError: the architecture is unknown or refuses parameters or data.
        FeatureError: a feature is absent or of the wrong type.
    """
    from packaging_assets.domain.catalogue_profiles import profile_catalogue
    from packaging_assets.domain.profiles import build_profile

    architecture = architecture_class(params.architecture)(params.features, params.parameters)
    rows = read_parquet(inputs["split"] / "train.parquet")
    titles = title_column(inputs["features"])
    table = read_features(inputs["features"], params.features, product_ids=rows["product_id"], extra_columns=titles)
    frame = feature_frame(table, params.features)
    labels = rows["label"].to_numpy().astype(np.int8)
    architecture.fit(frame, labels, sample_weight=rows["weight"].to_numpy(), seed=params.seed)

    files = output / "model"
    files.mkdir()
    architecture.save(files)
    write_json(output / "model.json", _describe(params, labels, architecture.feature_importance()))
    write_parquet(rows.select(["product_id"]), output / "training_ids.parquet")
    profile = build_profile(frame, params.features, table[TITLE] if titles else None)
    write_json(output / "profile.json", profile)
    write_json(output / "catalogue_profile.json", profile_catalogue(inputs["features"], params.features))


def _describe(params: TrainParams, labels: npt.NDArray[np.int8], importance: dict[str, float]) -> dict[str, Any]:
    label_rate = float(labels.mean())
    return {
        **params.model_dump(mode="json"),
        "rows": len(labels),
        "label_rate": label_rate,
        "minority_label": int(label_rate <= 0.5),  # noqa: PLR2004 - a half: the label that is rarer, 1 if equal
        "feature_importance": importance,
    }


def load_model(folder: Path) -> TrainedModel:
    """The model that `train` wrote into `folder`.

    Raises:
        ModelError: model.json is absent or lacks a key.
        ArchitectureError: the architecture cannot be imported, or cannot load the model's files.
    """
    try:
        description = read_json(folder / "model.json")
        features = FeatureSet(**description["features"])
        name, package_type = description["architecture"], description["package_type"]
        minority_label = description["minority_label"]
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{folder / 'model.json'} does not describe a model ({error!r}); train it again") from error
    architecture = architecture_class(name).load(folder / "model", features)
    return TrainedModel(package_type, name, architecture, features, minority_label)
