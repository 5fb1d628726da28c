"""The home folder: what must be in it before anything runs."""

import datetime as dt

import tomlkit

from packaging_assets.artifacts.flushing import write_whole
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
  runs:
    tag_concurrency_limits:
      # Weeks one after the other, oldest first: each is judged against the approved version before it.
      - {key: dagster/backfill, limit: 1}
      - {key: dagster/schedule_name, value: weekly_training_schedule, limit: 1}
      - {key: packaging/trigger, value: {applyLimitPerUniqueValue: true}, limit: 1}
run_monitoring:
  enabled: true
  # A run that was ended from outside lets go of the pool.
  free_slots_after_run_end_seconds: 30
"""


def prepare_home(settings: Settings) -> None:
    """Create what is missing, touch nothing that is there: folders, Dagster's configuration, the warehouse's tables."""
    prepare_dagster_home(settings)
    warehouse_for(settings).create_tables()


def prepare_dagster_home(settings: Settings) -> None:
    """Create Dagster's own folder and configuration where they are missing."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    if not settings.dagster_yaml.exists():
        write_whole(settings.dagster_yaml, DAGSTER_YAML)


def write_partition_range(settings: Settings, *, first_week: dt.date, last_day: dt.date) -> None:
    """Record in the home's own settings which partitions it has, so that the UI over it shows these and no others.

    Whatever else the file says stays as it is, comments included.
    """
    file = settings.home / SETTINGS_FILE
    document = tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else tomlkit.document()
    wanted = {"first_week": first_week, "last_day": last_day}
    if all(document.get(name) == day for name, day in wanted.items()):
        return
    for name, day in wanted.items():
        document[name] = day
    settings.home.mkdir(parents=True, exist_ok=True)
    write_whole(file, tomlkit.dumps(document))
