"""One step on its way through SageMaker: as what job it runs, on how many machines, and what it reads from where."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from packaging_assets.artifacts.job import JobResources, RunAs
from packaging_assets.artifacts.step import Input, Origin, Step, open_input, origin_of
from packaging_assets.resources.sagemaker_jobs import JobKind
from packaging_assets.resources.sagemaker_names import tag_value

Merge = Callable[[Sequence[Path], BaseModel, Path], None]

TRAINING_STEPS = frozenset(
    {"packaging_assets.domain.models:train", "packaging_assets.domain.out_of_fold:score_out_of_fold"}
)

DRIVER_STEPS = frozenset(
    {
        "packaging_assets.domain.model_card:write_model_card",
        "packaging_assets.domain.inventory_checks:check_inventory",
        "packaging_assets.domain.prediction_checks:check_predictions",
        "packaging_assets.domain.outcomes:measure_live",
    }
)
"""Steps of seconds, for which a job, which takes minutes to start, is worth it for large inputs only."""

MAX_DRIVER_BYTES = 256 * 1024 * 1024
"""What the inputs of a step may have together for it to run in the driver by default; larger ones are not fetched."""


@dataclass(frozen=True)
class PartedStep:
    """A step that can run on each file of one input by itself.

    `merge` is the import path of the function that makes one output of the many.
    """

    input: str
    merge: str

    def load_merge(self) -> Merge:
        """The function."""
        module, _, name = self.merge.partition(":")
        return cast("Merge", getattr(importlib.import_module(module), name))


PARTED_STEPS: Mapping[str, PartedStep] = {
    "packaging_assets.domain.predictions:predict": PartedStep(
        "inventory", "packaging_assets.domain.prediction_shards:merge_predictions"
    )
}


class GivenInputs:
    """The inputs of a step, each opened, or asked where it is, once at most and only when somebody wants to know.

    Args:
        inputs: by name.
        scratch: where they are opened; need not exist.
    """

    def __init__(self, inputs: Mapping[str, Input], scratch: Path) -> None:
        self._inputs, self._scratch = inputs, scratch
        self._origins: dict[str, Origin | None] = {}
        self._folders: dict[str, Path] = {}

    @property
    def names(self) -> list[str]:
        """Sorted."""
        return sorted(self._inputs)

    def origin(self, name: str) -> Origin | None:
        """Where in S3 the input is, if it is there."""
        if name not in self._origins:
            self._origins[name] = origin_of(self._inputs[name])
        return self._origins[name]

    def folder(self, name: str) -> Path:
        """The input on this machine."""
        if name not in self._folders:
            self._folders[name] = open_input(self._inputs[name], self._scratch / name)
        return self._folders[name]

    def parts(self, name: str) -> dict[str, int]:
        """Bytes of the files directly in the input's folder, by name."""
        origin = self.origin(name)
        if origin is not None:
            return {file: origin.files[file] for file in sorted(origin.files) if "/" not in file}
        return {path.name: path.stat().st_size for path in sorted(self.folder(name).iterdir()) if path.is_file()}

    def is_nothing_but_parts(self, name: str) -> bool:
        """Whether the input is in S3, and has no files in folders of its own."""
        origin = self.origin(name)
        return origin is not None and not any("/" in file for file in origin.files)

    def stored_bytes(self) -> int:
        """Of all inputs that are in S3 together."""
        origins = (self.origin(name) for name in self.names)
        return sum(sum(origin.files.values()) for origin in origins if origin is not None)


@dataclass(frozen=True, kw_only=True)
class Work:
    """One step on its way through SageMaker. `parted` only where the job takes an input part by part."""

    step: Step
    given: GivenInputs
    params: BaseModel
    extra_modules: tuple[str, ...]
    kind: JobKind
    resources: JobResources
    tags: Mapping[str, str]
    parted: PartedStep | None

    @functools.cached_property
    def parts(self) -> dict[str, int]:
        """Bytes of each file of the input that comes in parts, by name."""
        return {} if self.parted is None else self.given.parts(self.parted.input)


def step_path(step: Step) -> str:
    """The step's import path."""
    return f"{step.__module__}:{step.__name__}"


def how_to_run(step: Step, given: GivenInputs, resources: JobResources) -> RunAs:
    """As what the step runs: as it was asked for, else as suits it."""
    path = step_path(step)
    if resources.run_as is not None:
        return resources.run_as
    if path in TRAINING_STEPS:
        return "training"
    if path in DRIVER_STEPS and given.stored_bytes() <= MAX_DRIVER_BYTES:
        return "driver"
    return "processing"


def plan_work(
    step: Step,
    given: GivenInputs,
    params: BaseModel,
    *,
    kind: JobKind,
    resources: JobResources,
    parted: PartedStep | None,
    extra_modules: Sequence[str],
    tags: Mapping[str, str],
) -> Work:
    """The step as a job of that kind: on as many machines as have something to do, with tags that AWS takes."""
    count = _machine_count(step, given, kind, resources.instance_count, parted)
    if kind == "training" or (kind == "processing" and count == 1):
        parted = None
    return Work(
        step=step,
        given=given,
        params=params,
        extra_modules=tuple(extra_modules),
        kind=kind,
        resources=dataclasses.replace(
            resources,
            run_as=kind,
            instance_count=count,
            use_spot=resources.use_spot and kind == "training",
        ),
        tags={key: tag_value(value) for key, value in {"packaging:step": step_path(step), **tags}.items()},
        parted=parted,
    )


def _machine_count(step: Step, given: GivenInputs, kind: JobKind, asked: int, parted: PartedStep | None) -> int:
    if kind == "training":
        return asked if step_path(step) in TRAINING_STEPS else 1
    if parted is None:
        return 1
    return max(1, min(asked, len(given.parts(parted.input))))
