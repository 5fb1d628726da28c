"""Options that several commands share, and how a command's errors reach the terminal."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from packaging_assets.settings import Settings, SettingsError, load_settings


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--home` and pass the loaded settings to the command as its first argument, `settings`."""

    @click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        help="The home folder [default: PACKAGING_HOME, else .packaging/ in the project].",
    )
    @functools.wraps(command)
    def with_settings(*args: Any, home: Path | None, **options: Any) -> Any:
        return command(_settings(home), *args, **options)

    return with_settings


def _settings(home: Path | None) -> Settings:
    try:
        return load_settings(home)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, nothing else.")
