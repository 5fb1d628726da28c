"""The alert sensor: a look every half minute, from where the last one ended."""

from collections.abc import Sequence

import dagster as dg
from pydantic import ValidationError

from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.defs.alerts.ended_runs import Cursor
from packaging_assets.defs.alerts.look import Look
from packaging_assets.defs.alerts.run_failures import Owners
from packaging_assets.resources.alert_delivery import Round
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.notifier import Route
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings

INTERVAL_SECONDS = 30


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells whoever must know of failed checks and runs, models that were not approved, and missing data.",
)
def alerts(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    alert_store: dg.ResourceParam[AlertStore],
    alert_routes: dg.ResourceParam[Sequence[Route]],
    warehouse: dg.ResourceParam[Warehouse],
    artifact_store: dg.ResourceParam[ArtifactStore],
    clock: dg.ResourceParam[Clock],
) -> dg.SkipReason:
    """Look, and remember how far."""
    look = Look(
        instance=context.instance,
        settings=settings,
        store=alert_store,
        routes=alert_routes,
        warehouse=warehouse,
        artifact_store=artifact_store,
        clock=clock,
        owners=owners_in(context.repository_def),
    )
    after, outcome = look.take(read_cursor(context.cursor))
    context.update_cursor(after.model_dump_json())
    return dg.SkipReason(summary(outcome))


def read_cursor(text: str | None) -> Cursor:
    """The stored cursor; one that cannot be read counts as none, and what is told already is known by its keys."""
    try:
        return Cursor.model_validate_json(text or "{}")
    except ValidationError:
        return Cursor()


def owners_in(repository: dg.RepositoryDefinition | None) -> Owners:
    """Who answers for an asset of the repository; nobody for one that it does not have."""

    def owners(key: dg.AssetKey) -> tuple[str, ...]:
        if repository is None or not repository.asset_graph.has(key):
            return ()
        return tuple(repository.asset_graph.get(key).owners)

    return owners


def summary(outcome: Round) -> str:
    """What the tick shows in the UI."""
    parts = [f"{len(outcome.sent)} sent"] if outcome.sent else []
    parts += [f"{route} cannot be reached: {error}" for route, error in outcome.failed.items()]
    return "; ".join(parts) or "Nothing to tell."


@dg.definitions
def alert_sensor() -> dg.Definitions:
    """Build the sensor."""
    return dg.Definitions(sensors=[alerts])
