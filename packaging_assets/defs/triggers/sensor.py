"""The trigger sensor: launches the runs that trigger files ask for."""

from collections.abc import Mapping, Sequence

import dagster as dg

from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.package_model import model_set
from packaging_assets.defs.triggers.look import Outcome, TriggerLook
from packaging_assets.defs.triggers.plan import TRIGGER_TAG, plan_runs, run_request
from packaging_assets.domain.alerts import Alert
from packaging_assets.jobs import DAILY_JOB, MONTHLY_JOB, WEEKLY_JOB
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.notifier import Route
from packaging_assets.resources.triggers import TriggerStore
from packaging_assets.run_records import PARTITION_TAG
from packaging_assets.settings import Settings

INTERVAL_SECONDS = 15


def trigger_sensor(models: ModelSet) -> dg.SensorDefinition:
    """Build the sensor for the project's models."""

    @dg.sensor(
        name="triggers",
        jobs=[WEEKLY_JOB, DAILY_JOB, MONTHLY_JOB],
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches what trigger files ask for, once each; those that ask for the impossible are put aside.",
    )
    def triggers(
        context: dg.SensorEvaluationContext,
        settings: dg.ResourceParam[Settings],
        trigger_store: dg.ResourceParam[TriggerStore],
        alert_store: dg.ResourceParam[AlertStore],
        alert_routes: dg.ResourceParam[Sequence[Route]],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        outcome = trigger_look(
            settings, models, context.instance, trigger_store, alert_store, alert_routes, clock
        ).take()
        graph = context.repository_def.asset_graph if context.repository_def else None
        return dg.SensorResult(
            run_requests=[run_request(launch.run, graph, launch.trigger) for launch in outcome.launches],
            skip_reason=None if outcome.launches else dg.SkipReason(summary(outcome)),
        )

    return triggers


def trigger_look(
    settings: Settings,
    models: ModelSet,
    instance: dg.DagsterInstance,
    trigger_store: TriggerStore,
    alert_store: AlertStore,
    alert_routes: Sequence[Route],
    clock: Clock,
) -> TriggerLook:
    """A look at the trigger files; what is to be told is kept for the alert sensor, which sends it."""

    def launched(trigger: str) -> Mapping[str, str]:
        runs = instance.get_runs(dg.RunsFilter(tags={TRIGGER_TAG: trigger}))
        return {run.tags[PARTITION_TAG]: run.run_id for run in runs}  # newest first: the oldest stays

    def keep(alert: Alert) -> None:
        alert_store.add(alert.with_owner(settings.alert_owner), alert_routes, now=clock.now().timestamp())

    return TriggerLook(
        store=trigger_store,
        plan=lambda trigger: plan_runs(trigger, models, settings),
        launched=launched,
        alert=keep,
        now=clock.now,
    )


def summary(outcome: Outcome) -> str:
    """What the tick shows in the UI."""
    parts = [
        *(f"{name} launched nothing: {' '.join(problems)}" for name, problems in outcome.rejected.items()),
        *(f"{name.encode('unicode_escape').decode()} is still being written" for name in outcome.unfinished),
        *(f"{len(runs)} run(s) launched for {identity[:12]}" for identity, runs in outcome.done.items()),
        *outcome.trouble,
    ]
    return "; ".join(parts) or "No trigger files."


@dg.definitions
def trigger_definitions(context: dg.ComponentLoadContext) -> dg.Definitions:
    """Build the sensor."""
    return dg.Definitions(sensors=[trigger_sensor(model_set(context))])
