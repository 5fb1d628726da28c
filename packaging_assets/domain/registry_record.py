"""All that a registry keeps about one model, and what each decision makes of it, without any storage.

A registry reads a model's record, asks it for the record after a decision, and writes that in one transaction. Where a
decision changes nothing, the very same record comes back, and there is nothing to write.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from packaging_assets.domain.json_files import without_nan
from packaging_assets.domain.registry import (
    GATES_ACTOR,
    Action,
    ConflictError,
    ModelVersion,
    Pin,
    Registration,
    Status,
    Transition,
    TransitionError,
    UnknownVersionError,
    check_decision,
    check_may_serve,
    check_person,
    check_pin,
    check_retry,
    check_transition,
    check_unseen,
    choose_champion,
    decisions_of,
    giver_of_status,
    pin_in_force,
    served_before,
    status_at_registration,
    undoable,
)
from packaging_assets.domain.spelling import did_you_mean


@dataclass(frozen=True)
class Decision:
    """Who decides, why, and when (aware, in UTC)."""

    actor: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A model's versions by number, everything done to them, oldest first, and the pin in force.

    The versions do not say which of them is the champion: `marked` does.
    """

    model: str
    versions: tuple[ModelVersion, ...] = ()
    history: tuple[Transition, ...] = ()
    pin: Pin | None = None

    @property
    def champion(self) -> ModelVersion | None:
        """The version that serves."""
        return next((version for version in self.marked if version.is_champion), None)

    @property
    def marked(self) -> list[ModelVersion]:
        """The versions, the champion marked."""
        champion = choose_champion(self.versions, self.pin)
        return [replace(version, is_champion=version is champion) for version in self.versions]

    def get(self, number: int) -> ModelVersion:
        """A version by its number.

        Raises:
            UnknownVersionError: there is none; the message says which there are.
        """
        for version in self.marked:
            if version.version == number:
                return version
        last = self.versions[-1].version if self.versions else 0
        raise UnknownVersionError(
            f"{self.model} has no version {number}: it has 1 to {last} (packaging models list --model {self.model})."
        )

    def find(self, registration: Registration) -> ModelVersion | None:
        """The version that a registration has made, or made earlier."""
        wanted = registration.training_week, registration.fingerprint
        return next((known for known in self.marked if (known.training_week, known.fingerprint) == wanted), None)

    def with_version(self, registration: Registration, *, at: dt.datetime) -> "ModelRecord":
        """Add a version with the status of its verdict, unless it is there.

        Raises:
            ConflictError: it is there, approved by its verdict, and this verdict is another.
        """
        existing = self.find(registration)
        if existing is not None:
            check_retry(existing, registration.verdict)
            return self
        status, reason = status_at_registration(registration, self.versions)
        given = {item.name: getattr(registration, item.name) for item in fields(Registration)}
        given["metrics"] = without_nan(registration.metrics)
        version = ModelVersion(
            **given,
            version=1 + max((known.version for known in self.versions), default=0),
            status=status,
            actor=GATES_ACTOR,
            created_at=at,
            updated_at=at,
        )
        after = replace(self, versions=(*self.versions, version))
        return self._recorded(after, Action.REGISTER, version, None, Decision(GATES_ACTOR, reason, at))

    def with_status(
        self, number: int, status: Status, decision: Decision, expected: Status | None = None
    ) -> "ModelRecord":
        """Approve or reject a version, if it is not that already.

        Raises:
            TransitionError: the rules do not allow it, or the version is pinned.
            ConflictError: the status is no longer `expected`, and not by this very decision of the same actor.
            UnknownVersionError: there is no such version.
        """
        found = self.get(number)
        if (found.status, found.actor) != (status, decision.actor):
            _check_expected(found, expected)
        check_transition(found.status, status, decision.actor, decision.reason)
        if status is Status.APPROVED:
            check_may_serve(found)
        if found.status is status:
            return self
        if self.pin is not None and self.pin.version == number:
            raise TransitionError(
                f"Version {number} of {self.model} is pinned by {self.pin.actor}: unpin it before rejecting it "
                "(packaging models unpin)."
            )
        action = Action.APPROVE if status is Status.APPROVED else Action.REJECT
        return self._changed(found, status, action, decision)

    def with_pin(self, number: int, decision: Decision, expected_decisions: int | None = None) -> "ModelRecord":
        """Pin an approved version, if it is not the pinned one.

        Raises:
            TransitionError: it is not approved, or the decision is not a named person's with a reason.
            ConflictError: there have been more decisions than `expected_decisions`, or not so many.
            UnknownVersionError: there is no such version.
        """
        chosen = self.get(number)
        check_pin(chosen, decision.actor, decision.reason)
        if self.pin is not None and self.pin.version == number:
            return self
        check_unseen(self.model, decisions_of(self.history), expected_decisions)
        return self._pinned(chosen, Action.PIN, decision)

    def without_pin(self, decision: Decision, expected_decisions: int | None = None) -> "ModelRecord":
        """Let the weeks decide, if a version is pinned.

        Raises:
            TransitionError: actor or reason is blank.
            ConflictError: as for `with_pin`.
        """
        check_decision(decision.actor, decision.reason)
        if self.pin is None:
            return self
        check_unseen(self.model, decisions_of(self.history), expected_decisions)
        unpinned = self.get(self.pin.version)
        return self._recorded(replace(self, pin=None), Action.UNPIN, unpinned, unpinned.status, decision)

    def rolled_back(self, number: int, decision: Decision) -> "ModelRecord":
        """Pin the version that served before, if version `number` serves.

        Raises:
            TransitionError: none served before, or the decision is not a named person's with a reason.
            UnknownVersionError: there is no such version.
        """
        check_person(Action.ROLL_BACK, decision.actor, decision.reason)
        found = self.get(number)
        if not found.is_champion:
            return self
        return self._pinned(served_before(found, self.versions, self.history), Action.ROLL_BACK, decision)

    def undone(self, decision: Decision, expected_decisions: int | None = None) -> "ModelRecord":
        """Restore what the last decision changed, unless there was none or it is taken back already.

        Raises:
            TransitionError: the decision is not a named person's with a reason.
            ConflictError: as for `with_pin`.
        """
        check_person(Action.UNDO, decision.actor, decision.reason)
        last = undoable(self.history)
        if last is None:
            return self
        check_unseen(self.model, decisions_of(self.history), expected_decisions)
        found = self.get(last.version)
        if last.from_status is None or last.from_status is last.to_status:
            before = pin_in_force(self.history[: _position(self.history, last)])
            return self._recorded(replace(self, pin=before), Action.UNDO, found, found.status, decision)
        giver = giver_of_status(self.history[: _position(self.history, last)], last.version)
        return self._changed(found, last.from_status, Action.UNDO, decision, giver=giver)

    def _changed(
        self, version: ModelVersion, status: Status, action: Action, decision: Decision, *, giver: str | None = None
    ) -> "ModelRecord":
        """A version with another status: given by whoever decides, if not by `giver`."""
        actor = decision.actor if giver is None else giver
        changed = replace(version, status=status, actor=actor, updated_at=decision.at, is_champion=False)
        versions = tuple(changed if known.version == version.version else known for known in self.versions)
        return self._recorded(replace(self, versions=versions), action, changed, version.status, decision)

    def _pinned(self, version: ModelVersion, action: Action, decision: Decision) -> "ModelRecord":
        pin = Pin(
            model=self.model,
            version=version.version,
            actor=decision.actor,
            reason=decision.reason,
            pinned_at=decision.at,
        )
        return self._recorded(replace(self, pin=pin), action, version, version.status, decision)

    def _recorded(
        self,
        after: "ModelRecord",
        action: Action,
        version: ModelVersion,
        from_status: Status | None,
        decision: Decision,
    ) -> "ModelRecord":
        line = Transition(
            model=self.model,
            version=version.version,
            action=action,
            from_status=from_status,
            to_status=version.status,
            from_champion=_number(self.champion),
            to_champion=_number(after.champion),
            actor=decision.actor,
            reason=decision.reason,
            at=decision.at,
        )
        return replace(after, history=(*self.history, line))


def unknown_model(model: str, known: Iterable[str], place: str = "the registry") -> UnknownVersionError:
    """That there is no such model in a registry; the message names the one that is meant, or those that it has."""
    there = list(known)
    near = did_you_mean(model, there) or f"; known models: {', '.join(there) or 'none so far'}."
    return UnknownVersionError(f"There is no model {model!r} in {place}{near}")


def _check_expected(version: ModelVersion, expected: Status | None) -> None:
    if expected is not None and version.status is not expected:
        raise ConflictError(
            f"Version {version.version} of {version.model} is no longer {expected}: {version.actor} made it "
            f"{version.status} at {version.updated_at:%Y-%m-%d %H:%M:%S} UTC. Look at it again before deciding "
            f"(packaging models show {version.model} {version.version})."
        )


def _position(history: tuple[Transition, ...], line: Transition) -> int:
    """Where a line stands; of lines that are alike, the last."""
    return max(number for number, other in enumerate(history) if other == line)


def _number(version: Any) -> int | None:
    return None if version is None else version.version
