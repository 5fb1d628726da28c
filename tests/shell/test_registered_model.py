"""A version is registered only if Dagster's record of the checks bears its verdict out; the champion follows."""

import json
from pathlib import Path

import dagster as dg
import pytest
from shell_runs import Run, error_of

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import Artifact
from packaging_assets.components.assets.registered_model import (
    ASKED_TAGS,
    GateEvidenceError,
    refuse_unproven_verdict,
)
from packaging_assets.components.model_set import OVERRIDES_TAG
from packaging_assets.domain.gates import CHECKS
from packaging_assets.domain.registry import Status
from packaging_assets.domain.verdicts import CheckOutcome, Verdict
from packaging_assets.partitions import weekly_partitions
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.settings import Settings

WEEK = "2025-01-13"
METRICS = dg.AssetKey(["mailer", "metrics"])
NAMES = [check.name for check in CHECKS]


class Shelf:
    """A store with one week's model and metrics, and Dagster's record of the metrics' checks as a test wants it."""

    def __init__(self, folder: Path, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.store = LocalArtifactStore(folder / "artifacts")
        self.registry = SqliteModelRegistry(folder / "registry.db")
        self.weekly = weekly_partitions(settings)
        self._instance = instance

    def put(self, asset: str, week: str, files: dict[str, object], step: str = "step", **inputs: str) -> Artifact:
        with self.store.scratch() as scratch:
            folder = scratch / "out"
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_text(json.dumps(content))
            parts = FingerprintParts(step=step, modules={}, libraries={}, params={}, inputs=inputs)
            artifact = self.store.commit(asset, week, folder, parts=parts, provenance={})
        self.store.point(artifact)
        return artifact

    def week(self, week: str = WEEK, *, failed: str | None = None, step: str = "step", stage: str = "live") -> Artifact:
        model = self.put("mailer/model", week, {"model.json": week}, step)
        checks = [outcome(name, is_passed=name != failed) for name in NAMES]
        verdict = Verdict(
            outcome="reject" if failed else "approve",
            checks=tuple(checks),
            failures=(f"{failed}: too low",) if failed else (),
            warnings=(),
        )
        files = {"verdict.json": verdict.model_dump(mode="json"), "metrics.json": {"pr_auc": 0.5, "stage": stage}}
        return self.put("mailer/metrics", week, files, step, candidate=model.content_hash)

    def record(
        self, fingerprint: str, passed: dict[str, bool], week: str = WEEK, tags: dict[str, str] | None = None
    ) -> None:
        judged = self.judged(fingerprint, passed)
        assert dg.materialize([judged], instance=self._instance, partition_key=week, tags=tags).success

    def judged(self, fingerprint: str, passed: dict[str, bool]) -> dg.AssetsDefinition:
        @dg.asset(
            key=METRICS,
            partitions_def=self.weekly,
            check_specs=[dg.AssetCheckSpec(name, asset=METRICS) for name in passed],
        )
        def recorded() -> dg.MaterializeResult:
            results = [
                dg.AssetCheckResult(check_name=name, passed=is_passed, metadata={"fingerprint": fingerprint})
                for name, is_passed in passed.items()
            ]
            return dg.MaterializeResult(check_results=results)

        return recorded


def outcome(name: str, *, is_passed: bool) -> CheckOutcome:
    return CheckOutcome(
        name=name,
        is_passed=is_passed,
        severity="ERROR",
        value=None,
        limit=None,
        standard_error=None,
        rows=None,
        sentence="too low",
        remedy="look",
    )


@pytest.fixture
def shelf(tmp_path: Path, settings: Settings, instance: dg.DagsterInstance) -> Shelf:
    return Shelf(tmp_path, settings, instance)


def register(materialize: Run, shelf: Shelf, week: str = WEEK) -> dg.ExecuteInProcessResult:
    return materialize(
        "mailer/registered_model", partition=week, artifact_store=shelf.store, model_registry=shelf.registry
    )


def test_registers_what_the_checks_bear_out_once(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    shelf.record(metrics.fingerprint, dict.fromkeys(NAMES, True))
    assert register(materialize, shelf).success
    assert register(materialize, shelf).success
    (version,) = shelf.registry.versions()
    assert (version.version, version.status, version.training_week) == (1, Status.APPROVED, WEEK)
    assert (version.fingerprint, version.metrics_uri) == (metrics.fingerprint, metrics.uri)


def test_registers_a_rejection_with_its_reasons(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week(failed=NAMES[1])
    shelf.record(metrics.fingerprint, {name: name != NAMES[1] for name in NAMES})
    assert register(materialize, shelf).success
    (version,) = shelf.registry.versions()
    assert (version.status, version.reasons) == (Status.REJECTED, (f"{NAMES[1]}: too low",))
    assert shelf.registry.champion("mailer") is None


def test_a_model_judged_as_shadow_is_registered_with_its_verdict_and_never_approved(
    materialize: Run, shelf: Shelf
) -> None:
    metrics = shelf.week(stage="shadow")
    shelf.record(metrics.fingerprint, dict.fromkeys(NAMES, True))
    result = register(materialize, shelf)
    (version,) = shelf.registry.versions()
    assert (version.stage, version.verdict, version.status) == ("shadow", "approve", Status.PENDING)
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert (metadata["stage"].value, metadata["weeks_to_judge_again"].value) == ("shadow", [])
    assert shelf.registry.champion("mailer") is None


def test_refuses_a_verdict_without_any_recorded_check(materialize: Run, shelf: Shelf) -> None:
    shelf.week()
    name, message = error_of(register(materialize, shelf))
    assert name == "GateEvidenceError"
    assert f"mailer/metrics {WEEK}: check {NAMES[0]} has no recorded evaluation" in message
    assert "Materialize mailer/metrics for 2025-01-13 again" in message
    assert shelf.registry.versions() == []


def test_refuses_when_one_check_is_missing(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    shelf.record(metrics.fingerprint, {name: True for name in NAMES if name != NAMES[-1]})
    name, message = error_of(register(materialize, shelf))
    assert (name, f"check {NAMES[-1]} has no recorded evaluation" in message) == ("GateEvidenceError", True)
    assert shelf.registry.versions() == []


@pytest.mark.parametrize("missing", NAMES)
def test_no_check_can_be_done_without(shelf: Shelf, missing: str) -> None:
    metrics = shelf.week()
    checks = tuple(outcome(name, is_passed=True) for name in NAMES)
    verdict = Verdict(outcome="approve", checks=checks, failures=(), warnings=())
    recorded = dict.fromkeys(NAMES, (metrics.fingerprint, True))
    refuse_unproven_verdict(recorded, verdict, metrics)
    for found in ({}, {missing: (metrics.fingerprint, False)}, {missing: ("0" * 64, True)}):
        others = {name: value for name, value in recorded.items() if name != missing}
        with pytest.raises(GateEvidenceError, match=f"check {missing} .* Nothing was registered"):
            refuse_unproven_verdict({**others, **found}, verdict, metrics)


def test_refuses_when_a_check_was_recorded_otherwise(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    shelf.record(metrics.fingerprint, {name: name != NAMES[3] for name in NAMES})
    name, message = error_of(register(materialize, shelf))
    assert (name, f"check {NAMES[3]} was recorded as" in message) == ("GateEvidenceError", True)
    assert shelf.registry.versions() == []


def test_refuses_checks_of_other_metrics(materialize: Run, shelf: Shelf) -> None:
    earlier = shelf.week(step="earlier")
    shelf.record(earlier.fingerprint, dict.fromkeys(NAMES, True))
    shelf.week(step="later")
    assert error_of(register(materialize, shelf))[0] == "GateEvidenceError"
    assert shelf.registry.versions() == []


def test_refuses_a_model_that_was_trained_after_another_was_judged(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    shelf.record(metrics.fingerprint, dict.fromkeys(NAMES, True))
    trained_since = shelf.put("mailer/model", WEEK, {"model.json": "other"}, "trained by a run beside")
    name, message = error_of(register(materialize, shelf))
    assert name == "GateEvidenceError"
    assert f"mailer/metrics {WEEK}: {metrics.uri} is not about {trained_since.uri}" in message
    assert shelf.registry.versions() == []


def test_the_same_model_made_by_other_code_is_the_one_that_was_judged(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    shelf.record(metrics.fingerprint, dict.fromkeys(NAMES, True))
    again = shelf.put("mailer/model", WEEK, {"model.json": WEEK}, "other code, same bytes")
    assert register(materialize, shelf).success
    assert [version.artifact_uri for version in shelf.registry.versions()] == [again.uri]


def test_a_version_records_what_the_run_that_judged_it_set_otherwise(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    overrides = {"mailer": {"seed": 5}, "bag": {"seed": 6}}
    tags = {OVERRIDES_TAG: json.dumps(overrides), ASKED_TAGS["by"]: "ann", ASKED_TAGS["reason"]: "another seed"}
    shelf.record(metrics.fingerprint, dict.fromkeys(NAMES, True), tags=tags)
    assert register(materialize, shelf).success  # by a run of its own, without these tags
    (version,) = shelf.registry.versions()
    assert version.metrics["overrides"] == {"seed": 5}
    assert version.metrics["asked"] == {"by": "ann", "reason": "another seed"}


def test_refuses_checks_of_another_week(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    shelf.record(metrics.fingerprint, dict.fromkeys(NAMES, True), week="2025-01-20")
    assert error_of(register(materialize, shelf))[0] == "GateEvidenceError"
    assert shelf.registry.versions() == []


def test_takes_the_latest_record_of_the_week(materialize: Run, shelf: Shelf) -> None:
    metrics = shelf.week()
    shelf.record(metrics.fingerprint, dict.fromkeys(NAMES, True))
    shelf.record(metrics.fingerprint, {name: name != NAMES[0] for name in NAMES})
    assert error_of(register(materialize, shelf))[0] == "GateEvidenceError"


def test_a_run_takes_its_own_record_while_another_that_judged_the_same_since_has_recorded_nothing_yet(
    definitions: dg.Definitions, instance: dg.DagsterInstance, shelf: Shelf
) -> None:
    metrics = shelf.week()

    @dg.asset(key=["mailer", "model"], deps=[METRICS], partitions_def=shelf.weekly)
    def judged_beside() -> None:
        shelf.record(metrics.fingerprint, {})

    registered = definitions.get_assets_def(["mailer", "registered_model"])
    result = dg.materialize(
        [shelf.judged(metrics.fingerprint, dict.fromkeys(NAMES, True)), judged_beside, registered],
        instance=instance,
        partition_key=WEEK,
        resources={"artifact_store": shelf.store, "model_registry": shelf.registry},
        tags={ASKED_TAGS["by"]: "ann"},
    )
    assert result.success
    (version,) = shelf.registry.versions()
    assert (version.status, version.metrics["asked"]) == (Status.APPROVED, {"by": "ann"})


def champion_version(materialize: Run, shelf: Shelf) -> str:
    result = materialize("mailer/champion", model_registry=shelf.registry)
    (event,) = result.get_asset_materialization_events()
    tags = event.step_materialization_data.materialization.tags or {}
    return tags["dagster/data_version"]


def test_the_champions_data_version_moves_with_approvals_and_pins(materialize: Run, shelf: Shelf) -> None:
    assert champion_version(materialize, shelf) == "none"
    first = shelf.week()
    shelf.record(first.fingerprint, dict.fromkeys(NAMES, True))
    register(materialize, shelf)
    assert champion_version(materialize, shelf) == "1"
    second = shelf.week("2025-01-20", failed=NAMES[0])
    shelf.record(second.fingerprint, {name: name != NAMES[0] for name in NAMES}, week="2025-01-20")
    register(materialize, shelf, "2025-01-20")
    assert champion_version(materialize, shelf) == "1"
    shelf.registry.approve("mailer", 2, actor="ann", reason="checked by hand")
    assert champion_version(materialize, shelf) == "2"
    shelf.registry.pin("mailer", 1, actor="ann", reason="two waits for the new scales")
    assert champion_version(materialize, shelf) == "1"
    shelf.registry.unpin("mailer", actor="ann", reason="the scales are there")
    assert champion_version(materialize, shelf) == "2"
