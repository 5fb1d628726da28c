"""How every figure is taken: a floor and ours in turns, in processes of their own, as a ratio with its spread.

A measurement is a function `measure_<what>(repeats: int) -> list[dict]` in a module that `benchmarks/measurements.py`
lists, with sizes so small that it takes seconds. It builds its inputs under a temporary folder, or under the one that
it gets as `folder` if they take long to make, lets `alternate` run the two commands in turns, and returns results:

    pairs = alternate([sys.executable, FLOOR, inputs], ["packaging", "run", ...], repeats, before_each=empty_the_home)
    return [
        compared("weekly training: wall", pairs, goal=1.05).as_dict(),
        compared("weekly training: CPU", pairs, goal=1.05, of="cpu_seconds").as_dict(),
    ]

Modules import it as `benchmarks.measuring`; `run.py` and pytest put the root of the repository on the path.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

_PROCESS = Path(__file__).with_name("measured_process.py")

Measure = Literal["wall_seconds", "cpu_seconds", "peak_rss_mb"]
UNITS: Mapping[str, str] = {"wall_seconds": "s", "cpu_seconds": "CPU s", "peak_rss_mb": "MB"}


class CommandFailedError(RuntimeError):
    """A measured command ended otherwise than it should; the message has the end of what it printed."""


@dataclass(frozen=True)
class Usage:
    """What one run of something used.

    `cpu_seconds` are user and system time of the command and of all its descendants. `peak_rss_mb` is the largest
    resident memory of any single one of these processes, in MiB. `exit_code` is negative for a signal.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    exit_code: int = 0
    left_behind: int = 0
    """Processes that still ran when the command had ended; they were ended, and their CPU seconds are counted."""


Command = Sequence[str | Path]
Work = Command | Callable[[], Usage]
"""A command line, or a function that runs one (or several, adding them up with `total`) and says what was used."""


def run_command(
    command: Command,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    exit_codes: Sequence[int] = (0,),
    timeout: float | None = None,
) -> Usage:
    """Run the command to its exit, its output kept out of sight, and say what it and its descendants used.

    Raises:
        CommandFailedError: it ended with none of `exit_codes`, or took longer than `timeout` seconds.
    """
    words = [str(word) for word in command]
    with tempfile.TemporaryDirectory() as folder:
        result, output = Path(folder) / "usage.json", Path(folder) / "output"
        with output.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - benchmarks run the commands they name
                [sys.executable, "-I", "-S", str(_PROCESS), str(result), *words],
                cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
            )  # fmt: skip
            late = _wait(process, timeout)
        end = "\n".join(output.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])
        if late or not result.exists():
            why = f"took longer than {timeout} s" if late else "could not be started"
            raise CommandFailedError(f"{' '.join(words)} {why}. It printed last:\n{end}")
        usage = Usage(**json.loads(result.read_text(encoding="utf-8")))
    if usage.exit_code not in exit_codes:
        raise CommandFailedError(f"{' '.join(words)} ended with {usage.exit_code}. It printed last:\n{end}")
    return usage


def total(usages: Sequence[Usage]) -> Usage:
    """Several commands one after the other as one: times added, the largest peak."""
    return Usage(
        wall_seconds=sum(usage.wall_seconds for usage in usages),
        cpu_seconds=sum(usage.cpu_seconds for usage in usages),
        peak_rss_mb=max(usage.peak_rss_mb for usage in usages),
        left_behind=sum(usage.left_behind for usage in usages),
    )


@dataclass(frozen=True)
class Pairs:
    """Runs of the floor and of ours, taken in turns: the n-th of one next to the n-th of the other."""

    floor: tuple[Usage, ...]
    ours: tuple[Usage, ...]


def alternate(
    floor: Work, ours: Work, repeats: int, *, before_each: Callable[[], object] | None = None, warm_up: bool = True
) -> Pairs:
    """Run floor, ours, floor, ours, ... so that a machine that slows down slows both.

    `before_each` runs before each run, unmeasured: empty a folder, restore a state. One unmeasured run of each comes
    first (files in the page cache, modules compiled), unless `warm_up` is off.
    """
    floors, those_of_ours = run_in_turns([floor, ours], repeats, before_each=before_each, warm_up=warm_up)
    return Pairs(floors, those_of_ours)


def run_in_turns(
    works: Sequence[Work], repeats: int, *, before_each: Callable[[], object] | None = None, warm_up: bool = True
) -> list[tuple[Usage, ...]]:
    """Run all of `works` one after the other, `repeats` times: the usages of each, as `alternate` does for two."""
    runs: list[list[Usage]] = [[] for _ in works]
    for turn in range(-1 if warm_up else 0, repeats):
        for number, work in enumerate(works):
            if before_each is not None:
                before_each()
            name = "warm-up" if turn < 0 else f"round {turn + 1} of {repeats}"
            report_detail.get()(f"{name}, {number + 1} of {len(works)}")
            usage = work() if callable(work) else run_command(work)
            if turn >= 0:
                runs[number].append(usage)
    return [tuple(usages) for usages in runs]


report_detail: ContextVar[Callable[[str], None]] = ContextVar("report_detail", default=lambda _: None)
"""Where measurements say what they are doing at the moment: `run.py` puts its progress bar here."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One figure: what ours cost over what the floor cost. Smaller is better; `ratio <= goal` is reaching the goal.

    `floor` and `ours` are medians in `unit`, `ratio` is one over the other, `spread` is half the interquartile range
    of the ratios of the pairs. `kind` is "floor" if the floor was measured; it is "limit" if the goal is a plain
    figure: then `floor` is 1 `unit`, so that `ratio` is the figure itself and `goal` the limit as stated.
    """

    name: str
    ratio: float
    goal: float | None
    floor: float
    ours: float
    unit: str
    spread: float
    kind: Literal["floor", "limit"] = "floor"
    runs: int
    floor_runs: tuple[float, ...] = ()
    our_runs: tuple[float, ...] = ()
    beside: Mapping[str, float] = field(default_factory=dict[str, float])
    """Further figures of the same runs: CPU seconds beside wall, peak memory; or a measured floor beside a limit."""
    note: str = ""
    """What was measured, in a sentence: sizes, what the floor is, what was left out."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON, without what is empty, rounded to four significant digits."""
        return {key: _rounded(value) for key, value in asdict(self).items() if value not in ((), {}, "")}


def compared(
    name: str,
    pairs: Pairs,
    *,
    goal: float | None,
    of: Measure = "wall_seconds",
    note: str = "",
    beside: Mapping[str, float] | None = None,
) -> Result:
    """Ours against the floor, by one measure of the pairs; the other measures stand beside it."""
    floors, ours = _values(pairs.floor, of), _values(pairs.ours, of)
    others: dict[str, float] = {}
    for measure in UNITS:
        if measure != of:
            others[f"floor_{measure}"] = statistics.median(_values(pairs.floor, measure))
            others[f"ours_{measure}"] = statistics.median(_values(pairs.ours, measure))
    return ratio_of(name, floors, ours, goal=goal, unit=UNITS[of], note=note, beside={**others, **(beside or {})})


def ratio_of(
    name: str,
    floors: Sequence[float],
    ours: Sequence[float],
    *,
    goal: float | None,
    unit: str,
    note: str = "",
    beside: Mapping[str, float] | None = None,
) -> Result:
    """Ours against the floor, from any paired costs: seconds per row, megabytes.

    Raises:
        ValueError: the two are not of one length, there is none, or one is not above zero.
    """
    if len(floors) != len(ours) or not floors:
        raise ValueError(f"{name}: {len(floors)} runs of the floor and {len(ours)} of ours; measure equally many.")
    if min(*floors, *ours) <= 0:
        raise ValueError(f"{name}: a cost of {min(*floors, *ours)} {unit}; only costs above zero have a ratio.")
    ratios = [our / floor for floor, our in zip(floors, ours, strict=True)]
    return Result(
        name=name,
        ratio=statistics.median(ours) / statistics.median(floors),
        goal=goal,
        floor=statistics.median(floors),
        ours=statistics.median(ours),
        unit=unit,
        spread=half_interquartile_range(ratios),
        runs=len(ours),
        floor_runs=tuple(floors),
        our_runs=tuple(ours),
        beside=dict(beside or {}),
        note=note,
    )


def limited(
    name: str,
    ours: Sequence[float],
    *,
    limit: float,
    unit: str,
    note: str = "",
    beside: Mapping[str, float] | None = None,
) -> Result:
    """A goal that is a plain figure, as "at most 4 s": `floor` is 1 unit, `ratio` ours, `goal` the limit.

    A floor that was measured in the same run goes to `beside`, as {"floor": 1.9}.

    Raises:
        ValueError: there is no run, or a figure is not above zero.
    """
    result = ratio_of(name, [1.0] * len(ours), ours, goal=limit, unit=unit, note=note, beside=beside)
    return replace(result, kind="limit", floor_runs=())


def half_interquartile_range(values: Sequence[float]) -> float:
    """Half of what lies between the first and third quartile (of the sample, with its ends); 0 for a single value."""
    if len(values) < 2:  # noqa: PLR2004 - quartiles need two
        return 0.0
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return (third - first) / 2


def _values(usages: Sequence[Usage], measure: Measure) -> list[float]:
    return [getattr(usage, measure) for usage in usages]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, tuple) else value


def _wait(process: subprocess.Popen[bytes], timeout: float | None) -> bool:
    """Whether the time ran out; the command is ended then, and when the wait is interrupted."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        return True
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return False
