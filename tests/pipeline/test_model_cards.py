"""Every registered version has a card, whatever its verdict, and two homes make the same ones."""

import json
from pathlib import Path

from small_retailer import WEEKS, Home

from packaging_assets.resources.model_cards import find_model_card


def test_every_version_has_a_card_of_its_own_verdict(retailer: Home) -> None:
    for version in retailer.registry.versions():
        card = find_model_card(retailer.store, version)
        assert card is not None
        assert list(card.files) == ["card.html"]
        folder = retailer.folder / "artifacts"
        text = (folder / card.uri / "card.html").read_text()
        verdict = json.loads((folder / version.metrics_uri / "verdict.json").read_text())
        assert version.fingerprint in text
        assert version.artifact_uri in text
        assert version.code_version in text
        assert all(check["name"] in text for check in verdict["checks"])
        assert f'class="badge {version.verdict}"' in text


def test_two_homes_make_the_same_cards(demos) -> None:
    first, second = (home for home, _ in demos.values())
    for week in WEEKS:
        assert first.content("mailer/model_card", week) == second.content("mailer/model_card", week)


def test_two_versions_are_compared_at_the_terminal_as_json_and_as_a_page(retailer: Home, tmp_path: Path) -> None:
    page = tmp_path / "comparison.html"
    command = retailer.start("models", "compare", "bag:1", "bag:2", "--html", str(page), "--json")
    out, err = command.communicate(timeout=60)
    assert (command.returncode, err) == (0, "")
    compared = json.loads(out)
    assert (compared["model"], compared["versions"]) == ("bag", [1, 2])
    assert compared["shared_rows"] > 0
    assert [each["name"] for each in compared["differences"]] == ["PR-AUC", "log loss"]
    assert all(each["standard_error"] > 0 for each in compared["differences"])
    assert "bag: versions 1 and 2" in page.read_text()

    other = retailer.start("models", "compare", "bag:1", "mailer:1")
    _, err = other.communicate(timeout=60)
    assert (other.returncode, "decides on bag and mailer:1 on mailer" in err) == (1, True)
