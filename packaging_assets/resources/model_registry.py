"""The model registry as the platform sees it; `resources.sqlite_registry` is the embedded version."""

from typing import Protocol

from packaging_assets.domain.registry import ModelVersion, Pin, Registration, Status, Transition


class ModelRegistry(Protocol):
    """Versions of models, their statuses, who changed them, and which version serves.

    Every write is one transaction that either happens whole, with its line in the record, or not at all. Reads see the
    state after some whole write. Rules and errors are those of `domain.registry`.
    """

    def register(self, registration: Registration) -> ModelVersion:
        """Add a version with the status of its verdict, numbered 1, 2, ... within its model.

        A model that a person has rejected waits for a person, whatever its verdict by another comparison.

        The same model, week and fingerprint again gives back the existing version, as it is now.

        Raises:
            ConflictError: the existing version was approved by its verdict and this verdict is another.
        """
        ...

    def models(self) -> list[str]:
        """Names of the models that have versions, sorted."""
        ...

    def versions(self, model: str | None = None, status: Status | None = None) -> list[ModelVersion]:
        """Versions by model, then number; all of them, or those of one model, one status, or both."""
        ...

    def get(self, model: str, version: int) -> ModelVersion:
        """One version.

        Raises:
            UnknownVersionError: there is none; the message names those there are.
        """
        ...

    def champion(self, model: str) -> ModelVersion | None:
        """The version that serves, or None if none is approved: see `domain.registry.choose_champion`."""
        ...

    def champion_before(self, model: str, week: str) -> ModelVersion | None:
        """The approved version of the latest week strictly before `week` (a Monday's ISO date)."""
        ...

    def approve(
        self, model: str, version: int, *, actor: str, reason: str, expected_status: Status | None = None
    ) -> ModelVersion:
        """Approve a version; one that is approved already comes back unchanged, with nothing recorded.

        Raises:
            TransitionError: the rules do not allow it.
            ConflictError: the status is no longer `expected_status` (where given), and it was not this very decision
                of the same actor that changed it.
            UnknownVersionError: there is no such version.
        """
        ...

    def reject(
        self, model: str, version: int, *, actor: str, reason: str, expected_status: Status | None = None
    ) -> ModelVersion:
        """Reject a version, as `approve` approves it; the pinned version cannot be rejected before it is unpinned."""
        ...

    def pin(
        self, model: str, version: int, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion:
        """Make an approved version the champion until it is unpinned; replaces an earlier pin.

        Raises:
            TransitionError: the version is not approved, or the decision is not a named person's with a reason.
            ConflictError: there have been more decisions about the model than `expected_decisions`, or not so many.
            UnknownVersionError: there is no such version.
        """
        ...

    def unpin(
        self, model: str, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion | None:
        """Let the weeks decide again, and return the champion; nothing is recorded where nothing was pinned.

        Raises:
            ConflictError: as for `pin`.
        """
        ...

    def roll_back(self, model: str, version: int, *, actor: str, reason: str) -> ModelVersion | None:
        """If `version` is the champion, pin the approved version that served before it; return the champion.

        Where `version` is not the champion (any more), nothing changes and nothing is recorded.

        Raises:
            TransitionError: no approved version served before, or the decision is not a named person's with a reason.
            UnknownVersionError: there is no such version.
        """
        ...

    def undo(
        self, model: str, *, actor: str, reason: str, expected_decisions: int | None = None
    ) -> ModelVersion | None:
        """Restore what the last decision about a model changed, a status or a pin, and return the champion.

        A decision is taken back once: where the last one was an undo, or there was none, nothing changes and nothing is
        recorded. Versions registered since then stay.

        Raises:
            TransitionError: the decision is not a named person's with a reason.
            ConflictError: as for `pin`.
            UnknownVersionError: there is no such model.
        """
        ...

    def pinned(self, model: str) -> Pin | None:
        """The pin in force, if any."""
        ...

    def history(self, model: str) -> list[Transition]:
        """Everything that was ever done to a model's versions, oldest first."""
        ...
