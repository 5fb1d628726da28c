"""Criteria on a candidate itself: one pure function per check, from metrics and policy to a finding.

What does not belong here: how findings add up to a verdict (`verdicts`), drift (`drift_criteria`), and where the
numbers come from (`metrics`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import cast

from packaging_assets.domain.gate_findings import (
    NO_CHAMPION,
    Finding,
    Metrics,
    MissingEvidenceError,
    above_or_within,
    count,
    exceeded_limit,
    find,
    grade,
    is_first_model,
    is_null,
    number,
)
from packaging_assets.domain.gate_policy import GatePolicy


def enough_minority_rows(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Error rates of the comparison hold from this many rows of the rarer label on; a first model has none.

    Where the split has groups, these are counted: with 400 such rows in 40 groups, up to 4% of candidates that are 2
    points worse would be approved.
    """
    units, has_groups = _independent_minority(metrics), _has_groups(metrics)
    held = f"{count(metrics, 'minority_rows'):,} of the rarer label{f' in {units:,} groups' if has_groups else ''}"
    if is_first_model(metrics):
        failed, needed = False, "with no champion to compare with, floor and constant baseline decide."
    else:
        failed = units < policy.min_minority_rows
        needed = (
            f"{policy.min_minority_rows:,} {'groups ' if has_groups else ''}are needed to compare it with the champion "
            "without a person."
        )
    return Finding(
        "WARN" if failed else None,
        f"{find(metrics, 'evaluation', 'sentence')} They hold {held}; {needed}",
        value=units,
        limit=policy.min_minority_rows,
        rows=count(metrics, "validation_rows"),
    )


def _independent_minority(metrics: Metrics) -> int:
    """Rows of the rarer label; where the split has groups, those with such rows."""
    return count(metrics, "minority_groups" if _has_groups(metrics) else "minority_rows")


def _has_groups(metrics: Metrics) -> bool:
    return metrics.get("minority_groups") is not None


def pr_auc_above_floor(metrics: Metrics, policy: GatePolicy) -> Finding:
    """An absolute floor, champion or not."""
    pr_auc = number(metrics, "pr_auc")
    return Finding(
        "ERROR" if pr_auc < policy.min_pr_auc else None,
        f"PR-AUC is {pr_auc:.4f}; the floor is {policy.min_pr_auc:.4f}.",
        value=pr_auc,
        limit=policy.min_pr_auc,
        standard_error=number(metrics, "pr_auc_standard_error"),
        rows=count(metrics, "validation_rows"),
    )


def pr_auc_above_constant_baseline(metrics: Metrics, policy: GatePolicy) -> Finding:
    """A model that gives every product the same score has the rarer label's share as PR-AUC."""
    pr_auc, error = number(metrics, "pr_auc"), number(metrics, "pr_auc_standard_error")
    baseline = number(metrics, "constant_baseline", "pr_auc")
    bound = pr_auc - policy.confidence * error
    return Finding(
        None if bound > baseline else "ERROR",
        f"PR-AUC is {pr_auc:.4f}, at least {bound:.4f} allowing for its standard error of {error:.4f}; a constant "
        f"score reaches {baseline:.4f}.",
        value=pr_auc,
        limit=baseline,
        standard_error=error,
        rows=count(metrics, "validation_rows"),
    )


def pr_auc_not_below_champion(metrics: Metrics, policy: GatePolicy) -> Finding:
    """The paired verdict: clearly worse is an error, not clearly equal is for a person.

    With few rows of the rarer label a rejection would be wrong too often (2% of the time at 100 rows), so it becomes
    a question to a person as well.
    """
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    difference, error = number(metrics, "champion", "difference"), number(metrics, "champion", "standard_error")
    rows = count(metrics, "validation_rows")
    lower, upper = difference - policy.confidence * error, difference + policy.confidence * error
    measured = (
        f"PR-AUC minus that of {_champion(metrics)} is {difference:+.4f} (standard error {error:.4f}, {rows:,} rows)"
    )
    if upper < policy.reject_below:
        is_decidable = _independent_minority(metrics) >= policy.min_minority_rows
        failed_as, limit = "ERROR" if is_decidable else "WARN", policy.reject_below
        sentence = f"{measured}: worse, at best {upper:+.4f} where {limit:+.4f} is the limit."
    elif lower > policy.approve_above:
        failed_as, limit = None, policy.approve_above
        sentence = f"{measured}: at worst {lower:+.4f}, within the limit of {limit:+.4f}."
    else:
        failed_as, limit = "WARN", policy.approve_above
        sentence = f"{measured}: undecided, between {lower:+.4f} and {upper:+.4f} where {limit:+.4f} is the limit."
    return Finding(failed_as, sentence, value=difference, limit=limit, standard_error=error, rows=rows)


def _champion(metrics: Metrics) -> str:
    """The champion by its model's name, since it is not always a version of the candidate's own model."""
    model, version = find(metrics, "champion").get("model"), count(metrics, "champion", "version")
    return f"champion {model} version {version}" if model else f"champion version {version}"


def scores_are_calibrated(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Probabilities feed expected costs, so their sum should match what happened."""
    ratio, z = number(metrics, "calibration", "ratio"), number(metrics, "calibration", "z")
    failed = abs(z) > policy.calibration_z and abs(ratio - 1) > policy.calibration_ratio
    return Finding(
        "WARN" if failed else None,
        f"{count(metrics, 'calibration', 'observed'):,} rows of the rarer label were observed, "
        f"{number(metrics, 'calibration', 'expected'):,.1f} expected: a ratio of {ratio:.3f} (z {z:+.1f}), which may "
        f"differ from 1 by {policy.calibration_ratio:.2f}, and by more where z is within {policy.calibration_z:.2f}.",
        value=ratio,
        limit=1 + math.copysign(policy.calibration_ratio, ratio - 1),
        rows=count(metrics, "validation_rows"),
    )


def no_slice_is_worse_than_champion(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Slices by category, brand, size and price; with few rows of the rarer label in all it is for a person."""
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    slices = _slices(metrics)
    if not slices:
        return Finding(
            None,
            f"No slice has {policy.slice_min_minority_rows:,} {'groups with' if _has_groups(metrics) else 'rows of'} "
            "the rarer label: there is none to compare.",
        )
    is_worse = [
        row
        for row in slices
        if number(row, "p_value_holm") < policy.slice_significance
        and number(row, "relative_change") > policy.slice_worse_error
    ]
    worst = max(is_worse or slices, key=lambda row: number(row, "relative_change" if is_worse else "z"))
    is_decidable = _independent_minority(metrics) >= policy.min_minority_rows
    return Finding(
        ("ERROR" if is_decidable else "WARN") if is_worse else None,
        _slice_sentence(worst, policy, worse=len(is_worse), compared=len(slices)),
        value=number(worst, "relative_change"),
        limit=policy.slice_worse_error,
        rows=count(worst, "rows"),
    )


def _slices(metrics: Metrics) -> Sequence[Metrics]:
    rows = find(metrics, "slices").get("rows") if isinstance(find(metrics, "slices"), Mapping) else None
    if not isinstance(rows, list):
        raise MissingEvidenceError(f"slices.rows is {rows!r}, not a list of slices")
    return cast("Sequence[Metrics]", rows)


def _slice_sentence(row: Metrics, policy: GatePolicy, *, worse: int, compared: int) -> str:
    figures = (
        f"{find(row, 'dimension')} {find(row, 'value')}: log-loss {number(row, 'relative_change'):+.1%} against the "
        f"champion (z {number(row, 'z'):+.1f}, {count(row, 'rows'):,} rows)"
    )
    limits = f"limit {policy.slice_worse_error:+.1%} at a significance of {policy.slice_significance:.2f} over all"
    if worse:
        return f"{worse} of {compared} slices are worse, the worst is {figures}, {limits}."
    return f"None of {compared} slices is worse; the least favourable is {figures}, {limits}."


def train_and_validation_are_disjoint(metrics: Metrics, policy: GatePolicy) -> Finding:  # noqa: ARG001 - no threshold
    """No product that trained the candidate may judge it."""
    shared = count(metrics, "leakage", "shared_products")
    return Finding(
        "ERROR" if shared > 0 else None,
        f"{shared:,} products are in both the training and the validation rows; none may be.",
        value=shared,
        limit=0,
        rows=count(metrics, "validation_rows"),
    )


def average_precision_is_credible(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Package tests are noisy: a nearly perfect model has seen the answer."""
    area = number(metrics, "leakage", "average_precision")
    failed = area > policy.max_pr_auc
    return Finding(
        "ERROR" if failed else None,
        f"PR-AUC is {area:.4f}, {above_or_within(failed)} the credible maximum of {policy.max_pr_auc:.4f}.",
        value=area,
        limit=policy.max_pr_auc,
        rows=count(metrics, "validation_rows"),
    )


def no_feature_gives_the_label_away(metrics: Metrics, policy: GatePolicy) -> Finding:
    """One feature that nearly decides the label by itself was probably made from it."""
    rows = count(metrics, "validation_rows")
    if is_null(metrics, "leakage", "feature") and is_null(metrics, "leakage", "max_feature_auc"):
        return Finding(None, "The model sees texts only: there is no single number or category to look at.", rows=rows)
    area, feature = number(metrics, "leakage", "max_feature_auc"), find(metrics, "leakage", "feature")
    failed = area > policy.max_feature_auc
    return Finding(
        "ERROR" if failed else None,
        f"The strongest single feature is {feature} with a ROC AUC of {area:.4f}, {above_or_within(failed)} the "
        f"limit of {policy.max_feature_auc:.4f}.",
        value=area,
        limit=policy.max_feature_auc,
        rows=rows,
    )


def label_rate_is_stable(metrics: Metrics, policy: GatePolicy) -> Finding:
    """The share of suitable products, on the logit scale, where rare and common rates weigh alike."""
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    change, z = number(metrics, "label_rate", "logit_difference"), number(metrics, "label_rate", "z")
    is_significant = abs(z) > policy.label_rate_z
    failed_as = grade(abs(change), policy.label_rate_warn, policy.label_rate_error) if is_significant else None
    limit = exceeded_limit(failed_as, policy.label_rate_warn, policy.label_rate_error)
    return Finding(
        failed_as,
        f"{number(metrics, 'label_rate', 'candidate'):.1%} of the labels are 'suitable', "
        f"{number(metrics, 'label_rate', 'champion'):.1%} were in the champion's week: a change of {change:+.3f} "
        f"in the logit (z {z:+.1f}), limit {limit:.3f} with z {policy.label_rate_z:.2f}.",
        value=change,
        limit=limit,
        rows=count(metrics, "label_rate", "rows"),
    )


def label_volume_is_usual(metrics: Metrics, policy: GatePolicy) -> Finding:
    """New evidence of the week against the median of the weeks before."""
    rows, weeks = count(metrics, "volume", "rows"), count(metrics, "volume", "weeks")
    if weeks < policy.min_volume_weeks:
        return Finding(
            None,
            f"{rows:,} rows of evidence are new; there are {weeks} earlier weeks since evidence began "
            f"and {policy.min_volume_weeks} are needed to say what is usual.",
            rows=rows,
        )
    log_ratio, z = number(metrics, "volume", "log_ratio"), number(metrics, "volume", "z")
    warn, error = math.log(policy.volume_warn_ratio), math.log(policy.volume_error_ratio)
    failed_as = grade(abs(log_ratio), warn, error) if abs(z) > policy.volume_z else None
    limit = exceeded_limit(failed_as, warn, error)
    return Finding(
        failed_as,
        f"{rows:,} rows of evidence are new; the median of {weeks} earlier weeks is "
        f"{number(metrics, 'volume', 'median'):,.0f}: a factor of {math.exp(log_ratio):.2f} (z {z:+.1f}), limit "
        f"{math.exp(limit):.2f} either way with z {policy.volume_z:.2f}.",
        value=log_ratio,
        limit=limit,
        rows=rows,
    )
