"""What a trained model's folder holds, read without loading the learner.

`model/` has the learner's own files, model.json says what the model is and was trained on, training_ids.parquet (so
that nobody judges it on rows it has seen), profile.json what its training rows were like and catalogue_profile.json
what all labelled products were like then: drift is measured against these. A model that feeds from others carries
their folders under `feeders/<name>/`, the very versions it was trained with, and those carry theirs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.parquet_files import read_parquet

LEARNER = "model"
DESCRIPTION = "model.json"
TRAINING_IDS = "training_ids.parquet"
PROFILE = "profile.json"
CATALOGUE_PROFILE = "catalogue_profile.json"
FEEDERS = "feeders"

CONTENT = (LEARNER, DESCRIPTION, TRAINING_IDS, PROFILE, CATALOGUE_PROFILE, FEEDERS)
"""Everything in a model's folder; what an artifact store adds to it (who computed it, and when) is not the model."""


class ModelError(ValueError):
    """A model's folder is not one that `train` wrote; the message names the file."""


def read_description(folder: Path) -> dict[str, Any]:
    """What model.json says.

    Raises:
        ModelError: it is absent or no JSON.
    """
    try:
        return read_json(folder / DESCRIPTION)
    except (OSError, ValueError) as error:
        raise _no_model(folder, error) from error


def described_features(folder: Path) -> FeatureSet:
    """The features that the model sees.

    Raises:
        ModelError: model.json does not say.
    """
    description = read_description(folder)
    try:
        return FeatureSet(**description["features"])
    except (KeyError, ValueError) as error:
        raise _no_model(folder, error) from error


def _no_model(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"{folder / DESCRIPTION} does not describe a model ({error!r}); train it again")


def feeder_folders(folder: Path) -> dict[str, Path]:
    """The folders of the models that this one feeds from, by name."""
    return {path.name: path for path in sorted((folder / FEEDERS).glob("*"))}


def inventory_features(folder: Path) -> FeatureSet:
    """Every column that has to be read to score with the model: its own, and those of the models it feeds from."""
    feeders = feeder_folders(folder).values()
    return union_of_features([described_features(folder), *map(inventory_features, feeders)])


def union_of_features(feature_sets: Iterable[FeatureSet]) -> FeatureSet:
    """The columns of all of them, scores left out; of which kind, the first that has a column says.

    A column may be a number to one model and part of an embedding to another, or a category to one and a text to
    another: a column that is a category to any of them is one here, since it is read as one.
    """
    sets = list(feature_sets)
    categorical = dict.fromkeys(name for one in sets for name in one.categorical)
    kind_of: dict[str, str] = dict.fromkeys(categorical, "categorical")
    for one in sets:
        for kind in ("numeric", "embedding", "text"):
            for name in getattr(one, kind):
                kind_of.setdefault(name, kind)
    columns: dict[str, list[str]] = {"numeric": [], "embedding": [], "categorical": [], "text": []}
    for name, kind in kind_of.items():
        columns[kind].append(name)
    return FeatureSet(**{kind: tuple(names) for kind, names in columns.items()})


def trained_on(folder: Path) -> pa.ChunkedArray:
    """Ids of all products whose labels the model has seen: in its own training, or in that of a model it feeds from."""
    own = read_parquet(folder / TRAINING_IDS, ("product_id",))["product_id"]
    fed = [trained_on(feeder).chunks for feeder in feeder_folders(folder).values()]
    return pa.chunked_array([*own.chunks, *(chunk for chunks in fed for chunk in chunks)], own.type)


def model_digest(folder: Path) -> str:
    """sha256 over what decides the model's scores; equal for a model and a copy of it, wherever they are."""
    paths = [folder / DESCRIPTION, *(folder / LEARNER).rglob("*"), *(folder / FEEDERS).rglob("*")]
    names = sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())
    listing = "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    return hashlib.sha256(listing.encode()).hexdigest()


def copy_model(source: Path, target: Path) -> None:
    """Copy a model's folder to `target`, which is created: the model with its feeders, and nothing else."""
    target.mkdir(parents=True)
    for name in CONTENT:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, copy_function=shutil.copyfile)
        elif (source / name).is_file():
            shutil.copyfile(source / name, target / name)
