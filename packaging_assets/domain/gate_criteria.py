"""The gates' criteria: one pure function per check, from metrics and policy to a finding.

Evidence that is absent, null or not a finite number raises `MissingEvidenceError`; `judge` turns that into a failed
check, so no criterion needs to think of it and none can pass without its numbers. What does not belong here: how
findings add up to a verdict (`gates`), and where the numbers come from (`metrics`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from packaging_assets.domain.gate_policy import GatePolicy

Severity = Literal["ERROR", "WARN"]
Metrics = Mapping[str, Any]

NO_CHAMPION = "This is the first model of its type: there is no champion to compare with."


class MissingEvidenceError(LookupError):
    """The metrics lack a number that a criterion needs; the message names it."""


class Finding(NamedTuple):
    """What one criterion found. `failed_as` is None when it is satisfied."""

    failed_as: Severity | None
    sentence: str
    value: float | None = None
    limit: float | None = None
    standard_error: float | None = None
    rows: int | None = None


Criterion = Callable[[Metrics, GatePolicy], Finding]


def _find(metrics: Metrics, *path: str) -> Any:
    found: Any = metrics
    for depth, key in enumerate(path, start=1):
        found = cast("Metrics", found).get(key) if isinstance(found, Mapping) else None
        if found is None:
            raise MissingEvidenceError(f"the metrics lack {'.'.join(path[:depth])}")
    return found


def _number(metrics: Metrics, *path: str) -> float:
    found = _find(metrics, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise MissingEvidenceError(f"{'.'.join(path)} is {found!r}, not a finite number")
    return float(found)


def _count(metrics: Metrics, *path: str) -> int:
    return int(_number(metrics, *path))


def _numbers(metrics: Metrics, *path: str, field: str | None = None) -> dict[str, float]:
    """The numbers of a map by name, or one `field` of each of its entries."""
    found = _find(metrics, *path)
    if not isinstance(found, Mapping):
        raise MissingEvidenceError(f"{'.'.join(path)} is {found!r}, not a map by feature")
    names = cast("Metrics", found)
    return {name: _number(metrics, *path, name, *([field] if field else [])) for name in names}


def _is_first_model(metrics: Metrics) -> bool:
    """True only when the metrics say so and name no champion: a champion lost on the way is missing evidence."""
    return metrics.get("is_first_model") is True and metrics.get("champion") is None


def _grade(value: float, warn: float, error: float) -> Severity | None:
    if value > error:
        return "ERROR"
    return "WARN" if value > warn else None


def _limit(failed_as: Severity | None, warn: float, error: float) -> float:
    """The limit that was exceeded last, or the one that would be exceeded first."""
    return error if failed_as == "ERROR" else warn


def _against(is_failed: bool) -> str:  # noqa: FBT001 - a word for a truth value
    return "above" if is_failed else "within"


def enough_minority_rows(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Error rates of the comparison hold from this many rows of the rarer label on; a first model has none."""
    rows = _count(metrics, "minority_rows")
    if _is_first_model(metrics):
        failed, needed = False, "with no champion to compare with, floor and constant baseline decide."
    else:
        failed = rows < policy.min_minority_rows
        needed = f"{policy.min_minority_rows:,} are needed to compare it with the champion without a person."
    return Finding(
        "WARN" if failed else None,
        f"The validation rows hold {rows:,} of the rarer label; {needed}",
        value=rows,
        limit=policy.min_minority_rows,
        rows=_count(metrics, "validation_rows"),
    )


def pr_auc_above_floor(metrics: Metrics, policy: GatePolicy) -> Finding:
    """An absolute floor, champion or not."""
    pr_auc = _number(metrics, "pr_auc")
    return Finding(
        "ERROR" if pr_auc < policy.min_pr_auc else None,
        f"PR-AUC is {pr_auc:.4f}; the floor is {policy.min_pr_auc:.4f}.",
        value=pr_auc,
        limit=policy.min_pr_auc,
        standard_error=_number(metrics, "pr_auc_standard_error"),
        rows=_count(metrics, "validation_rows"),
    )


def pr_auc_above_constant_baseline(metrics: Metrics, policy: GatePolicy) -> Finding:
    """A model that gives every product the same score has the rarer label's share as PR-AUC."""
    pr_auc, error = _number(metrics, "pr_auc"), _number(metrics, "pr_auc_standard_error")
    baseline = _number(metrics, "constant_baseline", "pr_auc")
    bound = pr_auc - policy.confidence * error
    return Finding(
        None if bound > baseline else "ERROR",
        f"PR-AUC is {pr_auc:.4f}, at least {bound:.4f} allowing for its standard error of {error:.4f}; a constant "
        f"score reaches {baseline:.4f}.",
        value=pr_auc,
        limit=baseline,
        standard_error=error,
        rows=_count(metrics, "validation_rows"),
    )


def pr_auc_not_below_champion(metrics: Metrics, policy: GatePolicy) -> Finding:
    """The paired verdict: clearly worse is an error, not clearly equal is for a person.

    With few rows of the rarer label a rejection would be wrong too often (2% of the time at 100 rows), so it becomes
    a question to a person as well.
    """
    if _is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    difference, error = _number(metrics, "champion", "difference"), _number(metrics, "champion", "standard_error")
    rows, minority_rows = _count(metrics, "validation_rows"), _count(metrics, "minority_rows")
    lower, upper = difference - policy.confidence * error, difference + policy.confidence * error
    measured = (
        f"PR-AUC minus that of champion version {_count(metrics, 'champion', 'version')} is {difference:+.4f} "
        f"(standard error {error:.4f}, {rows:,} rows)"
    )
    if upper < policy.reject_below:
        is_decidable = minority_rows >= policy.min_minority_rows
        failed_as, limit = "ERROR" if is_decidable else "WARN", policy.reject_below
        sentence = f"{measured}: worse, at best {upper:+.4f} where {limit:+.4f} is the limit."
    elif lower > policy.approve_above:
        failed_as, limit = None, policy.approve_above
        sentence = f"{measured}: at worst {lower:+.4f}, within the limit of {limit:+.4f}."
    else:
        failed_as, limit = "WARN", policy.approve_above
        sentence = f"{measured}: undecided, between {lower:+.4f} and {upper:+.4f} where {limit:+.4f} is the limit."
    return Finding(failed_as, sentence, value=difference, limit=limit, standard_error=error, rows=rows)


def scores_are_calibrated(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Probabilities feed expected costs, so their sum should match what happened."""
    ratio, z = _number(metrics, "calibration", "ratio"), _number(metrics, "calibration", "z")
    failed = abs(z) > policy.calibration_z and abs(ratio - 1) > policy.calibration_ratio
    return Finding(
        "WARN" if failed else None,
        f"{_count(metrics, 'calibration', 'observed'):,} rows of the rarer label were observed, "
        f"{_number(metrics, 'calibration', 'expected'):,.1f} expected: a ratio of {ratio:.3f} (z {z:+.1f}), which may "
        f"differ from 1 by {policy.calibration_ratio:.2f}.",
        value=ratio,
        limit=1 + math.copysign(policy.calibration_ratio, ratio - 1),
        rows=_count(metrics, "validation_rows"),
    )


def train_and_validation_are_disjoint(metrics: Metrics, policy: GatePolicy) -> Finding:  # noqa: ARG001 - no threshold
    """No product that trained the candidate may judge it."""
    shared = _count(metrics, "leakage", "shared_products")
    return Finding(
        "ERROR" if shared > 0 else None,
        f"{shared:,} products are in both the training and the validation rows; none may be.",
        value=shared,
        limit=0,
        rows=_count(metrics, "validation_rows"),
    )


def average_precision_is_credible(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Package tests are noisy: a nearly perfect model has seen the answer."""
    area = _number(metrics, "leakage", "average_precision")
    failed = area > policy.max_pr_auc
    return Finding(
        "ERROR" if failed else None,
        f"PR-AUC is {area:.4f}, {_against(failed)} the credible maximum of {policy.max_pr_auc:.4f}.",
        value=area,
        limit=policy.max_pr_auc,
        rows=_count(metrics, "validation_rows"),
    )


def no_feature_gives_the_label_away(metrics: Metrics, policy: GatePolicy) -> Finding:
    """One feature that nearly decides the label by itself was probably made from it."""
    area, feature = _number(metrics, "leakage", "max_feature_auc"), _find(metrics, "leakage", "feature")
    failed = area > policy.max_feature_auc
    return Finding(
        "ERROR" if failed else None,
        f"The strongest single feature is {feature} with a ROC AUC of {area:.4f}, {_against(failed)} the limit of "
        f"{policy.max_feature_auc:.4f}.",
        value=area,
        limit=policy.max_feature_auc,
        rows=_count(metrics, "validation_rows"),
    )


def label_rate_is_stable(metrics: Metrics, policy: GatePolicy) -> Finding:
    """The share of suitable products, on the logit scale, where rare and common rates weigh alike."""
    if _is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    change, z = _number(metrics, "label_rate", "logit_difference"), _number(metrics, "label_rate", "z")
    is_significant = abs(z) > policy.label_rate_z
    failed_as = _grade(abs(change), policy.label_rate_warn, policy.label_rate_error) if is_significant else None
    limit = _limit(failed_as, policy.label_rate_warn, policy.label_rate_error)
    return Finding(
        failed_as,
        f"{_number(metrics, 'label_rate', 'candidate'):.1%} of the labels are 'suitable', "
        f"{_number(metrics, 'label_rate', 'champion'):.1%} were in the champion's week: a change of {change:+.3f} "
        f"in the logit (z {z:+.1f}), limit {limit:.3f} with z {policy.label_rate_z:.2f}.",
        value=change,
        limit=limit,
        rows=_count(metrics, "label_rate", "rows"),
    )


def label_volume_is_usual(metrics: Metrics, policy: GatePolicy) -> Finding:
    """New evidence of the week against the median of the weeks before."""
    rows, weeks = _count(metrics, "volume", "rows"), _count(metrics, "volume", "weeks")
    if weeks < policy.min_volume_weeks:
        return Finding(
            None,
            f"{rows:,} rows of evidence are new; there are {weeks} earlier weeks with evidence and "
            f"{policy.min_volume_weeks} are needed to say what is usual.",
            rows=rows,
        )
    log_ratio, z = _number(metrics, "volume", "log_ratio"), _number(metrics, "volume", "z")
    warn, error = math.log(policy.volume_warn_ratio), math.log(policy.volume_error_ratio)
    failed_as = _grade(abs(log_ratio), warn, error) if abs(z) > policy.volume_z else None
    limit = _limit(failed_as, warn, error)
    return Finding(
        failed_as,
        f"{rows:,} rows of evidence are new; the median of {weeks} earlier weeks is "
        f"{_number(metrics, 'volume', 'median'):,.0f}: a factor of {math.exp(log_ratio):.2f} (z {z:+.1f}), limit "
        f"{math.exp(limit):.2f} either way with z {policy.volume_z:.2f}.",
        value=log_ratio,
        limit=limit,
        rows=rows,
    )


def no_column_went_missing(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Missing values against those the champion learned with; a column without any value never passes."""
    empty = _find(metrics, "columns_without_values")
    if not isinstance(empty, Sequence) or isinstance(empty, str):
        raise MissingEvidenceError(f"columns_without_values is {empty!r}, not a list of columns")
    if empty:
        names = cast("Sequence[str]", empty)
        return Finding("ERROR", f"Columns without a single value: {', '.join(names)}.", value=len(names), limit=0)
    if _is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    increases = _numbers(metrics, "drift", "missing", field="increase")
    _check_complete(metrics, "missing")
    z = _numbers(metrics, "drift", "missing", field="z")
    shares = _numbers(metrics, "drift", "missing", field="share")
    significant = {name: increase for name, increase in increases.items() if z[name] > policy.missing_z}
    feature, increase = _largest(significant or increases, "drift.missing")
    failed_as = _grade(increase, policy.missing_warn, policy.missing_error) if significant else None
    limit = _limit(failed_as, policy.missing_warn, policy.missing_error)
    return Finding(
        failed_as,
        f"{feature} has {shares[feature]:.2%} missing values, a change of {100 * increase:+.2f} percentage points "
        f"(z {z[feature]:+.1f}), limit {100 * limit:.2f} with z {policy.missing_z:.1f}.",
        value=increase,
        limit=limit,
        rows=_count(metrics, "drift", "rows"),
    )


def density_is_stable(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Weight over volume: a model's own metrics are blind to wrong units (PR-AUC moves by 0.01 or less)."""
    if _is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    feature = policy.density_feature
    return _stability(metrics, policy, feature, _number(metrics, "drift", "psi", feature))


def feature_distributions_are_stable(metrics: Metrics, policy: GatePolicy) -> Finding:
    """The numeric feature that moved most, image embedding included."""
    if _is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    _check_complete(metrics, "psi")
    return _stability(metrics, policy, *_largest(_numbers(metrics, "drift", "psi"), "drift.psi"))


def _stability(metrics: Metrics, policy: GatePolicy, feature: str, index: float) -> Finding:
    rows, reference_rows = _count(metrics, "drift", "rows"), _count(metrics, "drift", "reference_rows")
    noise = policy.psi_noise * (1 / max(rows, 1) + 1 / max(reference_rows, 1))
    warn, error = policy.psi_warn + noise, policy.psi_error + noise
    failed_as = _grade(index, warn, error)
    limit = _limit(failed_as, warn, error)
    return Finding(
        failed_as,
        f"{feature} has a population stability index of {index:.4f} against the champion's training rows, "
        f"{_against(failed_as is not None)} the limit of {limit:.4f} ({rows:,} and {reference_rows:,} rows).",
        value=index,
        limit=limit,
        rows=rows,
    )


def categories_are_known(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Values the champion never saw, beyond the new ones that a long-tailed feature has in any week."""
    if _is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    rows = _count(metrics, "drift", "rows")
    _check_complete(metrics, "unseen")
    excesses = _numbers(metrics, "drift", "unseen", field="excess")
    shares = _numbers(metrics, "drift", "unseen", field="share")
    if not excesses:
        return Finding(None, "The champion has no categorical features.", rows=rows)
    feature, excess = _largest(excesses, "drift.unseen")
    failed_as = _grade(excess, policy.unseen_warn, policy.unseen_error)
    limit = _limit(failed_as, policy.unseen_warn, policy.unseen_error)
    return Finding(
        failed_as,
        f"{shares[feature]:.2%} of the rows have a {feature} that the champion "
        f"never saw, {100 * excess:+.2f} percentage points against what is expected, limit {100 * limit:.2f}.",
        value=excess,
        limit=limit,
        rows=rows,
    )


def _check_complete(metrics: Metrics, part: str) -> None:
    """Every feature is numeric, with an index, or categorical, with unseen values, and in `missing` either way."""
    names = {kind: set(_numbers(metrics, "drift", kind, field=field)) for kind, field in _DRIFT_FIELDS}
    expected = {
        "missing": names["psi"] | names["unseen"],
        "psi": names["missing"] - names["unseen"],
        "unseen": names["missing"] - names["psi"],
    }
    absent = sorted(expected[part] - names[part])
    if absent:
        raise MissingEvidenceError(f"the metrics lack drift.{part}.{absent[0]}")


_DRIFT_FIELDS = (("missing", "increase"), ("psi", None), ("unseen", "excess"))


def _largest(numbers: Mapping[str, float], what: str) -> tuple[str, float]:
    """The largest number and its name; the first by name among equals."""
    if not numbers:
        raise MissingEvidenceError(f"{what} names no feature")
    return min(numbers.items(), key=lambda item: (-item[1], item[0]))
