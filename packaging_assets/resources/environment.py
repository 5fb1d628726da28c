"""The resources of each environment: the one place where `PACKAGING_ENV` decides which version of a capability runs."""

from typing import Any

from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.store import ArtifactStore
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.apprise_notifier import AppriseNotifier
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.compute import Compute, InProcessCompute
from packaging_assets.resources.dbt_builder import DbtBuilder
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.resources.log_notifier import LogNotifier
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.resources.notifier import LOG_ROUTE, Route
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings, SettingsError


def warehouse_for(settings: Settings) -> Warehouse:
    """The warehouse of the environment."""
    _require_local(settings)
    return DuckDBWarehouse(
        settings.warehouse_path, memory_limit=settings.warehouse_memory_limit, threads=settings.threads
    )


def artifact_store_for(settings: Settings) -> ArtifactStore:
    """The artifact store of the environment."""
    _require_local(settings)
    return LocalArtifactStore(settings.artifacts_path)


def model_registry_for(settings: Settings) -> ModelRegistry:
    """The model registry of the environment."""
    _require_local(settings)
    return SqliteModelRegistry(settings.registry_path, clock=SystemClock().now)


def compute_for(settings: Settings) -> Compute:
    """Where heavy steps run."""
    _require_local(settings)
    return InProcessCompute()


def alert_store_for(settings: Settings) -> AlertStore:
    """What alerts there were, and which are still to be sent."""
    return AlertStore(settings.alerts_path)


def alert_routes_for(settings: Settings) -> tuple[Route, ...]:
    """The log file, which takes every alert, and the routes of the settings."""
    log = Route(LOG_ROUTE, LogNotifier(settings.alerts_log_path, clock=SystemClock().now))
    others = [
        Route(route.name, AppriseNotifier(route.url), owner=route.owner, severity=route.severity)
        for route in settings.alert_routes
    ]
    return (log, *others)


def resources_for(settings: Settings) -> dict[str, Any]:
    """Every resource by the name under which assets ask for it."""
    return {
        "settings": settings,
        "warehouse": warehouse_for(settings),
        "artifact_store": artifact_store_for(settings),
        "model_registry": model_registry_for(settings),
        "compute": compute_for(settings),
        "alert_store": alert_store_for(settings),
        "alert_routes": alert_routes_for(settings),
        "clock": SystemClock(),
        "dbt": DbtBuilder(settings),
    }


def _require_local(settings: Settings) -> None:
    if settings.env != "local":
        raise SettingsError(
            f"PACKAGING_ENV = {settings.env!r}: this version runs on the embedded resources only; use 'local'."
        )
