"""Figures about models and jobs for a monitoring service; where they come from is a matter of `defs.figures`."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Unit = Literal["None", "Count", "Seconds"]


class FigureError(Exception):
    """Figures could not be delivered; the message says why, and holds no secret."""


@dataclass(frozen=True)
class Figure:
    """A number at a time (aware), and what it is about: `{"Model": "bag"}` or `{"Job": "daily"}`."""

    name: str
    value: float
    at: dt.datetime
    about: Mapping[str, str]
    unit: Unit = "None"


class FigureSink(Protocol):
    """Takes figures."""

    def put(self, figures: Sequence[Figure]) -> None:
        """Deliver figures; delivering some of them again does no harm.

        Raises:
            FigureError: some may not have arrived; try again later.
        """
        ...


class NullFigures:
    """Takes figures for nobody: where there is no monitoring service."""

    def put(self, figures: Sequence[Figure]) -> None:
        """Nothing."""
