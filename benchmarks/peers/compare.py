"""Runs the same job in each orchestrator and on the platform: cost, re-run, resume, kill. See docs/benchmarks.md."""

import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from benchmarks.machine import describe_machine, load_per_core
from benchmarks.measuring import CommandFailedError, Pairs, Usage, compared, run_command, run_in_turns
from benchmarks.page import write_page
from benchmarks.peers.orchestrators import ORCHESTRATORS, Orchestrator, Words, environment_of
from benchmarks.results_file import LATEST, Figure, merged, read_results, write_results

RESULTS = Path(__file__).resolve().parents[1] / "results" / "peers.json"
FLOOR = Path(__file__).resolve().parent / "floor.py"
REPEATS = 5
PACKAGE_TYPE = "bag"
"""Whose evaluation fails, or hangs when the process is killed: the second of four."""

TIMEOUT = 1800.0
KILLED_AFTER = 600.0
"""Seconds in which the evaluation that is to hang must have been reached."""


class NeverHungError(RuntimeError):
    """The job ended, or took too long, before the step at which it was to be killed."""


@dataclass(frozen=True)
class Place:
    """One orchestrator's work folder: its storage as prepared, the warehouse, and what a run leaves there."""

    orchestrator: Orchestrator
    work: Path
    prepared: Path

    @classmethod
    def of(cls, orchestrator: Orchestrator, folder: Path, warehouse: Path) -> "Place":
        """Make the folder and let the orchestrator create its storage."""
        place = cls(orchestrator, folder / "work", folder / "prepared")
        (place.work / "home" / "dagster").mkdir(parents=True)
        (place.work / "home" / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        os.link(warehouse, place.work / warehouse.name)
        if orchestrator.prepare:
            place.run(orchestrator.prepare)
        shutil.copytree(place.work / "home", place.prepared)
        return place

    def run(self, words: Words, *, exit_codes: Sequence[int] = (0,)) -> Usage:
        """Run one of the orchestrator's commands here."""
        cwd = self.orchestrator.cwd or self.work
        return run_command(words, cwd=cwd, env=environment_of(self.work), exit_codes=exit_codes, timeout=TIMEOUT)

    def start_afresh(self) -> None:
        """As after `prepare`: no run known, nothing computed."""
        for name in ("home", "data"):
            shutil.rmtree(self.work / name, ignore_errors=True)
        for name in ("trace.log", "registry.db", "fail", "hang", "hanging"):
            (self.work / name).unlink(missing_ok=True)
        shutil.copytree(self.prepared, self.work / "home")

    def ask_for(self, what: str) -> None:
        """Make the evaluation of `PACKAGE_TYPE` "fail" or "hang"."""
        (self.work / what).write_text(PACKAGE_TYPE)

    def computed(self) -> Counter[str]:
        """How often each step ran since the last call."""
        trace = self.work / "trace.log"
        names = trace.read_text().split() if trace.exists() else []
        trace.unlink(missing_ok=True)
        return Counter(names)


def whole_job(place: Place) -> Callable[[], Usage]:
    """From nothing to predictions."""

    def run() -> Usage:
        place.start_afresh()
        usage = place.run(place.orchestrator.run)
        _check_complete(place)
        return usage

    return run


def rerun(place: Place, repeats: int) -> Figure:
    """The job again with nothing changed, after `whole_job`."""
    place.computed()
    usages = [place.run(place.orchestrator.again or place.orchestrator.run) for _ in range(repeats)]
    computed = place.computed()
    return {
        "wall_seconds": _median([usage.wall_seconds for usage in usages]),
        "cpu_seconds": _median([usage.cpu_seconds for usage in usages]),
        "computed": {name: count / repeats for name, count in sorted(computed.items())},
    }


def resume_after_failure(place: Place) -> Figure:
    """The evaluation of one type fails; its cause is removed; the job goes on by the documented way."""
    place.start_afresh()
    place.ask_for("fail")
    failed = place.run(place.orchestrator.run, exit_codes=range(-64, 256))
    before = place.computed()
    (place.work / "fail").unlink()
    resumed = place.run(place.orchestrator.resume, exit_codes=range(-64, 256))
    return {
        "exit_code_of_failure": failed.exit_code,
        "champions_before": before["champion"],
        **_gone_on(place, resumed, before),
    }


def resume_after_kill(place: Place) -> Figure:
    """SIGKILL to the command amid the evaluation of one type; then as after a failure."""
    place.start_afresh()
    place.ask_for("hang")
    left_running = _kill_when_hanging(place)
    before = place.computed()
    for name in ("hang", "hanging"):
        (place.work / name).unlink()
    resumed = place.run(place.orchestrator.resume, exit_codes=range(-64, 256))
    return {"left_running": left_running, **_gone_on(place, resumed, before)}


def _gone_on(place: Place, resumed: Usage, before: Counter[str]) -> Figure:
    computed = place.computed()
    return {
        "exit_code": resumed.exit_code,
        "wall_seconds": resumed.wall_seconds,
        "computed": dict(sorted(computed.items())),
        "trained_again": max(0, before["train"] + computed["train"] - 4),
        "is_complete": (place.work / "data").exists() and computed["predictions"] == 1,
    }


def _kill_when_hanging(place: Place) -> int:
    """How many processes still ran two seconds after the command was killed; they are ended then.

    Raises:
        NeverHungError: the command ended first, or `KILLED_AFTER` seconds passed.
    """
    cwd = place.orchestrator.cwd or place.work
    process = subprocess.Popen(  # noqa: S603 - the command of one of ORCHESTRATORS
        [str(word) for word in place.orchestrator.run], cwd=cwd, env=environment_of(place.work),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_until_hanging(place, process)
        process.kill()
        process.wait()
        time.sleep(2)
        return len(_processes_of(place.work))
    finally:
        for number in _processes_of(place.work):
            os.kill(number, signal.SIGKILL)


def _wait_until_hanging(place: Place, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + KILLED_AFTER
    while not (place.work / "hanging").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NeverHungError(f"{place.orchestrator.name}: the evaluation of {PACKAGE_TYPE} was not reached")
        time.sleep(0.05)


def _processes_of(work: Path) -> list[int]:
    """The processes that were started with this work folder in their environment, as children inherit it; Linux only.

    Of what has ended and was not waited for, the environment is empty.
    """
    marker = f"PEER_WORK={work}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if marker in variables:
            found.append(int(folder.name))
    return found


def _check_complete(place: Place) -> None:
    """Refuse to count a run that did not do the whole job.

    Raises:
        ValueError: a step did not run, or ran twice.
    """
    trace = Counter((place.work / "trace.log").read_text().split())
    expected = dict.fromkeys(("labels", "features", "inventory", "predictions"), 1)
    expected |= dict.fromkeys(("split", "train", "evaluate", "judge", "register", "champion"), 4)
    if trace != expected:
        raise ValueError(f"{place.orchestrator.name} ran {dict(trace)} where each step of {expected} was due")


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _version(orchestrator: Orchestrator) -> str:
    code = f"import importlib.metadata as m; print(m.version({orchestrator.distribution!r}))"
    done = subprocess.run(  # noqa: S603
        [orchestrator.python, "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, metavar="NAME", help="Only those whose name contains this; can be repeated.")
@click.option("--repeats", default=REPEATS, show_default=True, type=click.IntRange(min=1))
@click.option("--labelled", default=10_000, show_default=True, help="Labelled products, each in four package types.")
@click.option("--to-score", default=500_000, show_default=True, help="Products to score.")
@click.option("--output", default=RESULTS, type=click.Path(dir_okay=False, path_type=Path))
def main(only: tuple[str, ...], repeats: int, labelled: int, to_score: int, output: Path) -> None:
    """Compare other orchestrators with the platform on one job of 28 steps.

    Each does the whole job in turns with the floor, the same steps in a plain
    script; then again with nothing changed, after an evaluation that failed,
    and after a kill. Figures are kept for each as soon as they are there.
    `make bench-peers` installs all of them first, below .peers/.
    """
    console = Console()
    chosen = [one for one in ORCHESTRATORS if not only or any(part.lower() in one.name.lower() for part in only)]
    failed = 0
    for number, orchestrator in enumerate(chosen, start=1):
        console.print(f"[bold]{orchestrator.name}[/bold] ({number} of {len(chosen)})")
        try:
            with tempfile.TemporaryDirectory(prefix="peers-") as folder:
                figure = measure(
                    orchestrator, Path(folder), repeats, labelled=labelled, to_score=to_score, say=console.print
                )
        except (CommandFailedError, NeverHungError, OSError, ValueError) as error:
            failed += 1
            console.print(f"  [red]failed[/red] {escape(str(error))}")
            continue
        write_results(merged(read_results(output), [figure]), output)
    for figure in read_results(output):
        console.print(f"{figure['name']:22} {figure['ratio']:6.2f} x the floor", highlight=False)
    if output.resolve() == RESULTS:
        write_page(read_results(LATEST))
    raise SystemExit(1 if failed else 0)


def measure(
    orchestrator: Orchestrator,
    folder: Path,
    repeats: int,
    *,
    labelled: int,
    to_score: int,
    say: Callable[[str], object] = print,
) -> dict[str, Any]:
    """Everything about one orchestrator, with a floor of its own run.

    Raises:
        FileNotFoundError: its environment has not been made.
    """
    if not orchestrator.python.exists():
        raise FileNotFoundError(f"{orchestrator.python} is not there: run make bench-peers-install first.")
    warehouse = folder / "warehouse.duckdb"
    _make_warehouse(warehouse, labelled, to_score)
    place = Place.of(orchestrator, folder / "peer", warehouse)
    floor_work = folder / "floor"
    floor_work.mkdir()
    os.link(warehouse, floor_work / warehouse.name)
    load = load_per_core()
    say("  the whole job, in turns with the floor")
    floor = [sys.executable, FLOOR, floor_work]
    # A single run is for trying it out, and needs no warm-up.
    floors, ours = run_in_turns([floor, whole_job(place)], repeats, warm_up=repeats > 1)
    note = f"{labelled} labelled products in four package types, {to_score} products scored, 28 steps"
    pairs = Pairs(floors, ours)
    result = compared(orchestrator.name, pairs, goal=None, note=note).as_dict()
    cpu = compared(orchestrator.name, pairs, goal=None, of="cpu_seconds")
    say("  again with nothing changed")
    again = rerun(place, repeats)
    say("  after a failed evaluation")
    failure = resume_after_failure(place)
    say("  after a kill")
    return {
        **result,
        "cpu_ratio": float(f"{cpu.ratio:.4g}"),
        "cpu_spread": float(f"{cpu.spread:.4g}"),
        "version": _version(orchestrator),
        "configured": orchestrator.configured,
        "left_behind": max(usage.left_behind for usage in ours),
        "again": again,
        "failure": failure,
        "kill": resume_after_kill(place),
        "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "load_before": round(load, 2),
        "machine": describe_machine(),
    }


def _make_warehouse(file: Path, labelled: int, to_score: int) -> None:
    from benchmarks.peers import steps

    steps.make_warehouse(file, labelled=labelled, to_score=to_score)


if __name__ == "__main__":
    main()
