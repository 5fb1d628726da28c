"""What the demo came to, read back from registry, artifacts and warehouse, and held against the simulator's truth."""

from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq

from packaging_assets.artifacts.damage import damage_told
from packaging_assets.demo.pipeline import DemoRun, Refusal
from packaging_assets.domain.average_precision import average_precision
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, warehouse_for
from packaging_assets.simulator import read_truth

NOTHING_FITS = "none"


def build_report(run: DemoRun) -> dict[str, Any]:
    """The object that `packaging demo --json` prints."""
    return {
        "models": _models(run),
        "inference": _inference(run),
        "recommendations": _recommendations(run),
        "incidents": [incident.model_dump() for incident in run.retailer.config.incidents],
        "refused_deliveries": run.refused,
        "seconds": {stage: round(seconds, 3) for stage, seconds in run.seconds.items()},
    }


def _models(run: DemoRun) -> list[dict[str, Any]]:
    versions = model_registry_for(run.settings).versions()
    # Of the models that serve: a project's shadow models are trained beside them.
    live = [version for version in versions if version.stage == "live"]
    latest = {(version.training_week, version.package_type): version for version in live}
    return [
        _model(run, latest[week, package_type])
        for week in run.retailer.weeks
        for package_type in PACKAGE_TYPES
        if (week, package_type) in latest
    ]


def _model(run: DemoRun, version: ModelVersion) -> dict[str, Any]:
    return {
        "week": version.training_week,
        "package_type": version.package_type,
        "model": version.model,
        "validation_rows": version.metrics["validation_rows"],
        "minority_rate": version.metrics["minority_rate"],
        "pr_auc": version.metrics["pr_auc"],
        "bayes_share": _bayes_share(run, version),
        "verdict": version.verdict,
        "version": version.version,
        "status": str(version.status),
        "is_champion": version.is_champion,
        "cache": run.training[version.training_week].cache[f"{version.model}/model"],
        "reasons": list(version.reasons),
        "fingerprint": version.fingerprint,
    }


def _bayes_share(run: DemoRun, version: ModelVersion) -> float:
    """The model's PR-AUC as a share of the Bayes-optimal one's, on the same rows and the same observed labels."""
    store = artifact_store_for(run.settings)
    artifact = store.get(version.metrics_uri)
    with store.scratch() as scratch, damage_told(store, [artifact]):
        folder = store.local_path(artifact, scratch)
        scores = pq.read_table(folder / "scores.parquet", columns=["product_id", "label"])
    truth = read_truth(run.retailer.truth, scores["product_id"].to_pylist())
    bayes, labels = truth[f"bayes_{version.package_type}"].to_numpy(), scores["label"].to_numpy()
    if version.metrics["minority_label"] == 0:
        bayes, labels = 1 - bayes, 1 - labels
    return version.metrics["pr_auc"] / average_precision(labels, bayes)


def _inference(run: DemoRun) -> dict[str, Any]:
    """Row counts and versions as the warehouse holds them.

    The figures at the top are those of the latest partition that was loaded; `loads` has one entry per daily or
    monthly partition, also for those that the drift checks refused: no rows, and the versions that serve on.
    """
    loads = [*_loads(run), *map(_refused, run.refusals)]
    loads.sort(key=lambda load: (load["cadence"], load["partition"]))
    latest = {load["cadence"]: load for load in loads if load["refused"] is None}
    nothing: dict[str, Any] = {"rows": 0, "models_used": {}, "partition": ""}
    daily, monthly = latest.get("daily", nothing), latest.get("monthly", nothing)
    inventory = artifact_store_for(run.settings).current("monthly/inventory", monthly["partition"] or None)
    return {
        "daily_rows": daily["rows"],
        "monthly_rows": monthly["rows"],
        "inventory_rows": inventory.total_rows if inventory else 0,
        "models_used": monthly["models_used"],
        "loads": loads,
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "cadence": refusal.cadence,
        "partition": refusal.partition,
        "rows": 0,
        "models_used": dict(refusal.champions),
        "refused": refusal.reason,
    }


def _loads(run: DemoRun) -> list[dict[str, Any]]:
    rows = warehouse_for(run.settings).fetch(
        "select cadence, partition_start, package_type, model_version, count(*) as n from ml.predictions "
        "group by cadence, partition_start, package_type, model_version "
        "order by cadence, partition_start, package_type",
        {},
    )
    loads: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["cadence"], row["partition_start"].isoformat())
        load = loads.setdefault(
            key, {"cadence": key[0], "partition": key[1], "rows": 0, "models_used": {}, "refused": None}
        )
        load["rows"] += int(row["n"])
        load["models_used"][row["package_type"]] = int(row["model_version"])
    return list(loads.values())


def _recommendations(run: DemoRun) -> Mapping[str, int]:
    rows = warehouse_for(run.settings).fetch(
        "select package_type, count(*) as n from marts.package_recommendations group by package_type", {}
    )
    counts = {row["package_type"] or NOTHING_FITS: int(row["n"]) for row in rows}
    return {name: counts.get(name, 0) for name in (*PACKAGE_TYPES, NOTHING_FITS)}
