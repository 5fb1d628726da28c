"""The SQL of what the models see: each file one query, as of a time, portable between DuckDB and Redshift.

Parameters are `$as_of` (the end of the window, midnight UTC: nothing from then on is read), `$window_start`,
`$maturity_days` and `$week` (its Monday). Every query has a total order, so that the same rows give the same bytes.
"""

from pathlib import Path

NAMES = ("evidence", "evidence_volume", "labelled_features", "inventory_daily", "inventory_monthly", "live_outcomes")


def query(name: str) -> str:
    """The text of `<name>.sql`.

    Raises:
        ValueError: there is no such query; the message lists those there are.
    """
    if name not in NAMES:
        raise ValueError(f"There is no query {name!r}; there are {', '.join(NAMES)}")
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8")
