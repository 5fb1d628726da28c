"""The two files behind feature sets: dbt's YAML, which says what is a feature, and the one that names sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from packaging_assets.domain.feature_sets import (
    COLUMN_KINDS,
    DEFAULT_SET,
    Feature,
    FeatureCatalogue,
    FeatureComposition,
    FeatureSetError,
)
from packaging_assets.domain.spelling import meant_or_all

DBT_MODEL = "product_features"
"""The dbt model that provides the features."""

SECTIONS = ("sets", "defaults")
"""What the file that names sets has; another key is one of these misspelt, which would be missing without a word."""


def read_catalogue(features_file: Path, sets_file: Path, *, relative_to: Path | None = None) -> FeatureCatalogue:
    """What the two files say.

    Args:
        features_file: the YAML of the dbt model product_features.
        sets_file: `sets` (name -> composition) and `defaults` (architecture -> name of a set).
        relative_to: messages name the files by their path from here.

    Raises:
        FeatureSetError: a file cannot be read or contradicts itself.
    """
    shown = [str(path.relative_to(relative_to) if relative_to else path) for path in (features_file, sets_file)]
    features = _read_features(features_file, shown[0])
    named = _read_yaml(sets_file, shown[1])
    for key in named:
        if key not in SECTIONS:
            raise FeatureSetError(f"{shown[1]}: there is no section {key!r}{meant_or_all(str(key), SECTIONS)}")
    catalogue = FeatureCatalogue(features, {}, {}, *shown)
    for name, composition in _mapping(named.get("sets"), shown[1], "sets").items():
        columns = _compose_named(catalogue, name, composition)
        catalogue = FeatureCatalogue(features, {**catalogue.sets, name: columns}, {}, *shown)
    if DEFAULT_SET not in catalogue.sets:
        raise FeatureSetError(f"{shown[1]}: there is no set {DEFAULT_SET!r} under `sets`; name one so")
    defaults = {str(key): str(value) for key, value in _mapping(named.get("defaults"), shown[1], "defaults").items()}
    for architecture, name in defaults.items():
        if name not in catalogue.sets:
            raise FeatureSetError(
                f"{shown[1]}: defaults.{architecture} names no set: {name!r}{meant_or_all(name, catalogue.sets)}"
            )
    return FeatureCatalogue(features, catalogue.sets, defaults, *shown)


def _read_features(path: Path, shown: str) -> dict[str, Feature]:
    models: list[Any] = list(_read_yaml(path, shown).get("models") or ())
    columns = next((model.get("columns") or [] for model in models if model.get("name") == DBT_MODEL), None)
    if columns is None:
        raise FeatureSetError(f"{shown} does not describe the dbt model {DBT_MODEL}; its columns say what is a feature")
    features: dict[str, Feature] = {}
    for column in columns:
        meta = (column.get("config") or {}).get("meta") or {}
        if meta.keys() & {"feature_group", "feature_kind"}:
            features[column["name"]] = _feature(column["name"], meta, shown)
    return features


def _feature(name: str, meta: Mapping[str, Any], shown: str) -> Feature:
    group, kind = meta.get("feature_group"), meta.get("feature_kind")
    if not group or kind not in COLUMN_KINDS:
        raise FeatureSetError(
            f"{shown}: column {name!r} has feature_group {group!r} and feature_kind {kind!r}; a feature has a group, "
            f"and one of the kinds {', '.join(COLUMN_KINDS)}"
        )
    return Feature(name, str(group), kind)


def _compose_named(catalogue: FeatureCatalogue, name: str, composition: object) -> tuple[str, ...]:
    try:
        return catalogue.compose(FeatureComposition.model_validate(composition), f"sets.{name}")
    except FeatureSetError as error:
        raise FeatureSetError(f"{catalogue.sets_file}: {error} (a set can begin with those above it)") from None
    except ValueError as error:
        raise FeatureSetError(f"{catalogue.sets_file}: sets.{name} is no composition: {error}") from None


def _read_yaml(path: Path, shown: str) -> Mapping[str, Any]:
    # The C parser takes 9 ms for dbt's 190 lines where the Python one takes 45, at every loading of definitions.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _mapping(yaml.load(path.read_bytes(), Loader=loader), shown, "the file")  # noqa: S506 - both are safe
    except (OSError, yaml.YAMLError) as error:
        raise FeatureSetError(f"{shown} cannot be read: {error}") from None


def _mapping(value: object, shown: str, what: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise FeatureSetError(f"{shown}: {what} must be a mapping, and it is {type(value).__name__}")
    return cast("Mapping[str, Any]", value or {})
