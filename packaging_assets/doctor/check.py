"""What a check is, and what it found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from packaging_assets.settings import Settings

SECONDS = 5.0
"""A service that is well answers in less."""

Clients = Callable[[str], Any]
"""Gives the boto3 client of a service by its name, such as "s3"."""


@dataclass(frozen=True)
class Finding:
    """What a check found of one part; `is_ok` is None where it could not be looked at. `remedy` says what to do."""

    part: str
    is_ok: bool | None
    found: str
    remedy: str = ""


class ProblemError(Exception):
    """A part does not work: what was found, in a sentence, and what to do about it."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.remedy = remedy


class UnknownError(Exception):
    """A part cannot be looked at, which says nothing about whether it works; the message says why."""


class Advice(NamedTuple):
    """What was found of a part that works, and what would make it better."""

    found: str
    remedy: str


@dataclass(frozen=True)
class Check:
    """One part of the environment and how to look at it.

    Args:
        part: what it is called.
        run: looks, and says what it found.
        seconds: after so many it is given up.
        after: the part that must work before this one is looked at.
        needs: settings without which there is nothing to look at.
    """

    part: str
    run: Callable[[], str | Advice]
    seconds: float = SECONDS
    after: str = ""
    needs: tuple[str, ...] = ()

    def find(self) -> Finding:
        """Look; whatever goes wrong is the finding."""
        try:
            found = self.run()
        except ProblemError as problem:
            return Finding(self.part, is_ok=False, found=str(problem), remedy=problem.remedy)
        except UnknownError as unknown:
            return Finding(self.part, is_ok=None, found=str(unknown))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a part is what the doctor reports
            return Finding(self.part, is_ok=False, found=f"{type(error).__name__}: {error}")
        if isinstance(found, Advice):
            return Finding(self.part, is_ok=True, found=found.found, remedy=found.remedy)
        return Finding(self.part, is_ok=True, found=found)

    def missing(self, settings: Settings) -> list[str]:
        """The environment variables of the settings that it needs and that are not set."""
        return [variable(name) for name in self.needs if not getattr(settings, name)]


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"PACKAGING_{setting.upper()}"
