"""The platform's small job: the weekly training, then the monthly inventory and its predictions, in one process.

It loads and ends as `packaging run weekly@... monthly@...` does.

Usage: python benchmarks/small_training_job.py WEEK MONTH OVERRIDES HOME
"""

import json
import sys
from pathlib import Path

import dagster as dg

from packaging_assets.cli.program import end_at_once
from packaging_assets.collector import resting_collector
from packaging_assets.components.model_set import OVERRIDES_TAG
from packaging_assets.runner import JobRunner
from packaging_assets.settings import load_settings


def main(week: str, month: str, overrides: str, home: str) -> None:
    """Train, approve nothing by hand, and score with the champions there are."""
    with resting_collector(keeps_all=True):
        runner = JobRunner.for_home(load_settings(Path(home)))
    runner.run("weekly", first=week, tags={OVERRIDES_TAG: json.dumps(json.loads(overrides), sort_keys=True)})
    # The floor makes no recommendations: these two assets are what it does, too.
    assets = [dg.AssetKey(["monthly", "inventory"]), dg.AssetKey(["monthly", "predictions"])]
    runner.run("monthly", first=month, assets=assets)
    end_at_once(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
