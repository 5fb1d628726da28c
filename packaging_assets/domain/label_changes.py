"""What changed about the labels since the champion's week: how many are 'suitable', and how many came in."""

import datetime as dt
import itertools
import math
import statistics
from collections.abc import Mapping
from typing import Any

MAX_VOLUME_WEEKS = 4
"""Earlier weeks whose median is the usual volume."""

MEDIAN_VARIANCE = math.pi / 2
"""Variance of a median over that of a mean, for normal values and large samples."""

HALF_A_ROW = 0.5
"""Added to counts before logarithms, which keeps a count of nothing finite."""


def compare_label_rates(rate: float, rows: int, champion_rate: float, champion_rows: int) -> dict[str, Any]:
    """The change of a label rate on the logit scale, and its z by the pooled test of two proportions.

    Args:
        rate: share of 'suitable' among the candidate's `rows`.
        rows: at least one.
        champion_rate: share of 'suitable' among the champion's training rows; with `rate`, neither both 0 nor both 1.
        champion_rows: at least one.
    """
    pooled = (rate * rows + champion_rate * champion_rows) / (rows + champion_rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / champion_rows))
    return {
        "candidate": rate,
        "champion": champion_rate,
        "rows": rows,
        "champion_rows": champion_rows,
        "logit_difference": _logit(rate, rows) - _logit(champion_rate, champion_rows),
        "z": (rate - champion_rate) / error,
    }


def _logit(rate: float, rows: int) -> float:
    return math.log((rate * rows + HALF_A_ROW) / ((1 - rate) * rows + HALF_A_ROW))


def compare_volume(rows_by_week: Mapping[dt.date, int], week: dt.date) -> dict[str, Any]:
    """New evidence of `week` against the median of up to four earlier weeks, from the first of them that has any.

    Weeks before that are not usual weeks: evidence began later, as in a new installation. A week without any between
    others is one, whose delivery is missing.

    Returns:
        `rows`, `weeks` (how many earlier ones count); `median`, `log_ratio` and its `z`, null without earlier
        weeks. Counts are taken to be as noisy as Poisson's, whose variance is their mean: the least they can be.
    """
    rows = rows_by_week.get(week, 0)
    before = sorted(other for other in rows_by_week if other < week)[-MAX_VOLUME_WEEKS:]
    earlier = list(itertools.dropwhile(lambda other: rows_by_week[other] == 0, before))
    volume: dict[str, Any] = {"rows": rows, "weeks": len(earlier), "median": None, "log_ratio": None, "z": None}
    if earlier:
        median = float(statistics.median(rows_by_week[other] for other in earlier))
        log_ratio = math.log((rows + HALF_A_ROW) / (median + HALF_A_ROW))
        error = math.sqrt(1 / (rows + HALF_A_ROW) + MEDIAN_VARIANCE / len(earlier) / (median + HALF_A_ROW))
        volume |= {"median": median, "log_ratio": log_ratio, "z": log_ratio / error}
    return volume
