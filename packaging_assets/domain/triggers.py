"""Trigger files: what one may ask for, and how its text is read when nobody vouches for who wrote it.

A trigger is a JSON object that names a pipeline, its partitions, and for training the models and what to set otherwise
for that run. Where such files lie, and how a run is launched, is no matter of this module.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from packaging_assets.domain.architectures import BUILT_IN

MAX_BYTES = 64 * 1024
MAX_PARTITIONS = 120
"""Ten years of months, two of weeks, a quarter of days: more is a backfill, for the UI."""

GATES = "gates"
"""The field that no trigger may set: an unknown hand must not lower the bar by which models are approved."""

SHOWN_CHARACTERS = 80

DATE = r"^\d{4}-\d{2}-\d{2}$"


class TriggerError(ValueError):
    """A trigger cannot be followed; `problems` are sentences, each with field, value and what is expected."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class UnfinishedTriggerError(TriggerError):
    """The text is not (yet) JSON: perhaps somebody is still writing it."""


class Trigger(BaseModel):
    """A request for runs: one for each partition."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pipeline: Literal["train", "daily", "monthly"] = Field(
        description="train: the weekly job; daily, monthly: inference."
    )
    partition: str | None = Field(
        default=None, pattern=DATE, description="The week's Monday, the day, or the month's first day."
    )
    partitions: tuple[str, ...] = Field(
        default=(), max_length=MAX_PARTITIONS, strict=False, description="Several of them, instead of `partition`."
    )
    models: tuple[str, ...] = Field(
        default=(),
        max_length=200,
        strict=False,
        description="Train these only, with those they feed from; default: all.",
    )
    overrides: dict[str, dict[str, JsonValue]] = Field(
        default_factory=dict,
        description='Fields to set for these runs only: {"mailer": {"parameters.depth": 6}}. Train only; no gates, and '
        "no import paths.",
    )
    use_cache: bool = Field(default=True, description="false: compute every step anew.")
    requested_by: str = Field(default="", max_length=100, description="Who asks; recorded with the runs.")
    reason: str = Field(default="", max_length=500, description="Why; recorded with the runs.")

    @model_validator(mode="after")
    def _consistent(self) -> "Trigger":
        if bool(self.partition) == bool(self.partitions):
            raise ValueError("give either `partition` or `partitions`")
        if len(set(self.partitions)) < len(self.partitions):
            raise ValueError("`partitions` names one of them twice")
        if "\x00" in self.requested_by + self.reason:
            raise ValueError(
                "`requested_by` or `reason` holds a NUL character, which PostgreSQL cannot record: leave it out"
            )
        if self.pipeline != "train" and (self.models or self.overrides):
            raise ValueError(
                f"`models` and `overrides` are for training; {self.pipeline} inference takes what is approved"
            )
        for model, values in self.overrides.items():
            if any(key.split(".")[0] == GATES for key in values):
                raise ValueError(f"`overrides` of {_shown(model)} sets {GATES}: change them in the model's YAML")
            for field, path in _named_code(values):
                raise ValueError(
                    f"`overrides` of {_shown(model)} names code by {field} = {_shown(path)}, which a trigger may not: "
                    "name it in the model's YAML"
                )
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The partitions asked for."""
        return self.partitions or (str(self.partition),)

    @property
    def identity(self) -> str:
        """sha256 of what is asked for, 64 hexadecimal digits: equal requests are equal, however they are written."""
        asked = self.model_dump(mode="json") | {"models": sorted({*self.models}), "partitions": sorted(self.partitions)}
        if len(self.keys) == 1:
            asked |= {"partition": self.keys[0], "partitions": []}
        canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _named_code(values: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """Fields that name what is to be imported and called: an unknown hand must not choose which code runs.

    They are an architecture that is none of ours, and the estimator of the architecture `sklearn`.
    """
    architecture, parameters = values.get("architecture"), values.get("parameters")
    if isinstance(architecture, str) and architecture not in BUILT_IN:
        yield "architecture", architecture
    if isinstance(parameters, Mapping) and "estimator" in parameters:
        yield "parameters.estimator", parameters["estimator"]
    if "parameters.estimator" in values:
        yield "parameters.estimator", values["parameters.estimator"]


def parse_trigger(content: bytes) -> Trigger:
    """The trigger that a file's content is.

    Raises:
        UnfinishedTriggerError: it is not JSON, as half a file is not.
        TriggerError: it is too long, or JSON that asks for nothing we know.
    """
    if len(content) > MAX_BYTES:
        raise TriggerError(f"The file has {len(content):,} bytes or more; a trigger has at most {MAX_BYTES:,}.")
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    except TriggerError:
        raise
    except RecursionError:
        raise TriggerError("The JSON is nested too deeply to be a trigger.") from None
    except ValueError as error:
        raise UnfinishedTriggerError(f"The file is not JSON: {error}.") from None
    if not isinstance(value, Mapping):
        raise TriggerError('A trigger is a JSON object, like {"pipeline": "train", "partition": "2025-01-06"}.')
    try:
        return Trigger.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise TriggerError(*(_problem(problem) for problem in error.errors()[:10])) from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise TriggerError(f"{_shown(key)} is given twice, so that it is not clear which one counts.")
    return dict(pairs)


def _refuse_constant(name: str) -> None:
    raise TriggerError(f"{name} is not a value that JSON has.")


def _problem(problem: Any) -> str:
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":  # its input is all that was given
        return f"{_shown(field)} is missing."
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{_shown(field)} = {_shown(problem['input'])}: {message}." if field else f"{message}."


def _shown(value: Any) -> str:
    """A value from outside as it may stand in a message: short, on one line, nothing but printable characters."""
    text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
