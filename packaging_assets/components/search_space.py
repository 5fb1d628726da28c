"""What `search` in a model's YAML says: which values of which fields `packaging experiment tune` tries."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Named here, since the fields below are called `int` and `float` themselves.
IntBounds = tuple[int, int]
FloatBounds = tuple[float, float]


class SearchRange(BaseModel):
    """The values of one field that are tried: whole numbers, numbers, or a choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    int: IntBounds | None = Field(default=None, description="Whole numbers from the first to the second, both in.")
    float: FloatBounds | None = Field(default=None, description="Numbers from the first to the second.")
    choice: tuple[Any, ...] | None = Field(default=None, description="These values and no others.")
    log: bool = Field(
        default=False,
        description="Whether numbers are drawn evenly over their logarithm: 0.01 to 0.1 as often as 0.1 to 1.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "SearchRange":
        given = [name for name in ("int", "float", "choice") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of int, float and choice, not {', '.join(given) or 'none'}")
        if self.choice is not None:
            _check_choice(self.choice, is_log=self.log)
        else:
            _check_bounds(*self.bounds, is_log=self.log)
        return self

    @property
    def bounds(self) -> FloatBounds:
        """Lowest and highest number; (0, 0) for a choice."""
        return self.int or self.float or (0, 0)

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Values that must be possible if all are: both ends of a range, every value of a choice."""
        return self.choice or self.int or self.float or ()


SearchSpace = Mapping[str, SearchRange]
"""Dotted key of a model's field -> its values: `{"parameters.depth": {"int": [3, 8]}}`."""


def _check_choice(values: tuple[Any, ...], *, is_log: bool) -> None:
    if is_log:
        raise ValueError("log is for int and float; a choice has no order")
    if len(values) < 2:  # noqa: PLR2004 - one value leaves nothing to search
        raise ValueError("a choice needs at least two values")


def _check_bounds(low: float, high: float, *, is_log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the first bound must be below the second, and both finite: {low} and {high} are not")
    if is_log and low <= 0:
        raise ValueError(f"log needs bounds above 0, and {low} is not")
