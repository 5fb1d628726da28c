"""The resources of each environment: the one place where `PACKAGING_ENV` decides which version of a capability runs."""

import datetime as dt
from typing import Any

from packaging_assets.artifacts.clock import utc_now
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import PrunableStore
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.apprise_notifier import AppriseNotifier
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.compute import InProcessCompute
from packaging_assets.resources.dbt_builder import DbtBuilder
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.resources.figures import FigureSink, NullFigures
from packaging_assets.resources.log_notifier import LogNotifier
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.resources.notifier import LOG_ROUTE, Route
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.resources.trigger_folder import TriggerFolder
from packaging_assets.resources.triggers import TriggerStore
from packaging_assets.resources.warehouse import Warehouse
from packaging_assets.settings import Settings


def warehouse_for(settings: Settings) -> Warehouse:
    """The warehouse of the environment."""
    if settings.env == "aws":
        from packaging_assets.resources.aws_environment import redshift_warehouse

        return redshift_warehouse(settings)
    return DuckDBWarehouse(
        settings.warehouse_path, memory_limit=settings.warehouse_memory_limit, threads=settings.threads
    )


def artifact_store_for(settings: Settings) -> PrunableStore:
    """The artifact store of the environment."""
    if settings.env == "aws":
        from packaging_assets.resources.aws_environment import s3_artifact_store

        return s3_artifact_store(settings)
    days = settings.cache_max_age_days
    return LocalArtifactStore(
        settings.artifacts_path,
        clock=utc_now,
        max_age=None if days is None else dt.timedelta(days=days),
    )


def model_registry_for(settings: Settings) -> ModelRegistry:
    """The model registry of the environment."""
    if settings.env == "aws":
        from packaging_assets.resources.aws_environment import sagemaker_registry

        return sagemaker_registry(settings)
    return SqliteModelRegistry(settings.registry_path, clock=utc_now)


def compute_for(settings: Settings) -> Compute:
    """Where heavy steps run."""
    if settings.env == "aws":
        from packaging_assets.resources.aws_environment import sagemaker_compute

        return sagemaker_compute(settings)
    return InProcessCompute()


def alert_store_for(settings: Settings) -> AlertStore:
    """What alerts there were, and which are still to be sent."""
    url = settings.state_database_url if settings.env == "aws" else None
    return AlertStore(url.get_secret_value() if url else settings.alerts_path)


def alert_routes_for(settings: Settings) -> tuple[Route, ...]:
    """The log file, which takes every alert, and the routes of the settings."""
    log = Route(LOG_ROUTE, LogNotifier(settings.alerts_log_path, clock=utc_now))
    others = [
        Route(route.name, AppriseNotifier(route.url), owner=route.owner, severity=route.severity)
        for route in settings.alert_routes
    ]
    return (log, *_topics(settings), *others)


def trigger_store_for(settings: Settings) -> TriggerStore:
    """Where trigger files are dropped."""
    if settings.env == "aws":
        from packaging_assets.resources.aws_notifications import s3_trigger_store

        return s3_trigger_store(settings)
    return TriggerFolder(settings.triggers_path)


def figure_sink_for(settings: Settings) -> FigureSink:
    """Who takes models' figures."""
    if settings.env == "aws" and settings.metrics_namespace:
        from packaging_assets.resources.aws_notifications import cloudwatch_figures

        return cloudwatch_figures(settings)
    return NullFigures()


def _topics(settings: Settings) -> tuple[Route, ...]:
    if settings.env != "aws":
        return ()
    from packaging_assets.resources.aws_notifications import sns_routes

    return sns_routes(settings)


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
        "trigger_store": trigger_store_for(settings),
        "figures": figure_sink_for(settings),
        "clock": SystemClock(),
        "dbt": DbtBuilder(settings),
    }
