"""Gates: the checks a candidate model must pass, and the verdict they add up to.

`judge` is pure: metrics and policy in, verdict out. The checks on the metrics asset, the registered status and the
reasons people read all come from one such verdict. To add a check, write its criterion in `gate_criteria` and name it
in `_GATES`.
"""

from collections.abc import Mapping
from typing import Any

from packaging_assets.domain import gate_criteria as criteria
from packaging_assets.domain.drift_gates import DRIFT_GATES, SCORE_GATE
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.verdicts import CheckDefinition, Gate, Verdict, judge_by

_GATES: tuple[Gate, ...] = (
    Gate(
        criteria.enough_minority_rows,
        "WARN",
        "Enough validation rows of the rarer label to decide without a person.",
        "Wait for more labels, raise the split's validation_fraction, or review the version by hand.",
    ),
    Gate(
        criteria.pr_auc_above_floor,
        "ERROR",
        "PR-AUC of the rarer label reaches the absolute floor.",
        "Look for broken features or labels before lowering the policy's min_pr_auc.",
    ),
    Gate(
        criteria.pr_auc_above_constant_baseline,
        "ERROR",
        "PR-AUC beats that of a constant score beyond its standard error.",
        "The model learned nothing: look at its features and at how labels and features are joined.",
    ),
    Gate(
        criteria.pr_auc_not_below_champion,
        "ERROR",
        "PR-AUC is not below the champion's on the same rows; undecided differences are for a person.",
        "Compare what changed since the champion's week: labels, features, parameters.",
    ),
    Gate(
        criteria.scores_are_calibrated,
        "WARN",
        "The scores add up to the number of products with the rarer label.",
        "Compare the label rates of training and validation rows and the weights of the training rows.",
    ),
    Gate(
        criteria.no_slice_is_worse_than_champion,
        "ERROR",
        "No category, brand, size band or price band is scored worse than by the champion.",
        "Look at what changed for the products of that slice: their features, their labels, how many there are.",
    ),
    Gate(
        criteria.train_and_validation_are_disjoint,
        "ERROR",
        "No product is in both the training and the validation rows.",
        "Look for repeated product ids in the labels and split the week again.",
    ),
    Gate(
        criteria.average_precision_is_credible,
        "ERROR",
        "PR-AUC is not too good to be true.",
        "Look for a feature made from tests or feedback, or made after the evidence.",
    ),
    Gate(
        criteria.no_feature_gives_the_label_away,
        "ERROR",
        "No single feature nearly decides the label.",
        "Find out how the feature is made; leave it out if it comes from tests or feedback.",
    ),
    Gate(
        criteria.label_rate_is_stable,
        "ERROR",
        "The share of suitable products is that of the champion's training rows.",
        "Look at the week's tests and feedback: a changed test protocol or feed shows here.",
    ),
    Gate(
        criteria.label_volume_is_usual,
        "ERROR",
        "The week brought as much new evidence as the weeks before.",
        "Look for deliveries that are late, missing or repeated, then run the week again.",
    ),
    *DRIFT_GATES,
    SCORE_GATE,
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
    return judge_by(_GATES, metrics, policy)
