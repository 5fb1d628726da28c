"""What 300 million products take and cost on N instances: a calculation from the rates of one, not a measurement.

The monthly job has three parts, one after the other. The warehouse unloads the inventory as chunks; N instances start,
take disjoint shares of the chunks by key, and score them with no word between them; the warehouse loads what they
wrote. More instances shorten the middle part only. The rest is the warehouse's, which has a size of its own (RPUs), and
the start of an instance, which no number of them shortens.

Rates and prices are the figures of deploy/costs.py, of which any can be given anew in a JSON file:
python benchmarks/scaling.py [figures.json]
"""

import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.tables import markdown, significant
from deploy.costs import MILLION, Figures

PRODUCTS = 300 * MILLION
INSTANCES = (1, 4, 16, 64)
WAREHOUSES = (8, 64, 256)
"""RPUs: the smallest that costs.md counts with, and what a large catalogue would have."""

SLOWER = 70
"""A learner that scores so many times more slowly, as the default of `sklearn` does: see docs/architectures.md."""

WORTH = 0.1
"""Twice the instances are worth it while they save at least this share of the time."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What one instance and the warehouse do, and what they cost: rows per second, seconds, US dollars per hour."""

    products_per_second: float
    """That one instance scores with all models, reading and writing included."""

    start_seconds: float
    instance_hour: float
    chunk_rows: int
    rpus: int
    unload_rpu_seconds_per_million: float
    load_rpu_seconds_per_million: float
    rpu_hour: float

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: a rate or price is negative, or one that is divided by is not above zero.
        """
        for name, value in vars(self).items():
            if value < 0 or (value == 0 and name in {"products_per_second", "chunk_rows", "rpus"}):
                raise ValueError(f"{name} is {value}: give a figure above zero.")

    @classmethod
    def of_figures(cls, figures: Figures) -> "Rates":
        """From the rates and prices of deploy/costs.py."""
        per_core = figures.rows_per_core_second / figures.models
        return cls(
            products_per_second=per_core * figures.cores * figures.use_of_cores,
            start_seconds=figures.start_seconds,
            instance_hour=figures.job_hour,
            chunk_rows=figures.chunk_rows,
            rpus=figures.rpus,
            unload_rpu_seconds_per_million=figures.rpu_seconds_per_million,
            load_rpu_seconds_per_million=figures.rpu_seconds_per_million,
            rpu_hour=figures.rpu_hour,
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a job takes on so many instances: seconds of each part, and US dollars."""

    instances: int
    unload_seconds: float
    start_seconds: float
    score_seconds: float
    """Of the instance with the most chunks: the others wait for it."""

    load_seconds: float
    instances_usd: float
    warehouse_usd: float

    @property
    def seconds(self) -> float:
        """From the first row unloaded to the last one loaded."""
        return self.unload_seconds + self.start_seconds + self.score_seconds + self.load_seconds

    @property
    def usd(self) -> float:
        """Instances and warehouse."""
        return self.instances_usd + self.warehouse_usd


def simulate(products: int, instances: int, rates: Rates) -> Outcome:
    """What scoring so many products takes and costs on so many instances.

    An instance works at whole chunks, and is paid from its start to its own end: so the scoring costs the same however
    many share it, and each instance costs its start on top.

    Raises:
        ValueError: there is no product or no instance.
    """
    if products < 1 or instances < 1:
        raise ValueError(f"{products} products on {instances} instances: give at least one of each.")
    chunks = math.ceil(products / rates.chunk_rows)
    used = min(instances, chunks)
    largest_share = min(products, math.ceil(chunks / used) * rates.chunk_rows)
    millions = products / MILLION
    unload = millions * rates.unload_rpu_seconds_per_million / rates.rpus
    load = millions * rates.load_rpu_seconds_per_million / rates.rpus
    paid_seconds = used * rates.start_seconds + products / rates.products_per_second
    return Outcome(
        instances=instances,
        unload_seconds=unload,
        start_seconds=rates.start_seconds,
        score_seconds=largest_share / rates.products_per_second,
        load_seconds=load,
        instances_usd=paid_seconds / 3600 * rates.instance_hour,
        warehouse_usd=(unload + load) * rates.rpus / 3600 * rates.rpu_hour,
    )


def stops_scaling_at(products: int, rates: Rates, *, worth: float = WORTH) -> int:
    """The largest power of two of instances which saves at least the share `worth` of half as many instances' time."""
    instances = 1
    while True:
        now, doubled = (simulate(products, count, rates).seconds for count in (instances, 2 * instances))
        if doubled > now * (1 - worth):
            return instances
        instances *= 2


def shortest_seconds(products: int, rates: Rates) -> float:
    """What remains with any number of instances: unload, one start, one chunk, load."""
    return simulate(products, math.ceil(products / rates.chunk_rows), rates).seconds


def scenarios(rates: Rates) -> dict[str, Rates]:
    """The warehouses, and a learner that is slow to score on the largest of them."""
    by_size = {f"{rpus} RPU": replace(rates, rpus=rpus) for rpus in WAREHOUSES}
    largest = by_size[f"{WAREHOUSES[-1]} RPU"]
    slow = replace(largest, products_per_second=rates.products_per_second / SLOWER)
    return {**by_size, f"{WAREHOUSES[-1]} RPU, a learner {SLOWER} times slower": slow}


def table(rates: Rates) -> str:
    """Time and money by warehouse and number of instances, as Markdown."""
    columns = ("warehouse", "instances", "unload", "start", "score", "load", "minutes", "speed-up", "US dollars")
    rows = []
    for name, scenario in scenarios(rates).items():
        alone = simulate(PRODUCTS, 1, scenario)
        for count in INSTANCES:
            outcome = simulate(PRODUCTS, count, scenario)
            parts = (outcome.unload_seconds, outcome.start_seconds, outcome.score_seconds, outcome.load_seconds)
            speed_up = significant(alone.seconds / outcome.seconds)
            cells = (*(significant(part / 60) for part in (*parts, outcome.seconds)), speed_up, f"{outcome.usd:.2f}")
            rows.append((name, str(count), *cells))
    return markdown(columns, rows)


def limits_table(rates: Rates) -> str:
    """Where each scenario stops scaling, as Markdown."""
    columns = ("warehouse", "stops scaling at", "minutes with any number of instances", "of which the warehouse's")
    rows = []
    for name, scenario in scenarios(rates).items():
        shortest = shortest_seconds(PRODUCTS, scenario)
        whole = simulate(PRODUCTS, 1, scenario)
        warehouse = whole.unload_seconds + whole.load_seconds
        at = stops_scaling_at(PRODUCTS, scenario)
        share = f"{warehouse / shortest:.0%}"
        rows.append((name, f"{at} instance{'s' if at > 1 else ''}", significant(shortest / 60), share))
    return markdown(columns, rows)


def main() -> None:
    """Print both tables."""
    figures = Figures.replaced_by(Path(sys.argv[1])) if sys.argv[1:] else Figures()
    rates = Rates.of_figures(figures)
    sys.stdout.write(table(rates) + "\n" + limits_table(rates))


if __name__ == "__main__":
    main()
