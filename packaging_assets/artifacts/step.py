"""The shape of a step, of its inputs, and of what runs it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

Step = Callable[[Mapping[str, Path], Any, Path], None]
"""`step(inputs, params, output)`: reads the input folders, writes into the output folder, which exists and is empty.

`params` is a frozen pydantic model, of a class of the step's own.
"""


class Input(Protocol):
    """Something a step reads: known by its content before it is fetched."""

    @property
    def content_hash(self) -> str:
        """Equal for equal content; part of the fingerprint of every step that reads it."""
        ...

    def open(self, scratch: Path) -> Path:
        """The folder to read, fetched into the empty folder `scratch` if it is not at hand; called on a miss only."""
        ...


class Compute(Protocol):
    """Runs a step here or elsewhere, and returns when its output is in the output folder."""

    def run(self, step: Step, inputs: Mapping[str, Path], params: BaseModel, output: Path, *, fingerprint: str) -> None:
        """Run the step over local folders; raise what it raises.

        `fingerprint` identifies the work: a compute that starts jobs elsewhere names the job by it, so that a run which
        was killed finds its job again.
        """
        ...
