"""A home whose warehouse holds a retailer's evidence, made once per size: what training is measured on.

The floor and the platform read the same warehouse. Labelled products have package tests in all four types, the others
have no evidence at all.
"""

import json
import shutil
from pathlib import Path

from packaging_assets.home import write_partition_range
from packaging_assets.ingestion.delivery import ingest_files
from packaging_assets.resources.built_days import dbt_project_hash
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.runner import JobRunner
from packaging_assets.settings import Settings, load_settings
from packaging_assets.simulator import RetailerConfig, simulate

WEEKS = 2
WEEK = "2025-01-13"
"""The week that is trained: the second, so that each model is held against a champion, as in any usual week."""

MONTH = "2025-01-01"
MARKER = "training_home.json"


def labelled_home(cache: Path, labelled: int, products: int) -> Settings:
    """The settings of the home with so many labelled products among all `products` under `cache`, made if need be.

    The first week is trained, so that there are champions; the second is built and not trained.
    """
    config = RetailerConfig(products=products, weeks=WEEKS, tested_share=labelled / products, feedback_share=0.0)
    home = cache / f"labelled_{labelled}_of_{products}"
    marker = home / MARKER
    # By other SQL the warehouse would be built again within what is measured: that is a new version's first week.
    made_by = json.dumps(
        {
            "labelled": labelled,
            **config.model_dump(mode="json"),
            "dbt_project": dbt_project_hash(load_settings(home).dbt_project_path),
        },
        indent=2,
    )
    if not marker.exists() or marker.read_text() != made_by:
        shutil.rmtree(home, ignore_errors=True)
        _make(home, config)
        marker.write_text(made_by)
    return load_settings(home)


def _make(home: Path, config: RetailerConfig) -> None:
    retailer = simulate(config, home / "simulated")
    write_partition_range(load_settings(home), first_week=config.first_week, last_day=retailer.last_day)
    settings = load_settings(home)
    runner = JobRunner.for_home(settings)
    for delivery in retailer.deliveries:
        reports = ingest_files(
            warehouse_for(settings), delivery.files, max_bad_row_share=settings.max_bad_row_share, clock=SystemClock()
        )
        list(reports)  # each file is taken in when its report is asked for
    runner.run("warehouse", first=config.first_week.isoformat(), last=retailer.last_day.isoformat())
    runner.run("weekly", first=config.first_week.isoformat())
    shutil.rmtree(home / "simulated")


def fresh_copy(settings: Settings, folder: Path) -> Settings:
    """A copy of a home, in which nothing has been computed that the original has not."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(settings.home, folder)
    return load_settings(folder)
