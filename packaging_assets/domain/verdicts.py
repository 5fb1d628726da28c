"""How findings add up: a check per criterion, and the verdict over all checks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from packaging_assets.domain.gate_findings import Criterion, Finding, MissingEvidenceError, Severity
from packaging_assets.domain.gate_policy import GatePolicy


class CheckDefinition(NamedTuple):
    """A check before it is made. `severity` is the gravest it can fail with."""

    name: str
    severity: Severity
    description: str


class CheckOutcome(BaseModel):
    """A check once made. `severity` is that of this failure; of a passed check, the gravest it could have had."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    is_passed: bool
    severity: Severity
    value: float | None
    limit: float | None
    standard_error: float | None
    rows: int | None
    sentence: str
    remedy: str


class Verdict(BaseModel):
    """What the gates say of one candidate, and why: every check in the order of `CHECKS`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Literal["approve", "reject", "pending"]
    checks: tuple[CheckOutcome, ...]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]


class Gate(NamedTuple):
    """A criterion with what is said of it before and after."""

    criterion: Criterion
    severity: Severity
    description: str
    remedy: str

    @property
    def definition(self) -> CheckDefinition:
        """The check that this gate makes."""
        return CheckDefinition(self.criterion.__name__, self.severity, self.description)


def judge_by(gates: Sequence[Gate], metrics: Mapping[str, Any], policy: GatePolicy) -> Verdict:
    """Make every check and add them up; see `verdict_of`. Evidence that is missing fails its check most gravely."""
    return verdict_of(_check(gate, metrics, policy) for gate in gates)


def verdict_of(outcomes: Iterable[CheckOutcome]) -> Verdict:
    """Any failed ERROR rejects; else any failed WARN is for a person; else it is approved."""
    checks = tuple(outcomes)
    failures = tuple(_reason(check) for check in checks if not check.is_passed and check.severity == "ERROR")
    warnings = tuple(_reason(check) for check in checks if not check.is_passed and check.severity == "WARN")
    outcome: Literal["approve", "reject", "pending"] = "reject" if failures else "pending" if warnings else "approve"
    return Verdict(outcome=outcome, checks=checks, failures=failures, warnings=warnings)


def combine(verdicts: Mapping[str, Verdict]) -> Verdict:
    """One verdict of those of several models, by name, that made the same checks.

    Of each check the worst outcome is taken (a failed ERROR, a failed WARN, else the one nearest its limit), and its
    sentence begins with the model's name.
    """
    made = zip(*([(name, check) for check in verdict.checks] for name, verdict in verdicts.items()), strict=True)
    return verdict_of(
        check.model_copy(update={"sentence": f"{name}: {check.sentence}"})
        for name, check in (max(checks, key=lambda named: _badness(named[1])) for checks in made)
    )


def _badness(check: CheckOutcome) -> tuple[int, float]:
    rank = 0 if check.is_passed else 2 if check.severity == "ERROR" else 1
    return rank, check.value / check.limit if check.value is not None and check.limit else 0.0


def _check(gate: Gate, metrics: Mapping[str, Any], policy: GatePolicy) -> CheckOutcome:
    try:
        finding = gate.criterion(metrics, policy)
    except MissingEvidenceError as error:
        finding = Finding(gate.severity, f"Evidence is missing: {error}.")
    return CheckOutcome(
        name=gate.criterion.__name__,
        is_passed=finding.failed_as is None,
        severity=finding.failed_as or gate.severity,
        value=finding.value,
        limit=finding.limit,
        standard_error=finding.standard_error,
        rows=finding.rows,
        sentence=finding.sentence,
        remedy=gate.remedy,
    )


def _reason(check: CheckOutcome) -> str:
    return f"{check.name}: {check.sentence}"
