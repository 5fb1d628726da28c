"""The folder into which trigger files are dropped, and where they go from there.

`triggers/*.json` wait; `triggers/taken/<identity>.json` are being launched; `triggers/done/` holds those that were,
each beside a `.run.json` with the ids of its runs; `triggers/rejected/` the others, each beside a `.error.txt`. Names
that begin with a dot or end in `.tmp` or `.part` are still being written and left alone.

A file is taken by a hard link under the name of what it asks for: of several sensors, and of several files that ask for
the same, one succeeds. A file of another user of the machine, to which the system allows no link, is taken by a copy.
"""

import datetime as dt
import json
import os
import stat
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from packaging_assets.artifacts.flushing import write_whole
from packaging_assets.domain.triggers import MAX_BYTES
from packaging_assets.resources.triggers import (
    DONE,
    ERROR_SUFFIX,
    REJECTED,
    RUNS_SUFFIX,
    SHORT,
    TAKEN,
    Taken,
    TriggerContents,
    UnreadableTriggerError,
    may_be_trigger,
    safe_name,
)


class TriggerFolder:
    """The trigger files under `root`, which is created with the first use; see `TriggerStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._root)

    def waiting(self, most: int) -> list[str]:
        """Names of what has been dropped, sorted."""
        self._prepare()
        return self._dropped()[:most]

    def settle(self, name: str) -> None:
        """Nothing: whatever still lies in the folder waits."""

    def read(self, name: str) -> bytes:
        """The content of a waiting file, at most one byte more than a trigger may have.

        Raises:
            FileNotFoundError: another sensor has moved it.
            UnreadableTriggerError: it is a folder, a link or a device, is not called *.json, or may not be read.
        """
        path = self._root / name
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UnreadableTriggerError("It is a link, a folder or a device, and a trigger is a plain file.")
        if not name.endswith(".json"):
            raise UnreadableTriggerError("Its name does not end in .json, and triggers are JSON.")
        return _read(path)

    def modified_at(self, name: str) -> dt.datetime:
        """When the waiting file was last written (UTC); raises FileNotFoundError if it has been moved."""
        return _modified_at(self._root / name)

    def take(self, name: str, identity: str, content: bytes) -> bool:
        """Make a waiting file ours to launch; False if another sensor has it, or it changed since it was read.

        Raises:
            FileExistsError: another file that asks for the same was taken before.
        """
        waiting, taken = self._root / name, self._taken(identity)
        try:
            # The time at which it is taken, from the first moment on: a file that lay here for long would look lost.
            os.utime(waiting, follow_symlinks=False)
            os.link(waiting, taken, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except PermissionError:
            self._link_copy(content, taken)
        except FileExistsError:
            if not _is_same_file(waiting, taken):
                raise
            waiting.unlink(missing_ok=True)  # taken by another sensor, or by one that was killed at the next line
            return False
        if _read(taken) != content:
            taken.unlink()
            return False
        self._name_file(identity).write_bytes(os.fsencode(name))
        waiting.unlink(missing_ok=True)
        return True

    def taken(self) -> list[Taken]:
        """The triggers that are being launched, by identity."""
        self._prepare()
        found: list[Taken] = []
        for path in sorted((self._root / TAKEN).glob("*.json")):
            with suppress(FileNotFoundError):  # another sensor has finished it meanwhile
                found.append(Taken(path.stem, _read(path), _modified_at(path)))
        return found

    def renew(self, taken: Taken) -> None:
        """It is being launched once more: count its time from now."""
        path = self._taken(taken.identity)
        if _modified_at(path) != taken.taken_at:
            raise FileNotFoundError(f"{path} has been renewed by another sensor.")
        os.utime(path)

    def runs_of(self, identity: str) -> Mapping[str, str] | None:
        """The runs by partition of a trigger that was launched before; None if it was not."""
        path = next((self._root / DONE).glob(f"{identity[:SHORT]}-*{RUNS_SUFFIX}"), None)
        return _runs_in(path) if path else None

    def finish(self, identity: str, runs: Mapping[str, str]) -> None:
        """Move a taken trigger to `done/`, beside the ids of its runs by partition."""
        place = self._root / DONE / f"{identity[:SHORT]}-{safe_name(self._name_of(identity))}"
        record = json.dumps({"trigger": identity, "runs": dict(runs)}, indent=2, sort_keys=True) + "\n"
        write_whole(place.with_name(f"{place.name}{RUNS_SUFFIX}"), record)
        self._taken(identity).replace(place)
        self._name_file(identity).unlink(missing_ok=True)

    def reject(self, name: str, problems: Sequence[str]) -> str:
        """Move a waiting file to `rejected/`, beside a file that says what is wrong, and return its name there.

        Raises:
            FileNotFoundError: another sensor has moved it.
        """
        return self._put_aside(self._root / name, name, problems)

    def reject_taken(self, identity: str, problems: Sequence[str]) -> str:
        """As `reject`, for a trigger that was taken and turns out to be impossible by now."""
        place = self._put_aside(self._taken(identity), self._name_of(identity), problems)
        self._name_file(identity).unlink(missing_ok=True)
        return place

    def contents(self, most: int) -> TriggerContents:
        """What there is."""
        done = self._latest(DONE, RUNS_SUFFIX, most)
        rejected = self._latest(REJECTED, ERROR_SUFFIX, most)
        return TriggerContents(
            waiting=self._dropped() if self._root.is_dir() else [],
            taken=sorted(path.name for path in (self._root / TAKEN).glob("*.json")),
            done={path.name.removesuffix(RUNS_SUFFIX): _runs_in(path) for path in done},
            rejected={
                path.name.removesuffix(ERROR_SUFFIX): path.read_text(errors="replace").splitlines() for path in rejected
            },
        )

    def _dropped(self) -> list[str]:
        return sorted(
            entry.name
            for entry in os.scandir(self._root)
            if may_be_trigger(entry.name)
            and not (entry.is_dir(follow_symlinks=False) and entry.name in {TAKEN, DONE, REJECTED})
        )

    def _latest(self, folder: str, suffix: str, most: int) -> list[Path]:
        """The files of a folder with that suffix that were written last, by name."""
        return sorted(sorted((self._root / folder).glob(f"*{suffix}"), key=_modified_at)[-most:])

    def _put_aside(self, path: Path, name: str, problems: Sequence[str]) -> str:
        place = self._place_for(name)
        said = place.with_name(f"{place.name}{ERROR_SUFFIX}")
        try:
            said.write_text("".join(f"{problem}\n" for problem in problems))
            path.rename(place)
        except OSError:  # the disk is full, or another sensor has put it aside
            said.unlink(missing_ok=True)
            raise
        return place.name

    def _place_for(self, name: str) -> Path:
        """A free place in `rejected/`, under a name of letters, digits, dots, dashes and underscores only."""
        safe = safe_name(name)
        place, number = self._root / REJECTED / safe, 0
        while True:
            if not os.path.lexists(place):  # a link or folder of that name counts as taken too
                with suppress(FileExistsError):  # whoever makes the error file owns the place
                    place.with_name(f"{place.name}{ERROR_SUFFIX}").touch(mode=0o644, exist_ok=False)
                    return place
            number += 1
            place = place.with_name(f"{number}-{safe}")

    def _link_copy(self, content: bytes, taken: Path) -> None:
        draft = taken.with_name(f".{uuid.uuid4().hex}")
        try:
            draft.write_bytes(content)
            os.link(draft, taken)
        finally:
            draft.unlink(missing_ok=True)

    def _taken(self, identity: str) -> Path:
        return self._root / TAKEN / f"{identity}.json"

    def _name_file(self, identity: str) -> Path:
        return self._root / TAKEN / f"{identity}.name"

    def _name_of(self, identity: str) -> str:
        """What the taken file was called when it was dropped."""
        try:
            name = os.fsdecode(self._name_file(identity).read_bytes())
        except FileNotFoundError:
            name = ""
        return name or f"{identity}.json"  # whoever took it was killed before the name was written

    def _prepare(self) -> None:
        for name in ("taken", "done", "rejected"):
            (self._root / name).mkdir(parents=True, exist_ok=True)


def _runs_in(path: Path) -> dict[str, str]:
    """The runs by partition that the record of a launch names.

    Raises:
        UnreadableTriggerError: it is damaged.
    """
    try:
        return json.loads(path.read_bytes())["runs"]
    except (ValueError, KeyError, TypeError):
        raise UnreadableTriggerError(
            f"{path} is not the record of a launch: delete it; a file that asks for the same then launches it again."
        ) from None


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableTriggerError(f"It cannot be read: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_BYTES + 1)


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return True  # whoever had it is done with it


def _modified_at(path: Path) -> dt.datetime:
    return dt.datetime.fromtimestamp(path.lstat().st_mtime, dt.UTC)
