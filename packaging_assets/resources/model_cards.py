"""Where the card of a registered version is."""

from packaging_assets.artifacts.store import Artifact, ArtifactStore
from packaging_assets.domain.registry import ModelVersion


def find_model_card(store: ArtifactStore, version: ModelVersion) -> Artifact | None:
    """The version's own card, or None if none was made; a week run again may have cards of other versions too.

    Of several for the same version (by another version of the page), the current one, else any.
    """
    key = f"{version.model}/model_card"
    current = store.current(key, version.training_week)
    cards = [*([current] if current else []), *store.committed(key, version.training_week)]
    return next((card for card in cards if store.parts(card).params.get("fingerprint") == version.fingerprint), None)
