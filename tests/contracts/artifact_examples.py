"""Keys, parts and a clock for tests of artifact stores."""

import datetime as dt

from packaging_assets.artifacts.fingerprint import FingerprintParts

WEEK = "2025-01-06"
KEY = "mailer/split"
NOW = dt.datetime(2025, 2, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def parts_of(seed: int) -> FingerprintParts:
    """Parts that give another fingerprint for each seed."""
    return FingerprintParts(step="m:f", modules={"m": "1"}, libraries={}, params={"seed": seed}, inputs={})


PARTS = parts_of(1)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now
