"""How an asset's body runs a step and tells Dagster about it: the same for every asset that is an artifact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import BaseModel

from packaging_assets.artifacts.run_step import StepResult, run_step
from packaging_assets.artifacts.step import Compute, Input, Step
from packaging_assets.artifacts.store import ArtifactInput, ArtifactStore
from packaging_assets.resources.code_version import code_version


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
    ) -> StepResult:
        """Run the step for this asset and partition, or find its result in the store.

        `asset_key` is for a step whose artifact is not the asset itself, such as checks made on it.
        """
        return run_step(
            self.store,
            step,
            asset_key=asset_key or asset_name(self.context.asset_key),
            partition=self.context.partition_key,
            inputs=inputs,
            params=params,
            provenance={"run_id": self.context.run.run_id, "code_version": code_version()},
            extra_modules=extra_modules,
            compute=self.compute,
        )

    def upstream(self, asset_key: str) -> ArtifactInput:
        """The current artifact of another asset in the same partition.

        Raises:
            MissingUpstreamError: that asset has not been materialized for the partition.
        """
        partition = self.context.partition_key
        artifact = self.store.current(asset_key, partition)
        if artifact is None:
            raise MissingUpstreamError(
                f"{asset_name(self.context.asset_key)} for {partition} needs {asset_key} for {partition}, which has "
                f"not been materialized: materialize {asset_key} for that partition first."
            )
        return ArtifactInput(self.store, artifact)


def asset_name(key: dg.AssetKey) -> str:
    """The key as the artifact store spells it: `mailer/model`."""
    return "/".join(key.path)


def materialized(
    result: StepResult,
    *,
    metadata: Mapping[str, Any] | None = None,
    check_results: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """The materialization of a step's artifact; a cache hit has the same data version as the run that computed it."""
    return dg.MaterializeResult(
        data_version=dg.DataVersion(result.artifact.content_hash),
        metadata={**_artifact_metadata(result), **(metadata or {})},
        check_results=list(check_results),
    )


def _artifact_metadata(result: StepResult) -> dict[str, Any]:
    artifact = result.artifact
    metadata: dict[str, Any] = {
        "cache": "hit" if result.is_cache_hit else "miss",
        "artifact": artifact.uri,
        "fingerprint": artifact.fingerprint,
        "seconds": dg.MetadataValue.float(round(result.seconds, 3)),
        "bytes": artifact.total_bytes,
    }
    if artifact.rows:
        metadata["dagster/row_count"] = artifact.total_rows
    if result.computed_by_run:
        metadata["computed_by"] = dg.MetadataValue.dagster_run(result.computed_by_run)
    return metadata
