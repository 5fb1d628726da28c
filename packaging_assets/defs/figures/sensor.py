"""The sensor of figures: a look every minute at the runs that have ended, from where the last one ended.

No run waits for it or fails by it. What cannot be delivered is tried again at the next look.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from packaging_assets.defs.alerts.ended_runs import ended_runs
from packaging_assets.defs.figures.run_figures import figures_of_run
from packaging_assets.resources.clock import Clock
from packaging_assets.resources.figures import Figure, FigureError, FigureSink
from packaging_assets.settings import Settings, current_settings

INTERVAL_SECONDS = 60


class Cursor(BaseModel):
    """Up to where the sensor has read: number of the last event read of each kind of ending, see `ended_runs`."""

    model_config = ConfigDict(extra="forbid")

    ended: dict[str, int] = Field(default_factory=dict)


class Found(NamedTuple):
    """The figures of some runs, and the runs that could not be read, with the reasons."""

    figures: list[Figure]
    unread: list[str]


@dg.sensor(
    name="figures",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Puts PR-AUC, verdict, drift, rows, seconds and cost of what was run into CloudWatch.",
)
def figure_sensor(
    context: dg.SensorEvaluationContext,
    settings: dg.ResourceParam[Settings],
    figures: dg.ResourceParam[FigureSink],
    clock: dg.ResourceParam[Clock],
) -> dg.SkipReason:
    """Look, deliver, and remember how far."""
    look_back = timedelta(days=settings.alert_look_back_days)
    cursor = read_cursor(context.cursor)
    runs, ended = ended_runs(context.instance, cursor.ended, now=clock.now(), look_back=look_back)
    found = _read(context.instance, runs)
    try:
        figures.put(found.figures)
    except FigureError as error:
        context.log.warning(f"{len(found.figures)} figures are kept for the next look: {error}")
        return dg.SkipReason(f"Not delivered, to be tried again: {error}")
    context.update_cursor(Cursor(ended=ended).model_dump_json())
    return dg.SkipReason("; ".join([f"{len(found.figures)} figures of {len(runs)} runs", *found.unread]))


def read_cursor(text: str | None) -> Cursor:
    """The stored cursor; one that cannot be read counts as none."""
    try:
        return Cursor.model_validate_json(text or "{}")
    except ValidationError:
        return Cursor()


def _read(instance: dg.DagsterInstance, runs: Sequence[str]) -> Found:
    found = Found([], [])
    for run_id in runs:
        try:
            found.figures.extend(figures_of_run(instance, run_id))
        except Exception as error:  # noqa: BLE001 - one unreadable run must not hide the others
            found.unread.append(f"run {run_id} cannot be read: {type(error).__name__}: {error}")
    return found


@dg.definitions
def figure_definitions() -> dg.Definitions:
    """Build the sensor where a monitoring service may be."""
    return dg.Definitions(sensors=[figure_sensor] if current_settings().env == "aws" else [])
