"""Which artifacts the model registry rests on."""

from collections import defaultdict

from packaging_assets.artifacts.store import ArtifactError, ArtifactStore
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.resources.model_cards import find_model_card
from packaging_assets.resources.model_registry import ModelRegistry


def registry_references(registry: ModelRegistry, store: ArtifactStore) -> dict[str, list[str]]:
    """URI -> the versions that refer to it, as "mailer 3 (Approved)", whatever their status.

    A version refers to its model, its metrics, and its model card.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for version in registry.versions():
        for uri in filter(None, (version.artifact_uri, version.metrics_uri, _card_uri(store, version))):
            found[uri].append(f"{version.model} {version.version} ({version.status})")
    return dict(found)


def _card_uri(store: ArtifactStore, version: ModelVersion) -> str:
    try:
        card = find_model_card(store, version)
    except ArtifactError:  # a damaged card can be made again; it must not keep people from pruning
        return ""
    return card.uri if card else ""
