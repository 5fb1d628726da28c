"""Warehouse queries as step inputs whose content is known without running them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from packaging_assets.resources.built_days import version_before
from packaging_assets.resources.warehouse import Extract, Slices, Warehouse
from packaging_assets.settings import Settings


def extract(
    warehouse: Warehouse,
    settings: Settings,
    *,
    as_of: dt.datetime,
    queries: Mapping[str, tuple[str, Mapping[str, Any]]],
    slices: Mapping[str, Slices] | None = None,
) -> Extract:
    """The queries' rows as Parquet, standing for what the warehouse holds before `as_of`.

    Args:
        warehouse: where the queries run, if they have to.
        settings: for the first and last day with a partition, and the rows per file.
        as_of: everything dated before it must be built, and nothing else may reach the rows.
        queries: folder name -> SQL and its parameters.
        slices: folder name -> its query as slices.

    Raises:
        MissingDaysError: a day before `as_of` is not in the warehouse's models yet.
    """
    last = min(as_of.date(), settings.last_day + dt.timedelta(days=1)) if settings.last_day else as_of.date()
    days = [settings.first_week + dt.timedelta(days=number) for number in range((last - settings.first_week).days)]
    return Extract(
        warehouse=warehouse,
        queries=queries,
        rows_per_file=settings.rows_per_chunk,
        version=version_before(warehouse, as_of, needed=days),
        slices=slices or {},
    )
