"""The project's own features: what its dbt model provides, and the sets that are named for it."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from packaging_assets.components.architecture_names import no_such_architecture
from packaging_assets.components.yaml_file import YamlFileError, has_repeated_keys, read_documents
from packaging_assets.domain.architectures import BUILT_IN
from packaging_assets.domain.feature_set_files import read_catalogue
from packaging_assets.domain.feature_sets import FeatureCatalogue, FeatureSetError, union_of_columns
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
    _check_keys(FEATURE_SETS)
    catalogue = read_catalogue(PRODUCT_FEATURES, FEATURE_SETS, relative_to=PROJECT_ROOT)
    for architecture in catalogue.defaults:
        if architecture not in BUILT_IN and ":" not in architecture:
            raise FeatureSetError(f"{catalogue.sets_file}: defaults: {no_such_architecture(architecture)}")
    return catalogue


def _check_keys(path: Path) -> None:
    """Of two sets of one name the last would count, and of two defaults of one architecture."""
    if has_repeated_keys(path):
        try:
            read_documents(path)
        except YamlFileError as error:
            raise FeatureSetError(f"{path.relative_to(PROJECT_ROOT)} {error}") from None


@cache
def default_features(architecture: str) -> FeatureSet:
    """The features of a model whose YAML names none."""
    catalogue = project_features()
    return catalogue.resolve(catalogue.default_of(architecture))


def extract_columns(feature_sets: Iterable[FeatureSet]) -> tuple[str, ...]:
    """The columns that an extract of features must have for models with these features."""
    return union_of_columns(feature_sets, project_features())
