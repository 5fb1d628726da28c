"""`outcomes/live_metrics`, with its two checks."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from packaging_assets.artifacts.run_step import StepResult
from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.components.model_spec import TRAINING_TAG
from packaging_assets.components.plots import plots_in
from packaging_assets.components.step_asset import MissingUpstreamError, StepRunner, materialized
from packaging_assets.components.warehouse_extract import extract
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.outcomes import LIVE_CHECKS, LiveParams, ServedModel, measure_live, read_live_checks
from packaging_assets.domain.parquet_files import list_parts
from packaging_assets.partitions import as_of, weekly_partitions
from packaging_assets.resources.built_groups import built_group
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.resources.outcome_rows import OUTCOME_GROUP
from packaging_assets.resources.queries import query
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings, current_settings

KEY = dg.AssetKey(["outcomes", "live_metrics"])
SERVED = """
select distinct package_type, stage, model, model_version from marts.prediction_outcomes
where outcome_week = $week order by package_type, stage, model, model_version
"""


@dataclass(frozen=True)
class Outcomes:
    """A week's outcomes as a step's input. They are few, so their own bytes say whether they are others than before.

    What `prediction_outcomes` was built from would say so as well, but every later day changes that.
    """

    folder: Path

    @property
    def content_hash(self) -> str:
        """sha256 over the Parquet files, which are the same for the same rows."""
        files = (f"{part.name} {hashlib.sha256(part.read_bytes()).hexdigest()}" for part in list_parts(self.folder))
        return hashlib.sha256("\n".join(files).encode()).hexdigest()

    def open(self, scratch: Path) -> Path:  # noqa: ARG002 - they are at hand
        """The folder itself."""
        return self.folder


@dg.definitions
def outcomes_definitions() -> dg.Definitions:
    """Build the asset of the settings in use."""
    weekly = weekly_partitions(current_settings())

    @dg.asset(
        key=KEY,
        partitions_def=weekly,
        deps=["prediction_outcomes"],
        check_specs=[dg.AssetCheckSpec(check.name, asset=KEY, description=check.description) for check in LIVE_CHECKS],
        group_name="outcomes",
        owners=["team:packaging-science"],
        tags=TRAINING_TAG,
        kinds={"json"},
        pool="warehouse",
    )
    def live_metrics(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        artifact_store: dg.ResourceParam[ArtifactStore],
        compute: dg.ResourceParam[Compute],
        model_registry: dg.ResourceParam[ModelRegistry],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        """PR-AUC and calibration in use, on products of which the truth was learned in the week, beside validation's.

        One set of figures per model version whose predictions were borne out or refuted in the week. Shadow models
        stand beside those that served. Standard errors and z take products for independent, whatever the split.
        """
        _refuse_missing_rows(warehouse, settings, as_of(weekly, context.partition_key))
        week = dt.date.fromisoformat(context.partition_key)
        params = LiveParams(week=week, models=_served_models(warehouse, model_registry, week))
        runner = StepRunner(context, artifact_store, compute)
        with artifact_store.scratch() as scratch:
            rows = Outcomes(scratch / "outcomes")
            rows.folder.mkdir()
            warehouse.unload(query("live_outcomes"), {"week": week}, rows.folder, rows_per_file=settings.rows_per_chunk)
            result = runner.run(measure_live, inputs={"outcomes": rows}, params=params)
            folder = artifact_store.local_path(result.artifact, scratch / "live_metrics")
            return materialized(result, metadata=_metadata(folder), check_results=_check_results(folder, result))

    return dg.Definitions(assets=[live_metrics])


def _refuse_missing_rows(warehouse: Warehouse, settings: Settings, end: dt.datetime) -> None:
    """A week is measured once all its days are built, and `prediction_outcomes` was.

    Raises:
        MissingDaysError: a day before the week's end is not built.
        MissingUpstreamError: `prediction_outcomes` never was, or its last build failed or was killed.
    """
    extract(warehouse, settings, as_of=end, queries={})
    built = built_group(warehouse, OUTCOME_GROUP)
    if built is None or not built.is_finished:
        why = "has not been materialized" if built is None else "failed or was killed when it was last built"
        raise MissingUpstreamError(
            f"outcomes/live_metrics needs prediction_outcomes, which {why}: materialize it first, or run the weekly "
            "job, which does both."
        )


def _served_models(warehouse: Warehouse, registry: ModelRegistry, week: dt.date) -> tuple[ServedModel, ...]:
    return tuple(
        _served_model(registry, row["stage"], row["model"], int(row["model_version"]))
        for row in warehouse.fetch(SERVED, {"week": week})
    )


def _served_model(registry: ModelRegistry, stage: str, model: str, number: int) -> ServedModel:
    version = registry.get(model, number)
    week = dt.datetime.fromisoformat(version.training_week)
    return ServedModel.model_validate(
        {
            "package_type": version.package_type,
            "stage": stage,
            "model": model,
            "version": number,
            "trained_until": week + dt.timedelta(weeks=1),
            "minority_label": version.metrics["minority_label"],
            "minority_rate": version.metrics["minority_rate"],
            "pr_auc": version.metrics["pr_auc"],
            "pr_auc_standard_error": version.metrics["pr_auc_standard_error"],
        }
    )


def _check_results(folder: Path, result: StepResult) -> list[dg.AssetCheckResult]:
    return [
        dg.AssetCheckResult(
            check_name=check.name,
            passed=check.is_passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=check.sentence,
            metadata={
                **check.model_dump(include={"value", "limit", "standard_error", "rows", "remedy"}, exclude_none=True),
                "fingerprint": result.artifact.fingerprint,
            },
        )
        for check in read_live_checks(folder)
    ]


def _metadata(folder: Path) -> dict[str, Any]:
    """Counts, figures by model, which the UI draws over the weeks, what each of them rests on, and the plots."""
    models: list[Mapping[str, Any]] = read_json(folder / "live_metrics.json")["models"]
    figures = {f"pr_auc_{_name(model)}": model["pr_auc"] for model in models if model["pr_auc"] is not None}
    beside = {
        f"difference_to_live_{_name(model)}": model["beside_live"]["difference"]
        for model in models
        if model.get("beside_live", {}).get("difference") is not None
    }
    return {
        "outcomes": sum(model["outcomes"] for model in models),
        "judging_rows": sum(model["rows"] for model in models),
        **figures,
        **beside,
        **({"figures_rest_on": dg.MetadataValue.md(_basis(models))} if figures else {}),
        **plots_in(folder),
    }


def _basis(models: Sequence[Mapping[str, Any]]) -> str:
    """A table of each model's PR-AUC with the rows behind it: over a handful any value is chance."""
    lines = [
        f"| {_name(model)} | {model['rows']:,} | {model['minority_rows']:,} | {model['pr_auc']:.4f} "
        f"| {model['pr_auc_standard_error']:.4f} |"
        for model in models
        if model["pr_auc"] is not None
    ]
    return "\n".join(
        ["| model | rows | of the rarer label | PR-AUC | standard error |", "|---|---|---|---|---|", *lines]
    )


def _name(model: Mapping[str, Any]) -> str:
    stage = "_shadow" if model["stage"] == "shadow" else ""
    return f"{model['model']}_{model['model_version']}{stage}"
