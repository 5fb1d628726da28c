"""Promotion between two environments: what arrives is what was approved, or nothing is registered."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from packaging_assets import home
from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.prune import PrunePolicy, prune
from packaging_assets.artifacts.store import Artifact, ArtifactError
from packaging_assets.cli.models_promote import promote as promote_command
from packaging_assets.cli.models_promote import show_promoted
from packaging_assets.domain.registry import ConflictError, ModelVersion, Registration, Status, TransitionError
from packaging_assets.domain.signatures import SignatureError, sign
from packaging_assets.promotion import Environment, PromotionError, promote
from packaging_assets.resources import environment as environments
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.settings import Settings

WEEK = "2025-01-06"
NOW = dt.datetime(2025, 2, 3, tzinfo=dt.UTC)


def environment(root: Path, name: str, key: str = "", now: dt.datetime = NOW) -> Environment:
    registry = SqliteModelRegistry(root / name / "registry.db", clock=lambda: now)
    return Environment(name, LocalArtifactStore(root / name / "artifacts", clock=lambda: now), registry, key)


def write(store: LocalArtifactStore, asset: str, inputs: dict[str, str], **files: str) -> Artifact:
    parts = FingerprintParts(step=f"steps:{asset}", modules={}, libraries={}, params={}, inputs=inputs)
    with store.scratch() as scratch:
        for name, content in files.items():
            (scratch / name).write_text(content)
        return store.commit(f"mailer/{asset}", WEEK, scratch, parts=parts, provenance={"run_id": "r1"})


def train(source: Environment, verdict: Any = "approve", **metrics: Any) -> ModelVersion:
    store: Any = source.store
    model = write(store, "model", {}, weights="trees")
    judged = write(store, "metrics", {"candidate": model.content_hash}, figures="{}")
    write(store, "model_card", {"metrics": judged.content_hash}, card="<p>good</p>")
    write(store, "model_card", {"metrics": "another"}, card="<p>another verdict's</p>")
    return source.registry.register(
        Registration(
            model="mailer",
            package_type="mailer",
            training_week=WEEK,
            fingerprint="f" * 64,
            verdict=verdict,
            artifact_uri=model.uri,
            metrics_uri=judged.uri,
            content_hash=model.content_hash,
            code_version="1",
            metrics={"pr_auc": 0.7, "champion": {"model": None, "version": 9}, **metrics},
            reasons=("as good as before",),
        )
    )


@pytest.fixture
def test_home(tmp_path: Path) -> Environment:
    return environment(tmp_path, "test")


@pytest.fixture
def live_home(tmp_path: Path) -> Environment:
    return environment(tmp_path, "live")


def test_files_card_and_lineage_arrive_and_the_version_waits_for_a_person(
    test_home: Environment, live_home: Environment, tmp_path: Path
):
    version = train(test_home)

    done = promote(test_home, live_home, version, actor="ana", reason="four good weeks")

    assert done.version.status is Status.PENDING
    assert live_home.registry.champion("mailer") is None
    assert sorted(done.artifacts) == ["metrics", "model", "model_card"]
    copied = {name: live_home.store.get(uri) for name, uri in done.artifacts.items()}
    assert (live_home.store.local_path(copied["model"], tmp_path) / "weights").read_text() == "trees"
    assert (live_home.store.local_path(copied["model_card"], tmp_path) / "card").read_text() == "<p>good</p>"
    assert copied["model"].content_hash == version.content_hash
    assert copied["model"].provenance["promoted_from"] == {"environment": "test", "model": "mailer", "version": 1}
    assert done.version.metrics["promoted"] == {
        "environment": "test",
        "version": 1,
        "verdict": "approve",
        "approved_by": "gates",
        "hashes": {name: artifact.content_hash for name, artifact in copied.items()},
        "signature": sign({name: artifact.content_hash for name, artifact in copied.items()}),
    }
    assert done.version.metrics["champion"] == {"model": "test:mailer", "version": 9}
    assert done.version.reasons == (
        "Promoted from test, where version 1 was approved by gates.",
        "as good as before",
    )


def test_what_was_copied_just_now_is_not_pruned_for_the_age_of_the_original(test_home: Environment, tmp_path: Path):
    months_later = NOW + dt.timedelta(days=120)
    live = environment(tmp_path, "live", now=months_later)
    done = promote(test_home, live, train(test_home), actor="ana", reason="four good weeks")
    store: Any = live.store
    assert {store.computed_at(store.get(uri)) for uri in done.artifacts.values()} == {months_later}
    assert prune(store, set, PrunePolicy(), now=months_later).artifacts == {}


def test_by_policy_it_is_approved_in_the_name_of_the_person_who_promotes(
    test_home: Environment, live_home: Environment
):
    done = promote(test_home, live_home, train(test_home), actor="ana", reason="four good weeks", approve=True)

    champion = live_home.registry.champion("mailer")
    assert champion is not None
    assert champion.version == done.version.version
    assert champion.actor == "ana"
    last = live_home.registry.history("mailer")[-1]
    assert (last.actor, last.reason, last.from_status) == ("ana", "four good weeks", Status.PENDING)


def test_promoting_again_changes_nothing_and_a_cut_off_promotion_is_completed(
    test_home: Environment, live_home: Environment
):
    version = train(test_home)
    first = promote(test_home, live_home, version, actor="ana", reason="good")

    second = promote(test_home, live_home, version, actor="ana", reason="good", approve=True)
    third = promote(test_home, live_home, version, actor="ana", reason="good", approve=True)

    assert (first.version.version, second.version.version, third.version.version) == (1, 1, 1)
    assert second.version.status is third.version.status is Status.APPROVED
    assert len(live_home.registry.versions("mailer")) == 1
    assert len(live_home.registry.history("mailer")) == 2


@pytest.mark.parametrize("verdict", ["pending", "reject"])
def test_only_an_approved_version_leaves(test_home: Environment, live_home: Environment, verdict: str):
    with pytest.raises(PromotionError, match=r"version 1 of mailer in test is \w+: only an Approved version"):
        promote(test_home, live_home, train(test_home, verdict), actor="ana", reason="good")

    assert live_home.registry.models() == []


def test_a_version_that_is_rejected_while_it_is_copied_is_not_registered(
    test_home: Environment, live_home: Environment, monkeypatch: pytest.MonkeyPatch
):
    version = train(test_home)
    commit = live_home.store.commit

    def while_somebody_rejects(*arguments: Any, **rest: Any) -> Artifact:
        test_home.registry.reject("mailer", 1, actor="bob", reason="damage reports doubled")
        return commit(*arguments, **rest)

    monkeypatch.setattr(live_home.store, "commit", while_somebody_rejects)
    with pytest.raises(PromotionError, match="version 1 of mailer in test is Rejected: only an Approved version"):
        promote(test_home, live_home, version, actor="ana", reason="good", approve=True)
    assert live_home.registry.models() == []


@pytest.mark.parametrize(
    ("actor", "reason", "error"),
    [("", "good", TransitionError), ("ana", " ", TransitionError), ("schedule", "good", PromotionError)],
)
def test_a_person_promotes_by_name_and_with_a_reason(
    test_home: Environment, live_home: Environment, actor: str, reason: str, error: type[Exception]
):
    with pytest.raises(error):
        promote(test_home, live_home, train(test_home), actor=actor, reason=reason)

    assert live_home.registry.models() == []


def test_an_environment_does_not_promote_to_itself(test_home: Environment):
    with pytest.raises(PromotionError, match="an environment of the same name"):
        promote(test_home, test_home, train(test_home), actor="ana", reason="good")


def test_a_damaged_file_stops_the_promotion_before_anything_is_registered(
    test_home: Environment, live_home: Environment, tmp_path: Path
):
    version = train(test_home)
    weights = tmp_path / "test" / "artifacts" / version.artifact_uri / "weights"
    weights.chmod(0o644)
    weights.write_text("TREES")

    with pytest.raises(ArtifactError, match="other content than when it was committed"):
        promote(test_home, live_home, version, actor="ana", reason="good")

    assert live_home.registry.models() == []


def test_a_file_that_is_damaged_where_it_goes_to_stops_the_promotion_as_well(
    test_home: Environment, live_home: Environment, tmp_path: Path
):
    version = train(test_home)
    there: Any = live_home.store
    model = write(there, "model", {}, weights="trees")  # as a promotion that was cut off has left it
    weights = tmp_path / "live" / "artifacts" / model.uri / "weights"
    weights.chmod(0o644)
    weights.write_text("TREES")

    with pytest.raises(ArtifactError, match=f"{weights} has other content than when it was committed"):
        promote(test_home, live_home, version, actor="ana", reason="good")

    assert live_home.registry.models() == []


def test_what_a_person_has_rejected_there_stays_rejected(test_home: Environment, live_home: Environment):
    version = train(test_home)
    promote(test_home, live_home, version, actor="ana", reason="good")
    live_home.registry.reject("mailer", 1, actor="bob", reason="damage reports doubled")

    again = promote(test_home, live_home, version, actor="ana", reason="good", approve=True)

    assert (again.version.status, again.version.actor) == (Status.REJECTED, "bob")


def test_what_a_person_rejects_there_at_that_moment_is_not_approved(
    test_home: Environment, live_home: Environment, monkeypatch: pytest.MonkeyPatch
):
    version, register = train(test_home), live_home.registry.register

    def reject_meanwhile(registration: Registration) -> ModelVersion:
        registered = register(registration)
        live_home.registry.reject("mailer", 1, actor="bob", reason="damage reports doubled")
        return registered

    monkeypatch.setattr(live_home.registry, "register", reject_meanwhile)
    with pytest.raises(ConflictError, match="Rejected"):
        promote(test_home, live_home, version, actor="ana", reason="good", approve=True)
    assert live_home.registry.get("mailer", 1).status is Status.REJECTED


def test_the_card_of_a_model_that_was_trained_there_stays_the_current_one(
    test_home: Environment, live_home: Environment
):
    there: Any = live_home.store
    own = write(there, "model_card", {"metrics": "its own"}, card="<p>trained here</p>")
    there.point(own)

    promote(test_home, live_home, train(test_home), actor="ana", reason="good")

    assert there.current("mailer/model_card", WEEK) == own


def test_environments_with_different_keys_do_not_trust_one_another(tmp_path: Path):
    ours, theirs = environment(tmp_path, "test", "one"), environment(tmp_path, "live", "other")

    with pytest.raises(SignatureError, match="different keys"):
        promote(ours, theirs, train(ours), actor="ana", reason="good")

    assert theirs.registry.models() == []
    same = environment(tmp_path, "live", "one")
    done = promote(ours, same, ours.registry.get("mailer", 1), actor="ana", reason="good")
    assert done.signature.startswith("hmac-sha256:")


def test_a_card_that_is_gone_does_not_keep_the_model(test_home: Environment, live_home: Environment, tmp_path: Path):
    import shutil

    version = train(test_home)
    shutil.rmtree(tmp_path / "test" / "artifacts" / "mailer" / "model_card")

    done = promote(test_home, live_home, version, actor="ana", reason="good")

    assert sorted(done.artifacts) == ["metrics", "model"]


def test_a_model_that_was_computed_again_without_the_cache_is_promoted_as_it_was_committed(
    test_home: Environment, live_home: Environment
):
    version = train(test_home)
    model = test_home.store.get(version.artifact_uri)
    test_home.store.confirm(model, provenance={"run_id": "r2"})

    done = promote(test_home, live_home, version, actor="ana", reason="good")

    assert live_home.store.get(done.artifacts["model"]).files == model.files


def test_who_promotes_need_not_write_where_the_version_comes_from(
    test_home: Environment, live_home: Environment, monkeypatch: pytest.MonkeyPatch
):
    version = train(test_home)
    monkeypatch.setattr(test_home.store, "scratch", refuse)

    done = promote(test_home, live_home, version, actor="ana", reason="good")

    assert sorted(done.artifacts) == ["metrics", "model", "model_card"]


def test_the_command_that_is_left_to_do_can_be_typed_as_it_is(test_home: Environment, tmp_path: Path):
    train(test_home)
    source, target = tmp_path / "test", tmp_path / "live home"
    target.mkdir()
    given = ["mailer", "1", "--from", str(source), "--to", str(target), "--reason", "good", "--actor", "ana"]

    said = CliRunner().invoke(promote_command, given).stdout

    assert f"packaging models approve mailer 1 --home '{target}' --reason ...\n" in said


def no_registry(_: Settings) -> None: ...


def refuse(*_: Any) -> Any:
    raise PermissionError("AccessDenied")


def test_a_promotion_on_aws_asks_no_warehouse_and_the_version_is_shown_by_a_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(home=tmp_path).model_copy(update={"env": "aws"})
    monkeypatch.setattr(home, "warehouse_for", refuse)
    monkeypatch.setattr(environments, "model_registry_for", no_registry)

    show_promoted(settings, "mailer")

    assert list(tmp_path.iterdir()) == []


def test_a_home_on_this_machine_is_prepared_for_the_first_version_that_arrives(tmp_path: Path):
    settings = Settings(home=tmp_path)

    show_promoted(settings, "mailer")

    assert (settings.dagster_home / "dagster.yaml").is_file()
    assert not settings.warehouse_path.exists()  # a job that runs there may hold it
