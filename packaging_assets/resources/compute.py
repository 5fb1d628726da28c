"""Where steps run; the protocol itself is `artifacts.step.Compute`, so that `run_step` can name it."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from packaging_assets.artifacts.step import Compute, Step

__all__ = ["Compute", "InProcessCompute"]


class InProcessCompute:
    """Runs a step as a plain call, in this process."""

    def run(
        self,
        step: Step,
        inputs: Mapping[str, Path],
        params: BaseModel,
        output: Path,
        *,
        fingerprint: str,  # noqa: ARG002 - a call ends with its process: there is nothing to re-attach to
    ) -> None:
        """Call the step; whatever it raises is raised here."""
        step(inputs, params, output)
