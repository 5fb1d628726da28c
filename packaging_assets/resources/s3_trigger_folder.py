"""Trigger files in S3: objects that wait below a prefix, and go from there to `taken/`, `done/` and `rejected/`.

A file is taken by writing `taken/<identity>.json` where there is none yet (If-None-Match), of which S3 lets one writer
succeed. The object says which file it came from, when it was taken and by whom, and holds its content, so that whoever
takes over from a process that was killed needs nothing else. Then the file is deleted, if it is still the one that was
read (If-Match). Each step can be done twice, since answers are lost.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from packaging_assets.artifacts.s3_objects import ListedObject, ObjectStart, S3Objects
from packaging_assets.domain.triggers import MAX_BYTES
from packaging_assets.resources.s3_trigger_names import TriggerNames
from packaging_assets.resources.trigger_queue import EventQueue
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

SOURCE_DIGITS = 8


class _Claim(BaseModel):
    """What `taken/<identity>.json` holds: a file's name and content, which object that was, when and by whose take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    taken_at: dt.datetime
    take: str
    content: str

    @property
    def content_bytes(self) -> bytes:
        return base64.b64decode(self.content)

    @property
    def stored(self) -> bytes:
        return self.model_dump_json(indent=2).encode()


class _StoredClaim(NamedTuple):
    claim: _Claim
    etag: str


class S3TriggerFolder:
    """The trigger files directly below a prefix; see `TriggerStore`.

    Args:
        objects: where they are.
        queue: tells of new ones; None to list them.
        now: the time, aware, in UTC.
        new_id: a text that no other process makes.
    """

    def __init__(
        self,
        objects: S3Objects,
        queue: EventQueue | None,
        *,
        now: Callable[[], dt.datetime],
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._objects = objects
        self._names = TriggerNames(objects, queue)
        self._now = now
        self._new_id = new_id

    @property
    def place(self) -> str:
        """The prefix as a URI."""
        return self._objects.uri("")

    def waiting(self, most: int) -> list[str]:
        """Names of files that have been dropped, of which those that S3 told of come first."""
        return self._names.waiting(most)

    def settle(self, name: str) -> None:
        """Let the queue forget the file."""
        self._names.settle(name)

    def read(self, name: str) -> bytes:
        """The content of a waiting file, at most one byte more than a trigger may have.

        Raises:
            FileNotFoundError: another process has moved it.
            UnreadableTriggerError: it is not called *.json.
        """
        content = self._source(name).body
        if not name.endswith(".json"):
            raise UnreadableTriggerError("Its name does not end in .json, and triggers are JSON.")
        return content

    def modified_at(self, name: str) -> dt.datetime:
        """When the waiting file was last written (UTC); raises FileNotFoundError if it has been moved."""
        return self._source(name).modified_at

    def take(self, name: str, identity: str, content: bytes) -> bool:
        """Make a waiting file ours to launch; False if another process has it, or it changed since it was read.

        Raises:
            FileExistsError: another file that asks for the same was taken before.
        """
        source = self._objects.start(name, MAX_BYTES + 1)
        if source is None or source.body != content:
            return False
        claim = _Claim(
            name=name,
            source=_identity_of(source),
            taken_at=self._now(),
            take=self._new_id(),
            content=base64.b64encode(content).decode(),
        )
        if not self._is_claimed_by(claim, identity):
            return False
        if not self._is_still(name, source):
            # Somebody had taken, launched and finished it between our reading and our claim.
            self._give_back(identity, claim)
            return False
        self._objects.delete_same(name, etag=source.etag)
        return True

    def taken(self) -> list[Taken]:
        """The triggers that are being launched, by identity."""
        keys = [entry.key for entry in self._objects.directly_below(f"{TAKEN}/") if entry.key.endswith(".json")]
        found: list[Taken] = []
        for key in keys:
            identity = key.removeprefix(f"{TAKEN}/").removesuffix(".json")
            stored = self._stored_claim(identity)
            if stored is not None:
                found.append(Taken(identity, stored.claim.content_bytes, stored.claim.taken_at))
        return found

    def renew(self, taken: Taken) -> None:
        """It is being launched once more: count its time from now.

        Raises:
            FileNotFoundError: another process has finished or renewed it.
        """
        claim, etag = self._claim(taken.identity)
        renewed = claim.model_copy(update={"taken_at": self._now()})
        is_same = claim.taken_at == taken.taken_at
        if not (is_same and self._objects.replace(_taken_key(taken.identity), renewed.stored, etag=etag)):
            raise FileNotFoundError(f"{self._objects.uri(_taken_key(taken.identity))} was renewed by another process.")

    def runs_of(self, identity: str) -> Mapping[str, str] | None:
        """The runs by partition of a trigger that was launched before; None if it was not."""
        for entry in self._objects.directly_below(f"{DONE}/{identity[:SHORT]}-"):
            if entry.key.endswith(RUNS_SUFFIX):
                found = self._json(entry.key)
                if found.get("trigger") == identity:
                    return found["runs"]
        return None

    def finish(self, identity: str, runs: Mapping[str, str]) -> None:
        """Move a taken trigger to `done/`, beside the ids of its runs by partition."""
        claim, _ = self._claim(identity)
        place = f"{DONE}/{identity[:SHORT]}-{safe_name(claim.name)}"
        said = json.dumps({"trigger": identity, "runs": dict(runs)}, indent=2, sort_keys=True) + "\n"
        self._objects.put(place, claim.content_bytes)
        self._objects.put(f"{place}{RUNS_SUFFIX}", said.encode())
        self._put_away(identity, claim)

    def reject(self, name: str, problems: Sequence[str]) -> str:
        """Move a waiting file to `rejected/`, beside a file that says what is wrong, and return its name there.

        Of a file that is longer than a trigger may be, only the beginning is kept there.

        Raises:
            FileNotFoundError: another process has moved it.
        """
        source = self._source(name)
        digits = hashlib.sha256(f"{name}\n{_identity_of(source)}".encode()).hexdigest()[:SOURCE_DIGITS]
        place = self._put_aside(f"{digits}-{safe_name(name)}", source.body, problems)
        self._objects.delete_same(name, etag=source.etag)
        return place

    def reject_taken(self, identity: str, problems: Sequence[str]) -> str:
        """As `reject`, for a trigger that was taken and turns out to be impossible by now."""
        claim, _ = self._claim(identity)
        place = self._put_aside(f"{identity[:SHORT]}-{safe_name(claim.name)}", claim.content_bytes, problems)
        self._put_away(identity, claim)
        return place

    def contents(self, most: int) -> TriggerContents:
        """What there is."""
        done, rejected = self._latest(DONE, RUNS_SUFFIX, most), self._latest(REJECTED, ERROR_SUFFIX, most)
        texts = {name: self._objects.get(f"{REJECTED}/{name}{ERROR_SUFFIX}") for name in rejected}
        return TriggerContents(
            waiting=[entry.key for entry in self._objects.directly_below() if may_be_trigger(entry.key)],
            taken=[entry.key.removeprefix(f"{TAKEN}/") for entry in self._objects.directly_below(f"{TAKEN}/")],
            done={name: self._json(f"{DONE}/{name}{RUNS_SUFFIX}").get("runs", {}) for name in done},
            rejected={name: text.body.decode().splitlines() for name, text in texts.items() if text},
        )

    def _source(self, name: str) -> ObjectStart:
        found = self._objects.start(name, MAX_BYTES + 1)
        if found is None:
            raise FileNotFoundError(f"{self._objects.uri(name)} has been moved.")
        return found

    def _is_still(self, name: str, source: ObjectStart) -> bool:
        found = self._objects.start(name, 0)
        return found is not None and _identity_of(found) == _identity_of(source)

    def _is_claimed_by(self, claim: _Claim, identity: str) -> bool:
        if self._objects.put_new(_taken_key(identity), claim.stored):
            return True
        there = self._stored_claim(identity)
        if there is None:  # S3 was about to write another claim, or it is done with by now: the next look knows
            return False
        if there.claim.take == claim.take:  # our first answer was lost
            return True
        if (there.claim.name, there.claim.source) != (claim.name, claim.source):
            raise FileExistsError(f"{self._objects.uri(_taken_key(identity))} was taken for another file.")
        return False  # by another process, which deletes the file, or by one that was killed: then `finish` does

    def _give_back(self, identity: str, claim: _Claim) -> None:
        there = self._stored_claim(identity)
        if there is not None and there.claim.take == claim.take:
            self._objects.delete_same(_taken_key(identity), etag=there.etag)

    def _put_away(self, identity: str, claim: _Claim) -> None:
        """Delete the waiting file, if whoever took it was killed before doing so, and the claim after it."""
        waiting = self._objects.start(claim.name, 0)
        if waiting is not None and _identity_of(waiting) == claim.source:
            self._objects.delete_same(claim.name, etag=waiting.etag)
        self._objects.delete([_taken_key(identity)])

    def _put_aside(self, place: str, content: bytes, problems: Sequence[str]) -> str:
        self._objects.put(f"{REJECTED}/{place}", content)
        self._objects.put(f"{REJECTED}/{place}{ERROR_SUFFIX}", "".join(f"{problem}\n" for problem in problems).encode())
        return place

    def _claim(self, identity: str) -> _StoredClaim:
        stored = self._stored_claim(identity)
        if stored is None:
            raise FileNotFoundError(f"{self._objects.uri(_taken_key(identity))} is done with.")
        return stored

    def _stored_claim(self, identity: str) -> _StoredClaim | None:
        found = self._objects.start(_taken_key(identity), 8 * MAX_BYTES)
        if found is None:
            return None
        try:
            return _StoredClaim(_Claim.model_validate_json(found.body), found.etag)
        except ValidationError:  # somebody put a file there by hand: it counts as taken when it was written
            content = base64.b64encode(found.body[: MAX_BYTES + 1]).decode()
            claim = _Claim(name=f"{identity}.json", source="", taken_at=found.modified_at, take="", content=content)
            return _StoredClaim(claim, found.etag)

    def _json(self, key: str) -> dict[str, Any]:
        found = self._objects.get(key)
        return json.loads(found.body) if found else {}

    def _latest(self, folder: str, suffix: str, most: int) -> list[str]:
        entries = [entry for entry in self._objects.directly_below(f"{folder}/") if entry.key.endswith(suffix)]
        latest = sorted(entries, key=_age)[-most:]
        return sorted(entry.key.removeprefix(f"{folder}/").removesuffix(suffix) for entry in latest)


def _age(entry: ListedObject) -> dt.datetime:
    return entry.modified_at


def _identity_of(source: ObjectStart) -> str:
    """Which object it is: the same content written a second later is another."""
    return f"{source.etag} {source.modified_at.isoformat()}"


def _taken_key(identity: str) -> str:
    return f"{TAKEN}/{identity}.json"
