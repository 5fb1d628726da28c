"""Which measurements there are: every `measure_*` function of the modules listed here."""

import importlib
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
    "control.itself": {"rows": 4_000_000},
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
"""Arguments that make a measurement take seconds, by its name; {} for one that always does."""


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

        A parameter `folder` gets `cache`, where inputs stay from run to run, and `home` a home there in which a small
        demo has run.
        """
        parameters = inspect.signature(self.function).parameters
        arguments: dict[str, Any] = {}
        if "folder" in parameters:
            arguments["folder"] = cache
            cache.mkdir(parents=True, exist_ok=True)
        if "home" in parameters:
            arguments["home"] = demo_home(cache)
        return self.function(repeats, **arguments, **(SMALL[self.name] if quick else {}))


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


def all_measurements() -> list[Measurement]:
    """In the order of the modules and of their source."""
    return [
        Measurement(f"{module}.{name.removeprefix(PREFIX)}", function)
        for module in MODULES
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
