"""Gates: the checks a candidate model must pass, and the verdict they add up to.

`judge` is pure: metrics and policy in, verdict out. The checks on the metrics asset, the registered status and the
reasons people read all come from one such verdict. To add a check, write its criterion in `gate_criteria` and name it
in `_GATES`.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from packaging_assets.domain import gate_criteria as criteria
from packaging_assets.domain.gate_criteria import Criterion, Finding, MissingEvidenceError, Severity
from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy

__all__ = ["CHECKS", "DEFAULT_POLICY", "CheckDefinition", "CheckOutcome", "GatePolicy", "Severity", "Verdict", "judge"]

_LOOK_AT_DELIVERIES = "Look at the week's deliveries and their quarantine; correct them, then run the week again."


class CheckDefinition(NamedTuple):
    """A check before it is made. `severity` is the gravest it can fail with."""

    name: str
    severity: Severity
    description: str
    remedy: str


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


class _Gate(NamedTuple):
    criterion: Criterion
    severity: Severity
    description: str
    remedy: str

    @property
    def definition(self) -> CheckDefinition:
        return CheckDefinition(self.criterion.__name__, self.severity, self.description, self.remedy)


_GATES: tuple[_Gate, ...] = (
    _Gate(
        criteria.enough_minority_rows,
        "WARN",
        "Enough validation rows of the rarer label to decide without a person.",
        "Wait for more labels, raise the split's validation_fraction, or review the version by hand.",
    ),
    _Gate(
        criteria.pr_auc_above_floor,
        "ERROR",
        "PR-AUC of the rarer label reaches the absolute floor.",
        "Look for broken features or labels before lowering the policy's min_pr_auc.",
    ),
    _Gate(
        criteria.pr_auc_above_constant_baseline,
        "ERROR",
        "PR-AUC beats that of a constant score beyond its standard error.",
        "The model learned nothing: look at its features and at how labels and features are joined.",
    ),
    _Gate(
        criteria.pr_auc_not_below_champion,
        "ERROR",
        "PR-AUC is not below the champion's on the same rows; undecided differences are for a person.",
        "Compare what changed since the champion's week: labels, features, parameters.",
    ),
    _Gate(
        criteria.scores_are_calibrated,
        "WARN",
        "The scores add up to the number of products with the rarer label.",
        "Compare the label rates of training and validation rows and the weights of the training rows.",
    ),
    _Gate(
        criteria.train_and_validation_are_disjoint,
        "ERROR",
        "No product is in both the training and the validation rows.",
        "Look for repeated product ids in the labels and split the week again.",
    ),
    _Gate(
        criteria.average_precision_is_credible,
        "ERROR",
        "PR-AUC is not too good to be true.",
        "Look for a feature made from tests or feedback, or made after the evidence.",
    ),
    _Gate(
        criteria.no_feature_gives_the_label_away,
        "ERROR",
        "No single feature nearly decides the label.",
        "Find out how the feature is made; leave it out if it comes from tests or feedback.",
    ),
    _Gate(
        criteria.label_rate_is_stable,
        "ERROR",
        "The share of suitable products is that of the champion's training rows.",
        "Look at the week's tests and feedback: a changed test protocol or feed shows here.",
    ),
    _Gate(
        criteria.label_volume_is_usual,
        "ERROR",
        "The week brought as much new evidence as the weeks before.",
        "Look for deliveries that are late, missing or repeated, then run the week again.",
    ),
    _Gate(
        criteria.no_column_went_missing,
        "ERROR",
        "No feature has more missing values than the champion learned with.",
        _LOOK_AT_DELIVERIES,
    ),
    _Gate(
        criteria.density_is_stable,
        "ERROR",
        "Weight over volume is distributed as in the champion's training rows.",
        "Look for deliveries in other units (inches, pounds, grams); correct them, then run the week again.",
    ),
    _Gate(
        criteria.feature_distributions_are_stable,
        "ERROR",
        "Numeric features are distributed as in the champion's training rows.",
        _LOOK_AT_DELIVERIES,
    ),
    _Gate(
        criteria.categories_are_known,
        "ERROR",
        "Categorical features have values that the champion learned from.",
        _LOOK_AT_DELIVERIES,
    ),
)

CHECKS: tuple[CheckDefinition, ...] = tuple(gate.definition for gate in _GATES)
"""Every check, in the order people should read them. Names are true sentences about a good candidate."""


def judge(metrics: Mapping[str, Any], policy: GatePolicy) -> Verdict:
    """Decide on a candidate.

    Any failed ERROR rejects; else any failed WARN leaves the decision to a person; else the candidate is approved.
    Evidence that is missing fails its check with the check's gravest severity.

    Args:
        metrics: as `metrics.evaluate` writes them.
        policy: the thresholds.
    """
    checks = tuple(_check(gate, metrics, policy) for gate in _GATES)
    failures = tuple(_reason(check) for check in checks if not check.is_passed and check.severity == "ERROR")
    warnings = tuple(_reason(check) for check in checks if not check.is_passed and check.severity == "WARN")
    outcome: Literal["approve", "reject", "pending"] = "reject" if failures else "pending" if warnings else "approve"
    return Verdict(outcome=outcome, checks=checks, failures=failures, warnings=warnings)


def _check(gate: _Gate, metrics: Mapping[str, Any], policy: GatePolicy) -> CheckOutcome:
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
