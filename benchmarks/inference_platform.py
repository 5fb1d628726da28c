"""What the inference benchmarks run of the platform, each in a process of its own that writes its figures as JSON.

Usage: python -m benchmarks.inference_platform assets HOME CADENCE PARTITION WARM_BYTES FIGURES
       python -m benchmarks.inference_platform features HOME DAY FIGURES
       python -m benchmarks.inference_platform shard INVENTORY MODELS_JSON OUTPUT NUMBER COUNT FIGURES

`assets` materializes a cadence's inventory and predictions through Dagster, in process, with its SQLite storage, after
having so much memory at hand as the floor.
`features` has dbt build one day of product_features, twice. `shard` scores the parts of an inventory whose number
leaves NUMBER when divided by COUNT, on one core: a worker among COUNT that know nothing of one another.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.inference_catalogue import FIRST_WEEK, LAST_DAY
from packaging_assets.settings import load_settings


def run_assets(home: str, cadence: str, partition: str, warm_bytes: str, figures: str) -> None:
    """Materialize `<cadence>/inventory` and `<cadence>/predictions`, start-up apart."""
    import catboost  # noqa: F401 - as the floor does, before its clock starts
    import dagster as dg
    import pandas as pd  # noqa: F401

    from benchmarks.floors.inference import warm_memory
    from packaging_assets.definitions import build_definitions
    from packaging_assets.resources.environment import artifact_store_for

    settings = load_settings(Path(home), first_week=FIRST_WEEK, last_day=LAST_DAY)
    definitions = build_definitions(settings)
    wanted = {dg.AssetKey([cadence, name]) for name in ("inventory", "predictions")}
    assets = [one for one in definitions.assets or [] if isinstance(one, dg.AssetsDefinition) and one.keys & wanted]
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        warm_memory(int(warm_bytes))
        timer = _Timer()
        result = dg.materialize(
            assets, selection=list(wanted), instance=instance, partition_key=partition, resources=definitions.resources
        )
        taken = timer.taken()
    if not result.success:
        raise RuntimeError(f"the run of {cadence} {partition} failed")
    predictions = artifact_store_for(settings).current(f"{cadence}/predictions", partition)
    if predictions is None:
        raise RuntimeError(f"there are no predictions of {cadence} {partition}")
    score = predictions.provenance["seconds"]
    _write(figures, {"all": taken, "score": [score, score], "load_rows": predictions.total_rows})


def build_day(home: str, day: str, figures: str) -> None:
    """The day's window of product_features by dbt, twice: of the model alone, as dbt times it, and of the command."""
    from packaging_assets.resources.dbt_project import invoke, parse

    settings = load_settings(Path(home), first_week=FIRST_WEEK, last_day=LAST_DAY)
    manifest = parse(settings)
    end = dt.date.fromisoformat(day) + dt.timedelta(days=1)
    window = {"window_start": f"{day}T00:00:00", "window_end": f"{end}T00:00:00"}
    command = ["run", "--select", "product_features", "--vars", json.dumps(window)]
    taken: dict[str, list[float]] = {}
    for name in ("model", "again"):
        timer = _Timer()
        result = invoke(settings, command, manifest=manifest)
        if not result.success:
            raise RuntimeError(f"dbt could not build {day}: {result.exception or result.result}")
        taken |= {name: [result.result.results[0].execution_time] * 2, f"{name}_command": timer.taken()}
    _write(figures, taken)


def score_shard(inventory: str, models: str, output: str, number: str, count: str, figures: str) -> None:
    """Score every COUNT-th part, as a machine among COUNT does."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(number) % len(cores)]})
    from packaging_assets.domain.parquet_files import list_parts
    from packaging_assets.domain.predictions import PredictModel, PredictParams, predict

    folders = {name: Path(path) for name, path in json.loads(Path(models).read_text(encoding="utf-8")).items()}
    params = PredictParams(
        models=tuple(
            PredictModel(package_type=name, model=name, version=1, threshold=0.5, input_name=name) for name in folders
        ),
        as_of=dt.datetime(2025, 3, 1),  # noqa: DTZ001 - naive UTC, as everywhere
    )
    timer = _Timer()
    for part in list_parts(Path(inventory))[int(number) :: int(count)]:
        alone, predicted = Path(output) / f"in-{part.stem}", Path(output) / part.stem
        alone.mkdir(parents=True)
        predicted.mkdir()
        os.link(part, alone / part.name)
        predict({"inventory": alone, **folders}, params, predicted)
    _write(figures, {"score": timer.taken()})


class _Timer:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def taken(self) -> list[float]:
        return [time.perf_counter() - self._wall, time.process_time() - self._cpu]


def _write(figures: str, values: dict[str, Any]) -> None:
    Path(figures).write_text(json.dumps(values) + "\n", encoding="utf-8")


if __name__ == "__main__":
    {"assets": run_assets, "features": build_day, "shard": score_shard}[sys.argv[1]](*sys.argv[2:])
