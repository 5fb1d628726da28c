"""Inference against its floors: a month, its memory, a day, a day of features, and workers side by side.

Catalogues are made once under a folder and kept; ten million products take some 12 GB of disk and three minutes.
Start-up (imports, definitions) is outside the figures and stands beside them.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.inference_catalogue import DAY, MONTH, MONTH_END, Catalogue, make_catalogue
from benchmarks.measuring import Usage, alternate, compared, limited, ratio_of, run_command, run_in_turns

FLOORS = Path(__file__).parent / "floors"
ROOT = Path(__file__).parents[1]
PRODUCTS = 10_000_000
MEMORY_SIZES = (1_000_000, 10_000_000, 50_000_000)
MEMORY_GOAL_MB = 1500
WORKERS = (1, 2, 4)
ROWS_PER_PART = 200_000
WARM_BYTES = 700
"""Of memory per product before a month begins: of the files 560, the rest for the processes."""


def measure_monthly(repeats: int, products: int = PRODUCTS, *, folder: Path) -> list[dict[str, Any]]:
    """A month from unload to load, and its scoring alone."""
    home, warm = catalogue(folder, products), WARM_BYTES * products
    stages: dict[str, list[dict[str, Any]]] = {"floor": [], "ours": []}
    pairs = alternate(
        lambda: _inner(floor_command(home, folder, warm_bytes=warm), stages["floor"], ("unload", "score", "load")),
        lambda: _inner(assets_command(home, "monthly", MONTH, warm_bytes=warm), stages["ours"], ("all",)),
        repeats,
        before_each=lambda: empty(home, floor=folder / "floor"),
        warm_up=False,
    )
    floors, ours = ([one["score"][0] / products for one in stages[name]] for name in ("floor", "ours"))
    note = f"{products:,} products x 4 models, unload to load"
    return [
        compared(f"monthly inference, {products:,} products: wall", pairs, goal=1.10, note=note).as_dict(),
        compared(
            f"monthly inference, {products:,} products: CPU", pairs, goal=1.10, of="cpu_seconds", note=note
        ).as_dict(),
        ratio_of(
            f"scoring {products:,} products by 4 models: seconds per product", floors, ours, goal=1 / 0.9, unit="s",
            note="reading, scoring and writing; the floor is the best hand-written scorer",
            beside={"products_per_second": 1 / statistics.median(ours)},
        ).as_dict(),
    ]  # fmt: skip


def measure_memory(repeats: int, sizes: Sequence[int] = MEMORY_SIZES, *, folder: Path) -> list[dict[str, Any]]:
    """Peak memory of a month's run, whole process with imports, by size; and how it grows from the last but one."""
    peaks: dict[int, list[float]] = {}
    results: list[dict[str, Any]] = []
    for size in sizes:
        home = catalogue(folder, size)
        (runs,) = run_in_turns(
            [lambda home=home: _run(assets_command(home, "monthly", MONTH))[0]], repeats,
            before_each=lambda home=home: empty(home), warm_up=False,
        )  # fmt: skip
        peaks[size] = [run.peak_rss_mb for run in runs]
        results.append(
            limited(f"peak memory, {size:,} products", peaks[size], limit=MEMORY_GOAL_MB, unit="MB").as_dict()
        )
    for smaller, larger in itertools.pairwise(sizes):
        goal = 1.1 if larger == max(MEMORY_SIZES) else None
        name = f"peak memory of {larger:,} products against {smaller:,}"
        results.append(ratio_of(name, peaks[smaller], peaks[larger], goal=goal, unit="MB").as_dict())
    return results


def measure_daily(
    repeats: int, products: int = PRODUCTS, smaller: int = 1_000_000, *, folder: Path
) -> list[dict[str, Any]]:
    """10,000 new products in a large catalogue against the same in a smaller one."""
    homes = [catalogue(folder, size) for size in (smaller, products)]
    pairs = alternate(
        *(lambda home=home: _inner(assets_command(home, "daily", DAY), [], ("all",)) for home in homes),
        repeats,
        before_each=lambda: [empty(home) for home in homes],
    )
    name = f"a day of 10,000 products in {products:,} against {smaller:,}"
    return [
        compared(f"{name}: wall", pairs, goal=1.2).as_dict(),
        compared(f"{name}: CPU", pairs, goal=1.2, of="cpu_seconds").as_dict(),
    ]


def measure_features_day(repeats: int, products: int = PRODUCTS, *, folder: Path) -> list[dict[str, Any]]:
    """A day's product_features by dbt, as it times its model, against the same SQL in one transaction by hand.

    The process builds the day twice: what dbt makes of its macros the first time is there the second.
    """
    home = catalogue(folder, products)
    commands: list[dict[str, Any]] = []
    build = [sys.executable, "-m", "benchmarks.inference_platform", "features", home.settings.home, DAY]
    _run(build)  # the compiled SQL is this run's
    query = next((home.settings.dbt_target_path / "compiled").rglob("product_features.sql"))
    by_hand = [sys.executable, FLOORS / "features_day.py", home.settings.warehouse_path, query, DAY]
    floors: list[dict[str, Any]] = []
    first = alternate(
        lambda: _inner(by_hand, floors, ("model",)), lambda: _inner(build, commands, ("model",)), repeats, warm_up=False
    )
    return [
        compared(
            f"dbt features, a new day on {products:,} products: wall of the model", first, goal=1.5,
            beside={"dbt_command_wall_seconds": statistics.median(one["model_command"][0] for one in commands)},
            note="the first in its process: dbt compiles the macros it uses, once per process",
        ).as_dict(),
        ratio_of(
            "dbt features, the next day in the process: wall of the model",
            [one["again"][0] for one in floors], [one["again"][0] for one in commands], goal=1.5, unit="s",
            beside={"dbt_command_wall_seconds": statistics.median(one["again_command"][0] for one in commands)},
        ).as_dict(),
    ]  # fmt: skip


def measure_workers(repeats: int, products: int = 1_000_000, *, folder: Path) -> list[dict[str, Any]]:
    """1, 2 and 4 workers, one core each, that take every n-th part: wall of all, against one worker's share."""
    home = catalogue(folder, products)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        work = Path(scratch)
        parts = 2 * max(WORKERS)
        _run([*floor_command(home, work, rows_per_part=-(-products // parts)), "--stage", "unload"])
        models = work / "models.json"
        models.write_text(json.dumps({name: str(path) for name, path in home.models.items()}))
        runs = run_in_turns(
            [lambda count=count: _score_by(count, work, models) for count in WORKERS], repeats, warm_up=False
        )
        _check_same_bytes(work)
    one = [run.wall_seconds for run in runs[0]]
    return [
        ratio_of(
            f"{count} workers, {products:,} products: wall against one worker",
            one, [run.wall_seconds for run in runs[at]], goal=None, unit="s",
            beside={"cpu_seconds": runs[at][0].cpu_seconds},
            note="each worker has one core, as far as there are cores; start-up included",
        ).as_dict()
        for at, count in enumerate(WORKERS[1:], start=1)
    ]  # fmt: skip


def catalogue(folder: Path, products: int) -> Catalogue:
    """The home with so many products under `folder`; the first one's models are taken for all."""
    folder.mkdir(parents=True, exist_ok=True)
    trained = next((path.parent for path in sorted(folder.glob("*/catalogue.made"))), None)
    return make_catalogue(folder / f"products_{products}", products, models_of=trained)


def empty(home: Catalogue, *, floor: Path | None = None) -> None:
    """Make the home one that has not predicted yet, on a machine that has nothing left to write.

    The floor leaves its files to the operating system, which would write them while ours runs, and keep them in memory
    that ours then has to wait for: those below `floor` are removed, too.
    """
    if floor is not None:
        shutil.rmtree(floor, ignore_errors=True)
    for cadence in ("monthly", "daily"):
        shutil.rmtree(home.settings.artifacts_path / cadence, ignore_errors=True)
    for path in home.settings.dagster_home.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    with duckdb.connect(str(home.settings.warehouse_path)) as connection:
        connection.execute("truncate ml.predictions; truncate ml.prediction_loads; checkpoint")
    os.sync()


def floor_command(
    home: Catalogue, folder: Path, rows_per_part: int = ROWS_PER_PART, warm_bytes: int = 0
) -> list[str | Path]:
    """The floor of a month."""
    models = folder / "floor_models.json"
    models.write_text(json.dumps({name: str(path / "model" / "model.cbm") for name, path in home.models.items()}))
    return [
        sys.executable, FLOORS / "inference.py", home.settings.warehouse_path, models, folder / "floor",
        f"{MONTH_END:%Y-%m-%d}", "--rows-per-part", str(rows_per_part), "--warm-bytes", str(warm_bytes), "--figures",
    ]  # fmt: skip


def assets_command(home: Catalogue, cadence: str, partition: str, warm_bytes: int = 0) -> list[str | Path]:
    """The platform's own run of a cadence."""
    script = [sys.executable, "-m", "benchmarks.inference_platform"]
    return [*script, "assets", home.settings.home, cadence, partition, str(warm_bytes)]


def _run(command: Sequence[str | Path]) -> tuple[Usage, dict[str, Any]]:
    """Run a command that writes its figures to the path at its end."""
    with tempfile.TemporaryDirectory() as scratch:
        figures = Path(scratch) / "figures.json"
        arguments = [*command, figures]
        if "--stage" in command:  # an option's value must not come between
            at = arguments.index("--figures")
            arguments = [*arguments[: at + 1], figures, *arguments[at + 1 : -1]]
        usage = run_command(arguments, cwd=ROOT)
        return usage, json.loads(figures.read_text(encoding="utf-8"))


def _inner(command: Sequence[str | Path], collected: list[dict[str, Any]], stages: Sequence[str]) -> Usage:
    """What the stages took without the command's start-up; the peak is that of the whole process."""
    usage, figures = _run(command)
    collected.append(figures)
    wall, cpu = (sum(figures[stage][at] for stage in stages) for at in (0, 1))
    return replace(usage, wall_seconds=wall, cpu_seconds=cpu)


def _score_by(count: int, work: Path, models: Path) -> Usage:
    """So many workers at the same time, as one: they are started by a shell that waits for all."""
    output = work / f"by_{count}"
    shutil.rmtree(output, ignore_errors=True)
    worker = f"{sys.executable} -m benchmarks.inference_platform shard {work / 'floor' / 'inventory'} {models} {output}"
    started = " ".join(f"{worker} {number} {count} {work / f'figures_{number}'} &" for number in range(count))
    return run_command(["sh", "-c", f"{started} wait"], cwd=ROOT)


def _check_same_bytes(work: Path) -> None:
    """What many workers wrote is what one wrote, to the byte."""
    expected = {path.relative_to(work / "by_1"): path.read_bytes() for path in (work / "by_1").glob("part-*/*")}
    for count in WORKERS[1:]:
        found = {
            path.relative_to(work / f"by_{count}"): path.read_bytes()
            for path in (work / f"by_{count}").glob("part-*/*")
        }
        if not expected or found != expected:
            raise RuntimeError(f"{count} workers wrote other predictions than one")
