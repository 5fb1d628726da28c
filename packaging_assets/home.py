"""The home folder: what must be in it before anything runs."""

import datetime as dt

from packaging_assets.resources.environment import warehouse_for
from packaging_assets.settings import SETTINGS_FILE, Settings

DAGSTER_YAML = """\
# Dagster's own storage for this home: SQLite files in this folder.
telemetry:
  enabled: false
nux:
  # No invitation to join a community on the first visit.
  enabled: false
concurrency:
  pools:
    # DuckDB lets one process write; a pool without a limit would not queue anybody.
    default_limit: 1
run_monitoring:
  enabled: true
  # A run that was ended from outside lets go of the pool.
  free_slots_after_run_end_seconds: 30
"""


def prepare_home(settings: Settings) -> None:
    """Create what is missing, touch nothing that is there: folders, Dagster's configuration, the warehouse's tables."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    dagster_yaml = settings.dagster_home / "dagster.yaml"
    if not dagster_yaml.exists():
        dagster_yaml.write_text(DAGSTER_YAML)
    warehouse_for(settings).create_tables()


def write_partition_range(settings: Settings, *, first_week: dt.date, last_day: dt.date) -> None:
    """Record in the home's own settings which partitions it has, so that the UI over it shows these and no others."""
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / SETTINGS_FILE).write_text(f"first_week = {first_week}\nlast_day = {last_day}\n")
