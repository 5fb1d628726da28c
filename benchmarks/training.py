"""What the weekly training costs over the same learning in plain Python, and the small job from command to exit.

Floors and platform alternate, each in a fresh process on a fresh copy of the same home. There are two floors, one
process with two threads and two processes with one; ours is held against the one of less wall time.
"""

import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import Pairs, Usage, compared, run_command, run_in_turns
from benchmarks.training_home import MONTH, WEEK, fresh_copy, labelled_home
from packaging_assets.domain.architectures.catboost import DEFAULTS
from packaging_assets.domain.features import DEFAULT_FEATURES
from packaging_assets.domain.models import TrainParams
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.settings import Settings

ROOT = Path(__file__).parent.parent
FLOOR = ROOT / "benchmarks" / "floors" / "training.py"
SMALL_JOB = ROOT / "benchmarks" / "small_training_job.py"

AS_OF = "2025-01-20"
"""The end of the week that is trained, exclusive."""

LARGE_GOAL = 1.05
SMALL_GOAL = 1.25
PRODUCTS_PER_LABELLED = 1.25
SMALL_LABELLED, SMALL_PRODUCTS, SMALL_TREES = 40_000, 500_000, 100

CommandOf = Callable[[Settings], list[str]]


def measure_weekly_training(repeats: int, folder: Path, *, labelled: int = 200_000) -> list[dict[str, Any]]:
    """`packaging run weekly` (labels to champion, four types) against the better floor: wall, and CPU."""
    home = labelled_home(folder, labelled, round(labelled * PRODUCTS_PER_LABELLED))
    command = [str(Path(sys.executable).with_name("packaging")), "run", "weekly", "--partition", WEEK]
    pairs, floor = _pairs(repeats, home, _floors({}, []), lambda copy: [*command, "--home", str(copy.home)])
    note = f"{labelled:,} labelled products, labels to champion; floor: {floor}"
    name = f"weekly training, {labelled:,} labelled products"
    return [
        compared(f"{name}: wall", pairs, goal=LARGE_GOAL, note=note).as_dict(),
        compared(f"{name}: CPU", pairs, goal=LARGE_GOAL, of="cpu_seconds", note=note).as_dict(),
    ]


def measure_small_training(
    repeats: int, folder: Path, *, labelled: int = SMALL_LABELLED, products: int = SMALL_PRODUCTS
) -> list[dict[str, Any]]:
    """Training with 100 trees and the scoring of a catalogue, in one process: command to exit."""
    home = labelled_home(folder, labelled, products)
    floors = _floors({"iterations": SMALL_TREES}, ["--score", AS_OF])
    overrides = {name: {"parameters": {"iterations": SMALL_TREES}} for name in PACKAGE_TYPES}
    command = [sys.executable, str(SMALL_JOB), WEEK, MONTH, json.dumps(overrides)]
    pairs, floor = _pairs(repeats, home, floors, lambda copy: [*command, str(copy.home)])
    note = f"{labelled:,} labelled products, {SMALL_TREES} trees, {products:,} products scored; floor: {floor}"
    name = f"small job, {labelled:,} labelled and {products:,} scored products"
    return [compared(f"{name}: wall", pairs, goal=SMALL_GOAL, note=note).as_dict()]


def _floors(parameters: Mapping[str, Any], options: Sequence[str]) -> dict[str, CommandOf]:
    """The two floors' commands, by name."""
    learner = {name: value for name, value in {**DEFAULTS, **parameters}.items() if name != "thread_count"}
    learner |= {"loss_function": "Logloss", "random_seed": TrainParams.model_fields["seed"].default}
    columns = {"numeric": DEFAULT_FEATURES.numeric, "categorical": DEFAULT_FEATURES.categorical}

    def command(processes: int) -> CommandOf:
        def of(copy: Settings) -> list[str]:
            given = ["--as-of", AS_OF, "--columns", json.dumps(columns), "--parameters", json.dumps(learner)]
            where = [str(copy.warehouse_path), str(copy.home / "floor")]
            return [sys.executable, str(FLOOR), *where, *given, "--processes", str(processes), *options]

        return of

    return {"1 process, 2 threads": command(1), "2 processes, 1 thread": command(2)}


def _pairs(repeats: int, home: Settings, floors: Mapping[str, CommandOf], ours: CommandOf) -> tuple[Pairs, str]:
    """The runs of ours and of the better floor, and that floor's name."""
    scratch = home.home.with_name(f"{home.home.name}.copy")

    def work(command: CommandOf) -> Callable[[], Usage]:
        def run() -> Usage:
            copy = fresh_copy(home, scratch)
            environment = {**os.environ, "PACKAGING_HOME": str(copy.home)}
            return run_command(command(copy), cwd=ROOT, env=environment)

        return run

    try:
        *runs, of_ours = run_in_turns([work(one) for one in (*floors.values(), ours)], repeats, warm_up=False)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    # The better one is that of less wall time, for both figures: nobody gets the one's wall and the other's CPU.
    by_floor = dict(zip(floors, runs, strict=True))
    best = min(by_floor, key=lambda name: statistics.median(run.wall_seconds for run in by_floor[name]))
    return Pairs(by_floor[best], of_ours), best
