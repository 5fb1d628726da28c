"""A model's ledger: its record, and how far SageMaker shows it; one object of S3 for each model.

The ledger is written by conditional puts: on condition that it is what was read, or that there is none. So each write
is a transaction, whatever other processes do, and what it holds was decided as a whole and is recorded.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from packaging_assets.artifacts.s3_objects import S3Objects, StoredObject
from packaging_assets.domain.registry import Action, ModelVersion, Pin, RegistryError, Status, Transition
from packaging_assets.domain.registry_record import ModelRecord
from packaging_assets.resources.backoff import Backoff
from packaging_assets.resources.outside_decisions import OutsideDecision
from packaging_assets.resources.sagemaker_registry_calls import Calls

LAYOUT = 1
FOLDER, ENDING = "models/", ".json"
REMEMBERED_WRITES = 100
"""A writer whose answer was lost finds itself among so many, or would write once more."""

CONFLICTS = Backoff(attempts=60, first_seconds=0.01, longest_seconds=1.0)
"""Of writers that others come in between of; each time one of the others has succeeded."""


@dataclass(frozen=True)
class PackageEntry:
    """A version's model package, and how far it shows what the ledger says.

    `revision` counts what the package had to show, `shown` is the last one that it is known to show. `outside` is the
    revision on top of which a change from outside was last taken up. `note` is what the package says in place of the
    last decision's reason: why an outside decision was set back.
    """

    arn: str = ""
    revision: int = 1
    shown: int = 0
    outside: int = 0
    note: str = ""

    @property
    def is_behind(self) -> bool:
        """Whether the package may show something else."""
        return not self.arn or self.shown != self.revision


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A model's record, its packages by version, what is still to be told, and the ids of the last writes."""

    record: ModelRecord
    packages: Mapping[int, PackageEntry] = field(default_factory=dict[int, PackageEntry])
    untold: tuple[OutsideDecision, ...] = ()
    writes: tuple[str, ...] = ()

    def with_record(self, record: ModelRecord) -> Ledger:
        """The ledger after a decision: packages of versions that it changed have a new revision to show."""
        if record is self.record:
            return self
        before = {version.version: version for version in self.record.versions}
        packages = dict(self.packages)
        for version in record.versions:
            if version.version not in before:
                packages[version.version] = PackageEntry()
            elif version != before[version.version]:
                entry = packages[version.version]
                packages[version.version] = replace(entry, revision=entry.revision + 1, note="")
        return replace(self, record=record, packages=packages)

    def with_package(self, number: int, **changes: Any) -> Ledger:
        """The ledger with another entry for a version's package."""
        return replace(self, packages={**self.packages, number: replace(self.packages[number], **changes)})

    @property
    def behind(self) -> list[int]:
        """Versions whose packages may show something else, by number."""
        return sorted(number for number, entry in self.packages.items() if entry.is_behind)


@dataclass(frozen=True)
class Ledgers:
    """The ledgers of an environment, each below `models/` in `objects`; `new_id` names writes."""

    objects: S3Objects
    calls: Calls
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex

    def models(self) -> list[str]:
        """Names of the models that have a ledger, sorted."""
        listed = self.calls.make("list the registry's models", lambda: list(self.objects.entries(FOLDER)))
        names = [entry.key.removeprefix(FOLDER) for entry in listed]
        return sorted(name.removesuffix(ENDING) for name in names if name.endswith(ENDING) and "/" not in name)

    def read(self, model: str) -> Ledger:
        """A model's ledger; an empty one where there is none yet."""
        return self._parsed(model, self._stored(model))

    def change(self, model: str, step: Callable[[Ledger], Ledger]) -> Ledger:
        """Write what `step` makes of the ledger, and return it; nothing is written where that is the very same.

        `step` may be called several times, on what others have written meanwhile, and whatever it raises is raised.

        Raises:
            RegistryError: S3 fails, or others came in between every time.
        """
        mine = self.new_id()
        for number in range(1, CONFLICTS.attempts + 1):
            stored = self._stored(model)
            before = self._parsed(model, stored)
            if mine in before.writes:  # written, and the answer was lost
                return before
            after = step(before)
            if after is before:
                return before
            after = replace(after, writes=(*before.writes, mine)[-REMEMBERED_WRITES:])
            if self._put(model, after, stored):
                return after
            self.calls.sleep(CONFLICTS.pause(number, mine))
        raise RegistryError(
            f"The record of {model} in {self.objects.uri(_key(model))} was changed by others {CONFLICTS.attempts} "
            "times in a row: see what writes to it without end, and try again."
        )

    def _stored(self, model: str) -> StoredObject | None:
        return self.calls.make(f"read the record of {model}", self.objects.get, key=_key(model))

    def _put(self, model: str, ledger: Ledger, before: StoredObject | None) -> bool:
        what, body = f"write the record of {model}", _as_json(ledger)
        if before is None:
            return self.calls.make(what, self.objects.put_new, key=_key(model), body=body)
        return self.calls.make(what, self.objects.replace, key=_key(model), body=body, etag=before.etag)

    def _parsed(self, model: str, stored: StoredObject | None) -> Ledger:
        if stored is None:
            return Ledger(record=ModelRecord(model=model))
        try:
            content = json.loads(stored.body)
            layout = content["layout"]
            if layout == LAYOUT:
                return _from_json(model, content)
        except (KeyError, TypeError, ValueError) as error:
            raise RegistryError(
                f"{self.objects.uri(_key(model))} is no record of a model ({type(error).__name__}: {error}): restore "
                "its last version (docs/model-registry.md)."
            ) from error
        raise RegistryError(
            f"{self.objects.uri(_key(model))} has layout {layout}, and this version reads {LAYOUT}: install the "
            "version that wrote it."
        )


def _key(model: str) -> str:
    return f"{FOLDER}{model}{ENDING}"


def _as_json(ledger: Ledger) -> bytes:
    record = ledger.record
    content = {
        "layout": LAYOUT,
        "versions": [_without_champion(asdict(version)) for version in record.versions],
        "history": [asdict(line) for line in record.history],
        "pin": None if record.pin is None else asdict(record.pin),
        "packages": {str(number): asdict(entry) for number, entry in ledger.packages.items()},
        "untold": [asdict(decision) for decision in ledger.untold],
        "writes": ledger.writes,
    }
    return json.dumps(content, default=_as_text, allow_nan=False, separators=(",", ":")).encode()


def _from_json(model: str, content: Mapping[str, Any]) -> Ledger:
    pin = content["pin"]
    return Ledger(
        record=ModelRecord(
            model=model,
            versions=tuple(_version(row) for row in content["versions"]),
            history=tuple(_transition(row) for row in content["history"]),
            pin=None if pin is None else Pin(**_with_times(pin, "pinned_at")),
        ),
        packages={int(number): PackageEntry(**entry) for number, entry in content["packages"].items()},
        untold=tuple(_outside(row) for row in content["untold"]),
        writes=tuple(content["writes"]),
    )


def _version(row: Mapping[str, Any]) -> ModelVersion:
    given: dict[str, Any] = {
        **_with_times(row, "created_at", "updated_at"),
        "status": Status(row["status"]),
        "reasons": tuple(row["reasons"]),
    }
    return ModelVersion(**given)


def _transition(row: Mapping[str, Any]) -> Transition:
    before = row["from_status"]
    given: dict[str, Any] = {
        **_with_times(row, "at"),
        "action": Action(row["action"]),
        "from_status": None if before is None else Status(before),
        "to_status": Status(row["to_status"]),
    }
    return Transition(**given)


def _outside(row: Mapping[str, Any]) -> OutsideDecision:
    given: dict[str, Any] = {
        **_with_times(row, "at"),
        "from_status": Status(row["from_status"]),
        "to_status": Status(row["to_status"]),
    }
    return OutsideDecision(**given)


def _with_times(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: dt.datetime.fromisoformat(row[name]) for name in names}}


def _without_champion(row: dict[str, Any]) -> dict[str, Any]:
    """Which version serves follows from the rest."""
    return {name: value for name, value in row.items() if name != "is_champion"}


def _as_text(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be kept in a record.")
