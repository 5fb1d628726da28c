"""Run a step, unless its outcome is there already."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from packaging_assets.artifacts.content import differing_files
from packaging_assets.artifacts.fingerprint import FingerprintParts, fingerprint_parts
from packaging_assets.artifacts.job import JobFacts
from packaging_assets.artifacts.step import Compute, Input, Step
from packaging_assets.artifacts.store import Artifact, ArtifactStore, MissingArtifactError


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What came of a step: its artifact, and whether it had to run.

    `seconds` is the wall time spent here, on a hit too. `is_confirmed` says that the step was run although the artifact
    was there, and gave the same bytes. `differing_files` names the files in which it gave others: such a step is not
    deterministic. `job` is what ran it, where it ran as a job.
    """

    artifact: Artifact
    is_cache_hit: bool
    seconds: float
    parts: FingerprintParts
    is_confirmed: bool = False
    differing_files: tuple[str, ...] = ()
    job: JobFacts | None = None

    @property
    def computed_by_run(self) -> str | None:
        """The run whose files these are: the present one on a miss, an earlier one on a hit."""
        return self.artifact.provenance.get("run_id")


def run_step(
    store: ArtifactStore,
    step: Step,
    *,
    asset_key: str,
    partition: str | None,
    inputs: Mapping[str, Input],
    params: BaseModel,
    provenance: Mapping[str, Any],
    compute: Compute,
    extra_modules: Sequence[str] = (),
    use_cache: bool = True,
) -> StepResult:
    """Give the artifact of a step, computing it if no artifact has its fingerprint, and point the partition at it.

    On a hit no input is opened. On a miss the compute opens those that it cannot read where they are, the step writes
    into a scratch folder, and the folder is committed; a step that raises leaves nothing behind, and the pointer where
    it was.

    A step is run although its fingerprint is committed when `use_cache` is False, and when the artifact has expired.
    Artifacts never change, since versions and other artifacts rest on them, so the committed one stays: if the bytes
    are the same its age begins anew, and if they are not, `differing_files` says so.

    Args:
        store: where artifacts are.
        step: a function at the top level of a module.
        asset_key: the asset, like "mailer/split".
        partition: its partition, or None.
        inputs: by the names that the step knows them by.
        params: the step's params.
        provenance: what is true of this run and not of the outcome, JSON-able: `run_id`, versions. Kept beside the
            artifact with `seconds` and the time, outside its content hash.
        compute: what runs the step.
        extra_modules: modules that the step finds by name (see `fingerprint_parts`).
        use_cache: False computes in any case.

    Raises:
        ArtifactError: the artifact there is damaged, or the step's output cannot be committed.
        FingerprintError: the step's code cannot be read.
    """
    started = time.perf_counter()
    hashes = {name: source.content_hash for name, source in inputs.items()}
    parts = fingerprint_parts(step, params=params, inputs=hashes, extra_modules=extra_modules)
    found = _hit(store, asset_key, partition, parts.fingerprint) if use_cache else None
    if found is not None:
        return StepResult(artifact=found, is_cache_hit=True, seconds=time.perf_counter() - started, parts=parts)
    with store.scratch() as scratch:
        output = scratch / "output"
        output.mkdir()
        job = compute.run(
            step,
            inputs,
            params,
            output,
            scratch=scratch / "inputs",
            fingerprint=parts.fingerprint,
            extra_modules=extra_modules,
        )
        origin = {**provenance, "seconds": time.perf_counter() - started}
        there = _compare(store, asset_key, partition, parts.fingerprint, output, origin)
        if there is not None:
            artifact, differing = there
        else:
            artifact, differing = store.commit(asset_key, partition, output, parts=parts, provenance=origin), ()
            store.point(artifact)
    if job is not None:
        compute.release(job)
    return StepResult(
        artifact=artifact,
        is_cache_hit=False,
        seconds=time.perf_counter() - started,
        parts=parts,
        is_confirmed=there is not None and not differing,
        differing_files=differing,
        job=job,
    )


def _hit(store: ArtifactStore, asset_key: str, partition: str | None, fingerprint: str) -> Artifact | None:
    """The artifact of that fingerprint, pointed at, unless it is too old or was pruned at this moment."""
    found = store.find(asset_key, partition, fingerprint)
    if found is None or store.is_expired(found):
        return None
    try:
        store.point(found)
    except MissingArtifactError:
        return None
    return found


def _compare(
    store: ArtifactStore,
    asset_key: str,
    partition: str | None,
    fingerprint: str,
    output: Path,
    provenance: Mapping[str, Any],
) -> tuple[Artifact, tuple[str, ...]] | None:
    """The artifact that is there already, pointed at, and the files in which the output differs from it.

    None if there is none, or it was pruned at this moment.
    """
    found = store.find(asset_key, partition, fingerprint)
    if found is None:
        return None
    differing = differing_files(found.files, output)
    try:
        if not differing:
            store.confirm(found, provenance=provenance)
        store.point(found)
    except MissingArtifactError:
        return None
    return found, differing
