"""A compute that needs nothing: steps run in this process. The protocol is `artifacts.step.Compute`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from packaging_assets.artifacts.job import JobFacts, JobResources
from packaging_assets.artifacts.step import Input, Step, Tell, open_inputs


class InProcessCompute:
    """Runs a step as a plain call, in this process."""

    def using(
        self,
        resources: JobResources | None,  # noqa: ARG002 - it has the one machine it runs on
        *,
        tags: Mapping[str, str] | None = None,  # noqa: ARG002 - no job, no cost
        tell: Tell | None = None,  # noqa: ARG002 - what a step prints is seen here
    ) -> InProcessCompute:
        """Itself."""
        return self

    def run(
        self,
        step: Step,
        inputs: Mapping[str, Input],
        params: BaseModel,
        output: Path,
        *,
        scratch: Path,
        fingerprint: str,  # noqa: ARG002 - a call ends with its process: there is nothing to re-attach to
        extra_modules: Sequence[str] = (),  # noqa: ARG002 - the modules are those of this process
    ) -> None:
        """Open all inputs and call the step; whatever it raises is raised here."""
        step(open_inputs(inputs, scratch), params, output)

    def release(self, job: JobFacts) -> None:
        """Nothing: there are no jobs here."""
