"""Copies an approved version to another environment's artifact store and registry.

The order makes a cut-off promotion harmless: first the artifacts, which nothing refers to yet, then the registration as
pending, then, where the target's policy says so, the approval by the person who promotes. Doing it again goes on where
it stopped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging_assets.artifacts.store import Artifact, ArtifactStore
from packaging_assets.domain.registry import ModelVersion, Registration, Status, check_decision, is_person
from packaging_assets.domain.signatures import check_signature, sign
from packaging_assets.resources.model_registry import ModelRegistry


class PromotionError(Exception):
    """A version cannot be promoted; the message names it, the reason and the remedy."""


@dataclass(frozen=True)
class Environment:
    """One side of a promotion, by the name under which the record knows it; `key` signs content hashes, if given."""

    name: str
    store: ArtifactStore
    registry: ModelRegistry
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What a promotion did: the version as it is in the target, the artifacts' URIs there, and the signature."""

    version: ModelVersion
    artifacts: Mapping[str, str]
    copied_bytes: int
    signature: str


def promote(
    source: Environment,
    target: Environment,
    version: ModelVersion,
    *,
    actor: str,
    reason: str,
    approve: bool = False,
) -> Promotion:
    """Copy a version of the source to the target.

    Args:
        source: where it was trained, judged and approved.
        target: where it is to serve.
        version: an approved version of the source's registry.
        actor: the person who promotes it.
        reason: why, for the target's record.
        approve: approve it there in the name of `actor`; else it is pending there.

    Raises:
        PromotionError: the version is not approved, source and target are one, or `actor` is no person.
        TransitionError: actor or reason is blank.
        ArtifactError: a file is missing or damaged; nothing was registered.
        SignatureError: what arrived is not what was sent; nothing was registered.
    """
    _check_may_leave(source, target, version, actor, reason)
    originals = _artifacts_of(source, version)
    signature = sign({name: artifact.content_hash for name, artifact in originals.items()}, source.key)
    copies = {name: _copy(artifact, source, target, version) for name, artifact in originals.items()}
    check_signature({name: artifact.content_hash for name, artifact in copies.items()}, signature, target.key)
    # Copying takes minutes, in which somebody may have rejected it.
    _check_may_leave(source, target, source.registry.get(version.model, version.version), actor, reason)
    registered = target.registry.register(_registration(source, version, copies, signature))
    if approve and registered.status is Status.PENDING:
        registered = target.registry.approve(
            registered.model, registered.version, actor=actor, reason=reason, expected_status=Status.PENDING
        )
    return Promotion(
        version=registered,
        artifacts={name: artifact.uri for name, artifact in copies.items()},
        copied_bytes=sum(artifact.total_bytes for artifact in copies.values()),
        signature=signature,
    )


def _check_may_leave(source: Environment, target: Environment, version: ModelVersion, actor: str, reason: str) -> None:
    check_decision(actor, reason)
    what = f"version {version.version} of {version.model} in {source.name}"
    if not is_person(actor):
        raise PromotionError(f"{actor!r} cannot promote {what}: a person must, by name and with a reason.")
    if source.name == target.name:
        raise PromotionError(
            f"{what} cannot be promoted to an environment of the same name: name another one, or set `name` in the "
            "settings.toml of one of the two."
        )
    if version.status is not Status.APPROVED:
        raise PromotionError(
            f"{what} is {version.status}: only an Approved version can be promoted. Approve it there first "
            "(packaging models approve)."
        )


def _artifacts_of(source: Environment, version: ModelVersion) -> dict[str, Artifact]:
    """What belongs to a version; the card only if it is of this version's metrics and still there."""
    artifacts = {
        "model": source.store.get(version.artifact_uri),
        "metrics": source.store.get(version.metrics_uri),
    }
    metrics = artifacts["metrics"]
    cards = source.store.committed(f"{version.model}/model_card", version.training_week)
    for card in cards:
        if source.store.parts(card).inputs.get("metrics") == metrics.content_hash:
            artifacts["model_card"] = card
    return artifacts


def _copy(artifact: Artifact, source: Environment, target: Environment, version: ModelVersion) -> Artifact:
    """The artifact in the target's store, byte for byte; read whole and verified on the way."""
    import shutil
    import tempfile

    source.store.verify(artifact)
    # A scratch folder of the source would be noted in its bucket, where who promotes may only read.
    with tempfile.TemporaryDirectory() as fetched, target.store.scratch() as scratch:
        original, folder = source.store.local_path(artifact, Path(fetched)), scratch / "copy"
        for name in artifact.files:  # and not what the store keeps beside them
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original / name, folder / name)
        # When it was computed there is not how long it has been here, by which pruning goes.
        said = {name: value for name, value in artifact.provenance.items() if name != "computed_at"}
        origin = {"environment": source.name, "model": version.model, "version": version.version}
        provenance = {**said, "promoted_from": origin}
        copy = target.store.commit(
            artifact.asset_key, artifact.partition, folder, parts=source.store.parts(artifact), provenance=provenance
        )
    target.store.verify(copy)
    if artifact.asset_key.endswith("/model_card") and target.store.current(copy.asset_key, copy.partition) is None:
        target.store.point(copy)
    return copy


def _registration(
    source: Environment, version: ModelVersion, copies: Mapping[str, Artifact], signature: str
) -> Registration:
    origin: dict[str, Any] = {
        "environment": source.name,
        "version": version.version,
        "verdict": version.verdict,
        "approved_by": version.actor,
        "hashes": {name: artifact.content_hash for name, artifact in copies.items()},
        "signature": signature,
    }
    compared: Any = version.metrics.get("champion")
    if compared is not None:  # a version of that environment, of which this one knows nothing
        compared = {**compared, "model": f"{source.name}:{compared.get('model') or version.model}"}
    return Registration(
        model=version.model,
        package_type=version.package_type,
        training_week=version.training_week,
        fingerprint=version.fingerprint,
        verdict="pending",
        artifact_uri=copies["model"].uri,
        metrics_uri=copies["metrics"].uri,
        content_hash=version.content_hash,
        code_version=version.code_version,
        stage=version.stage,
        metrics={**version.metrics, "champion": compared, "promoted": origin},
        reasons=(
            f"Promoted from {source.name}, where version {version.version} was approved by {version.actor}.",
            *version.reasons,
        ),
    )
