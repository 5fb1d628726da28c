"""The SQL of what the models see: each query as of a time, portable between DuckDB and Redshift.

Parameters are `$as_of` (the end of the window, midnight UTC: nothing from then on is read), `$window_start`,
`$maturity_days` and `$week` (its Monday). Every query has a total order, so that the same rows give the same bytes.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging_assets.resources.warehouse import Slices

NAMES = ("evidence", "evidence_volume", "labelled_features", "inventory", "live_outcomes")

BEGINNING = dt.datetime(1900, 1, 1)  # noqa: DTZ001 - naive UTC, as all times in the warehouse
"""Before everything: where the window of the whole inventory begins."""

INVENTORY_ORDER = ("updated_at", "product_id")
"""By time, as the features are kept in both warehouses: neither has to sort the rows of ten million products."""


def query(name: str) -> str:
    """The text of a query.

    Raises:
        ValueError: there is no such query; the message lists those there are.
    """
    if name not in NAMES:
        raise ValueError(f"There is no query {name!r}; there are {', '.join(NAMES)}")
    return inventory_slices().whole() if name == "inventory" else _text(name)


def inventory_slices() -> Slices:
    """The inventory, slice of time by slice of time."""
    return Slices(
        shared={"superseded": _text("superseded_versions")},
        sizes=_text("inventory_sizes"),
        rows=_text("inventory_rows"),
        order=INVENTORY_ORDER,
    )


def inventory_parameters(window_start: dt.datetime, as_of: dt.datetime) -> Mapping[str, Any]:
    """Parameters of `query("inventory")`: every product that changed in [window_start, as_of), as it was last."""
    window = {"window_start": window_start, "as_of": as_of}
    return {**window, "slice_start": window_start, "slice_end": as_of}


def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
