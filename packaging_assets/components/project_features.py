"""The project's own features: what its dbt model provides, and the sets that are named for it."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from packaging_assets.domain.feature_set_files import read_catalogue
from packaging_assets.domain.feature_sets import FeatureCatalogue, union_of_columns
from packaging_assets.domain.features import FeatureSet
from packaging_assets.settings import PROJECT_ROOT

PRODUCT_FEATURES = PROJECT_ROOT / "dbt_project" / "models" / "features" / "product_features.yml"
FEATURE_SETS = Path(__file__).resolve().parents[1] / "feature_sets.yaml"


@cache
def project_features() -> FeatureCatalogue:
    """The catalogue of the project's features, read once in each process.

    Raises:
        FeatureSetError: one of the two files cannot be read or contradicts itself.
    """
    return read_catalogue(PRODUCT_FEATURES, FEATURE_SETS, relative_to=PROJECT_ROOT)


def resolve_features(value: object) -> FeatureSet:
    """What `features` in a model's YAML comes to; see `FeatureCatalogue.resolve`."""
    return project_features().resolve(value)


@cache
def default_features(architecture: str) -> FeatureSet:
    """The features of a model whose YAML names none."""
    catalogue = project_features()
    return catalogue.resolve(catalogue.default_of(architecture))


def extract_columns(feature_sets: Iterable[FeatureSet]) -> tuple[str, ...]:
    """The columns that an extract of features must have for models with these features."""
    return union_of_columns(feature_sets, project_features())
