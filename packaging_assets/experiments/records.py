"""What is kept of an experiment: one JSON file each, in the home's folder `experiments/`."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from packaging_assets.artifacts.flushing import write_whole
from packaging_assets.experiments.errors import ExperimentError

FOLDER = "experiments"
ID_DIGITS = 10
_ID = re.compile(rf"[0-9a-f]{{{ID_DIGITS}}}")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepTrace(_Frozen):
    """One step of the model's chain: where its artifact is, and whether it was there already.

    `seconds` is what computing it took, whenever that was.
    """

    asset_key: str
    uri: str
    fingerprint: str
    is_cache_hit: bool
    seconds: float


class Evaluation(_Frozen):
    """A trained model of one week, and how it was judged."""

    steps: tuple[StepTrace, ...]
    metrics_uri: str
    pr_auc: float
    pr_auc_standard_error: float
    log_loss: float
    recall_at_95_precision: float
    validation_rows: int
    training_rows: int
    minority_label: int
    training_seconds: float
    verdict: str
    reasons: tuple[str, ...]


class MeasuredDifference(_Frozen):
    """PR-AUC of the experiment minus that of another model on the same `rows`; `note` says which rows these are."""

    difference: float
    standard_error: float
    rows: int
    note: str = ""


class ChampionBefore(_Frozen):
    """The version that served before the week, and the difference to it."""

    model: str
    version: int
    difference: MeasuredDifference


class WeekRecord(_Frozen):
    """One week of an experiment: `baseline` is the model as its YAML has it.

    `to_baseline` is None where the two share too few rows, `champion` where no version served before the week.
    """

    week: str
    candidate: Evaluation
    baseline: Evaluation
    to_baseline: MeasuredDifference | None
    champion: ChampionBefore | None


class ExperimentRecord(_Frozen):
    """An experiment: what was set otherwise, and what came of it in each week.

    `seconds`, `cache_hits` and `steps` are those of the last time it was run, over candidate and baseline.
    """

    id: str
    model: str
    package_type: str
    label: str = ""
    overrides: dict[str, Any]
    weeks: tuple[WeekRecord, ...] = Field(min_length=1)
    seconds: float
    cache_hits: int
    steps: int
    created_at: dt.datetime
    code_version: str

    def week(self, week: str) -> WeekRecord | None:
        """The record of one of its weeks."""
        return next((found for found in self.weeks if found.week == week), None)


def experiment_id(model: str, overrides: Mapping[str, Any], weeks: Sequence[str]) -> str:
    """Ten hexadecimal digits of a hash over what the experiment is: the same experiment is the same id."""
    said = json.dumps([model, dict(overrides), sorted(weeks)], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(said.encode()).hexdigest()[:ID_DIGITS]


class ExperimentRecords:
    """The records in `<home>/experiments/`; the folder is made with the first."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def write(self, record: ExperimentRecord) -> Path:
        """Write the record whole or not at all, in the place of an earlier one of the same id."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(record.id)
        write_whole(path, json.dumps(record.model_dump(mode="json"), indent=2, sort_keys=True) + "\n")
        return path

    def find(self, identifier: str) -> ExperimentRecord | None:
        """The record of that id, if there is one.

        Raises:
            ExperimentError: its file is not a record.
        """
        path = self._path(identifier)
        return _read(path) if path.is_file() else None

    def get(self, identifier: str) -> ExperimentRecord:
        """The record of that id.

        Raises:
            ExperimentError: there is none, or its file is not a record.
        """
        found = self.find(identifier) if _ID.fullmatch(identifier) else None
        if found is None:
            known = ", ".join(record.id for record in self.all()) or "none so far"
            raise ExperimentError(f"There is no experiment {identifier!r} in {self.folder}; there is {known}.")
        return found

    def all(self) -> list[ExperimentRecord]:
        """Every record, oldest first.

        Raises:
            ExperimentError: a file is not a record.
        """
        found = [_read(path) for path in sorted(self.folder.glob("*.json")) if _ID.fullmatch(path.stem)]
        return sorted(found, key=lambda record: (record.created_at, record.id))

    def _path(self, identifier: str) -> Path:
        return self.folder / f"{identifier}.json"


def _read(path: Path) -> ExperimentRecord:
    try:
        return ExperimentRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "its content"
        raise ExperimentError(
            f"{path} is not the record of an experiment ({where}: {problem['msg']}): delete it and run the experiment "
            "again."
        ) from None
