"""Where SageMaker puts things in a container, and where it looks for what the container leaves.

Source: "How Amazon SageMaker AI Provides Training Information" and "How Amazon SageMaker Processing Configures Your
Processing Container" of the Developer Guide.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

ROOT_VARIABLE = "PACKAGING_ML_ROOT"
HOST_VARIABLE = "PACKAGING_SERVE_HOST"
PORT_VARIABLE = "SAGEMAKER_BIND_TO_PORT"
ROOT = Path("/opt/ml")

FAILURE_CHARACTERS = 1024
"""SageMaker keeps so much of a failure's reason."""

PROCESSING_INPUT = ROOT / "processing" / "input"
PROCESSING_OUTPUT = ROOT / "processing" / "output"
"""Where a processing job has to be told to put inputs and to look for outputs; a training job knows by itself."""


@dataclass(frozen=True)
class MlFolders:
    """The folders under `/opt/ml`, or under another root where no container is around."""

    root: Path = ROOT

    @classmethod
    def from_environment(cls) -> "MlFolders":
        """Those of this process."""
        return cls(Path(os.environ.get(ROOT_VARIABLE, ROOT)))

    @property
    def channels(self) -> Path:
        """Folder of the inputs of a training job, one folder each."""
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        """What a training job leaves, or a server starts with."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path | None:
        """What SageMaker keeps of a training job on spare capacity when its machine goes; None for other jobs."""
        folder = self.root / "checkpoints"
        return folder if folder.is_dir() else None

    @property
    def processing_input(self) -> Path:
        """Folder of the inputs of a processing job, one folder each."""
        return self.root / PROCESSING_INPUT.relative_to(ROOT)

    @property
    def processing_output(self) -> Path:
        """What a processing job leaves."""
        return self.root / PROCESSING_OUTPUT.relative_to(ROOT)

    def hyperparameters(self) -> Mapping[str, str]:
        """The hyperparameters of a training job."""
        path = self.root / "input" / "config" / "hyperparameters.json"
        return cast("Mapping[str, str]", json.loads(path.read_text(encoding="utf-8")))

    def write_failure(self, reason: str, *, is_processing: bool) -> None:
        """Leave the reason of a failure where SageMaker looks for it: it becomes part of the job's description."""
        path = self.root / "output" / ("message" if is_processing else "failure")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reason[:FAILURE_CHARACTERS], encoding="utf-8")
