"""The code location: loads `defs/` and binds the resources of the environment; nothing else."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._utils.warnings import disable_dagster_warnings

from packaging_assets.artifacts.fingerprint import note_loaded_code
from packaging_assets.collector import resting_collector
from packaging_assets.component_tree import ProjectTree
from packaging_assets.components.model_files import check_keys, load_models
from packaging_assets.own_components import describe_own_components_only
from packaging_assets.resources.environment import resources_for
from packaging_assets.settings import Settings, load_settings, use_settings
from packaging_assets.threads.executor import threaded_executor

# The daily job runs one day at a time although dbt alone could take a range: the policy that Dagster then chooses is
# the one we want, so there is nothing to warn of.
warnings.filterwarnings("ignore", message="Asset job daily_inference materializes assets with varying Backfill")

PROJECT = Path(__file__).parent


def build_definitions(settings: Settings, *, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything under `defs/`, with the partitions and resources of `settings`; tests swap resources by name.

    Raises:
        ModelSetError: the models' YAML files are wrong; the message names file, line, field and remedy.
    """
    describe_own_components_only()
    resources = {**resources_for(settings), **(resource_overrides or {})}
    with use_settings(settings), resting_collector(), disable_dagster_warnings():
        loaded = _load_defs()
        everything = dg.Definitions.merge(loaded, dg.Definitions(resources=resources, executor=threaded_executor))
        everything.get_repository_def()  # kept by Dagster, which would make it with the collector at work
    note_loaded_code()  # a run's last step may be hours away
    return everything


def _load_defs() -> dg.Definitions:
    defs = PROJECT / "defs"
    check_keys(defs)
    try:
        return ProjectTree.for_project(PROJECT).build_defs()
    except Exception:
        # Dagster draws the tree of all files and tells of one field. Where a model is wrong, this says all that is.
        load_models(defs)
        raise


@dg.definitions
def definitions() -> dg.Definitions:
    """The definitions of the home that the environment names."""
    return build_definitions(load_settings())
