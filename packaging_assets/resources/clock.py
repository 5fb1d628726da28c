"""The time of day as a resource, so that tests and replays decide what time it is."""

import datetime as dt
from typing import Protocol

from packaging_assets.artifacts.clock import utc_now


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> dt.datetime:
        """The current moment, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        """The current moment, timezone-aware, in UTC."""
        return utc_now()
