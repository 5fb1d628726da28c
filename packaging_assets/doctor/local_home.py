"""The home folder: room, what is in it, and the clock of the machine that it is on."""

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from packaging_assets.doctor.check import Check, ProblemError
from packaging_assets.settings import PROJECT_ROOT, Settings

LEAST_FREE_BYTES = 2e9
"""A demo takes a quarter of it; a week of a catalogue of millions takes more."""

SECONDS = 60.0
"""What is on this disk answers, however busy the machine is."""


def checks(settings: Settings) -> list[Check]:
    """Room in the home, for every environment."""
    return [Check("home", lambda: home(settings, _free_bytes), seconds=SECONDS)]


def local_checks(settings: Settings, *, now: Callable[[], dt.datetime]) -> list[Check]:
    """What the environment `local` keeps in the home, and the clock."""
    return [
        Check("clock", lambda: clock(now(), newest_source(PROJECT_ROOT)), seconds=SECONDS),
        Check("warehouse", lambda: _warehouse(settings), seconds=SECONDS),
        Check("artifacts", lambda: _artifacts(settings), seconds=SECONDS),
        Check("registry", lambda: _registry(settings), seconds=SECONDS),
    ]


def home(settings: Settings, free_bytes: Callable[[Path], float]) -> str:
    """Whether the home, or the folder it will be made in, can be written to and has room.

    Raises:
        ProblemError: it cannot, or is nearly full.
    """
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    remedy = f"Make it yours (chown -R {os.getuid()} {folder}), or choose another with --home or PACKAGING_HOME."
    if not folder.is_dir():
        raise ProblemError(
            f"{folder} is not a folder", "Move it away, or choose another home (--home, PACKAGING_HOME)."
        )
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"doctor")
            file.flush()
    except OSError as error:
        raise ProblemError(f"{folder} cannot be written to: {error.strerror}", remedy) from error
    free = free_bytes(folder)
    if free < LEAST_FREE_BYTES:
        raise ProblemError(
            f"{free / 1e9:.1f} GB are free at {folder}, fewer than {LEAST_FREE_BYTES / 1e9:.0f}",
            "Make room: packaging cache prune --older-than 30 removes what nothing needs.",
        )
    none_yet = "" if folder == settings.home else f"there is none yet at {settings.home}; "
    return f"{none_yet}{folder} can be written to; {free / 1e9:,.0f} GB are free"


def _free_bytes(folder: Path) -> float:
    return shutil.disk_usage(folder).free


def newest_source(project: Path) -> dt.datetime:
    """When the newest file of the installed code was written, aware, in UTC."""
    newest = max(path.stat().st_mtime for path in (project / "packaging_assets").rglob("*.py"))
    return dt.datetime.fromtimestamp(newest, dt.UTC)


def clock(now: dt.datetime, newest: dt.datetime) -> str:
    """The time, which no file of the code can be ahead of.

    Raises:
        ProblemError: one is, so the clock is behind.
    """
    if newest > now + dt.timedelta(minutes=5):
        raise ProblemError(
            f"it is {now:%Y-%m-%d %H:%M} UTC for this machine, and its own code was written at {newest:%Y-%m-%d %H:%M}",
            "Set the clock, and start what keeps it right: chronyd or systemd-timesyncd.",
        )
    return f"{now:%Y-%m-%d %H:%M} UTC"


def _warehouse(settings: Settings) -> str:
    from packaging_assets.resources.environment import warehouse_for

    if not settings.warehouse_path.exists():
        return "none yet: `packaging ingest` or `packaging demo` creates it"
    warehouse = warehouse_for(settings)
    deliveries = warehouse.fetch('select count(*) as n from "raw".deliveries', {})[0]["n"]
    days = warehouse.fetch("select count(*) as n, max(day) as last_day from ops.built_days", {})[0]
    return f"{deliveries} deliveries; {days['n']} days built, up to {days['last_day']}"


def _artifacts(settings: Settings) -> str:
    if not settings.artifacts_path.exists():
        return "none yet"
    manifests = list(settings.artifacts_path.rglob("manifest.json"))
    size = sum(path.stat().st_size for path in settings.artifacts_path.rglob("*") if path.is_file())
    return f"{len(manifests)} artifacts, {size / 1e6:,.0f} MB"


def _registry(settings: Settings) -> str:
    from packaging_assets.resources.environment import model_registry_for

    if not settings.registry_path.exists():
        return "none yet"
    registry = model_registry_for(settings)
    champions = {model: registry.champion(model) for model in registry.models()}
    # Not all of them serve: a model that was replaced keeps its champion.
    named = ", ".join(f"{name} v{version.version}" for name, version in champions.items() if version)
    return f"{len(registry.versions())} versions; champions: {named or 'none approved'}"
