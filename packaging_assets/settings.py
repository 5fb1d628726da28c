"""Every setting of the platform, with its default and where it may come from.

Order of precedence: command line (`--home`), environment (`PACKAGING_*`), the home's own `settings.toml`, the defaults
below. `packaging doctor` prints the outcome.
"""

import datetime as dt
import os
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SETTINGS_FILE = "settings.toml"
DEFAULT_HOME = PROJECT_ROOT / ".packaging"


class SettingsError(ValueError):
    """A setting has a value that the platform cannot use; the message names it, its source and the remedy."""


class Settings(BaseSettings):
    """What differs between one installation and the next; what differs between models is in their YAML files."""

    model_config = SettingsConfigDict(env_prefix="PACKAGING_", extra="forbid", frozen=True)

    env: Literal["local", "aws"] = Field(default="local", description="Which column of resources to use.")
    home: Path = Field(
        DEFAULT_HOME,
        description="The folder with warehouse, artifacts, registry and Dagster's own storage.",
    )
    first_week: dt.date = Field(
        default=dt.date(2025, 1, 6),
        description="The Monday on which the weekly and daily partitions begin; "
        "everything dated before it belongs to the first partition.",
    )
    last_day: dt.date | None = Field(
        default=None, description="The last day with a partition; none means that partitions go on with the calendar."
    )
    daily_at: dt.time = Field(default=dt.time(3, 0), description="UTC time from which the daily job may start.")
    weekly_at: dt.time = Field(default=dt.time(5, 0), description="UTC time of the weekly training, on Mondays.")
    monthly_at: dt.time = Field(
        default=dt.time(7, 0), description="UTC time of the monthly inference, on the month's first day."
    )
    catch_up_days: int = Field(
        default=7, ge=1, le=366, description="How many days back the daily schedule looks for days not yet predicted."
    )
    rows_per_chunk: int = Field(
        default=250_000, ge=1, description="Products per Parquet chunk of an inventory; one chunk is scored at a time."
    )
    maturity_days: int = Field(
        default=14, ge=0, description="Days after shipping until customer feedback counts as evidence."
    )
    max_bad_row_share: float = Field(
        default=0.01, ge=0, le=1, description="A delivery with a larger share of bad rows is refused whole."
    )
    warehouse_memory_limit: str = Field(
        default="4GB", pattern=r"^\d+(\.\d+)?(MB|GB)$", description="DuckDB's memory limit; it spills to disk beyond."
    )
    threads: int = Field(default=2, ge=1, description="Threads of the warehouse and of the learner.")

    @field_validator("first_week")
    @classmethod
    def _is_monday(cls, value: dt.date) -> dt.date:
        if value.weekday() != 0:
            monday = value - dt.timedelta(days=value.weekday())
            raise ValueError(f"{value} is a {value:%A}; weeks begin on Mondays: use {monday}")
        return value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def warehouse_path(self) -> Path:
        """DuckDB's database file."""
        return self.home / "warehouse.duckdb"

    @property
    def artifacts_path(self) -> Path:
        """Root of the artifact store."""
        return self.home / "artifacts"

    @property
    def registry_path(self) -> Path:
        """SQLite file of the model registry."""
        return self.home / "registry.db"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage: runs, events, schedules."""
        return self.home / "dagster"

    @property
    def dbt_target_path(self) -> Path:
        """Where dbt writes its manifest and run results."""
        return self.home / "dbt_target"

    @property
    def dbt_project_path(self) -> Path:
        """The dbt project, part of the source tree."""
        return PROJECT_ROOT / "dbt_project"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes all five
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the home's `settings.toml` below the environment."""
        given = {**env_settings(), **init_settings()}
        home = Path(given.get("home", cls.model_fields["home"].default)).expanduser()
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, home / SETTINGS_FILE)


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """The settings for `home` (default: `PACKAGING_HOME`, else `.packaging/` in the project).

    Raises:
        SettingsError: a value is unusable; the message names setting, value and reason.
    """
    if home is not None:
        overrides["home"] = home
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])} = {problem['input']!r}: {problem['msg']}"
            for problem in error.errors()
        )
        where = Path(home or os.environ.get("PACKAGING_HOME", DEFAULT_HOME)) / SETTINGS_FILE
        raise SettingsError(
            f"Unusable settings: {problems}. Correct the PACKAGING_* environment variable or {where}."
        ) from None
    except tomllib.TOMLDecodeError as error:
        where = Path(home or os.environ.get("PACKAGING_HOME", DEFAULT_HOME)) / SETTINGS_FILE
        raise SettingsError(f"{where} is not valid TOML: {error}. Correct it, or delete it for the defaults.") from None


_in_use: ContextVar[Settings | None] = ContextVar("settings_in_use", default=None)


@contextmanager
def use_settings(settings: Settings) -> Generator[Settings]:
    """Make `settings` what `current_settings` returns inside the block: how definitions are built for a given home."""
    token = _in_use.set(settings)
    try:
        yield settings
    finally:
        _in_use.reset(token)


def current_settings() -> Settings:
    """The settings in use, else those of the environment. For the Dagster shell, which Dagster itself imports."""
    return _in_use.get() or load_settings()
