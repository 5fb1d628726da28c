"""Where trigger files wait to be launched, and where they go from there: a folder of the home, or a prefix in S3."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

TAKEN, DONE, REJECTED = "taken", "done", "rejected"
UNFINISHED_SUFFIXES = (".tmp", ".part")
RUNS_SUFFIX = ".run.json"
ERROR_SUFFIX = ".error.txt"
NAME_CHARACTERS = 80
SHORT = 12
"""Digits of an identity that begin a file's name in `done/`."""


class UnreadableTriggerError(Exception):
    """What waits is not a file that can be read; the message says what it is."""


@dataclass(frozen=True)
class Taken:
    """A trigger that is being launched: its identity, its content, and when it was taken (UTC)."""

    identity: str
    content: bytes
    taken_at: dt.datetime


@dataclass(frozen=True)
class TriggerContents:
    """What there is: names that wait and are being launched, runs by partition and problems by name of the others."""

    waiting: list[str]
    taken: list[str]
    done: dict[str, dict[str, str]]
    rejected: dict[str, list[str]]


class TriggerStore(Protocol):
    """Trigger files by their names. Any number of processes may use the same ones: each file is taken by one.

    A `FileNotFoundError` means that another process has moved the file; there is nothing left to do with it.
    """

    @property
    def place(self) -> str:
        """The folder or URI where files are dropped."""
        ...

    def waiting(self, most: int) -> list[str]:
        """Names of up to `most` files that have been dropped."""
        ...

    def settle(self, name: str) -> None:
        """A name that `waiting` gave is dealt with and need not be given again, unless the file is dropped again."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a waiting file, at most one byte more than a trigger may have.

        Raises:
            FileNotFoundError: another process has moved it.
            UnreadableTriggerError: it is not a file that may be a trigger.
        """
        ...

    def modified_at(self, name: str) -> dt.datetime:
        """When the waiting file was last written (UTC); raises FileNotFoundError if it has been moved."""
        ...

    def take(self, name: str, identity: str, content: bytes) -> bool:
        """Make a waiting file ours to launch; False if another process has it, or it changed since it was read.

        Raises:
            FileExistsError: another file that asks for the same was taken before.
        """
        ...

    def taken(self) -> list[Taken]:
        """The triggers that are being launched, by identity."""
        ...

    def renew(self, taken: Taken) -> None:
        """It is being launched once more: count its time from now.

        Raises:
            FileNotFoundError: another process has finished or renewed it.
        """
        ...

    def runs_of(self, identity: str) -> Mapping[str, str] | None:
        """The runs by partition of a trigger that was launched before; None if it was not."""
        ...

    def finish(self, identity: str, runs: Mapping[str, str]) -> None:
        """Move a taken trigger to `done/`, beside the ids of its runs by partition."""
        ...

    def reject(self, name: str, problems: Sequence[str]) -> str:
        """Move a waiting file to `rejected/`, beside a file that says what is wrong, and return its name there.

        Raises:
            FileNotFoundError: another process has moved it.
        """
        ...

    def reject_taken(self, identity: str, problems: Sequence[str]) -> str:
        """As `reject`, for a trigger that was taken and turns out to be impossible by now."""
        ...

    def contents(self, most: int) -> TriggerContents:
        """What there is; of the files that were launched and rejected the `most` latest."""
        ...


def may_be_trigger(name: str) -> bool:
    """Whether a name in the folder is one to look at: not hidden, and not one of a file that is being written."""
    return bool(name) and not name.startswith(".") and not name.endswith(UNFINISHED_SUFFIXES)


def safe_name(name: str) -> str:
    """A file name of letters, digits, dots, dashes and underscores only, that none of our own files has."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-NAME_CHARACTERS:]
    for suffix in (RUNS_SUFFIX, ERROR_SUFFIX):
        if safe.endswith(suffix):
            safe = f"{safe.removesuffix(suffix)}{suffix.replace('.', '_', 1)}"
    return safe
