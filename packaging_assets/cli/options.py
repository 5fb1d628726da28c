"""Options that several commands share, and how a command's errors reach the terminal."""

import functools
import sys
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
        try:
            return command(_settings(home), *args, **options)
        except Exception as error:
            sentence = _in_one_sentence(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from None

    return with_settings


def _in_one_sentence(error: Exception) -> str | None:
    """What to tell of an error that a person can do something about, or None: the program is at fault."""
    if isinstance(error, SettingsError):
        return str(error)
    exceptions = sys.modules.get("botocore.exceptions")  # not imported here: who has not used AWS has none of them
    if exceptions is not None and isinstance(error, (exceptions.ClientError, exceptions.BotoCoreError)):
        return f"AWS: {error}. `packaging doctor` looks at every service and says what to do."
    return None


def _settings(home: Path | None) -> Settings:
    try:
        return load_settings(home)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output, nothing else.")
