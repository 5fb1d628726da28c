"""What a step's job is asked to run on, and what is known of it afterwards, wherever steps run as jobs."""

from dataclasses import dataclass
from typing import Literal

RunAs = Literal["driver", "processing", "training", "transform"]
"""How a step runs: in the process that drives the run, or as a job of one of three kinds."""


@dataclass(frozen=True, kw_only=True)
class JobResources:
    """The machines of one step's jobs, and how they run it.

    `run_as` None leaves it to the step. `transform` is for steps that take an input part by part.
    """

    run_as: RunAs | None = None
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = 1
    volume_gb: int = 30
    max_runtime_seconds: int = 7200
    use_spot: bool = False


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """What a job was that gave a step's output.

    `seconds` are those that are billed for each of its machines, as far as the service says; `cost` is an estimate for
    all of them together, in `currency`, or None where nobody has said what they cost.
    """

    name: str
    kind: RunAs
    instance_type: str
    instance_count: int
    seconds: float | None
    cost: float | None = None
    currency: str = ""
