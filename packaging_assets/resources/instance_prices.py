"""What SageMaker's machines cost, for estimates: another region, a discount or other types are set in the settings."""

from collections.abc import Mapping
from dataclasses import replace

from packaging_assets.artifacts.job import JobFacts

SECONDS_PER_HOUR = 3600.0

USD_PER_HOUR: Mapping[str, float] = {
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765,
    "ml.m5.24xlarge": 5.53,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836,
}
"""List prices on demand in us-east-1, as of 2025, never compared with a bill."""


def with_cost(facts: JobFacts, usd_per_hour: Mapping[str, float]) -> JobFacts:
    """The same facts with the cost of all machines, if their price, by type, and seconds are known."""
    price = usd_per_hour.get(facts.instance_type)
    if price is None or facts.seconds is None:
        return facts
    cost = price * facts.instance_count * facts.seconds / SECONDS_PER_HOUR
    return replace(facts, cost=cost, currency="USD")
