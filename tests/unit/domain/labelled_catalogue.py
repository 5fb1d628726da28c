"""A catalogue's profile from the parts of a folder, as training makes it on the way."""

from pathlib import Path
from typing import Any

from packaging_assets.domain.catalogue_profiles import CatalogueSample
from packaging_assets.domain.features import FeatureSet, iterate_features, title_column


def profile_catalogue(folder: Path, features: FeatureSet) -> dict[str, Any]:
    sample = CatalogueSample(folder)
    for part in iterate_features(folder, features, extra_columns=title_column(folder)):
        sample.add(part)
    return sample.profile(features)
