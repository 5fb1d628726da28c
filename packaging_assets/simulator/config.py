"""What is asked of the retailer: how many products, how many weeks, which incidents."""

import datetime as dt
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from packaging_assets.simulator.incidents import Incident

DAY_US = 86_400_000_000
"""Microseconds in a day; every time in the simulator is int64 microseconds since 1970 UTC."""

WEEK_US = 7 * DAY_US


class RetailerConfig(BaseModel):
    """A synthetic retailer. The same config gives byte-identical files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    products: int = Field(default=20_000, ge=1, le=1_000_000_000, description="Products in the catalogue at the end.")
    weeks: int = Field(default=6, ge=1, le=520, description="Simulated weeks, each with a delivery of its own.")
    seed: int = Field(
        default=7, ge=0, description="Seed of every draw; the retailer's categories and brands do not depend on it."
    )
    first_week: dt.date = Field(default=dt.date(2025, 1, 6), description="Monday of the first simulated week.")
    tested_share: float = Field(
        default=0.8, ge=0, le=0.95, description="Share of products with package tests at the end."
    )
    targeted_share: float = Field(
        default=0.03, ge=0, le=0.5, description="Retests somebody asked for, per random test."
    )
    feedback_share: float = Field(default=0.08, ge=0, le=1, description="Share of products with customer feedback.")
    weekly_growth: float = Field(default=0.015, gt=0, le=0.5, description="Growth of catalogue and labels per week.")
    weekly_corrections: float = Field(
        default=0.003, ge=0, le=0.5, description="Products corrected per product and week."
    )
    embedding_noise: float = Field(
        default=1.6, gt=0, le=100, description="Standard deviation of each embedding value's noise."
    )
    products_per_block: int = Field(
        default=50_000, ge=1, description="Products drawn and written at a time; part of the seed."
    )
    incidents: tuple[Incident, ...] = Field(default=(), description="Faults to inject, see `INCIDENTS`.")

    @field_validator("first_week")
    @classmethod
    def _is_monday(cls, value: dt.date) -> dt.date:
        if value.weekday() != 0:
            raise ValueError(f"{value} is a {value:%A}: weeks begin on a Monday")
        return value

    @model_validator(mode="after")
    def _incidents_happen(self) -> Self:
        seen: set[tuple[str, int]] = set()
        for incident in self.incidents:
            if incident.week > self.weeks:
                raise ValueError(f"incident {incident.kind} is in week {incident.week} of {self.weeks} weeks")
            if (incident.kind, incident.week) in seen:
                raise ValueError(f"incident {incident.kind} is asked for twice in week {incident.week}")
            seen.add((incident.kind, incident.week))
        return self

    @property
    def start_us(self) -> int:
        """Start of the first simulated week."""
        return int(np.datetime64(self.first_week, "us").astype(np.int64))

    @property
    def end_us(self) -> int:
        """End of the last simulated week, exclusive."""
        return self.start_us + self.weeks * WEEK_US

    @property
    def end(self) -> dt.date:
        """First day after the simulation."""
        return self.first_week + dt.timedelta(weeks=self.weeks)

    @property
    def week_labels(self) -> tuple[str, ...]:
        """The Monday of each simulated week, as an ISO date."""
        return tuple((self.first_week + dt.timedelta(weeks=week)).isoformat() for week in range(self.weeks))

    @property
    def blocks(self) -> int:
        """How many blocks of products there are."""
        return -(-self.products // self.products_per_block)

    def week_start_us(self, week: int) -> int:
        """Start of the week counted from 1."""
        return self.start_us + (week - 1) * WEEK_US
