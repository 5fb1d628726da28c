"""Two models for one package type: tried beside the one that serves for two weeks, then made live by one line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from extra_models import project_with
from small_retailer import MONTH, WEEKS, Home, materialize

from packaging_assets.components.assets.champion import DATA_VERSION_TAG
from packaging_assets.components.step_asset import NO_CACHE_TAG
from packaging_assets.domain.registry import Status, TransitionError, weeks_to_judge_again
from packaging_assets.resources.model_cards import find_model_card
from packaging_assets.runner import JobRunner

SHADOW = """\
type: packaging_assets.components.PackageModel
attributes:
  name: mailer_text
  package_type: mailer
  stage: shadow
  replaces: mailer
  parameters: {iterations: 60}
"""
LIVE = SHADOW.replace("stage: shadow", "stage: live")
CHAIN = ("split", "model", "metrics", "model_card", "registered_model")
SUNDAYS = ("2025-01-12", "2025-01-19")
LIVE_PREDICTIONS = "select * from ml.predictions order by all"
RECOMMENDATIONS = "select * from marts.package_recommendations order by all"
SHADOW_PREDICTIONS = (
    "select partition_start, model, model_version, product_id, package_type from ml.shadow_predictions order by all"
)


def train(runner: JobRunner, week: str) -> None:
    materialize(runner, *(f"mailer_text/{step}" for step in CHAIN), partition=week)


@dataclass(frozen=True)
class Trial:
    """A home in which the shadow model has run for two weeks, and what was in the warehouse before."""

    home: Home
    project: Path
    live_before: list[Any]
    recommended_before: list[Any]
    content_before: str


@pytest.fixture(scope="module")
def trial(retailer: Home, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("trial")
    home = retailer.copy_to(folder / "home")
    before = Trial(
        home=home,
        project=folder,
        live_before=home.rows(LIVE_PREDICTIONS),
        recommended_before=home.rows(RECOMMENDATIONS),
        content_before=home.content("daily/predictions", SUNDAYS[1]),
    )
    with project_with(folder, mailer_text=SHADOW):
        runner = home.runner()
        for week, sunday in zip(WEEKS, SUNDAYS, strict=False):
            train(runner, week)
            runner.run("daily_shadow", first=sunday)
        runner.run("daily", first=SUNDAYS[1], tags=NO_CACHE_TAG)
        materialize(runner, "prediction_outcomes")
    return before


@pytest.fixture
def tried(trial: Trial, tmp_path: Path) -> Home:
    """A copy to change."""
    return trial.home.copy_to(tmp_path / "home")


def test_a_shadow_is_trained_and_judged_against_the_champion_and_never_approved(trial: Trial) -> None:
    registry = trial.home.registry
    first, second = registry.versions("mailer_text")
    assert [(v.package_type, v.stage, v.training_week) for v in (first, second)] == [
        ("mailer", "shadow", week) for week in WEEKS[:2]
    ]
    champion = registry.champion("mailer")
    assert champion is not None
    assert (first.held_against, second.held_against) == (None, ("mailer", champion.version))
    assert first.verdict == "approve"
    assert first.status is Status.PENDING
    assert second.status in (Status.PENDING, Status.REJECTED)
    assert registry.champion("mailer_text") is None
    assert weeks_to_judge_again([first, second]) == []
    with pytest.raises(TransitionError, match="judged as a shadow"):
        registry.approve("mailer_text", 1, actor="ann", reason="it is better")


def test_its_cards_bear_its_name_and_say_that_it_is_a_shadow(trial: Trial) -> None:
    for version in trial.home.registry.versions("mailer_text"):
        card = find_model_card(trial.home.store, version)
        assert card is not None
        text = (trial.home.folder / "artifacts" / card.uri / "card.html").read_text()
        assert f"<h1>mailer_text (shadow model for mailer), week of {version.training_week}</h1>" in text


def test_it_predicts_into_its_own_table_with_the_version_of_the_moment(trial: Trial) -> None:
    rows = trial.home.rows(SHADOW_PREDICTIONS)
    live = "select product_id from ml.predictions where partition_start = $day and package_type = 'mailer' order by 1"
    second = trial.home.registry.get("mailer_text", 2)
    newest = 1 if second.status is Status.REJECTED else 2
    for day, version in zip(SUNDAYS, (1, newest), strict=True):
        found = [(row[1], row[2], row[4]) for row in rows if row[0].isoformat() == day]
        products = [(row[3],) for row in rows if row[0].isoformat() == day]
        assert set(found) == {("mailer_text", version, "mailer")}
        assert products == trial.home.rows(live, day=day)


def test_what_serves_is_the_same_to_the_bit_as_without_it(trial: Trial) -> None:
    assert trial.home.rows(LIVE_PREDICTIONS) == trial.live_before
    assert trial.home.rows(RECOMMENDATIONS) == trial.recommended_before
    assert trial.home.content("daily/predictions", SUNDAYS[1]) == trial.content_before


def test_both_are_held_against_the_same_outcomes(trial: Trial) -> None:
    outcomes = (
        "select product_id, as_of, label from marts.prediction_outcomes "
        "where stage = $stage and model = $model and cadence = 'daily' order by all"
    )
    live = trial.home.rows(outcomes, stage="live", model="mailer")
    shadow = trial.home.rows(outcomes, stage="shadow", model="mailer_text")
    assert [row for row in live if row[1].date().isoformat() in ("2025-01-13", "2025-01-20")] == shadow


def test_the_versions_of_both_can_be_compared(trial: Trial) -> None:
    process = trial.home.start("models", "compare", "mailer:champion", "mailer_text:2", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    compared = json.loads(out)
    assert compared["models"] == ["mailer", "mailer_text"]
    assert compared["shared_rows"] > 100
    assert compared["figures"]["stage"] == ["live", "shadow"]
    assert {difference["name"] for difference in compared["differences"]} == {"PR-AUC", "log loss"}


def serving(home: Home) -> set[tuple[Any, ...]]:
    query = "select distinct model, model_version from ml.predictions where cadence = 'monthly'"
    return set(home.rows(f"{query} and package_type = 'mailer'"))


def champion_says(runner: JobRunner) -> str:
    materialize(runner, "mailer_text/champion")
    event = runner.instance.get_latest_materialization_event(dg.AssetKey(["mailer_text", "champion"]))
    assert event is not None
    assert event.asset_materialization is not None
    return (event.asset_materialization.tags or {})[DATA_VERSION_TAG]


@pytest.fixture
def live_runner(tried: Home, trial: Trial) -> Iterator[JobRunner]:
    """The project after the one line was changed."""
    with project_with(trial.project, mailer_text=LIVE):
        yield tried.runner()


def test_one_line_makes_it_live_and_the_old_champion_serves_until_a_person_or_the_gates_approve(
    tried: Home, live_runner: JobRunner
) -> None:
    old = tried.registry.champion("mailer")
    assert old is not None
    before = tried.rows(LIVE_PREDICTIONS)

    # Live, without an approved version: nothing changes, and its next version is held against what serves.
    live_runner.run("monthly", first=MONTH)
    assert serving(tried) == {("mailer", old.version)}
    assert tried.rows(LIVE_PREDICTIONS) == before
    assert champion_says(live_runner) == f"mailer {old.version}"
    train(live_runner, WEEKS[1])
    shadow, live = tried.registry.versions("mailer_text")[1:]
    assert (live.stage, live.version, live.content_hash) == ("live", 3, shadow.content_hash)
    assert live.held_against == ("mailer", old.version)
    assert weeks_to_judge_again(tried.registry.versions("mailer_text")) == []
    if live.status is not Status.APPROVED:
        live_runner.run("monthly", first=MONTH)
        assert serving(tried) == {("mailer", old.version)}
        tried.registry.approve("mailer_text", 3, actor="ann", reason="two weeks beside the old one")

    # Approved: it serves, and the recommendations follow.
    live_runner.run("monthly", first=MONTH)
    assert serving(tried) == {("mailer_text", 3)}
    assert champion_says(live_runner) == "3"
    for table in ("ml.predictions where cadence = 'monthly'", "marts.latest_predictions"):
        models = tried.rows(f"select distinct model from {table} order by 1")
        assert models == [("bag",), ("box",), ("mailer_text",), ("sioc",)]
    recommended = (
        "select distinct model, model_version from marts.package_recommendations where package_type = 'mailer'"
    )
    assert tried.rows(recommended) == [("mailer_text", 3)]


def test_the_replaced_model_runs_on_as_a_shadow_and_can_be_brought_back(tried: Home, live_runner: JobRunner) -> None:
    names = {key.to_user_string() for key in live_runner.definitions.resolve_asset_graph().get_all_asset_keys()}
    assert "mailer_text/champion" in names
    assert "mailer/champion" not in names
    assert {"mailer/registered_model", "daily/shadow_predictions"} <= names
    train(live_runner, WEEKS[1])
    tried.registry.approve("mailer_text", 3, actor="ann", reason="better")
    live_runner.run("monthly_shadow", first=MONTH)
    assert tried.rows("select distinct model from ml.shadow_predictions where cadence = 'monthly'") == [("mailer",)]
