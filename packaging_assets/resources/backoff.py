"""How long to wait before something that failed is tried again."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """How often something is tried in all, and how long the pauses are: doubling from the first to the longest."""

    attempts: int
    first_seconds: float
    longest_seconds: float

    def pause(self, number: int, seed: str) -> float:
        """Seconds before attempt `number` (from 1), less up to a half, so that not all try at one moment.

        How much less depends on `seed` and `number` alone.
        """
        whole = min(self.longest_seconds, self.first_seconds * 2 ** (number - 1))
        digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
        return whole * (1 - digest[0] / 512)
