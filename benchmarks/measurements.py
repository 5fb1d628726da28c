"""Which measurements there are: every `measure_*` function of the modules listed here."""

import importlib
import importlib.util
import inspect
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import run_command

MODULES = ("control", "orchestration", "training", "inference")
"""Of benchmarks/, in the order in which they are measured."""

PREFIX = "measure_"

SMALL: Mapping[str, Mapping[str, Any]] = {
    "orchestration.step": {},
    "orchestration.help": {},
    "orchestration.load": {},
    "orchestration.cached_job": {},
    "orchestration.ui": {},
    "orchestration.many_models": {},
    "training.weekly_training": {"labelled": 2_000},
    "training.small_training": {"labelled": 4_000, "products": 8_000},
    "inference.monthly": {"products": 20_000},
    "inference.memory": {"sizes": (10_000, 20_000)},
    "inference.daily": {"products": 40_000, "smaller": 20_000},
    "inference.features_day": {"products": 20_000},
    "inference.workers": {"products": 20_000},
}
"""Arguments that make a measurement take seconds, by its name, for those without a parameter `quick`; {} for one that
always does."""

FOLDERS = ("cache", "folder")
"""Parameters that get the folder in which inputs stay from run to run."""

HOME = "home"
"""Parameter that gets a home in which a small demo has run."""


@dataclass(frozen=True)
class Measurement:
    """A function that takes figures, and the name by which `--only` asks for it: `training.weekly`."""

    name: str
    function: Callable[..., list[dict[str, Any]]]

    @property
    def what(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def take(self, repeats: int, *, quick: bool, cache: Path) -> list[dict[str, Any]]:
        """The figures, at small sizes if `quick`.

        A parameter in `FOLDERS` gets a folder below `cache`, and `HOME` a home there, made when it is first asked for.
        Sizes are small by the parameter `quick`, or by the entry in `SMALL`.

        Raises:
            ValueError: small sizes are asked for, and there is neither.
        """
        parameters = inspect.signature(self.function).parameters
        arguments: dict[str, Any] = {}
        for name in FOLDERS:
            if name in parameters:
                arguments[name] = cache
                cache.mkdir(parents=True, exist_ok=True)
        if HOME in parameters:
            arguments[HOME] = demo_home(cache)
        if "quick" in parameters:
            arguments["quick"] = quick
        elif quick:
            if self.name not in SMALL:
                raise ValueError(f"{self.name} has no small sizes: give it a parameter `quick`, or an entry in SMALL.")
            arguments |= SMALL[self.name]
        return self.function(repeats, **arguments)


def demo_home(cache: Path) -> Path:
    """A home below `cache` in which a demo of 3,000 products and three weeks has run; it is made once.

    Raises:
        CommandFailedError: the demo failed.
    """
    home = cache / "demo_home"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        program = Path(sys.executable).with_name("packaging")
        run_command([program, "demo", "--products", "3000", "--weeks", "3", "--seed", "7", "--home", home])
        (home / "complete").touch()
    return home


def all_measurements(modules: Sequence[str] = MODULES) -> list[Measurement]:
    """In the order of the modules and of their source."""
    present = [module for module in modules if importlib.util.find_spec(f"benchmarks.{module}") is not None]
    return [
        Measurement(f"{module}.{name.removeprefix(PREFIX)}", function)
        for module in present
        for name, function in vars(importlib.import_module(f"benchmarks.{module}")).items()
        if name.startswith(PREFIX) and inspect.isfunction(function) and function.__module__ == f"benchmarks.{module}"
    ]


def chosen(measurements: Sequence[Measurement], only: Sequence[str]) -> list[Measurement]:
    """Those whose name begins with one of `only`; all if there is none.

    Raises:
        ValueError: one of `only` is the beginning of no name.
    """
    for beginning in only:
        if not any(measurement.name.startswith(beginning) for measurement in measurements):
            names = ", ".join(measurement.name for measurement in measurements)
            raise ValueError(f"no measurement is named {beginning!r}: there are {names}.")
    return [m for m in measurements if not only or m.name.startswith(tuple(only))]
