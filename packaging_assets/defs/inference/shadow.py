"""`daily/shadow_predictions` and `monthly/shadow_predictions`, their jobs, and what starts these; if there are shadows.

A sensor starts them, and not the schedules of the live predictions: it asks for a partition once the live predictions
of that partition are there, so for products that passed the live models' checks, and once only. A run that failed is
left to a person, and nothing waits for it.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.package_model import model_set
from packaging_assets.components.shadow_inference import shadow_predictions_asset, shadow_predictions_key
from packaging_assets.jobs import SHADOW_JOBS
from packaging_assets.partitions import daily_partitions, monthly_partitions
from packaging_assets.settings import Settings, current_settings

DESCRIPTION = """What the shadow models say of the products that the live models scored, loaded into a table of its own.

One row per product and shadow model; nothing is packed by it."""
INTERVAL_SECONDS = 300


@dg.definitions
def shadow_inference(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build assets, jobs and sensor for the project's shadow models; nothing if it has none."""
    models = model_set(context)
    return shadow_definitions(models, current_settings()) if models.shadows() else dg.Definitions()


def shadow_definitions(models: ModelSet, settings: Settings) -> dg.Definitions:
    """Assets, jobs and sensor for models of which some are shadows."""
    return dg.Definitions(
        assets=[
            shadow_predictions_asset(cadence, partitions, DESCRIPTION, models)
            for cadence, partitions in _partitions(settings).items()
        ],
        jobs=list(SHADOW_JOBS.values()),
        sensors=[shadow_sensor(settings)],
    )


def shadow_sensor(settings: Settings) -> dg.SensorDefinition:
    """Ask for the shadow predictions of what the live models have scored lately."""

    @dg.sensor(
        name="shadow_predictions",
        jobs=list(SHADOW_JOBS.values()),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Has the shadow models score what the live models have scored, once per day and month.",
    )
    def shadow_predictions(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        wanted = [
            dg.RunRequest(run_key=f"{cadence} {key}", job_name=SHADOW_JOBS[f"{cadence}_shadow"].name, partition_key=key)
            for cadence, keys in unscored(context.instance, settings).items()
            for key in keys
        ]
        if not wanted:
            yield dg.SkipReason("The shadow models have scored what the live models have.")
        yield from wanted

    return shadow_predictions


def unscored(instance: dg.DagsterInstance, settings: Settings) -> dict[str, list[str]]:
    """By cadence, the newest partitions with live predictions and without shadow predictions, oldest first.

    Looks `catch_up_days` days back, and one month.
    """
    look_back = {"daily": settings.catch_up_days, "monthly": 1}
    found: dict[str, list[str]] = {}
    for cadence, count in look_back.items():
        live = sorted(instance.get_materialized_partitions(dg.AssetKey([cadence, "predictions"])))
        done = instance.get_materialized_partitions(shadow_predictions_key(cadence))
        found[cadence] = [key for key in live[-count:] if key not in done]
    return found


def _partitions(settings: Settings) -> Mapping[str, dg.TimeWindowPartitionsDefinition]:
    return {"daily": daily_partitions(settings), "monthly": monthly_partitions(settings)}
