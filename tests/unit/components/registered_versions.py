"""Versions in a registry, of which nothing is told that a test does not say."""

from typing import Any

from packaging_assets.domain.registry import ModelVersion, Registration
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry


def register(registry: SqliteModelRegistry, model: str, week: str, **fields: Any) -> ModelVersion:
    given: dict[str, Any] = {
        "model": model,
        "package_type": "box" if model == "box" else "mailer",
        "training_week": week,
        "fingerprint": f"{week} {fields}",
        "verdict": "approve",
        "artifact_uri": "a",
        "metrics_uri": "m",
        "content_hash": f"{model} {week}",
        "code_version": "1",
    }
    return registry.register(Registration(**{**given, **fields}))
