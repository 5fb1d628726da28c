"""Model versions, their statuses, and which of them serves: the rules, without any storage.

Here belong the states of a version, who may move it from one to another, and how the champion is chosen. How versions
are stored, and how two writers are kept apart, belongs to `resources.model_registry` and its implementations.

The promise: a version is `Approved` either because its verdict was "approve" when it was registered, or because a named
person approved it with a written reason. A version registered as shadow is never approved, by nobody: it was tried out
beside the model that serves, and goes live by being judged again as live.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, get_args

VerdictOutcome = Literal["approve", "reject", "pending"]

Stage = Literal["live", "shadow"]
"""As what a version was judged: one that may serve, or one tried out beside it."""

STAGES: tuple[Stage, ...] = get_args(Stage)
"""Both."""

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
    ROLL_BACK = "roll_back"
    UNDO = "undo"


PINNING = frozenset({Action.PIN, Action.ROLL_BACK})
"""Decisions that leave a version pinned."""


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

    `training_week` is the Monday as an ISO date; `fingerprint` identifies what was judged and as what, so the same
    model, week and fingerprint is the same version; the URIs are relative to the artifact store.

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
    stage: Stage = "live"
    metrics: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("model", "package_type", "fingerprint", "artifact_uri", "content_hash"):
            if not getattr(self, name).strip():
                raise RegistryError(f"A version cannot be registered with a blank {name}: give it a value.")
        check_week(self.training_week)


@dataclass(frozen=True, kw_only=True)
class ModelVersion(Registration):
    """A registered version. `actor` gave it the status that it has had since `updated_at`; times are aware, in UTC.

    Where a decision was undone, that is who had given it the status before. `is_champion` says whether it was the one
    that serves at the moment it was read.
    """

    version: int
    status: Status
    actor: str
    created_at: dt.datetime
    updated_at: dt.datetime
    is_champion: bool = False

    @property
    def held_against(self) -> tuple[str, int] | None:
        """Model and number of the version that the gates compared it with, as its metrics say; None for a first one.

        Usually an earlier version of the same model. A shadow model's versions are compared with the model that serves
        their package type, and so are those of a model that replaces another, until one of its own is approved.
        """
        champion: Any = self.metrics.get("champion")
        number = champion.get("version") if isinstance(champion, Mapping) else None
        return None if number is None else (champion.get("model") or self.model, number)


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


def status_at_registration(registration: Registration, versions: Iterable[ModelVersion]) -> tuple[Status, str]:
    """The status of a new version among those there are, and why.

    The verdict decides, save that a shadow is never approved, and that a model which a person has rejected does not
    come back approved by another comparison: it waits for a person.
    """
    status = status_of(registration.verdict)
    reason = " ".join(registration.reasons) or f"The verdict is {registration.verdict!r}."
    if registration.stage == "shadow" and status is Status.APPROVED:
        return Status.PENDING, f"Every gate passed, but a shadow is never approved: it only runs beside. {reason}"
    for other in versions:
        is_same = (other.training_week, other.content_hash) == (registration.training_week, registration.content_hash)
        if is_same and status is Status.APPROVED and other.status is Status.REJECTED and is_person(other.actor):
            return Status.PENDING, f"{other.actor} rejected this very model as version {other.version}. {reason}"
    return status, reason


def is_person(actor: str) -> bool:
    """Whether `actor` names somebody rather than a part of the platform."""
    return actor.strip().casefold() not in AUTOMATIC_ACTORS


def check_decision(actor: str, reason: str) -> None:
    """Every decision names who took it and why.

    Raises:
        TransitionError: actor or reason is blank, or has characters that cannot be kept.
    """
    for what, text in (("actor", actor), ("reason", reason)):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise TransitionError(f"The {what} is not UTF-8, so it cannot be kept: write it again.") from None
    if not actor.strip():
        raise TransitionError("A decision needs the name of whoever takes it: give an actor.")
    if not reason.strip():
        raise TransitionError("A decision needs a written reason: give one that the next reader will understand.")


def check_person(action: Action, actor: str, reason: str) -> None:
    """Whether this is a named person's decision, with a reason.

    Raises:
        TransitionError: it is not.
    """
    check_decision(actor, reason)
    if not is_person(actor):
        what = {Action.PIN: "pin", Action.ROLL_BACK: "roll back", Action.UNDO: "undo"}[action]
        raise TransitionError(f"{actor!r} cannot {what}: a person must, by name and with a reason.")


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


def check_may_serve(version: ModelVersion) -> None:
    """Whether anybody may approve or pin a version.

    Raises:
        TransitionError: it was registered as shadow.
    """
    if version.stage == "shadow":
        raise TransitionError(
            f"Version {version.version} of {version.model} was judged as a shadow and can neither be approved nor "
            f"pinned: set `stage: live` in the YAML of {version.model} and run its week again as live "
            f"(packaging run weekly --partition {version.training_week})."
        )


def check_pin(version: ModelVersion, actor: str, reason: str) -> None:
    """Whether a version may be pinned as the champion.

    Raises:
        TransitionError: it is a shadow, it is not approved, or the decision is not a named person's with a reason.
    """
    check_person(Action.PIN, actor, reason)
    check_may_serve(version)
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


def decisions_of(history: Iterable[Transition]) -> list[Transition]:
    """What people (or the platform) decided after registration, oldest first."""
    return [line for line in history if line.action is not Action.REGISTER]


def check_unseen(model: str, decisions: Sequence[Transition], expected: int | None) -> None:
    """Whether nobody has decided about a model since somebody had seen `expected` decisions about it.

    Raises:
        ConflictError: somebody has, and the message names who and what; or there have not been so many.
    """
    if expected is None or len(decisions) == expected:
        return
    look = f"Look at it again before deciding (packaging models show {model} champion)."
    if len(decisions) < expected:
        raise ConflictError(f"Of {model} {expected} decisions cannot have been seen: it has {len(decisions)}. {look}")
    last = decisions[-1]
    raise ConflictError(
        f"{last.actor} decided first: {last.action} of {model} version {last.version} at "
        f"{last.at:%Y-%m-%d %H:%M:%S} UTC ({last.reason}). {look}"
    )


def pin_in_force(history: Iterable[Transition]) -> Pin | None:
    """The pin that a model's record leaves, told from the record alone."""
    before: Pin | None = None
    now: Pin | None = None
    for line in decisions_of(history):
        if line.action is Action.UNDO:
            now = before
            continue
        before = now
        if line.action in PINNING:
            now = Pin(model=line.model, version=line.version, actor=line.actor, reason=line.reason, pinned_at=line.at)
        elif line.action is Action.UNPIN:
            now = None
    return now


def giver_of_status(history: Iterable[Transition], version: int) -> str:
    """Who gave a version the status that its record leaves; whoever undoes a decision gives none.

    So the gates' approval is no person's when its rejection is undone, and who undoes an approval has rejected nothing.
    """
    before = now = GATES_ACTOR
    for line in history:
        if line.version != version or line.from_status is line.to_status:
            continue
        if line.action is Action.UNDO:
            now = before
        else:
            before, now = now, line.actor
    return now


def undoable(history: Sequence[Transition]) -> Transition | None:
    """The decision that `undo` would take back: the last one, unless that was taken back already."""
    decisions = decisions_of(history)
    return decisions[-1] if decisions and decisions[-1].action is not Action.UNDO else None


def served_before(
    champion: ModelVersion, versions: Iterable[ModelVersion], history: Sequence[Transition]
) -> ModelVersion:
    """The version that served before the present champion, for rolling back.

    Versions from which it was rolled back do not count: who rolls back twice goes back twice, not to where it began.

    Raises:
        TransitionError: none did, or none of those that did is approved now.
    """
    approved = {version.version: version for version in versions if version.status is Status.APPROVED}
    for number in reversed(_served(history)):
        if number in approved and number != champion.version:
            return approved[number]
    raise TransitionError(
        f"No approved version of {champion.model} served before version {champion.version}: approve or pin another "
        "(packaging models list), or reject this one, and nothing serves."
    )


def _served(history: Iterable[Transition]) -> list[int]:
    """Which versions served one after the other, the present one last, without what was rolled back."""
    served: list[int] = []
    for line in history:
        if line.action is Action.ROLL_BACK and line.to_champion in served:
            while served[-1] != line.to_champion:
                served.pop()
        elif line.to_champion is not None and line.to_champion != line.from_champion:
            served.append(line.to_champion)
    return served


def choose_champion(versions: Iterable[ModelVersion], pin: Pin | None) -> ModelVersion | None:
    """The version of one model that serves: the pinned one, else the approved one of the latest week.

    Among versions of one week the highest number wins. Only approved versions are ever chosen, pinned or not, and
    those whose approval does not stand (`standing`) only if pinned.
    """
    known = list(versions)
    for version in known:
        if pin is not None and version.version == pin.version and version.status is Status.APPROVED:
            return version
    return max(standing(known), key=_recency, default=None)


def choose_champion_before(versions: Iterable[ModelVersion], week: str) -> ModelVersion | None:
    """The approved version of the latest week strictly before `week`: what a candidate of that week is compared with.

    Pins do not matter here, so that backfilling gives the same comparison as running in order.

    Raises:
        RegistryError: `week` is not a Monday's ISO date.
    """
    check_week(week)
    return max(standing([v for v in versions if v.training_week < week]), key=_recency, default=None)


def choose_shadow(versions: Iterable[ModelVersion]) -> ModelVersion | None:
    """The version of a shadow model that predicts beside the champion: of the latest week, if not rejected.

    Among versions of one week the highest number wins. One that the gates left to a person predicts too: nothing is
    packed by it, and what it predicts is part of what that person wants to know.
    """
    return max((v for v in versions if v.status is not Status.REJECTED), key=_recency, default=None)


def standing(versions: Sequence[ModelVersion]) -> list[ModelVersion]:
    """The approved versions of one model whose approval stands, by week.

    Weeks that are not run in order judge a model against another champion than they would have, or against none. Once
    the very same trained model was judged against the right one, the approved version of the week before, that verdict
    counts and the gates' approval by the other comparison does not. Until then it stands, so that backfilling an old
    week by itself demotes nobody; and what a person approved stands in any case.
    """
    return [version for _, _, group in _weeks(_live(versions)) for version in group]


def weeks_to_judge_again(versions: Sequence[ModelVersion]) -> list[str]:
    """Weeks whose newest model was never judged against the approved version of the week before, oldest first.

    Running these weeks again, in any order, until there are none ends with the champion of running all in order. What
    was judged as shadow does not count: it can never serve.
    """
    live = _live(versions)
    found: list[str] = []
    for week, before, _ in _weeks(live):
        newest = max((v for v in live if v.training_week == week), key=_recency)
        if not any(_is_same_model(newest, v) and _is_held_against(v, before, live) for v in live):
            found.append(week)
    return found


def _live(versions: Sequence[ModelVersion]) -> list[ModelVersion]:
    return [version for version in versions if version.stage == "live"]


def _weeks(
    versions: Sequence[ModelVersion],
) -> Iterable[tuple[str, ModelVersion | None, list[ModelVersion]]]:
    """Each week with the version that served before it by the weeks alone, and its versions whose approval stands."""
    before: ModelVersion | None = None
    for week in sorted({version.training_week for version in versions}):
        group = [v for v in versions if v.training_week == week and v.status is Status.APPROVED]
        stands = [version for version in group if not _is_overruled(version, before, versions)]
        yield week, before, stands
        before = max(stands, key=_recency, default=before)


def _is_overruled(version: ModelVersion, before: ModelVersion | None, versions: Sequence[ModelVersion]) -> bool:
    if is_person(version.actor):
        return False
    rightly = [v for v in versions if _is_same_model(v, version) and _is_held_against(v, before, versions)]
    return bool(rightly) and not any(v.status is Status.APPROVED for v in rightly)


def _is_same_model(version: ModelVersion, other: ModelVersion) -> bool:
    return (version.training_week, version.content_hash) == (other.training_week, other.content_hash)


def _is_held_against(version: ModelVersion, champion: ModelVersion | None, versions: Sequence[ModelVersion]) -> bool:
    """Whether the gates compared a version with `champion`, or with none of its own model where that is None.

    A model without an approved version of its own is rightly compared with the model that it replaces.
    """
    held = version.held_against
    number = held[1] if held is not None and held[0] == version.model else None
    if number is None or champion is None:
        return number is None and champion is None
    return any(v.version == number and _is_same_model(v, champion) for v in versions)


def _recency(version: ModelVersion) -> tuple[str, int]:
    return version.training_week, version.version
