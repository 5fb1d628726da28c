"""Every registered version has a card, whatever its verdict, and two homes make the same ones."""

import json

from small_retailer import WEEKS, Home


def test_every_version_has_a_card_of_its_own_verdict(retailer: Home) -> None:
    for version in retailer.registry.versions():
        card = retailer.store.current(f"{version.model}/model_card", version.training_week)
        assert card is not None
        assert list(card.files) == ["card.html"]
        folder = retailer.folder / "artifacts"
        text = (folder / card.uri / "card.html").read_text()
        verdict = json.loads((folder / version.metrics_uri / "verdict.json").read_text())
        assert version.fingerprint in text
        assert version.artifact_uri in text
        assert all(check["name"] in text for check in verdict["checks"])
        assert f'class="badge {version.verdict}"' in text


def test_two_homes_make_the_same_cards(demos) -> None:
    first, second = (home for home, _ in demos.values())
    for week in WEEKS:
        assert first.content("mailer/model_card", week) == second.content("mailer/model_card", week)
