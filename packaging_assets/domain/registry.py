"""Model versions, their statuses, and which of them serves: the rules, without any storage.

Here belong the states of a version, who may move it from one to another, and how the champion is chosen. How versions
are stored, and how two writers are kept apart, belongs to `resources.model_registry` and its implementations.

The promise: a version is `Approved` either because its verdict was "approve" when it was registered, or because a named
person approved it with a written reason.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

VerdictOutcome = Literal["approve", "reject", "pending"]

GATES_ACTOR = "gates"
"""Who acts when a version gets its first status from its verdict."""

AUTOMATIC_ACTORS = frozenset({GATES_ACTOR, "dagster", "schedule", "sensor", "system"})
"""Names that are not a person's, so that none of them can approve what the gates did not."""


class Status(StrEnum):
    """What a version may be used for; the names are those of the SageMaker Model Registry."""

    APPROVED = "Approved"
    REJECTED = "Rejected"
    PENDING = "PendingManualApproval"


class Action(StrEnum):
    """What was done to a version, for the record."""

    REGISTER = "register"
    APPROVE = "approve"
    REJECT = "reject"
    PIN = "pin"
    UNPIN = "unpin"


class RegistryError(Exception):
    """The registry cannot do what was asked; the message names model, version and remedy."""


class UnknownVersionError(RegistryError):
    """There is no model, or no version of it, by that name."""


class TransitionError(RegistryError):
    """The rules do not allow that change of status, that pin, or that way of asking for it."""


class ConflictError(RegistryError):
    """Somebody else decided first: the status is no longer what the caller had seen."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A trained and judged model on its way into the registry.

    `training_week` is the Monday as an ISO date; `fingerprint` identifies what was judged, so the same model, week and
    fingerprint is the same version; the URIs are relative to the artifact store.

    Raises:
        RegistryError: `training_week` is not a Monday's ISO date, or a name or identifier is blank.
    """

    model: str
    package_type: str
    training_week: str
    fingerprint: str
    verdict: VerdictOutcome
    artifact_uri: str
    metrics_uri: str
    content_hash: str
    code_version: str
    metrics: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("model", "package_type", "fingerprint", "artifact_uri", "content_hash"):
            if not getattr(self, name).strip():
                raise RegistryError(f"A version cannot be registered with a blank {name}: give it a value.")
        check_week(self.training_week)


@dataclass(frozen=True, kw_only=True)
class ModelVersion(Registration):
    """A registered version. `actor` gave it its present status at `updated_at`; times are aware, in UTC.

    `is_champion` says whether it was the one that serves at the moment it was read.
    """

    version: int
    status: Status
    actor: str
    created_at: dt.datetime
    updated_at: dt.datetime
    is_champion: bool = False


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One line of the record: who did what to which version, when and why, and what it changed.

    `from_status` is None for a registration; the champions are version numbers before and after, None where no version
    served.
    """

    model: str
    version: int
    action: Action
    from_status: Status | None
    to_status: Status
    from_champion: int | None
    to_champion: int | None
    actor: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class Pin:
    """The version that a person made the champion, whatever the weeks say."""

    model: str
    version: int
    actor: str
    reason: str
    pinned_at: dt.datetime


def check_week(week: str) -> None:
    """Refuse anything but a Monday's ISO date ("2025-01-06"): weeks are compared as strings.

    Raises:
        RegistryError: naming the value and what is expected.
    """
    try:
        day = dt.date.fromisoformat(week)
    except ValueError:
        day = None
    if day is None or day.weekday() != 0 or day.isoformat() != week:
        raise RegistryError(f"Training week {week!r} is not a Monday's ISO date: write it like 2025-01-06.")


def status_of(outcome: VerdictOutcome) -> Status:
    """The status that a verdict gives to a new version."""
    return {"approve": Status.APPROVED, "reject": Status.REJECTED, "pending": Status.PENDING}[outcome]


def is_person(actor: str) -> bool:
    """Whether `actor` names somebody rather than a part of the platform."""
    return actor.strip().casefold() not in AUTOMATIC_ACTORS


def check_decision(actor: str, reason: str) -> None:
    """Every decision names who took it and why.

    Raises:
        TransitionError: actor or reason is blank.
    """
    if not actor.strip():
        raise TransitionError("A decision needs the name of whoever takes it: give an actor.")
    if not reason.strip():
        raise TransitionError("A decision needs a written reason: give one that the next reader will understand.")


def check_transition(from_status: Status, to_status: Status, actor: str, reason: str) -> None:
    """Whether a registered version may change from one status to another.

    Raises:
        TransitionError: actor or reason is blank; a version would go back to pending; or something that is not a person
            would approve what the gates did not.
    """
    check_decision(actor, reason)
    if to_status is Status.PENDING and from_status is not Status.PENDING:
        raise TransitionError(
            f"A version that is {from_status} cannot go back to {Status.PENDING}, which only the gates give: "
            "approve or reject it."
        )
    if to_status is Status.APPROVED and from_status is not Status.APPROVED and not is_person(actor):
        raise TransitionError(
            f"{actor!r} cannot approve a version that is {from_status}: a person must, by name and with a reason "
            "(packaging models approve)."
        )


def check_pin(version: ModelVersion, actor: str, reason: str) -> None:
    """Whether a version may be pinned as the champion.

    Raises:
        TransitionError: it is not approved, or the decision is not a named person's with a reason.
    """
    check_decision(actor, reason)
    if not is_person(actor):
        raise TransitionError(f"{actor!r} cannot pin a version: a person must, by name and with a reason.")
    if version.status is not Status.APPROVED:
        raise TransitionError(
            f"Version {version.version} of {version.model} is {version.status}: only an Approved version can be "
            "pinned. Approve it first (packaging models approve)."
        )


def check_retry(existing: ModelVersion, verdict: VerdictOutcome) -> None:
    """Whether registering an existing version once more may quietly give back what is there.

    A version that was not approved stays as it is, whatever a retry says. One that the gates approved must not hide a
    verdict that now says otherwise.

    Raises:
        ConflictError: the version was approved by its verdict, and the retry's verdict is another.
    """
    if existing.verdict == "approve" and verdict != "approve":
        raise ConflictError(
            f"Version {existing.version} of {existing.model} was registered with the verdict 'approve', and the same "
            f"fingerprint now comes with {verdict!r}: find out which step is not deterministic, and reject the version "
            "meanwhile (packaging models reject)."
        )


def choose_champion(versions: Iterable[ModelVersion], pin: Pin | None) -> ModelVersion | None:
    """The version of one model that serves: the pinned one, else the approved one of the latest week.

    Among versions of one week the highest number wins. Only approved versions are ever chosen, pinned or not.
    """
    approved = [version for version in versions if version.status is Status.APPROVED]
    pinned = [version for version in approved if pin is not None and version.version == pin.version]
    return max(pinned or approved, key=_recency, default=None)


def choose_champion_before(versions: Iterable[ModelVersion], week: str) -> ModelVersion | None:
    """The approved version of the latest week strictly before `week`: what a candidate of that week is compared with.

    Pins do not matter here, so that backfilling gives the same comparison as running in order.

    Raises:
        RegistryError: `week` is not a Monday's ISO date.
    """
    check_week(week)
    earlier = (v for v in versions if v.status is Status.APPROVED and v.training_week < week)
    return max(earlier, key=_recency, default=None)


def _recency(version: ModelVersion) -> tuple[str, int]:
    return version.training_week, version.version
