"""The model registry on SageMaker Model Registry, safe for any number of processes on any machines.

Two things hold it. A model's *ledger*, one object of S3, has its versions, statuses, pin and record; it is written by
conditional puts only, so a decision is in it whole, with who, when and why, or not at all, and everything that the
platform reads comes from there. The *model packages* in SageMaker show each version with its status, for people to look
at and to decide about: an approval in SageMaker Studio arrives as a status that nobody wrote from here.

A decision is written to the ledger first, and then shown. So a package never shows an approval of ours that is not
recorded, and whoever is killed in between leaves a ledger that knows which packages are behind: the next decision about
the model, or the next `reconcile`, shows them. A status that was changed from outside is taken up the other way round:
it becomes a decision in the ledger, by the rules of every decision, or is set back; until then the platform does not
act on it. What was taken up, and on top of which revision, is part of the same write, so however many processes see it,
it counts once. What cannot be excluded: SageMaker has no conditional update, so a status that somebody gives in the
moment between our last look at a package and our write, some 0.1 s, is overwritten and not seen.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.domain.registry import (
    ModelVersion,
    Pin,
    Registration,
    RegistryError,
    Status,
    Transition,
    UnknownVersionError,
    choose_champion_before,
)
from packaging_assets.domain.registry_record import ModelRecord, unknown_model
from packaging_assets.resources.outside_decisions import OutsideDecision
from packaging_assets.resources.recorded_decisions import RecordedDecisions
from packaging_assets.resources.sagemaker_registry_authors import PEOPLE_ROLES
from packaging_assets.resources.sagemaker_registry_calls import Calls, RefusedCallError
from packaging_assets.resources.sagemaker_registry_ledger import Ledger, Ledgers
from packaging_assets.resources.sagemaker_registry_packages import NOT_FOUND, Packages
from packaging_assets.resources.sagemaker_registry_settling import Settling


class SageMakerModelRegistry(RecordedDecisions):
    """The registry in the groups whose names begin with `groups`.

    Args:
        client: a boto3 SageMaker client.
        groups: what the names of the environment's model package groups begin with, such as "prod"; or what the ARNs
            begin with, where they are another account's (`arn:aws:sagemaker:...:model-package-group/prod`).
        objects: where ledgers and figures are; nothing else may write there.
        clock: gives aware times, in UTC.
        image: the container image with which versions can be run.
        artifact_root: S3 URI of the artifact store, to which versions' URIs are relative.
        people_roles: patterns of the names of IAM roles that people become, and only people: the name of such a role's
            session counts as a person's.
        sleep: takes seconds.
    """

    def __init__(
        self,
        client: Any,
        groups: str,
        *,
        objects: S3Objects,
        clock: Callable[[], dt.datetime],
        image: str,
        artifact_root: str,
        people_roles: Collection[str] = PEOPLE_ROLES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        calls = Calls(sleep)
        super().__init__(clock)
        self._place = objects.uri("")
        self._ledgers = Ledgers(objects, calls)
        self._packages = Packages(
            client=client,
            groups=groups,
            calls=calls,
            documents=objects,
            image=image,
            artifact_root=artifact_root,
            people_roles=tuple(people_roles),
        )
        self._settling = Settling(self._ledgers, self._packages, clock)

    def register(self, registration: Registration) -> ModelVersion:
        """Add a version with the status of its verdict, or give back the existing one."""
        model = registration.model
        before = self._ledgers.read(model)
        if before.record.find(registration) is None:
            self._packages.ensure_group(model)  # before anything is written: whatever is not set up shows here
        if not before.record.versions:
            self._refuse_lost_ledger(model)

        def step(ledger: Ledger) -> Ledger:
            return ledger.with_record(ledger.record.with_version(registration, at=self._clock()))

        after = self._ledgers.change(model, step)
        self._settling.show(after)
        version = after.record.find(registration)
        assert version is not None  # noqa: S101 - `step` has added it, or found it
        return version

    def models(self) -> list[str]:
        """Names of the models that have versions, sorted."""
        return self._ledgers.models()

    def versions(self, model: str | None = None, status: Status | None = None) -> list[ModelVersion]:
        """Versions by model, then number."""
        names = self.models() if model is None else [model]
        found = [version for name in names for version in self._record(name).marked]
        return [version for version in found if status is None or version.status is status]

    def get(self, model: str, version: int) -> ModelVersion:
        """One version."""
        return self._known(model).record.get(version)

    def champion(self, model: str) -> ModelVersion | None:
        """The version that serves, or None if none is approved."""
        return self._record(model).champion

    def champion_before(self, model: str, week: str) -> ModelVersion | None:
        """The approved version of the latest week strictly before `week`."""
        return choose_champion_before(self._record(model).marked, week)

    def pinned(self, model: str) -> Pin | None:
        """The pin in force, if any."""
        return self._record(model).pin

    def history(self, model: str) -> list[Transition]:
        """Everything that was ever done to a model's versions, oldest first."""
        return list(self._record(model).history)

    def reconcile(self, model: str) -> None:
        """Take up what was decided from outside about a model, and show what was decided here.

        What is wrong with one version keeps nothing else from being done.

        Raises:
            RegistryError: the first thing that went wrong.
        """
        problems = self._settling.reconcile(model)
        if problems:
            raise problems[0]

    def group(self, model: str) -> str:
        """Name, or ARN, of a model's group in SageMaker."""
        return self._packages.group(model)

    def outside_decisions(self, model: str) -> list[OutsideDecision]:
        """The outside decisions about a model that were taken up and not acknowledged yet, oldest first."""
        return list(self._ledgers.read(model).untold)

    def acknowledge(self, decisions: Iterable[OutsideDecision]) -> None:
        """The decisions are told; they are not given back again."""
        told = {(decision.model, decision.key) for decision in decisions}
        for model in sorted({model for model, _ in told}):

            def step(ledger: Ledger, model: str = model) -> Ledger:
                left = tuple(decision for decision in ledger.untold if (model, decision.key) not in told)
                return ledger if left == ledger.untold else replace(ledger, untold=left)

            self._ledgers.change(model, step)

    def _refuse_lost_ledger(self, model: str) -> None:
        """Refuse to begin anew where there has been a ledger: packages are only ever made after it."""
        ours = [arn for arn in self._packages.listed(model) if self._packages.describe(arn).revision]
        if ours and not self._record(model).versions:  # which somebody else may have begun just now
            raise RegistryError(
                f"SageMaker has {len(ours)} versions of {model}, and their record below {self._place} is gone: restore "
                "it (docs/model-registry.md), or name other groups (PACKAGING_MODEL_GROUPS)."
            )

    def _record(self, model: str) -> ModelRecord:
        return self._ledgers.read(model).record

    def _known(self, model: str) -> Ledger:
        ledger = self._ledgers.read(model)
        if not ledger.record.versions:
            known = self.models()
            if not known:
                raise UnknownVersionError(f"There is no registry yet at {self._place}: train a model first.")
            raise unknown_model(model, known)
        return ledger

    def _change_status(
        self, model: str, version: int, status: Status, actor: str, reason: str, expected: Status | None
    ) -> ModelVersion:
        ledger = self._known(model)
        ledger.record.get(version)
        try:
            self._settling.settle(ledger, version)  # what was decided from outside is decided first
        except RefusedCallError as error:
            if error.code != NOT_FOUND:  # a version whose package was deleted can still be decided about
                raise
        return super()._change_status(model, version, status, actor, reason, expected)

    def _decide(self, model: str, change: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        """Decide, then show what was decided."""

        def step(ledger: Ledger) -> Ledger:
            if not ledger.record.versions:
                raise unknown_model(model, self.models())
            return ledger.with_record(change(ledger.record))

        after = self._ledgers.change(model, step)
        self._settling.show(after)
        return after.record
