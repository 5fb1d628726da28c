"""Figures as metrics of Amazon CloudWatch, each with the time at which it came to be.

CloudWatch has no identities of values: one that is delivered twice, because an answer was lost, counts twice in `Sum`
and `SampleCount` of its minute, and not in `Maximum`, `Minimum` and `Average`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import Any

from packaging_assets.resources.figures import Figure, FigureError

METRICS_PER_CALL = 1000
"""PutMetricData takes no more."""

OLDEST = dt.timedelta(days=13, hours=12)
"""CloudWatch refuses what is older than two weeks, and with it the whole call."""

DIMENSION_CHARACTERS = 250


class CloudWatchFigures:
    """Puts figures into a namespace, each with the dimension `Environment` and what it is about.

    Args:
        client: a boto3 CloudWatch client.
        namespace: of the metrics.
        environment: what the platform is called, such as "prod".
        now: the time, aware.
    """

    def __init__(self, client: Any, namespace: str, *, environment: str, now: Callable[[], dt.datetime]) -> None:
        self._client = client
        self._namespace = namespace
        self._environment = environment
        self._now = now

    def put(self, figures: Sequence[Figure]) -> None:
        """Deliver figures; numbers that CloudWatch has no place for (NaN, or of two weeks ago) are left out.

        Raises:
            FigureError: CloudWatch did not take them, or cannot be reached.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        earliest = self._now() - OLDEST
        data = [self._datum(each) for each in figures if math.isfinite(each.value) and each.at >= earliest]
        try:
            for start in range(0, len(data), METRICS_PER_CALL):
                self._client.put_metric_data(
                    Namespace=self._namespace, MetricData=data[start : start + METRICS_PER_CALL]
                )
        except (ClientError, BotoCoreError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise FigureError(f"CloudWatch, namespace {self._namespace}: {said}") from None

    def _datum(self, figure: Figure) -> dict[str, Any]:
        about = {"Environment": self._environment, **figure.about}
        return {
            "MetricName": figure.name,
            "Dimensions": [{"Name": name, "Value": _dimension(value)} for name, value in about.items()],
            "Timestamp": figure.at,
            "Value": float(figure.value),
            "Unit": figure.unit,
        }


def _dimension(value: str) -> str:
    """As CloudWatch takes it: ASCII, not empty, not beginning with a colon."""
    text = "".join(each if each.isascii() and each.isprintable() else "?" for each in value.strip().lstrip(":"))
    return text[:DIMENSION_CHARACTERS] or "-"
