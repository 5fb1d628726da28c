"""The shape of a step, of its inputs, and of what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from packaging_assets.artifacts.job import JobFacts, JobResources

Step = Callable[[Mapping[str, Path], Any, Path], None]
"""`step(inputs, params, output)`: reads the input folders, writes into the output folder, which exists and is empty.

`params` is a frozen pydantic model, of a class of the step's own.
"""

Tell = Callable[[str], None]
"""Takes what a job prints, some lines at a time."""


class Input(Protocol):
    """Something a step reads: known by its content before it is fetched."""

    @property
    def content_hash(self) -> str:
        """Equal for equal content; part of the fingerprint of every step that reads it."""
        ...

    def open(self, scratch: Path) -> Path:
        """The folder to read, fetched into the empty folder `scratch` if it is not at hand; called on a miss only."""
        ...


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where in S3 an input's files are: below `uri`, which ends at a slash, are exactly `files`, name -> bytes."""

    uri: str
    files: Mapping[str, int]


@runtime_checkable
class StoredInput(Input, Protocol):
    """An input that may be in S3 already, where a job elsewhere reads it without its being fetched here first."""

    def origin(self) -> Origin | None:
        """Where it is, or None."""
        ...


class Compute(Protocol):
    """Runs a step here or elsewhere, and returns when its output is in the output folder."""

    def using(
        self, resources: JobResources | None, *, tags: Mapping[str, str] | None = None, tell: Tell | None = None
    ) -> Compute:
        """The same compute for certain steps; one without jobs is the same for all, and gives itself.

        Args:
            resources: the machines of their jobs; None for those that it gives every step.
            tags: on their jobs, for costs to be grouped by.
            tell: gets what happens to the jobs and what they print.
        """
        ...

    def run(
        self,
        step: Step,
        inputs: Mapping[str, Input],
        params: BaseModel,
        output: Path,
        *,
        scratch: Path,
        fingerprint: str,
        extra_modules: Sequence[str] = (),
    ) -> JobFacts | None:
        """Run the step, and say by which job, if by one; raise what it raises.

        Args:
            step: a function at the top level of a module.
            inputs: of which those are opened that the step reads on this machine.
            params: the step's params.
            output: an empty folder.
            scratch: where inputs are opened, below folders of their names; need not exist.
            fingerprint: identifies the work: a compute that starts jobs elsewhere names the job by it, so that a run
                which was killed finds its job again.
            extra_modules: modules that the step finds by name (see `fingerprint_parts`).
        """
        ...

    def release(self, job: JobFacts) -> None:
        """Let go of what a job of `run` has left, once its output is an artifact; nothing that goes wrong is raised."""
        ...


def open_inputs(inputs: Mapping[str, Input], scratch: Path) -> dict[str, Path]:
    """Open all inputs below `scratch`, each in a folder of its name."""
    return {name: open_input(source, scratch / name) for name, source in inputs.items()}


def open_input(source: Input, scratch: Path) -> Path:
    """Open one input in a folder that is made for it."""
    scratch.mkdir(parents=True)
    return source.open(scratch)


def origin_of(source: Input) -> Origin | None:
    """Where in S3 the input is, if it is there."""
    return source.origin() if isinstance(source, StoredInput) else None
