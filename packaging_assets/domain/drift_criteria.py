"""Criteria on what has changed since the champion learned: of a candidate's week, or of products to be scored.

One pure function per check, like those of `gate_criteria`; `metrics["drift"]` is made by `profiles`.
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
    largest,
    number,
    numbers,
)
from packaging_assets.domain.gate_policy import GatePolicy


def no_column_went_missing(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Missing values against those the champion learned with; a column without any value never passes."""
    empty = find(metrics, "columns_without_values")
    if not isinstance(empty, Sequence) or isinstance(empty, str):
        raise MissingEvidenceError(f"columns_without_values is {empty!r}, not a list of columns")
    if empty:
        names = cast("Sequence[str]", empty)
        return Finding("ERROR", f"Columns without a single value: {', '.join(names)}.", value=len(names), limit=0)
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    increases = numbers(metrics, "drift", "missing", field="increase")
    _check_complete(metrics, "missing")
    rows = count(metrics, "drift", "rows")
    if not increases:
        return Finding(None, "The champion has no numeric and no categorical features.", rows=rows)
    z = numbers(metrics, "drift", "missing", field="z")
    shares = numbers(metrics, "drift", "missing", field="share")
    significant = {name: increase for name, increase in increases.items() if z[name] > policy.missing_z}
    feature, increase = largest(significant or increases)
    noise = policy.missing_z**2 / max(rows, 1)
    warn, error = policy.missing_warn + noise, policy.missing_error + noise
    failed_as = grade(increase, warn, error) if significant else None
    limit = exceeded_limit(failed_as, warn, error)
    return Finding(
        failed_as,
        f"{feature} has {shares[feature]:.2%} missing values, a change of {100 * increase:+.2f} percentage points "
        f"(z {z[feature]:+.1f}), limit {100 * limit:.2f} with z {policy.missing_z:.1f}.",
        value=increase,
        limit=limit,
        rows=rows,
    )


def density_is_stable(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Weight over volume: a model's own metrics are blind to wrong units (PR-AUC moves by 0.01 or less)."""
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    feature = policy.density_feature
    if not _is_read(metrics, feature):
        return Finding(None, f"The champion does not read {feature}.", rows=count(metrics, "drift", "rows"))
    return _stability(metrics, policy, feature)


def feature_distributions_are_stable(metrics: Metrics, policy: GatePolicy) -> Finding:
    """The numeric feature that exceeds its limit most or comes nearest to it, image embedding included."""
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    _check_complete(metrics, "psi")
    indexes = numbers(metrics, "drift", "psi")
    if not indexes:
        return Finding(None, "The champion has no numeric features.", rows=count(metrics, "drift", "rows"))
    feature, _ = largest({name: index - _index_noise(metrics, policy, name) for name, index in indexes.items()})
    return _stability(metrics, policy, feature)


def _stability(metrics: Metrics, policy: GatePolicy, feature: str) -> Finding:
    index = number(metrics, "drift", "psi", feature)
    rows, reference_rows = _rows_with_value(metrics, feature)
    warn, error = index_limits(metrics, policy, feature)
    failed_as = grade(index, warn, error)
    limit = exceeded_limit(failed_as, warn, error)
    return Finding(
        failed_as,
        f"{feature} has a population stability index of {index:.4f} against the champion's training rows, "
        f"{above_or_within(failed_as is not None)} the limit of {limit:.4f} ({rows:,} and {reference_rows:,} rows "
        "with a value).",
        value=index,
        limit=limit,
        rows=rows,
    )


def index_limits(metrics: Metrics, policy: GatePolicy, feature: str) -> tuple[float, float]:
    """From where on a feature's population stability index is a warning and an error.

    Where (almost) no row has a value, on either side, the limits are beyond every index: there is nothing to compare,
    and whether values may be missing is the question of `no_column_went_missing`.

    Raises:
        MissingEvidenceError: `metrics["drift"]` lacks its numbers of rows, or a share of missing values.
    """
    noise = _index_noise(metrics, policy, feature)
    return policy.psi_warn + noise, policy.psi_error + noise


def _index_noise(metrics: Metrics, policy: GatePolicy, feature: str) -> float:
    rows, reference_rows = _rows_with_value(metrics, feature)
    return policy.psi_noise * (1 / max(rows, 1) + 1 / max(reference_rows, 1))


def _rows_with_value(metrics: Metrics, feature: str) -> tuple[int, int]:
    """The rows that a feature's index compares, now and in the reference; all, if it is not said how many lack a value.

    A product without an image, for one, has no value of its embedding.
    """
    rows, reference_rows = count(metrics, "drift", "rows"), count(metrics, "drift", "reference_rows")
    by_feature = find(metrics, "drift").get("missing")
    if not isinstance(by_feature, Mapping) or feature not in by_feature:
        return rows, reference_rows
    missing = number(metrics, "drift", "missing", feature, "share")
    reference_missing = number(metrics, "drift", "missing", feature, "reference_share")
    return round(rows * (1 - missing)), round(reference_rows * (1 - reference_missing))


def categories_are_known(metrics: Metrics, policy: GatePolicy) -> Finding:
    """Values the champion never saw, beyond the new ones that a long-tailed feature has in any week.

    The feature is named that exceeds its limit most or comes nearest to it.
    """
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    rows = count(metrics, "drift", "rows")
    _check_complete(metrics, "unseen")
    excesses = numbers(metrics, "drift", "unseen", field="excess")
    shares = numbers(metrics, "drift", "unseen", field="share")
    expected_shares = numbers(metrics, "drift", "unseen", field="expected_share")
    if not excesses:
        return Finding(None, "The champion has no categorical features.", rows=rows)
    noises = {name: _share_noise(expected_shares[name], rows, policy) for name in excesses}
    feature, _ = largest({name: excess - noises[name] for name, excess in excesses.items()})
    excess, noise = excesses[feature], noises[feature]
    warn, error = policy.unseen_warn + noise, policy.unseen_error + noise
    failed_as = grade(excess, warn, error)
    limit = exceeded_limit(failed_as, warn, error)
    return Finding(
        failed_as,
        f"{shares[feature]:.2%} of the rows have a {feature} that the champion "
        f"never saw, {100 * excess:+.2f} percentage points against what is expected, limit {100 * limit:.2f}.",
        value=excess,
        limit=limit,
        rows=rows,
    )


def title_words_are_known(metrics: Metrics, policy: GatePolicy) -> Finding:
    """New words in titles, such as those of another language, beyond the new ones that any week has."""
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    if is_null(metrics, "drift", "title_words"):
        return Finding(
            "WARN", "The champion's profile or the products have no titles, so it cannot be told whether they are new."
        )
    rows, excess = count(metrics, "drift", "rows"), number(metrics, "drift", "title_words", "excess")
    noise = _share_noise(number(metrics, "drift", "title_words", "expected_share"), rows, policy)
    warn, error = policy.word_warn + noise, policy.word_error + noise
    failed_as = grade(excess, warn, error)
    limit = exceeded_limit(failed_as, warn, error)
    examples = ", ".join(find(metrics, "drift", "title_words", "examples"))
    such_as = f" ({examples})" if examples else ""
    return Finding(
        failed_as,
        f"{number(metrics, 'drift', 'title_words', 'share'):.2%} of the words of titles are unknown to the "
        f"champion{such_as}, {100 * excess:+.2f} percentage points against what is expected, limit {100 * limit:.2f}.",
        value=excess,
        limit=limit,
        rows=rows,
    )


def scores_are_distributed_as_before(metrics: Metrics, policy: GatePolicy) -> Finding:
    """The champion's scores of products it has not seen, now and when it was judged."""
    if is_first_model(metrics):
        return Finding(None, NO_CHAMPION)
    if is_null(metrics, "scores", "psi"):
        return Finding("WARN", "The champion's metrics keep no scores to hold these against: it was judged before.")
    index = number(metrics, "scores", "psi")
    rows, reference_rows = count(metrics, "scores", "rows"), count(metrics, "scores", "reference_rows")
    noise = policy.psi_noise * (1 / max(rows, 1) + 1 / max(reference_rows, 1))
    warn, error = policy.score_psi_warn + noise, policy.score_psi_error + noise
    failed_as = grade(index, warn, error)
    limit = exceeded_limit(failed_as, warn, error)
    return Finding(
        failed_as,
        f"The champion's scores have a population stability index of {index:.4f} against those it was judged by, "
        f"{above_or_within(failed_as is not None)} the limit of {limit:.4f} ({rows:,} and {reference_rows:,} rows).",
        value=index,
        limit=limit,
        rows=rows,
    )


def _share_noise(expected: float, rows: int, policy: GatePolicy) -> float:
    """What a share may exceed its expectation by for want of rows (a normal bound, and a Poisson one for few rows)."""
    z, rows = policy.unseen_z, max(rows, 1)
    return z * math.sqrt(max(expected * (1 - expected), 0.0) / rows) + z**2 / rows


def _is_read(metrics: Metrics, feature: str) -> bool:
    """Whether the champion reads a feature; it is in `missing` then, even where its index got lost."""
    return feature in numbers(metrics, "drift", "psi") or feature in numbers(metrics, "drift", "missing", field="share")


def _check_complete(metrics: Metrics, part: str) -> None:
    """Every feature is numeric, with an index, or categorical, with unseen values, and in `missing` either way."""
    names = {kind: set(numbers(metrics, "drift", kind, field=field)) for kind, field in _DRIFT_FIELDS}
    expected = {
        "missing": names["psi"] | names["unseen"],
        "psi": names["missing"] - names["unseen"],
        "unseen": names["missing"] - names["psi"],
    }
    absent = sorted(expected[part] - names[part])
    if absent:
        raise MissingEvidenceError(f"the metrics lack drift.{part}.{absent[0]}")


_DRIFT_FIELDS = (("missing", "increase"), ("psi", None), ("unseen", "excess"))
