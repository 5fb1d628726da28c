"""Keeps Dagster from importing every installed integration only to describe its components in the UI.

Loading a defs folder asks each package that registers components (dagster-dbt, dagster-aws, ...) for theirs: 3 CPU
seconds, most of what loading costs, for a list that nobody needs here, since a model's YAML is a `PackageModel`.
Dagster has no setting for it, so the function that it asks is replaced, in this module and nowhere else
(tests/shell/test_import_budget.py fails when Dagster asks in another way).
"""

from typing import Any

from dagster.components.core import package_entry

REGISTRY_MODULES = ("packaging_assets.components",)
"""As `registry_modules` in pyproject.toml."""


def describe_own_components_only() -> None:
    """From now on this process describes the project's own components in the UI, and imports no others for it."""
    package_entry.discover_entry_point_package_objects = _own


def _own() -> dict[Any, object]:
    return package_entry.discover_package_objects(REGISTRY_MODULES)
