"""A clock that stands still, for whatever asks one for the time."""

import datetime as dt


class FixedClock:
    def __init__(self, moment: dt.datetime) -> None:
        self._moment = moment

    def now(self) -> dt.datetime:
        return self._moment
