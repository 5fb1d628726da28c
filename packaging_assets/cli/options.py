"""Options that several commands share, and how a command's errors reach the terminal."""

import errno
import functools
import math
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from pydantic import ValidationError


class CommandGroup(click.Group):
    """A group that lists each command with the whole first sentence of its help, of which click shows a line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands, by name."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(limit=1000)) for name, command in sorted(self.commands.items())]
            )


class NamedFolder(click.Path):
    """A folder, such as a home, which need not be there yet; an empty name, as an unset variable leaves it, is refused.

    As a path it would be the folder that one is in.
    """

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder as a path."""
        if value == "":
            self.fail("it is empty: name a folder (is a variable not set?).", param, ctx)
        return super().convert(value, param, ctx)


class Utf8Text(click.ParamType):
    """Text that can be kept: what Python makes of an argument that is not UTF-8 no file or database takes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text."""
        try:
            str(value).encode()
        except UnicodeEncodeError:
            self.fail(f"{value!a} is not UTF-8: write it again.", param, ctx)
        return str(value)


class NumberRange(click.FloatRange):
    """A number within bounds; click lets `nan` pass, which is neither below a bound nor above."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--home` and pass the loaded settings to the command as its first argument, `settings`."""

    @click.option(
        "--home",
        type=NamedFolder(),
        default=None,
        help="The home folder [default: PACKAGING_HOME, else .packaging/ in the project].",
    )
    @functools.wraps(command)
    @told_in_one_sentence
    def with_settings(*args: Any, home: Path | None, **options: Any) -> Any:
        return command(_settings(home), *args, **options)

    return with_settings


def told_in_one_sentence(command: Callable[..., Any]) -> Callable[..., Any]:
    """Tell of what a person can do something about in a sentence, with exit code 1, instead of by a trace."""

    @functools.wraps(command)
    def telling(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except Exception as error:
            sentence = in_one_sentence(_beneath_dagster(error))
            if sentence is None:
                raise
            raise click.ClickException(sentence) from None

    return telling


def _beneath_dagster(error: Exception) -> Exception:
    """What went wrong, where Dagster raised an exception of its own from it, as it does when it loads the project."""
    while type(error).__module__.startswith("dagster.") and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def in_one_sentence(error: Exception) -> str | None:
    """What to tell of an error that a person can do something about, or None: the program is at fault."""
    if isinstance(error, SettingsError) or any(isinstance(error, said) for said in _told_by_the_platform()):
        return str(error)
    if isinstance(error, OSError):
        return _of_a_file(error)
    return _of_a_service(error)


def _of_a_file(error: OSError) -> str | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}. Make room on the home's disk (packaging cache prune), and run the command again."
    if error.filename is not None:
        return f"{error.filename}: {error.strerror or error}. Check the path and its permissions."
    return None


def _of_a_service(error: Any) -> str | None:
    """The libraries are not imported here: who has not used one has none of its errors."""
    storage = sys.modules.get("sqlalchemy.exc")  # the registry and the alerts tell theirs by errors of their own
    if storage is not None and isinstance(error, storage.DBAPIError):
        return (
            f"Dagster's storage cannot be used ({error.orig}): check that its disk has room, and that the files in the "
            "home's dagster/ are whole and may be written. Without it history and schedules' switches are lost."
        )
    aws = sys.modules.get("botocore.exceptions")
    if aws is not None and isinstance(error, (aws.ClientError, aws.BotoCoreError)):
        return f"AWS: {error}. `packaging doctor` looks at every service and says what to do."
    return None


_TELLING = {
    "packaging_assets.artifacts.store": "ArtifactError",
    "packaging_assets.components.model_set": "ModelSetError",
    "packaging_assets.dagster_storage": "DagsterYamlError",
    "packaging_assets.domain.feature_sets": "FeatureSetError",
    "packaging_assets.domain.registry": "RegistryError",
    "packaging_assets.resources.alert_database": "AlertStoreError",
    "packaging_assets.resources.dbt_project": "DbtProjectError",
    "packaging_assets.resources.triggers": "UnreadableTriggerError",
    "packaging_assets.resources.warehouse": "WarehouseError",
}
"""Errors whose message is what to tell, by the module; not imported here, where `--help` would wait for them."""


def _told_by_the_platform() -> list[type[Exception]]:
    return [getattr(sys.modules[module], name) for module, name in _TELLING.items() if module in sys.modules]


def _settings(home: Path | None) -> Settings:
    try:
        return load_settings(home)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def refusals_in(error: "ValidationError") -> str:
    """What pydantic says of each value that it refused."""
    return "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())


def typed_home(settings: Settings) -> str:
    """What the next command needs to reach this home: ` --home DIR`, or nothing where that is the usual one."""
    try:
        is_usual = settings.home == load_settings().home
    except SettingsError:  # of another home than this one
        is_usual = False
    return "" if is_usual else f" --home {shlex.quote(str(settings.home))}"


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, nothing else.")
