"""Outcomes: how well the models that served did on products of which the truth was learned later.

Validation says how a model does on labels of before its week's end. What was predicted with it and then tested or
shipped says how it does in use. A prediction judges its model only if the model could not have seen the answer:
nothing was known of the product in that package type when it was scored, and the model was trained on nothing later
than that. Products that do not fit the package type are left out, as they are in validation.

PR-AUC is compared with validation's as if the rarer label were as common as it was there. Which products come to be
tested or shipped is not the same from week to week, and PR-AUC rises and falls with the share of them that have the
label, however good the model is.

Shadow models, by which nothing was packed, are measured alike, and beside the live models on the products that both
scored at one time. They are there to be looked at: the checks are about the models that served.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from packaging_assets.domain.average_precision import (
    FloatArray,
    Labels,
    average_precision,
    average_precision_at_rate,
    average_precision_error,
    paired_average_precision_difference,
)
from packaging_assets.domain.features import PackageType
from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.domain.outcome_plots import LivePoint, plot_live_calibration, plot_live_pr_auc
from packaging_assets.domain.parquet_files import list_parts, read_parquet
from packaging_assets.domain.scored_rows import calibration, toward

OUTCOME_COLUMNS = (
    "product_id",
    "package_type",
    "stage",
    "model",
    "model_version",
    "score",
    "as_of",
    "label",
    "is_random_test",
    "has_room",
    "has_earlier_evidence",
)


class OutcomeError(ValueError):
    """The outcomes cannot be measured; the message says why and what to do."""


class LivePolicy(BaseModel):
    """From when on live figures are worth a warning.

    With these defaults at most 0.5% of model-weeks without any change warn of PR-AUC, from 50 rows of the rarer label
    on (1,500 simulated weeks each of 250 to 3,000 rows, rarer label 12 to 38%, validation on 6,000 rows), also where
    the rarer label is two thirds as common as in validation, or half as common again. Products are taken for
    independent: where ten nearly equal variants of each product are settled in one week, up to 8% of weeks without
    change warn of PR-AUC and 22% of calibration; with three, up to 2% and 4%.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_minority_rows: int = Field(
        default=50, ge=1, description="With fewer rows of the rarer label a week says too little of a model."
    )
    pr_auc_margin: float = Field(default=0.02, ge=0, le=1, description="How far PR-AUC may lie below validation's.")
    pr_auc_z: float = Field(
        default=2.33, ge=0, description="Standard errors of the difference that are allowed for beyond the margin."
    )
    calibration_ratio: float = Field(
        default=0.10, gt=0, description="Deviation of observed over expected rows of the rarer label from 1."
    )
    calibration_z: float = Field(default=3.29, gt=0, description="Standard errors that it must exceed too.")


DEFAULT_LIVE_POLICY = LivePolicy.model_validate({})
"""Every threshold at its default."""


class ServedModel(BaseModel):
    """A version that predictions were made with, and what validation said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: PackageType
    stage: Literal["live", "shadow"] = Field(description="live: it served; shadow: it ran beside.")
    model: str = Field(min_length=1)
    version: int = Field(ge=1)
    trained_until: NaiveDatetime = Field(description="End of its training week (UTC).")
    minority_label: Literal[0, 1]
    minority_rate: float = Field(gt=0, lt=1, description="Share of the validation rows that have the rarer label.")
    pr_auc: float = Field(ge=0, le=1, description="PR-AUC of the rarer label on the validation rows.")
    pr_auc_standard_error: float = Field(ge=0)

    @property
    def name(self) -> str:
        """As people read it: `mailer 3`, `mailer_text 2 (shadow)`."""
        return f"{self.model} {self.version}{' (shadow)' if self.stage == 'shadow' else ''}"


class LiveParams(BaseModel):
    """Which week's outcomes, of which models, by which thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    week: dt.date = Field(description="The Monday of the week in which the outcomes were settled.")
    models: tuple[ServedModel, ...]
    policy: LivePolicy = Field(default=DEFAULT_LIVE_POLICY)


class LiveCheckDefinition(NamedTuple):
    """A check before it is made; both warn, neither stops anything."""

    name: str
    description: str
    remedy: str


class LiveCheck(BaseModel):
    """A check once made: the figures are those of the model that is worst off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    is_passed: bool
    value: float | None
    limit: float | None
    standard_error: float | None
    rows: int | None
    sentence: str
    remedy: str


class _Finding(NamedTuple):
    """What a criterion says of one model; `excess` is above 0 where it fails, and grows with the trouble."""

    excess: float
    sentence: str
    value: float
    limit: float
    standard_error: float | None


Metrics = Mapping[str, Any]


def measure_live(inputs: Mapping[str, Path], params: LiveParams, output: Path) -> None:
    """Hold the predictions whose outcome was settled in a week against it.

    Args:
        inputs: `outcomes`: Parquet parts of `OUTCOME_COLUMNS`, one row per product, stage and model version.
        params: the week, its models and the thresholds.
        output: gets live_metrics.json (per model: rows, what was left out and why, PR-AUC, the same weighed
            to validation's share of the rarer label beside validation's, calibration, and of a shadow model the
            difference to the live ones on shared rows), checks.json, and, where a model has rows of both labels,
            live_pr_auc.png and live_calibration.png.

    Raises:
        OutcomeError: there are outcomes of a model that `params` does not name.
    """
    table = pa.concat_tables([read_parquet(part, OUTCOME_COLUMNS) for part in list_parts(inputs["outcomes"])])
    _check_models(table, params)
    metrics: list[Metrics] = []
    points: list[LivePoint] = []
    judging = [_judging_rows(table, model) for model in params.models]
    live = [(model, rows) for model, (rows, _) in zip(params.models, judging, strict=True) if model.stage == "live"]
    for model, (rows, described) in zip(params.models, judging, strict=True):
        labels, scores = _seen_from_rarer_label(model.minority_label, rows)
        measured = {**described, **_measure(labels, scores, model)}
        if model.stage == "shadow":
            measured["beside_live"] = _beside_live(model, rows, live)
        metrics.append(measured)
        if 0 < measured["minority_rows"] < measured["rows"]:
            points.append(_point(model, measured, labels, scores))
    write_json(output / "live_metrics.json", {"week": params.week.isoformat(), "models": metrics})
    checks = judge_live([measured for measured in metrics if measured["stage"] == "live"], params.policy)
    write_json(output / "checks.json", [check.model_dump(mode="json") for check in checks])
    if points:
        plot_live_pr_auc(output / "live_pr_auc.png", points)
        plot_live_calibration(output / "live_calibration.png", points)


def read_live_checks(folder: Path) -> tuple[LiveCheck, ...]:
    """The checks in a folder that `measure_live` wrote."""
    return tuple(LiveCheck.model_validate(check) for check in read_json(folder / "checks.json"))


def _check_models(table: pa.Table, params: LiveParams) -> None:
    named = {(model.stage, model.model, model.version) for model in params.models}
    columns = (table[name].to_pylist() for name in ("stage", "model", "model_version"))
    unknown = sorted(set(zip(*columns, strict=True)) - named)
    if unknown:
        stage, model, version = unknown[0]
        raise OutcomeError(
            f"week {params.week}: there are outcomes of {model} version {version} ({stage}), of which nothing is "
            "known; give its validation metrics, or remove its predictions from the warehouse"
        )


def _judging_rows(table: pa.Table, model: ServedModel) -> tuple[pa.Table, dict[str, Any]]:
    """The rows that may judge the model, and how many were left out for which reason (the first that applies)."""
    columns = {name: table[name].to_numpy() for name in OUTCOME_COLUMNS}
    remaining = (
        (columns["stage"] == model.stage)
        & (columns["model"] == model.model)
        & (columns["model_version"] == model.version)
    )
    outcomes, left_out = int(remaining.sum()), {}
    for reason, applies in (
        ("does_not_fit", ~columns["has_room"]),
        ("known_before", columns["has_earlier_evidence"]),
        ("scored_in_hindsight", columns["as_of"] < np.datetime64(model.trained_until)),
    ):
        left_out[reason] = int((remaining & applies).sum())
        remaining = remaining & ~applies
    return table.filter(pa.array(remaining)), {
        "package_type": model.package_type,
        "stage": model.stage,
        "model": model.model,
        "model_version": model.version,
        "outcomes": outcomes,
        "left_out": left_out,
        "rows": int(remaining.sum()),
        "random_test_rows": int((remaining & columns["is_random_test"]).sum()),
    }


def _seen_from_rarer_label(minority_label: int, rows: pa.Table) -> tuple[Labels, FloatArray]:
    """Labels and scores as seen from the rarer label, shape (rows,) each."""
    return toward(minority_label, rows["label"].to_numpy().astype(np.int64), rows["score"].to_numpy())


def _measure(labels: Labels, scores: FloatArray, model: ServedModel) -> dict[str, Any]:
    observed = int(labels.sum())
    measured: dict[str, Any] = {
        "minority_label": model.minority_label,
        "minority_rows": observed,
        "validation_minority_rate": model.minority_rate,
        "pr_auc": None,
        "pr_auc_standard_error": None,
        "weighed_pr_auc": None,
        "weighed_standard_error": None,
        "validation_pr_auc": model.pr_auc,
        "difference": None,
        "standard_error": None,
        "calibration": calibration(labels, scores),
    }
    if observed:
        measured["pr_auc"] = average_precision(labels, scores)
        measured["pr_auc_standard_error"] = average_precision_error(labels, scores)
    if 0 < observed < len(labels):
        weighed, error = average_precision_at_rate(labels, scores, model.minority_rate)
        measured |= {
            "weighed_pr_auc": weighed,
            "weighed_standard_error": error,
            "difference": weighed - model.pr_auc,
            "standard_error": math.hypot(error, model.pr_auc_standard_error),
        }
    return measured


def _beside_live(shadow: ServedModel, rows: pa.Table, live: Sequence[tuple[ServedModel, pa.Table]]) -> dict[str, Any]:
    """A shadow model's PR-AUC minus that of whatever served, on the products that both scored at one time."""
    served: dict[tuple[str, dt.datetime], tuple[str, float]] = {}
    for model, scored in live:
        if model.package_type == shadow.package_type:
            served |= {key: (model.name, score) for key, _, score in _scored(scored)}
    shared = [(label, score, *served[key]) for key, label, score in _scored(rows) if key in served]
    labels = np.array([label for label, *_ in shared], dtype=np.int64)
    y, scores = toward(shadow.minority_label, labels, np.array([score for _, score, *_ in shared], dtype=np.float64))
    _, others = toward(shadow.minority_label, labels, np.array([score for *_, score in shared], dtype=np.float64))
    compared = paired_average_precision_difference(y, others, scores) if y.any() else None
    return {
        "live_models": sorted({name for _, _, name, _ in shared}),
        "rows": len(shared),
        "minority_rows": int(y.sum()),
        "pr_auc": average_precision(y, scores) if compared else None,
        "live_pr_auc": average_precision(y, others) if compared else None,
        "difference": compared.difference if compared else None,
        "standard_error": compared.standard_error if compared else None,
    }


def _scored(rows: pa.Table) -> list[tuple[tuple[str, dt.datetime], int, float]]:
    """Product and time, label and score of each row."""
    ids, times, labels, scores = (rows[name].to_pylist() for name in ("product_id", "as_of", "label", "score"))
    return list(zip(zip(ids, times, strict=True), labels, scores, strict=True))


def _point(model: ServedModel, measured: Metrics, labels: Labels, scores: FloatArray) -> LivePoint:
    return LivePoint(
        name=model.name,
        pr_auc=measured["weighed_pr_auc"],
        pr_auc_standard_error=measured["weighed_standard_error"],
        validation_pr_auc=model.pr_auc,
        validation_standard_error=model.pr_auc_standard_error,
        labels=labels,
        scores=scores,
    )


def judge_live(metrics: Sequence[Metrics], policy: LivePolicy) -> tuple[LiveCheck, ...]:
    """The checks, in the order of `LIVE_CHECKS`; each fails if one model with enough rows does."""
    return tuple(_check(definition, criterion, metrics, policy) for definition, criterion in _CRITERIA)


def _check(
    definition: LiveCheckDefinition, criterion: _Criterion, metrics: Sequence[Metrics], policy: LivePolicy
) -> LiveCheck:
    found = [(finding, model) for model in metrics if (finding := criterion(model, policy)) is not None]
    if not found:
        return LiveCheck(
            name=definition.name,
            is_passed=True,
            value=None,
            limit=None,
            standard_error=None,
            rows=sum(model["rows"] for model in metrics),
            sentence=_why_nothing_was_found(metrics, policy),
            remedy=definition.remedy,
        )
    worst, model = max(found, key=lambda pair: pair[0].excess)
    failed = [finding.sentence for finding, _ in found if finding.excess > 0]
    return LiveCheck(
        name=definition.name,
        is_passed=not failed,
        value=worst.value,
        limit=worst.limit,
        standard_error=worst.standard_error,
        rows=model["rows"],
        sentence=" ".join(failed or [worst.sentence]),
        remedy=definition.remedy,
    )


def _why_nothing_was_found(metrics: Sequence[Metrics], policy: LivePolicy) -> str:
    most = max((model["minority_rows"] for model in metrics), default=0)
    if most < policy.min_minority_rows:
        return (
            f"Too few outcomes to say: at most {most:,} rows of the rarer label per model, "
            f"{policy.min_minority_rows:,} are needed."
        )
    return (
        f"The outcomes cannot be compared: of up to {most:,} per model all have the rarer label, or scores of 0 or 1."
    )


def _compare_pr_auc(model: Metrics, policy: LivePolicy) -> _Finding | None:
    if model["minority_rows"] < policy.min_minority_rows or model["difference"] is None:
        return None
    difference, error = model["difference"], model["standard_error"]
    limit = -(policy.pr_auc_margin + policy.pr_auc_z * error)
    return _Finding(
        limit - difference,
        f"{model['model']} version {model['model_version']}: PR-AUC is {model['weighed_pr_auc']:.4f} on "
        f"{model['rows']:,} outcomes, weighed as if {model['validation_minority_rate']:.1%} had the rarer label, and "
        f"was {model['validation_pr_auc']:.4f} in validation, where so many had it: {difference:+.4f} (standard error "
        f"{error:.4f}), limit {limit:+.4f}.",
        value=difference,
        limit=limit,
        standard_error=error,
    )


def _compare_rates(model: Metrics, policy: LivePolicy) -> _Finding | None:
    calibration = model["calibration"]
    observed, expected = calibration["observed"], calibration["expected"]
    # By the expected rows too: a model that sees danger everywhere is not let off because none came.
    if max(observed, expected) < policy.min_minority_rows or calibration["z"] is None:
        return None
    ratio, z = calibration["ratio"], calibration["z"]
    excess = min(abs(ratio - 1) / policy.calibration_ratio, abs(z) / policy.calibration_z) - 1
    return _Finding(
        excess,
        f"{model['model']} version {model['model_version']}: {observed:,} outcomes were the rarer label, "
        f"{expected:,.1f} were expected: a ratio of {ratio:.3f} (z {z:+.1f}), which may differ from 1 by "
        f"{policy.calibration_ratio:.2f}, and by more where z is within {policy.calibration_z:.2f}.",
        value=ratio,
        limit=1 + math.copysign(policy.calibration_ratio, ratio - 1),
        standard_error=None,
    )


_Criterion = Callable[[Metrics, LivePolicy], "_Finding | None"]

_CRITERIA: tuple[tuple[LiveCheckDefinition, _Criterion], ...] = (
    (
        LiveCheckDefinition(
            "live_pr_auc_not_below_validation",
            "The models that served find the rarer label as well as they did in validation.",
            "Compare the new products with the training rows (drift on the inventories); train on newer weeks, or pin "
            "an earlier version.",
        ),
        _compare_pr_auc,
    ),
    (
        LiveCheckDefinition(
            "live_scores_are_calibrated",
            "The scores that were given add up to the outcomes that came.",
            "Look for a change in tests or feedback since the training week; recommendations weigh cost by these "
            "scores, so review them while it lasts.",
        ),
        _compare_rates,
    ),
)

LIVE_CHECKS: tuple[LiveCheckDefinition, ...] = tuple(definition for definition, _ in _CRITERIA)
"""Both checks, named as true sentences."""
