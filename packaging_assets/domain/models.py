"""Models: train one for a package type, keep it as a folder, load it again to score.

`model_folders` says what is in the folder. A model may feed from others: it is trained on their out-of-fold scores and
carries copies of them, which score for it from then on.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.architectures import (
    Architecture,
    KeepsCheckpoints,
    architecture_class,
    check_feature_kinds,
)
from packaging_assets.domain.checkpoints import checkpoint_folder
from packaging_assets.domain.class_weights import ClassWeighting, weigh_classes
from packaging_assets.domain.features import (
    DEFAULT_FEATURES,
    TITLE,
    FeatureSet,
    PackageType,
    check_all_there,
    feature_frame,
    iterate_features,
    score_column,
    title_column,
)
from packaging_assets.domain.feeder_scores import FeederScores, feeder_input
from packaging_assets.domain.json_files import write_json
from packaging_assets.domain.model_folders import (
    CATALOGUE_PROFILE,
    DESCRIPTION,
    FEEDERS,
    LEARNER,
    PROFILE,
    TRAINING_IDS,
    ModelError,
    copy_model,
    described_features,
    inventory_features,
    model_digest,
    read_description,
    union_of_features,
)
from packaging_assets.domain.parquet_files import read_parquet, write_parquet

if TYPE_CHECKING:
    import pandas as pd


class TrainParams(BaseModel):
    """What to train."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: PackageType
    architecture: str = Field(default="catboost", description="A built-in architecture, or 'package.module:Class'.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Passed to the architecture.")
    features: FeatureSet = DEFAULT_FEATURES
    seed: int = Field(default=20250106, ge=0, lt=2**31, description="Seeds the learner.")
    class_weights: ClassWeighting = Field(default=None, description="How much the two classes count.")


@dataclass(frozen=True)
class TrainedModel:
    """A fitted model together with the feature set it must be fed, and the models it feeds from.

    `feeders` come in the order of `features.scores`; models of equal `digest` give equal scores.
    """

    package_type: str
    architecture_name: str
    architecture: Architecture
    features: FeatureSet
    minority_label: int
    digest: str
    feeders: tuple[TrainedModel, ...] = ()

    @property
    def preparation(self) -> tuple[str, FeatureSet, tuple[str, ...]]:
        """Models equal in this can share what `prepare` returns: they see the same numbers, scores included."""
        return self.architecture_name, self.features, tuple(feeder.digest for feeder in self.feeders)

    @property
    def inventory_features(self) -> FeatureSet:
        """Every column that has to be read to score with it: its own, and those of the models it feeds from."""
        return union_of_features([self.features, *(feeder.inventory_features for feeder in self.feeders)])

    @property
    def architectures(self) -> tuple[str, ...]:
        """Names of the architectures whose code its scores rest on, its feeders' included; sorted, each once."""
        fed = (name for feeder in self.feeders for name in feeder.architectures)
        return tuple(sorted({self.architecture_name, *fed}))

    def prepare(self, frame: pd.DataFrame) -> object:
        """`frame`, made by `feature_frame` for these features, in the learner's own form."""
        return self.architecture.prepare(frame)

    def score(self, prepared: object) -> npt.NDArray[np.float64]:
        """P(suitable) of each row, shape (rows,)."""
        return self.architecture.predict_proba(prepared)[:, 1]


def train(inputs: Mapping[str, Path], params: TrainParams, output: Path) -> None:
    """Train a model for one package type.

    Args:
        inputs: `split` (train.parquet) and `features` (Parquet parts); and of each model in `params.features.scores`
            its folder, `feeder_<name>`, and its out-of-fold scores, `scores_<name>`.
        params: architecture, its parameters, features and seed.
        output: gets the model's folder.

    Raises:
        ArchitectureError: the architecture is unknown, takes no features of some kind, or refuses parameters or data.
        FeatureError: a feature is absent or of the wrong type.
        FeederError: the out-of-fold scores of a feeder are of another version of it, or lack a product.
        ModelError: a feeder's folder is not a model.
    """
    from packaging_assets.domain.profiles import build_profile

    architecture = make_architecture(params)
    rows = read_parquet(inputs["split"] / "train.parquet")
    feeders = {name: inputs[feeder_input(name)] for name in params.features.scores}
    inventory = union_of_features([params.features, *map(inventory_features, feeders.values())])
    titles = title_column(inputs["features"])
    table, catalogue = _read(inputs["features"], inventory, rows["product_id"], titles)
    frame = feature_frame(FeederScores(inputs, feeders).add_to(table), params.features)
    fit(architecture, frame, rows, params)

    files = output / LEARNER
    files.mkdir()
    architecture.save(files)
    labels = rows["label"].to_numpy()
    write_json(output / DESCRIPTION, _describe(params, labels, architecture.feature_importance()))
    write_parquet(rows.select(["product_id"]), output / TRAINING_IDS)
    seen = frame if inventory == params.features else feature_frame(table, inventory)
    write_json(output / PROFILE, build_profile(seen, inventory, table[TITLE] if titles else None))
    write_json(output / CATALOGUE_PROFILE, catalogue)
    for name, folder in feeders.items():
        copy_model(folder, output / FEEDERS / name)


def _read(
    folder: Path, features: FeatureSet, product_ids: pa.ChunkedArray, titles: Sequence[str]
) -> tuple[pa.Table, dict[str, Any]]:
    """The rows to train on, and the profile of all labelled products, from one reading of the extract."""
    from packaging_assets.domain.catalogue_profiles import CatalogueSample

    sample = CatalogueSample(folder)
    wanted: list[pa.Table] = []
    for part in iterate_features(folder, features, extra_columns=titles):
        sample.add(part)
        wanted.append(part.filter(pc.is_in(part["product_id"], value_set=product_ids)))
    table = pa.concat_tables(wanted)
    check_all_there(folder, table, product_ids)
    return table, sample.profile(features)


def make_architecture(params: TrainParams) -> Architecture:
    """The architecture to be fitted, before any data is read.

    Raises:
        ArchitectureError: it is unknown, takes no features of some kind, or refuses its parameters.
    """
    check_feature_kinds(params.architecture, params.features)
    return architecture_class(params.architecture)(params.features, params.parameters)


def fit(architecture: Architecture, frame: pd.DataFrame, rows: pa.Table, params: TrainParams) -> None:
    """Fit `architecture` to training rows: the only way in which a model is fitted, for out-of-fold scores too.

    Where checkpoints are kept (see `checkpoints_in`), an architecture that can go on from one does.

    Args:
        architecture: as `make_architecture` made it.
        frame: shape (rows, features), as made by `feature_frame`.
        rows: the same rows with `label` and `weight`, as `splits.split` writes them.
        params: for the seed and the class weights.
    """
    labels = rows["label"].to_numpy().astype(np.int8)
    weights = weigh_classes(labels, rows["weight"].to_numpy(), params.class_weights)
    if isinstance(architecture, KeepsCheckpoints):
        folder = checkpoint_folder(lambda: _digest_of_training(frame, labels, weights, params))
        if folder is not None:
            architecture.checkpoint_in(folder)
    architecture.fit(frame, labels, sample_weight=weights, seed=params.seed)


def _digest_of_training(
    frame: pd.DataFrame, labels: npt.NDArray[np.int8], weights: npt.NDArray[np.float64], params: TrainParams
) -> str:
    """Stands for all that a training depends on: a step may train several models, as out-of-fold scores do."""
    import pandas as pd

    digest = hashlib.sha256(params.model_dump_json().encode())
    for values in (pd.util.hash_pandas_object(frame, index=False).to_numpy(), labels, weights):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]


def _describe(params: TrainParams, labels: npt.NDArray[np.int8], importance: dict[str, float]) -> dict[str, Any]:
    label_rate = float(labels.mean())
    return {
        **params.model_dump(mode="json"),
        "rows": len(labels),
        "label_rate": label_rate,
        "minority_label": int(label_rate <= 0.5),  # noqa: PLR2004 - a half: the label that is rarer, 1 if equal
        "feature_importance": importance,
    }


def read_train_params(folder: Path) -> TrainParams:
    """What the model in `folder` was trained with.

    Raises:
        ModelError: model.json is absent or does not say.
    """
    description = read_description(folder)
    known = {name: description[name] for name in TrainParams.model_fields if name in description}
    try:
        return TrainParams.model_validate(known)
    except ValueError as error:
        raise ModelError(f"{folder / DESCRIPTION} does not say how to train ({error!r}); train it again") from error


def load_model(folder: Path) -> TrainedModel:
    """The model that `train` wrote into `folder`, with the models it feeds from.

    Raises:
        ModelError: model.json is absent or lacks a key, there or in the folder of a model it feeds from.
        ArchitectureError: the architecture cannot be imported, or cannot load the model's files.
    """
    description, features = read_description(folder), described_features(folder)
    try:
        name, package_type = description["architecture"], description["package_type"]
        minority_label = description["minority_label"]
    except KeyError as error:
        raise ModelError(f"{folder / DESCRIPTION} does not describe a model ({error!r}); train it again") from error
    feeders = tuple(load_model(folder / FEEDERS / feeder) for feeder in features.scores)
    architecture = architecture_class(name).load(folder / LEARNER, features)
    return TrainedModel(package_type, name, architecture, features, minority_label, model_digest(folder), feeders)


def score_table(models: Sequence[TrainedModel], table: pa.Table) -> npt.NDArray[np.float64]:
    """P(suitable) of every row by every model, shape (rows, models).

    Models are scored after those they feed from. Each distinct one is scored once, whether it was asked for, feeds
    one model or several, or both; one preparation serves all that can share it.

    Args:
        models: perhaps with feeders of their own.
        table: has the `inventory_features` of each.

    Raises:
        FeatureError: a column is absent or of the wrong type.
    """
    scores = np.empty((len(table), len(models)))
    if len(table) == 0:  # learners refuse to prepare nothing
        return scores
    known: dict[str, npt.NDArray[np.float64]] = {}
    for group in _in_order(models):
        prepared = group[0].prepare(_frame(group[0], table, known))
        known |= {model.digest: model.score(prepared) for model in group}
    for column, model in enumerate(models):
        scores[:, column] = known[model.digest]
    return scores


def _in_order(models: Sequence[TrainedModel]) -> list[list[TrainedModel]]:
    """All distinct models, feeders first, in groups that can share a preparation."""
    distinct: dict[str, TrainedModel] = {}
    for model in models:
        _collect(model, distinct)
    sharing: dict[tuple[str, FeatureSet, tuple[str, ...]], list[TrainedModel]] = {}
    for model in distinct.values():
        sharing.setdefault(model.preparation, []).append(model)
    return list(sharing.values())


def _collect(model: TrainedModel, distinct: dict[str, TrainedModel]) -> None:
    for feeder in model.feeders:
        _collect(feeder, distinct)
    distinct.setdefault(model.digest, model)


def _frame(model: TrainedModel, table: pa.Table, known: Mapping[str, npt.NDArray[np.float64]]) -> pd.DataFrame:
    """What `model` sees of `table`, its feeders' scores being known."""
    columns: dict[str, Any] = {name: table[name] for name in model.features.inventory_columns}
    for name, feeder in zip(model.features.scores, model.feeders, strict=True):
        columns[score_column(name)] = pa.array(known[feeder.digest])
    return feature_frame(pa.table(columns), model.features)
