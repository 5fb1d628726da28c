"""Every setting of the platform, with its default and where it may come from.

Order of precedence: command line (`--home`), environment (`PACKAGING_*`), the home's own `settings.toml`, the defaults
below. `packaging doctor` prints the outcome.
"""

import datetime as dt
import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableSettingError

from packaging_assets.aws_settings import AwsSettings
from packaging_assets.domain.spelling import did_you_mean

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SETTINGS_FILE = "settings.toml"
DEFAULT_HOME = PROJECT_ROOT / ".packaging"

OWN_ROUTES = ("log", "sns errors", "sns warnings")
"""Names of the routes that are there without having been set: what was sent is kept by a route's name."""


class SettingsError(ValueError):
    """A setting has a value that the platform cannot use; the message names it, its source and the remedy."""


class AlertRoute(BaseModel):
    """Who is told of which alerts, and where. Its URL usually holds a password or token, so it is never shown whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(description="Where to send, as `apprise` writes it: `slack://...`, `mailtos://...`, ...")
    owner: str | None = Field(
        default=None, min_length=1, description="Only what this owner answers for; none means everything."
    )
    severity: Literal["error", "warning"] = Field(
        default="warning", description="From which severity on; a warning route also takes errors."
    )
    name: str = Field(default="", description="What the route is called; by default its service and owner.")

    @model_validator(mode="after")
    def _named(self) -> "AlertRoute":
        if not self.service:
            raise ValueError("url must begin with a service, as in slack://... or mailtos://...")
        if not self.name:
            object.__setattr__(self, "name", f"{self.service} to {self.owner or 'everybody'}")
        return self

    @property
    def service(self) -> str:
        """The URL's scheme: which service it is."""
        scheme, separator, _ = self.url.get_secret_value().partition("://")
        return scheme if separator else ""

    def __repr__(self) -> str:
        """The route without its secrets."""
        return f"{self.name} ({self.severity}, {self.service}://**********)"

    __str__ = __repr__


class Settings(AwsSettings, BaseSettings):
    """What differs between one installation and the next; what differs between models is in their YAML files."""

    model_config = SettingsConfigDict(env_prefix="PACKAGING_", extra="forbid", frozen=True)

    env: Literal["local", "aws"] = Field(
        default="local", description="Which resources to use: those of this machine, or those of AWS."
    )
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
        default=None,
        le=dt.date(9998, 12, 31),  # the day after, and the month after, are dates as well
        description="The last day with a partition; none means that partitions go on with the calendar.",
    )
    daily_at: dt.time = Field(default=dt.time(3, 0), description="UTC time from which the daily job may start.")
    weekly_at: dt.time = Field(default=dt.time(5, 0), description="UTC time of the weekly training, on Mondays.")
    monthly_at: dt.time = Field(
        default=dt.time(7, 0), description="UTC time of the monthly inference, on the month's first day."
    )
    catch_up_days: int = Field(
        default=7, ge=1, le=366, description="How many days back the daily schedule looks for days not yet predicted."
    )
    daily_attempts: int = Field(
        default=3, ge=1, description="How often the daily schedule asks for a day whose runs fail."
    )
    rows_per_chunk: int = Field(
        default=200_000, ge=1, description="Products per Parquet chunk of an inventory; one chunk is scored at a time."
    )
    maturity_days: int = Field(
        default=14, ge=0, le=36_500, description="Days after shipping until customer feedback counts as evidence."
    )
    max_bad_row_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="A delivery with a larger share of bad rows is refused whole.",
    )
    cache_max_age_days: float | None = Field(
        default=None,
        gt=0,
        le=36_500,
        allow_inf_nan=False,
        description="From which age on a step is run again although nothing changed; none for never.",
    )
    warehouse_memory_limit: str = Field(
        default="700MB", pattern=r"^\d+(\.\d+)?(MB|GB)$", description="DuckDB's memory limit; it spills to disk beyond."
    )
    threads: int = Field(default=2, ge=1, le=1024, description="Threads of the warehouse.")
    ui_url: str = Field(
        default="http://127.0.0.1:3000",
        pattern=r"^https?://",
        description="Where the Dagster UI is reached; alerts link to its runs.",
    )
    alert_routes: tuple[AlertRoute, ...] = Field(
        default=(), description="Where alerts go besides the log file: `[[alert_routes]]` with url, owner, severity."
    )
    alert_owner: str = Field(
        default="team:packaging-platform",
        min_length=1,
        description="Who answers for what no asset's owner answers for.",
    )
    alert_look_back_days: int = Field(
        default=7, ge=1, le=366, description="How far back the alert sensor looks when it runs for the first time."
    )
    run_start_minutes: int = Field(
        default=60, ge=1, description="A run that has not started so many minutes after it was asked for is an alert."
    )
    data_late_hours: int = Field(
        default=6, ge=0, le=8_784, description="A day that is over by so many hours without any products is an alert."
    )

    name: str = Field(
        default="",
        max_length=60,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="What this environment is called in records of promotions; by default its home folder's name.",
    )
    promotions: Literal["pending", "approved"] = Field(
        default="pending",
        description="What a version becomes that is promoted to this environment: it waits for a person here, or is "
        "approved in the name of the person who promotes it.",
    )
    promotion_key: SecretStr | None = Field(
        default=None, description="Signs what is promoted; source and target must have the same."
    )

    @field_validator("first_week")
    @classmethod
    def _is_monday(cls, value: dt.date) -> dt.date:
        if value.weekday() != 0:
            monday = value - dt.timedelta(days=value.weekday())
            raise ValueError(f"{value} is a {value:%A}; weeks begin on Mondays: use {monday}")
        return value

    @field_validator("last_day")
    @classmethod
    def _is_not_before_the_first(cls, value: dt.date | None, info: ValidationInfo) -> dt.date | None:
        first_week: dt.date | None = info.data.get("first_week")
        if value and first_week and value < first_week:
            raise ValueError(f"it is before first_week, which is {first_week}, so that there would be no day at all")
        return value

    @field_validator("daily_at", "weekly_at", "monthly_at", mode="before")
    @classmethod
    def _is_written_out(cls, value: object) -> object:
        if isinstance(value, int | float):  # which would count as seconds since midnight
            raise ValueError("it is a number; write hours and minutes, as in 04:30:00")  # noqa: TRY004 - pydantic wants it
        return value

    @field_validator("daily_at", "weekly_at", "monthly_at")
    @classmethod
    def _is_a_minute_in_utc(cls, value: dt.time) -> dt.time:
        if value.utcoffset():
            raise ValueError("times are in UTC: write it without an offset")
        if value.second or value.microsecond:
            raise ValueError("schedules begin at full minutes: write it without seconds, or with 00 of them")
        return value.replace(tzinfo=None)

    @field_validator("run_start_minutes")
    @classmethod
    def _is_looked_for(cls, value: int, info: ValidationInfo) -> int:
        days: int | None = info.data.get("alert_look_back_days")
        if days is not None and value >= days * 24 * 60:
            raise ValueError(
                f"runs are looked for that were asked for in the last alert_look_back_days, which are {days}, so that "
                "none would be told of: give fewer minutes than these have"
            )
        return value

    @field_validator("alert_routes")
    @classmethod
    def _names_differ(cls, routes: tuple[AlertRoute, ...]) -> tuple[AlertRoute, ...]:
        names = [*OWN_ROUTES, *(route.name for route in routes)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two routes are called {twice[0]!r}: give each a name of its own")
        return routes

    @field_validator("home", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        if value == "":
            raise ValueError("it is empty, which would be the folder that one is in: name a folder, or unset it")
        return value

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        home = value.expanduser().absolute()
        try:
            str(home).encode()
        except UnicodeEncodeError:
            raise ValueError("its path is not UTF-8, which DuckDB and Arrow cannot open: rename the folder") from None
        if "?" in str(home) or unquote(str(home)) != str(home):
            raise ValueError(
                "Dagster names its files by URLs, and would take this for another path: name a folder without '?', and "
                "without '%' before two hexadecimal digits"
            )
        if {"*", "["} & {*str(home)}:
            raise ValueError(
                "Dagster looks for its configuration, and DuckDB for rows, by patterns, and would take this for one: "
                "name a folder without '*' and '['"
            )
        return home

    @property
    def environment_name(self) -> str:
        """What this environment is called."""
        return self.name or self.home.name

    @property
    def warehouse_path(self) -> Path:
        """DuckDB's database file."""
        return self.home / "warehouse.duckdb"

    @property
    def staging_path(self) -> Path:
        """Where the rows of a delivery wait to be appended; empty but while deliveries are taken in."""
        return self.home / "ingesting"

    @property
    def artifacts_path(self) -> Path:
        """Root of the artifact store."""
        return self.home / "artifacts"

    @property
    def registry_path(self) -> Path:
        """SQLite file of the model registry."""
        return self.home / "registry.db"

    @property
    def alerts_path(self) -> Path:
        """SQLite file of the alerts that were found, and to whom they were sent."""
        return self.home / "alerts.db"

    @property
    def alerts_log_path(self) -> Path:
        """Every alert as a line of JSON."""
        return self.home / "alerts.log"

    @property
    def triggers_path(self) -> Path:
        """Where trigger files are dropped."""
        return self.home / "triggers"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage: runs, events, schedules."""
        return self.home / "dagster"

    @property
    def dagster_yaml(self) -> Path:
        """Dagster's configuration, written before anything is run: where there is none, opening Dagster would write."""
        return self.dagster_home / "dagster.yaml"

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
        return init_settings, env_settings, _HomesFile(settings_cls, home / SETTINGS_FILE)


class _HomesFile(TomlConfigSettingsSource):
    """The settings of a home's own file, which is found by the home and so cannot name another."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        if "home" in found:
            raise SettingsError(
                f"{self.toml_file_path} sets home, which is the folder that it lies in: delete the line, and name "
                "another home by --home or PACKAGING_HOME."
            )
        return found


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """The settings for `home` (default: `PACKAGING_HOME`, else `.packaging/` in the project).

    Raises:
        SettingsError: a value is unusable; the message names setting, value and reason.
    """
    if home is not None:
        overrides["home"] = home
    file = _settings_file(Path(home or os.environ.get("PACKAGING_HOME", DEFAULT_HOME)))
    if (file.exists() or file.is_symlink()) and not file.is_file():  # of which pydantic would take no notice
        raise SettingsError(
            f"{file} is no file that can be read: move it away, or put a file of settings in its place."
        )
    try:
        return Settings(**overrides)
    except SettingsError:
        raise
    except ValidationError as error:
        problems = "; ".join(_described(problem) for problem in error.errors())
    except UnreadableSettingError as error:  # names field and source, and not the value
        problems = f'{error}; lists are written as JSON, such as ["one", "two"]'
    except (ValueError, RecursionError) as error:  # also of a number of thousands of digits, or lists in lists
        raise SettingsError(f"{file} is not valid TOML: {error}. Correct it, or delete it for the defaults.") from None
    raise SettingsError(f"Unusable settings: {problems}. Correct the PACKAGING_* environment variable or {file}.")


def refuse_absent_home(settings: Settings) -> None:
    """Refuse a home that is not there, for whoever would make it, and find nothing in it to work on.

    In AWS there is next to nothing in that folder.

    Raises:
        SettingsError: its name is mistyped, or nothing was ever done there.
    """
    if settings.env == "local" and not settings.home.is_dir():
        raise SettingsError(
            f"There is no home at {settings.home}: name another (--home, PACKAGING_HOME), or begin one by taking in "
            "data (packaging ingest) or by simulating a retailer (packaging demo)."
        )


def _settings_file(home: Path) -> Path:
    try:
        return home.expanduser() / SETTINGS_FILE
    except RuntimeError:
        raise SettingsError(f"home = '{home}' names a user that there is not: write the folder's whole path.") from None


def _described(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":  # a secret under a mistyped name is one all the same
        return f"there is no setting {name}{did_you_mean(name, Settings.model_fields)}"
    return f"{name} = {_shown(problem)}: {str(problem['msg']).removeprefix('Value error, ')}"


_SECRET = frozenset({"alert_routes", "promotion_key", "redshift_password", "state_database_url"})


def _shown(problem: Any) -> str:
    """The value that was refused, unless it may hold a secret."""
    if problem["loc"] and problem["loc"][0] in _SECRET:
        return "(not shown)"
    value = problem["input"]
    return str(value) if isinstance(value, dt.date | dt.time) else repr(value)


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
