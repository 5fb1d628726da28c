"""The job `review_model`: decisions from the UI, validated, recorded, and shown in the graph."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
from shell_runs import error_of

from packaging_assets.components.assets.champion import DATA_VERSION_TAG
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.defs.review.review_model import review_job
from packaging_assets.domain.registry import Registration, Status
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

KEY = dg.AssetKey(["mailer", "champion"])
FIRST = Registration(
    model="mailer",
    package_type="mailer",
    training_week="2025-01-06",
    fingerprint="2025-01-06",
    verdict="approve",
    artifact_uri="mailer/model/f",
    metrics_uri="mailer/metrics/f",
    content_hash="c",
    code_version="1",
    metrics={"pr_auc": 0.5},
)


@pytest.fixture
def registry(tmp_path) -> SqliteModelRegistry:
    registry = SqliteModelRegistry(tmp_path / "registry.db")
    for week, verdict in (("2025-01-06", "approve"), ("2025-01-13", "pending")):
        registry.register(replace(FIRST, training_week=week, fingerprint=week, verdict=verdict))
    return registry


@pytest.fixture
def review(definitions: dg.Definitions, instance: dg.DagsterInstance, registry: SqliteModelRegistry):
    job = definitions.get_job_def("review_model")

    def run(decision: str, version: int | None = None, **config: Any) -> dg.ExecuteInProcessResult:
        named = {} if version is None else {"version": version}
        filled = {
            "model": "mailer",
            "decision": decision,
            "actor": "ann",
            "reason": "compared by hand",
            **named,
            **config,
        }
        return job.execute_in_process(
            instance=instance,
            resources={"model_registry": registry},
            run_config={"ops": {"decide": {"config": filled}}},
            raise_on_error=False,
        )

    return run


def recorded(instance: dg.DagsterInstance) -> list[str]:
    records = instance.fetch_materializations(KEY, limit=20, ascending=True).records
    return [record.asset_materialization.tags[DATA_VERSION_TAG] for record in records]


def test_each_decision_is_recorded_and_moves_the_champion_at_once(review, registry, instance):
    steps = [("approve", 2), ("roll_back", 2), ("undo", None), ("pin", 1), ("unpin", None), ("reject", 2)]
    for decision, version in steps:
        assert review(decision, version).success
    lines = registry.history("mailer")[2:]
    assert [(line.action.value, line.actor, line.reason) for line in lines] == [
        (decision, "ann", "compared by hand") for decision, _ in steps
    ]
    assert recorded(instance) == ["2", "1", "2", "1", "2", "1"]


def test_the_same_config_again_changes_nothing_more(review, registry):
    for _ in range(2):
        assert review("approve", 2, expected_status="PendingManualApproval").success
        assert len(registry.history("mailer")) == 3
    for _ in range(2):
        assert review("roll_back", 2).success
        assert (registry.champion("mailer").version, len(registry.history("mailer"))) == (1, 4)
    for _ in range(2):
        assert review("undo").success
        assert (registry.champion("mailer").version, len(registry.history("mailer"))) == (2, 5)


def test_of_two_people_deciding_at_once_one_wins_and_the_other_is_told(review, registry):
    seen = "PendingManualApproval"
    assert review("approve", 2, actor="ann", expected_status=seen).success
    result = review("reject", 2, actor="bob", expected_status=seen)
    name, message = error_of(result)
    assert name == "ConflictError"
    assert "no longer PendingManualApproval: ann made it Approved" in message
    assert registry.get("mailer", 2).status is Status.APPROVED

    assert review("pin", 1, actor="ann", expected_decisions=1).success
    name, message = error_of(review("pin", 2, actor="bob", expected_decisions=1))
    assert (name, "ann decided first: pin of mailer version 1" in message) == ("ConflictError", True)
    for decision in ("unpin", "undo"):
        name, message = error_of(review(decision, actor="bob", expected_decisions=1))
        assert (name, "ann decided first: pin of mailer version 1" in message) == ("ConflictError", True)
    assert registry.champion("mailer").version == 1
    assert review("unpin", actor="bob", expected_decisions=2).success
    assert registry.champion("mailer").version == 2

    name, message = error_of(review("approve", 1, actor="ann", expected_status="Rejected"))
    assert (name, "Version 1 of mailer is no longer Rejected" in message) == ("ConflictError", True)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"decision": "approve"}, "approve must name a version"),
        ({"decision": "undo", "version": 2}, "undo must not name a version"),
        ({"decision": "approve", "version": 2, "reason": " "}, "a decision needs a name and a written reason"),
        ({"decision": "approve", "version": 2, "actor": " "}, "a decision needs a name and a written reason"),
        ({"decision": "approve", "version": 2, "model": "sack"}, "There is no model 'sack' in the registry"),
        ({"decision": "approve", "version": 0}, "greater than or equal to 1"),
        ({"decision": "approve", "version": 2, "expected_status": "Good"}, "'Good' is not a valid Status"),
        ({"decision": "pin", "version": 1, "expected_status": "Approved"}, "expected_status is for approve and reject"),
        ({"decision": "approve", "version": 2, "expected_decisions": 1}, "expected_decisions is for pin"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_decided(review, registry, config, said):
    result = review(**config)
    assert not result.success
    failure = next(event for event in result.all_events if event.is_step_failure)
    assert said in str(failure.step_failure_data.error)
    assert len(registry.history("mailer")) == 2


def test_the_launchpad_begins_with_all_fields_and_refuses_them_as_they_are(definitions, instance, registry):
    job = definitions.get_job_def("review_model")
    assert list(job.run_config["ops"]["decide"]["config"]) == ["model", "decision", "version", "reason", "actor"]

    result = job.execute_in_process(
        instance=instance, resources={"model_registry": registry}, raise_on_error=False
    )  # launched as it is

    assert "a decision needs a name and a written reason" in error_of(result)[1]
    assert [(version.version, version.status) for version in registry.versions("mailer")] == [
        (1, Status.APPROVED),
        (2, Status.PENDING),
    ]


def test_an_unknown_decision_is_refused_before_a_run_starts(review):
    with pytest.raises(dg.DagsterInvalidConfigError, match="decision"):
        review("promote", 2)


def test_what_the_registry_refuses_fails_with_its_sentence_and_moves_nothing(review, registry, instance):
    result = review("pin", 2)
    assert "only an Approved version can be pinned" in error_of(result)[1]
    assert recorded(instance) == []
    assert len(registry.history("mailer")) == 2


def test_a_decision_about_a_model_without_a_live_one_is_recorded_and_moves_nothing(review, registry, instance):
    registry.register(replace(FIRST, model="sack", package_type="sack", verdict="pending"))
    assert review("approve", 1, model="sack").success
    assert registry.get("sack", 1).status is Status.APPROVED
    assert instance.get_latest_materialization_event(dg.AssetKey(["sack", "champion"])) is None


def test_a_decision_about_a_replaced_model_shows_at_the_one_that_is_to_replace_it(registry, instance):
    specs = [
        ModelSpec(package_type="mailer"),
        ModelSpec(package_type="mailer", name="mailer_text", replaces="mailer"),
    ]
    job = review_job(ModelSet.of(specs))
    config = {"model": "mailer", "decision": "approve", "version": 2, "actor": "ann", "reason": "by hand"}
    result = job.execute_in_process(
        instance=instance,
        resources={"model_registry": registry},
        run_config={"ops": {"decide": {"config": config}}},
    )
    assert result.success
    event = instance.get_latest_materialization_event(dg.AssetKey(["mailer_text", "champion"]))
    assert event.asset_materialization.tags[DATA_VERSION_TAG] == "mailer 2"
    assert recorded(instance) == []
