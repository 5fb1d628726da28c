"""One look for decisions that were made outside: each is shown in the graph or told, then acknowledged.

Whoever is killed before acknowledging is given the decision again: an event that is in the log already is not written
twice, and an alert is known by its key.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import dagster as dg

from packaging_assets.components.assets.champion import champion_key, champion_materialization
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.serving import serving_champion
from packaging_assets.domain.alerts import Alert, Failure
from packaging_assets.domain.registry import RegistryError, Status
from packaging_assets.resources.outside_decisions import OutsideDecision, WatchedRegistry

OUTSIDE = "outside_decision"
"""Under which an event's metadata name the decision."""

DECIDED = {Status.APPROVED: "approve", Status.REJECTED: "reject"}


@dataclass
class Outcome:
    """What a look came to: decisions taken up, decisions set back, and what could not be looked at."""

    honoured: list[OutsideDecision] = field(default_factory=list[OutsideDecision])
    refused: list[OutsideDecision] = field(default_factory=list[OutsideDecision])
    trouble: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class OutsideLook:
    """What a look needs."""

    instance: dg.DagsterInstance
    registry: WatchedRegistry
    models: ModelSet
    alert: Callable[[Alert], None]
    now: Callable[[], dt.datetime]

    def take(self) -> Outcome:
        """Look at every model; what is wrong with one keeps no other waiting, and is told once a day."""
        outcome = Outcome()
        try:
            names = self.registry.models()
        except RegistryError as error:
            self._trouble("the registry", error, outcome)
            return outcome
        for model in names:
            try:
                self.registry.reconcile(model)
            except RegistryError as error:
                self._trouble(model, error, outcome)
            try:
                self._pass_on(model, outcome)
            except RegistryError as error:
                self._trouble(model, error, outcome)
        return outcome

    def _pass_on(self, model: str, outcome: Outcome) -> None:
        decisions = self.registry.outside_decisions(model)
        for decision in decisions:
            if decision.is_honoured:
                self._record(decision)
                outcome.honoured.append(decision)
            else:
                self.alert(_refusal(decision, self._owners(model)))
                outcome.refused.append(decision)
        if decisions:
            self.registry.acknowledge(decisions)

    def _record(self, decision: OutsideDecision) -> None:
        """Show in the graph which version serves after the decision, whose it was, and why."""
        serving = serving_champion(self.registry, self.models, decision.model)
        if serving is None:
            return
        live, champion = serving
        latest = self.instance.get_latest_materialization_event(champion_key(live))
        recorded = latest.asset_materialization if latest else None
        if recorded is not None and OUTSIDE in recorded.metadata and recorded.metadata[OUTSIDE].value == decision.key:
            return
        details = {
            "decision": f"{DECIDED[decision.to_status]} {decision.model} {decision.version}, outside",
            "actor": decision.actor,
            "reason": decision.reason,
            OUTSIDE: decision.key,
        }
        self.instance.report_runless_asset_event(champion_materialization(live, champion, details))

    def _trouble(self, what: str, error: RegistryError, outcome: Outcome) -> None:
        outcome.trouble.append(f"{what}: {error}")
        failure = Failure(
            key=f"trouble:outside approvals:{what}:{self.now():%Y-%m-%d}",
            kind="trouble",
            severity="error",
            headline="decisions made outside are not seen",
            sentence=f"Could not look at {what}: {error}",
            remedy="See packaging doctor; until it is mended, decide with packaging models.",
            owners=self._owners(what),
        )
        self.alert(Alert(subject="model registry", failures=(failure,)))

    def _owners(self, model: str) -> tuple[str, ...]:
        spec = self.models.specs.get(model)
        return () if spec is None else tuple(spec.owners)


def _refusal(decision: OutsideDecision, owners: tuple[str, ...]) -> Alert:
    who = decision.actor or "Somebody whom SageMaker does not name"
    failure = Failure(
        key=f"outside:{decision.key}",
        kind="model",
        severity="error",
        headline="was decided about outside, and set back",
        sentence=(
            f"{who} made version {decision.version} {decision.to_status} in SageMaker at "
            f"{decision.at:%Y-%m-%d %H:%M:%S} UTC. It is {decision.from_status} again."
        ),
        subject=decision.model,
        model=decision.model,
        reasons=(decision.refusal,),
        remedy=f"Decide by name and with a reason: packaging models {DECIDED.get(decision.to_status, 'reject')} "
        f"{decision.model} {decision.version} --reason ..., or in SageMaker Studio with a comment.",
        owners=owners,
    )
    return Alert(subject="model registry", failures=(failure,))
