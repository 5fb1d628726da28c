"""Lets ledgers and model packages agree: takes up what was changed outside, and shows what was decided here."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from packaging_assets.domain.registry import RegistryError, TransitionError, is_person
from packaging_assets.domain.registry_record import Decision
from packaging_assets.resources.outside_decisions import OutsideDecision
from packaging_assets.resources.sagemaker_registry_ledger import Ledger, Ledgers
from packaging_assets.resources.sagemaker_registry_packages import Packages
from packaging_assets.resources.sagemaker_registry_views import Display, PackageView

ROUNDS = 10
"""How often a package is written again because others have decided meanwhile."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settling:
    """What it takes to settle versions; `clock` gives aware times, in UTC."""

    ledgers: Ledgers
    packages: Packages
    clock: Callable[[], dt.datetime]

    def show(self, ledger: Ledger) -> None:
        """Bring the packages up to the ledger. The decision stands also where that fails: `reconcile` goes on."""
        for number in ledger.behind:
            try:
                self.settle(ledger, number)
            except RegistryError as error:
                log.warning(
                    "Version %d of %s is decided and recorded, but SageMaker does not show it yet; the sensor "
                    "outside_approvals will go on. %s",
                    number,
                    ledger.record.model,
                    error,
                )

    def reconcile(self, model: str) -> list[RegistryError]:
        """Settle the versions of a model whose packages say something else, and return what went wrong."""
        problems: list[RegistryError] = []
        try:
            ledger = self.ledgers.read(model)
            listed = self.packages.listed(model)
        except RegistryError as error:
            return [error]
        for version in ledger.record.versions:
            entry = ledger.packages[version.version]
            if not entry.is_behind and listed.get(entry.arn) is version.status:
                continue
            try:
                self.settle(ledger, version.version)
            except RegistryError as error:
                problems.append(error)
        return problems

    def settle(self, ledger: Ledger, number: int) -> None:
        """Let ledger and package of a version agree: take up what was changed outside, then show what holds.

        Raises:
            RegistryError: SageMaker or S3 fail, or others decide without end.
        """
        model = ledger.record.model
        for _ in range(ROUNDS):
            if not ledger.packages[number].arn:
                ledger = self._create(ledger, number)
                if not ledger.packages[number].is_behind:
                    return
            view = self.packages.describe(ledger.packages[number].arn)
            view = _as_written(view, ledger, number)
            if view.is_changed_outside:
                ledger = self.ledgers.change(model, lambda now, view=view: self._taken_up(now, number, view))
            display = _display(ledger, number)
            if not view.shows(display):
                self.packages.update(view, display)
            elif not ledger.packages[number].is_behind:
                return
            ledger = self.ledgers.change(model, lambda now, display=display: _with_shown(now, number, display))
            if not ledger.packages[number].is_behind:
                return
        raise RegistryError(
            f"Version {number} of {model} is being decided about without end: see who does (packaging models show "
            f"{model} {number}), and try again."
        )

    def _create(self, ledger: Ledger, number: int) -> Ledger:
        """Make the package of a version, after those of earlier ones: so SageMaker numbers them as they are here."""
        model = ledger.record.model
        for each in ledger.behind:
            if each > number or ledger.packages[each].arn:
                continue
            display = _display(ledger, each)
            known = {entry.arn for entry in ledger.packages.values()}
            arn, is_new = self.packages.adopt_or_create(display, known)
            shown = display.revision if is_new else 0

            def step(now: Ledger, each: int = each, arn: str = arn, shown: int = shown) -> Ledger:
                return now if now.packages[each].arn else now.with_package(each, arn=arn, shown=shown)

            ledger = self.ledgers.change(model, step)
        return ledger

    def _taken_up(self, ledger: Ledger, number: int, view: PackageView) -> Ledger:
        """The ledger after a status that somebody gave from outside: a decision of theirs, or a refusal."""
        entry = ledger.packages[number]
        if view.revision <= entry.outside:  # taken up by another process already
            return ledger
        before = ledger.record.get(number)
        refusal = _why_not(view)
        record = ledger.record
        if not refusal:
            try:
                record = record.with_status(number, view.status, Decision(view.author, view.reason, self.clock()))
            except TransitionError as error:
                refusal = str(error)
        if refusal:
            note = f"Set back to {before.status}, since {view.status} does not count. {refusal}"
            after = ledger.with_package(number, revision=entry.revision + 1, note=note)
        else:
            after = ledger.with_record(record)
        after = after.with_package(number, outside=view.revision)
        if record is ledger.record and not refusal:  # it was decided so here, too
            return after
        decision = OutsideDecision(
            key=f"{ledger.record.model}:{number}:{view.revision}",
            model=ledger.record.model,
            version=number,
            from_status=before.status,
            to_status=view.status,
            actor=view.author,
            reason=view.reason,
            at=view.modified_at.astimezone(dt.UTC),
            refusal=refusal,
        )
        return replace(after, untold=(*after.untold, decision))


def _as_written(view: PackageView, ledger: Ledger, number: int) -> PackageView:
    """The view; where somebody has removed what was written beside the status, the ledger knows it, too."""
    if view.shown_status is not None:
        return view
    return replace(view, shown_status=ledger.record.get(number).status, revision=ledger.packages[number].revision)


def _why_not(view: PackageView) -> str:
    """Why a status from outside is no decision; blank if it is one, for the rules to judge."""
    if not view.author or not is_person(view.author):
        return "SageMaker names no person who gave this status: decide by name (packaging models, or SageMaker Studio)."
    if not view.reason:
        return f"{view.author} wrote no reason: give the status again with a comment, or decide by packaging models."
    return ""


def _display(ledger: Ledger, number: int) -> Display:
    """What the package of a version is to show."""
    entry = ledger.packages[number]
    lines = [
        line for line in ledger.record.history if line.version == number and line.from_status is not line.to_status
    ]
    said = entry.note or f"{lines[-1].actor}: {lines[-1].reason}"
    return Display(ledger.record.get(number), entry.revision, said)


def _with_shown(ledger: Ledger, number: int, display: Display) -> Ledger:
    """The ledger that knows that a package shows it, unless it says something else by now."""
    entry = ledger.packages[number]
    if entry.revision != display.revision or entry.shown == display.revision:
        return ledger
    return ledger.with_package(number, shown=display.revision)
