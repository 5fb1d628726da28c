"""Decisions, the same in every registry: changes of a model's record, which each registry keeps its own way."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable

from packaging_assets.domain.registry import Action, ModelVersion, Status, check_decision, check_person
from packaging_assets.domain.registry_record import Decision, ModelRecord


class RecordedDecisions(ABC):
    """The half of `ModelRegistry` that decides; `clock` gives aware times, in UTC."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self._clock = clock

    @abstractmethod
    def _decide(self, model: str, change: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        """Read the model's record, change it and keep it, as one write; the changed record.

        Raises:
            UnknownVersionError: there is no such model.
            RegistryError: from `change`, which refuses, or from what keeps records.
        """

    def approve(
        self, model: str, version: int, *, actor: str, reason: str, expected_status: Status | None = None
    ) -> ModelVersion:
        """Approve a version; one that is approved already comes back unchanged."""
        return self._change_status(model, version, Status.APPROVED, actor, reason, expected_status)

    def reject(
        self, model: str, version: int, *, actor: str, reason: str, expected_status: Status | None = None
    ) -> ModelVersion:
        """Reject a version; one that is rejected already comes back unchanged."""
        return self._change_status(model, version, Status.REJECTED, actor, reason, expected_status)

    def pin(
        self, model: str, version: int, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion:
        """Make an approved version the champion until it is unpinned."""
        after = self._decide(
            model, lambda record: record.with_pin(version, self._decision(actor, reason), expected_decisions)
        )
        return after.get(version)

    def unpin(
        self, model: str, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion | None:
        """Let the weeks decide again, and return the champion."""
        check_decision(actor, reason)
        after = self._decide(
            model, lambda record: record.without_pin(self._decision(actor, reason), expected_decisions)
        )
        return after.champion

    def roll_back(self, model: str, version: int, *, actor: str, reason: str) -> ModelVersion | None:
        """If `version` is the champion, pin the approved version that served before it; return the champion."""
        check_person(Action.ROLL_BACK, actor, reason)
        return self._decide(model, lambda record: record.rolled_back(version, self._decision(actor, reason))).champion

    def undo(
        self, model: str, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion | None:
        """Restore what the last decision about a model changed, and return the champion."""
        check_person(Action.UNDO, actor, reason)
        after = self._decide(model, lambda record: record.undone(self._decision(actor, reason), expected_decisions))
        return after.champion

    def _change_status(
        self, model: str, version: int, status: Status, actor: str, reason: str, expected: Status | None
    ) -> ModelVersion:
        after = self._decide(
            model, lambda record: record.with_status(version, status, self._decision(actor, reason), expected)
        )
        return after.get(version)

    def _decision(self, actor: str, reason: str) -> Decision:
        """Dated within the write that it is part of: a model's history is in the order of its times."""
        return Decision(actor, reason, self._clock())
