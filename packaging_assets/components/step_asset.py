"""How an asset's body runs a step and tells Dagster about it: the same for every asset that is an artifact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import BaseModel

from packaging_assets.artifacts.job import JobFacts
from packaging_assets.artifacts.run_step import StepResult, run_step
from packaging_assets.artifacts.step import Compute, Input, Step, Tell
from packaging_assets.artifacts.store import ArtifactInput, ArtifactStore
from packaging_assets.components.instance_spec import InstanceSpec
from packaging_assets.resources.code_version import code_version
from packaging_assets.threads.priorities import COMPUTE_SECONDS

NO_CACHE_TAG = {"packaging/no_cache": "true"}
"""Tag of the runs that compute every step, whether or not its result is there already."""


class MissingUpstreamError(Exception):
    """An upstream asset's partition has not been materialized."""


@dataclass(frozen=True)
class StepRunner:
    """The resources that every step needs, bound to the asset that is being materialized."""

    context: dg.AssetExecutionContext
    store: ArtifactStore
    compute: Compute

    def run(
        self,
        step: Step,
        *,
        inputs: Mapping[str, Input],
        params: BaseModel,
        extra_modules: Sequence[str] = (),
        asset_key: str | None = None,
        instances: InstanceSpec | None = None,
        model: str = "",
    ) -> StepResult:
        """Run the step for this asset and partition, or find its result in the store.

        What a job of the step prints goes to the run's log.

        Args:
            step: see `run_step`, as for `inputs`, `params` and `extra_modules`.
            inputs: by the names that the step knows them by.
            params: the step's params.
            extra_modules: modules that the step finds by name.
            asset_key: for a step whose artifact is not the asset itself, such as checks made on it.
            instances: the machines to run it on; None for those that the compute gives every step.
            model: whose step it is, for the cost of its job; "" for one that several models share.
        """
        key = asset_key or self.context.asset_key.to_user_string()
        result = run_step(
            self.store,
            step,
            asset_key=key,
            partition=self.context.partition_key,
            inputs=inputs,
            params=params,
            provenance={"run_id": self.context.run.run_id, "code_version": code_version()},
            extra_modules=extra_modules,
            compute=compute_for(self.compute, instances, key, model, tell=self.context.log.info),
            use_cache=uses_cache(self.context),
        )
        if result.differing_files:
            self.context.log.warning(_not_deterministic(result))
        return result

    def upstream(self, asset_key: str) -> ArtifactInput:
        """The current artifact of another asset in the same partition.

        Raises:
            MissingUpstreamError: that asset has not been materialized for the partition.
        """
        partition = self.context.partition_key
        artifact = self.store.current(asset_key, partition)
        if artifact is None:
            here = self.context.asset_key.to_user_string()
            raise MissingUpstreamError(
                f"{here} for {partition} needs {asset_key} for {partition}, which has not been materialized: "
                f"materialize {asset_key} for that partition first."
            )
        return ArtifactInput(self.store, artifact)


def compute_for(
    compute: Compute, instances: InstanceSpec | None, asset_key: str, model: str, *, tell: Tell | None = None
) -> Compute:
    """The compute with a step's machines, with tags that say whose cost they are, and who hears of its job."""
    tags = {"packaging:asset": asset_key, **({"packaging:model": model} if model else {})}
    return compute.using(None if instances is None else instances.resources, tags=tags, tell=tell)


def uses_cache(context: dg.AssetExecutionContext) -> bool:
    """Whether the run may take results from the cache."""
    return not NO_CACHE_TAG.items() <= context.run.tags.items()


def materialized(
    result: StepResult,
    *,
    metadata: Mapping[str, Any] | None = None,
    check_results: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """The materialization of a step's artifact; a cache hit has the same data version as the run that computed it.

    What the asset says of itself comes first in the UI, how its artifact was made after it.
    """
    return dg.MaterializeResult(
        data_version=dg.DataVersion(result.artifact.content_hash),
        metadata={**(metadata or {}), **_artifact_metadata(result)},
        check_results=list(check_results),
    )


def _artifact_metadata(result: StepResult) -> dict[str, Any]:
    artifact = result.artifact
    metadata: dict[str, Any] = {
        "cache": "hit" if result.is_cache_hit else "miss",
        "artifact": artifact.uri,
        "fingerprint": artifact.fingerprint,
        "seconds": dg.MetadataValue.float(round(result.seconds, 3)),
        COMPUTE_SECONDS: dg.MetadataValue.float(round(float(artifact.provenance.get("seconds", 0.0)), 3)),
        "bytes": artifact.total_bytes,
    }
    if artifact.rows:
        metadata["dagster/row_count"] = artifact.total_rows
    if result.computed_by_run:
        metadata["computed_by"] = dg.MetadataValue.dagster_run(result.computed_by_run)
    if result.job is not None:
        metadata |= _job_metadata(result.job)
    if result.is_confirmed:
        metadata["computed_again"] = "gave the same bytes"
    if result.differing_files:
        metadata["computed_again"] = _not_deterministic(result)
        metadata["differing_files"] = list(result.differing_files)
    return metadata


def _job_metadata(job: JobFacts) -> dict[str, Any]:
    """What ran the step: `job_seconds` are billed for each machine, `job_cost` is for all of them together."""
    metadata: dict[str, Any] = {
        "job": job.name,
        "job_kind": job.kind,
        "instance_type": job.instance_type,
        "instance_count": job.instance_count,
    }
    if job.seconds is not None:
        metadata["job_seconds"] = dg.MetadataValue.float(float(job.seconds))
    if job.cost is not None:
        metadata |= {"job_cost": dg.MetadataValue.float(round(job.cost, 6)), "job_currency": job.currency}
    return metadata


def _not_deterministic(result: StepResult) -> str:
    artifact = result.artifact
    return (
        f"{artifact.asset_key} for {artifact.partition} was computed again from the same code, params and inputs, and "
        f"differs in {', '.join(result.differing_files)}: the step is not deterministic (look for unset seeds, "
        "unordered rows, times, threads). The artifact that was there is kept, since versions may rest on it."
    )
