"""Run a step, unless its outcome is there already."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from packaging_assets.artifacts.fingerprint import FingerprintParts, fingerprint_parts
from packaging_assets.artifacts.step import Compute, Input, Step
from packaging_assets.artifacts.store import Artifact, ArtifactStore


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What came of a step: its artifact, and whether it had to run.

    `seconds` is the wall time spent here, on a hit too.
    """

    artifact: Artifact
    is_cache_hit: bool
    seconds: float
    parts: FingerprintParts

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

    On a hit no input is opened. On a miss the inputs are opened, the step writes into a scratch folder, and the folder
    is committed; a step that raises leaves nothing behind, and the pointer where it was.

    Args:
        store: where artifacts are.
        step: a function at the top level of a module.
        asset_key: the asset, like "mailer/split".
        partition: its partition, or None.
        inputs: by the names that the step knows them by.
        params: the step's params.
        provenance: what is true of this run and not of the outcome, JSON-able: `run_id`, times. Kept beside the
            artifact with `seconds`, outside its content hash.
        compute: what runs the step.
        extra_modules: modules that the step finds by name (see `fingerprint_parts`).
        use_cache: False computes in any case. A fingerprint that is committed already keeps the files it has, since
            artifacts never change; the result is then a miss whose `computed_by_run` is the earlier run.

    Raises:
        ArtifactError: the artifact there is damaged, or the step's output cannot be committed.
        FingerprintError: the step's code cannot be read.
    """
    started = time.perf_counter()
    hashes = {name: source.content_hash for name, source in inputs.items()}
    parts = fingerprint_parts(step, params=params, inputs=hashes, extra_modules=extra_modules)
    found = store.find(asset_key, partition, parts.fingerprint) if use_cache else None
    artifact = found
    if artifact is None:
        with store.scratch() as scratch:
            opened = _open(inputs, scratch / "inputs")
            output = scratch / "output"
            output.mkdir()
            compute.run(step, opened, params, output, fingerprint=parts.fingerprint)
            origin = {**provenance, "seconds": time.perf_counter() - started}
            artifact = store.commit(asset_key, partition, output, parts=parts, provenance=origin)
    store.point(artifact)
    return StepResult(
        artifact=artifact,
        is_cache_hit=found is not None,
        seconds=time.perf_counter() - started,
        parts=parts,
    )


def _open(inputs: Mapping[str, Input], scratch: Path) -> dict[str, Path]:
    opened: dict[str, Path] = {}
    for name, source in inputs.items():
        folder = scratch / name
        folder.mkdir(parents=True)
        opened[name] = source.open(folder)
    return opened
