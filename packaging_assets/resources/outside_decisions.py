"""Decisions about versions that were not made through the platform, such as an approval in SageMaker Studio."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from packaging_assets.domain.registry import Status
from packaging_assets.resources.model_registry import ModelRegistry


@dataclass(frozen=True, kw_only=True)
class OutsideDecision:
    """Somebody gave a version another status from outside, and what the registry made of it.

    `key` names it, so that it is told once. `actor` and `reason` are blank where the service does not say; `at` is the
    service's time (aware, in UTC). `refusal` says why it does not count; it is blank if it was recorded and is in
    force.
    """

    key: str
    model: str
    version: int
    from_status: Status
    to_status: Status
    actor: str
    reason: str
    at: dt.datetime
    refusal: str = ""

    @property
    def is_honoured(self) -> bool:
        """Whether the decision is recorded and in force."""
        return not self.refusal


class WatchedRegistry(ModelRegistry, Protocol):
    """A registry whose versions can be given another status from outside."""

    def reconcile(self, model: str) -> None:
        """Take up what was decided from outside about a model, and show there what was decided here.

        An outside decision is recorded like any other, with its author and the reason written there, and moves the
        champion; one that the rules do not allow, or without a person's name or a reason, is set back to what it was.

        Raises:
            RegistryError: the service cannot be asked, or a version is not there any more; all else is done.
        """
        ...

    def outside_decisions(self, model: str) -> list[OutsideDecision]:
        """The outside decisions about a model that were taken up and not acknowledged yet, oldest first.

        Whoever is killed before telling them is given them again.
        """
        ...

    def acknowledge(self, decisions: Iterable[OutsideDecision]) -> None:
        """The decisions are told; they are not given back again."""
        ...
