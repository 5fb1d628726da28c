"""What a month on AWS costs, by the number of products: a table for docs/costs.md.

Every price is a public list price of us-east-1 in US dollars, as remembered; check before use. Quantities are measured
where it says so, else assumed. Change a figure here, or give a JSON file that replaces some: python deploy/costs.py
[figures.json]
"""

import json
import math
import sys
from dataclasses import dataclass, fields
from pathlib import Path

MILLION = 1_000_000
HOURS = 730.0
"""Of a month."""

DAYS, WEEKS = 30.4, 4.35
PRODUCTS = (1, 10, 100, 300)
"""Millions, one column each."""

CENTS_BELOW = 10


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Prices in US dollars, and quantities of one environment. Bytes are per row, seconds of one machine.

    Prices: public list prices, us-east-1, as remembered in 2025; check before use.
    """

    job_hour: float = 0.23  # ml.m5.xlarge: 4 vCPU, 16 GB, in training, processing and transform alike
    rpu_hour: float = 0.36  # Redshift Serverless, by the second, at least a minute each time it wakes
    redshift_gb_month: float = 0.024
    s3_gb_month: float = 0.023
    s3_put_1000: float = 0.005
    s3_get_1000: float = 0.0004
    fargate_cpu_hour: float = 0.04048
    fargate_gb_hour: float = 0.004445
    database_hour: float = 0.032  # db.t4g.small in one zone
    database_gb_month: float = 0.115
    nat_hour: float = 0.045
    nat_gb: float = 0.045
    alarm_month: float = 0.10
    metric_month: float = 0.30
    log_gb: float = 0.50
    secret_month: float = 0.40
    key_month: float = 1.00

    models: int = 4
    changed_share: float = 0.02  # assumed: so many of the products change on a day, and are scored that day
    rows_per_core_second: float = 690_000  # measured: catboost_multimodal, benchmarks/results/architectures.json
    cores: int = 4
    use_of_cores: float = 0.5  # assumed: the rest is reading, writing and waiting for S3
    start_seconds: float = 120  # assumed: billed for each machine before and after the step
    largest_job_hours: float = 1.0  # a job that would take longer gets more machines
    training_share: float = 0.05  # assumed: of the products, so many are in the training set of a model
    largest_training_set: float = 5_000_000
    training_core_seconds_per_million: float = 370  # measured: 18.4 s for 50,000 rows, taken as linear
    jobs_per_training: int = 3  # a week and model: split, train, evaluate
    jobs_before_training: int = 2  # a week, for all models: labels, features
    jobs_per_scoring: int = 2  # inventory and predictions; assumed: the former takes as long as the latter
    chunk_rows: int = 200_000  # as the setting rows_per_chunk

    rpus: int = 8
    rpu_seconds_per_million: float = 160  # assumed: 20 s at 8 RPU to build, unload or load a million rows
    looks_per_day: float = 192  # the daily schedule and the alerts each ask the warehouse every quarter of an hour
    look_seconds: float = 60  # what a statement of a moment is billed as

    bytes_raw: float = 400  # with an embedding of 64 numbers
    bytes_inventory: float = 350
    bytes_predictions: float = 120  # of all models
    days_kept: float = 30  # daily inventories and predictions in S3
    months_kept: float = 3

    service_cpus: float = 2.0  # code server, daemon, web server: see Tasks in platform.yaml
    service_gb: float = 8.0
    run_cpus: float = 1.0
    run_gb: float = 8.0
    database_gb: float = 20
    nat_gb_month: float = 20
    alarms: int = 24
    metrics: int = 24
    insights_metrics: int = 65  # ECS Container Insights, as remembered: 8 a cluster, 6 a task, 11 a service
    logs_gb: float = 5
    secrets: int = 2

    @classmethod
    def replaced_by(cls, path: Path) -> "Figures":
        """The figures with those of a JSON file in place of some.

        Raises:
            ValueError: the file names a figure that there is not.
        """
        given = json.loads(path.read_text(encoding="utf-8"))
        unknown = sorted(set(given) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(
                f"{path} gives {unknown[0]}, which is no figure of {Path(__file__).name}: correct its name."
            )
        return cls(**given)


def month(millions: float, figures: Figures) -> dict[str, float]:
    """What a month costs by part, in US dollars, of an environment with so many million products."""
    products = millions * MILLION
    scored = products * (1 + figures.changed_share * DAYS)
    return {
        "scoring (SageMaker)": scoring(products, figures),
        "training (SageMaker)": training(products, figures),
        "warehouse at work (Redshift)": 3
        * scored
        / MILLION
        * figures.rpu_seconds_per_million
        / 3600
        * figures.rpu_hour,
        "warehouse woken to look (Redshift)": DAYS
        * figures.looks_per_day
        * figures.look_seconds
        * figures.rpus
        / 3600
        * figures.rpu_hour,
        "storage (S3, Redshift)": storage(products, figures),
        "S3 requests": requests(scored, figures),
        "services (Fargate)": HOURS * _fargate(figures.service_cpus, figures.service_gb, figures),
        "runs (Fargate)": run_hours(products, figures) * _fargate(figures.run_cpus, figures.run_gb, figures),
        "database (RDS)": HOURS * figures.database_hour + figures.database_gb * figures.database_gb_month,
        "network (NAT)": HOURS * figures.nat_hour + figures.nat_gb_month * figures.nat_gb,
        "watching (CloudWatch)": figures.alarms * figures.alarm_month
        + (figures.metrics + figures.insights_metrics) * figures.metric_month
        + figures.logs_gb * figures.log_gb,
        "key and secrets": figures.key_month + figures.secrets * figures.secret_month,
    }


def job_hours(core_seconds: float, figures: Figures) -> tuple[float, float]:
    """Billed machine hours of one job, and how long it takes: with as many machines as keep it short."""
    seconds = core_seconds / (figures.cores * figures.use_of_cores)
    machines = max(1, math.ceil(seconds / 3600 / figures.largest_job_hours))
    return (seconds + machines * figures.start_seconds) / 3600, (seconds / machines + figures.start_seconds) / 3600


def scoring(products: float, figures: Figures) -> float:
    """US dollars a month: the jobs of each day, and those of a month over everything."""
    daily, _ = job_hours(_core_seconds(products * figures.changed_share, figures), figures)
    whole, _ = job_hours(_core_seconds(products, figures), figures)
    return figures.jobs_per_scoring * (DAYS * daily + whole) * figures.job_hour


def training(products: float, figures: Figures) -> float:
    """US dollars a month: weekly the jobs before, and each model's core seconds of a training spread over its jobs."""
    rows = min(products * figures.training_share, figures.largest_training_set)
    core_seconds = rows / MILLION * figures.training_core_seconds_per_million
    hours, _ = job_hours(core_seconds, figures)
    hours += (figures.jobs_per_training - 1) * figures.start_seconds / 3600
    before = figures.jobs_before_training * figures.start_seconds / 3600
    return WEEKS * (figures.models * hours + before) * figures.job_hour


def storage(products: float, figures: Figures) -> float:
    """US dollars a month: rows in the warehouse, and inventories and predictions in S3."""
    copies = figures.changed_share * figures.days_kept + figures.months_kept
    in_s3 = products * copies * (figures.bytes_inventory + figures.bytes_predictions)
    in_redshift = products * (2 * figures.bytes_raw + figures.bytes_predictions)
    return in_s3 / 1e9 * figures.s3_gb_month + in_redshift / 1e9 * figures.redshift_gb_month


def requests(scored: float, figures: Figures) -> float:
    """US dollars a month: each chunk is written and read by warehouse, run and job, inventory and predictions."""
    chunks = scored / figures.chunk_rows
    return chunks * 6 / 1000 * (figures.s3_put_1000 + figures.s3_get_1000)


def run_hours(products: float, figures: Figures) -> float:
    """Hours a month for which a run's task waits for its jobs."""
    _, daily = job_hours(_core_seconds(products * figures.changed_share, figures), figures)
    _, whole = job_hours(_core_seconds(products, figures), figures)
    jobs = figures.models * figures.jobs_per_training + figures.jobs_before_training
    return figures.jobs_per_scoring * (DAYS * daily + whole) + WEEKS * jobs * figures.start_seconds / 3600


def table(figures: Figures) -> str:
    """US dollars a month by part, a column for each number of products, as Markdown."""
    months = [month(millions, figures) for millions in PRODUCTS]
    totals = [sum(parts.values()) for parts in months]
    lines = [
        "| US dollars a month | " + " | ".join(f"{millions} M products" for millions in PRODUCTS) + " |",
        "|---|" + "---:|" * len(PRODUCTS),
        *(f"| {part} | " + " | ".join(_money(parts[part]) for parts in months) + " |" for part in months[0]),
        "| **all** | " + " | ".join(f"**{_money(total)}**" for total in totals) + " |",
        "| for a million products | "
        + " | ".join(_money(total / millions) for total, millions in zip(totals, PRODUCTS, strict=True))
        + " |",
    ]
    return "\n".join(lines) + "\n"


def _core_seconds(rows: float, figures: Figures) -> float:
    return rows * figures.models / figures.rows_per_core_second


def _fargate(cpus: float, gigabytes: float, figures: Figures) -> float:
    return cpus * figures.fargate_cpu_hour + gigabytes * figures.fargate_gb_hour


def _money(dollars: float) -> str:
    return f"{dollars:,.2f}" if dollars < CENTS_BELOW else f"{dollars:,.0f}"


if __name__ == "__main__":
    sys.stdout.write(table(Figures.replaced_by(Path(sys.argv[1])) if sys.argv[1:] else Figures()))
