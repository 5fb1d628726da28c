"""The machine's clock."""

import datetime as dt


def utc_now() -> dt.datetime:
    """The machine's time, aware, in UTC."""
    return dt.datetime.now(dt.UTC)
