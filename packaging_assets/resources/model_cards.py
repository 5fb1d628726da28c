"""Where the card of a registered version is."""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from packaging_assets.artifacts.store import Artifact, ArtifactStore
from packaging_assets.domain.registry import ModelVersion


class CardPage(NamedTuple):
    """A card's page: on this machine, to open, and where the store has it, in words for people."""

    path: Path
    location: str


def find_model_card(store: ArtifactStore, version: ModelVersion) -> Artifact | None:
    """The version's own card, or None if none was made; a week run again may have cards of other versions too.

    Of several for the same version (by another version of the page), the current one, else any.
    """
    key = f"{version.model}/model_card"
    current = store.current(key, version.training_week)
    cards = [*([current] if current else []), *store.committed(key, version.training_week)]
    return next((card for card in cards if store.parts(card).params.get("fingerprint") == version.fingerprint), None)


def fetch_model_card(store: ArtifactStore, version: ModelVersion, folder: Path) -> CardPage | None:
    """The page of the version's card, or None if none was made.

    Where the store is on this disk the page stays where it is. Else it is fetched into `folder` once, where it is kept
    for the browser.

    Raises:
        ArtifactError: the card is damaged.
    """
    card = find_model_card(store, version)
    if card is None:
        return None
    page = min(card.files)
    kept = folder / card.content_hash
    if not (kept / page).is_file():
        with tempfile.TemporaryDirectory() as scratch:
            found = store.local_path(card, Path(scratch))
            if not found.is_relative_to(scratch):
                return CardPage(found / page, store.locate(card, page))
            shutil.copytree(found, kept, dirs_exist_ok=True)
    return CardPage(kept / page, store.locate(card, page))
