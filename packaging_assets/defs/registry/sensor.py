"""The sensor of decisions made outside: approvals and rejections in SageMaker Studio become decisions here."""

from collections.abc import Sequence

import dagster as dg

from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.package_model import model_set
from packaging_assets.defs.registry.look import Outcome, OutsideLook
from packaging_assets.domain.alerts import Alert
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.notifier import Route
from packaging_assets.resources.outside_decisions import WatchedRegistry
from packaging_assets.settings import Settings, current_settings

INTERVAL_SECONDS = 60


def outside_approvals_sensor(models: ModelSet) -> dg.SensorDefinition:
    """Build the sensor for the project's models."""

    @dg.sensor(
        name="outside_approvals",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Records what was approved or rejected in SageMaker Studio, by whom and why, and moves the "
        "champion; what nobody put a name and a reason to is set back, and told.",
    )
    def outside_approvals(
        context: dg.SensorEvaluationContext,
        settings: dg.ResourceParam[Settings],
        model_registry: dg.ResourceParam[WatchedRegistry],
        alert_store: dg.ResourceParam[AlertStore],
        alert_routes: dg.ResourceParam[Sequence[Route]],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SkipReason:
        def keep(alert: Alert) -> None:
            alert_store.add(alert.with_owner(settings.alert_owner), alert_routes, now=clock.now().timestamp())

        look = OutsideLook(context.instance, model_registry, models, alert=keep, now=clock.now)
        return dg.SkipReason(summary(look.take()))

    return outside_approvals


def summary(outcome: Outcome) -> str:
    """What the tick shows in the UI."""
    parts = [
        *(
            f"{decision.model} {decision.version} {decision.to_status} by {decision.actor}"
            for decision in outcome.honoured
        ),
        *(f"{decision.model} {decision.version} set back: {decision.refusal}" for decision in outcome.refused),
        *outcome.trouble,
    ]
    return "; ".join(parts) or "Nothing was decided outside."


@dg.definitions
def outside_approvals_definitions(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the sensor where models can be decided about outside."""
    if current_settings().env != "aws":
        return dg.Definitions()
    return dg.Definitions(sensors=[outside_approvals_sensor(model_set(context))])
