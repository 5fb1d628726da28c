"""Checks on predictions before they are loaded: are the scores like those the champions were judged by?

Only products that fit a package type count: the champions were judged on such products alone. Neither memory nor time
grows with the number of predictions, beyond those of a million products: of more, row groups are looked at in even
distances.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.drift_gates import SCORE_GATE
from packaging_assets.domain.features import FIT_COLUMNS, PackageType
from packaging_assets.domain.gate_findings import Finding, Metrics, is_null, number
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.domain.parquet_files import (
    count_rows,
    count_rows_of_groups,
    list_parts,
    one_group_in,
    read_parquet,
)
from packaging_assets.domain.performance_estimation import Estimate, ScoreCounts
from packaging_assets.domain.predictions import SUMMARY
from packaging_assets.domain.read_ahead import read_ahead
from packaging_assets.domain.score_profiles import score_bins, score_index
from packaging_assets.domain.verdicts import CheckDefinition, Gate, combine, judge_by

MIN_EXPECTED_ROWS = 30
"""Of the rarer label: from there on less than 1% of samples without change warn (rarer label 5 to 45%, validation on
1,000 and 6,000 rows). With fewer a few products at the top decide, whose precision is not distributed normally."""

CHECKED_PRODUCTS = 1_000_000
"""Of more products, row groups are looked at that have about so many or more; a champion was judged by thousands."""


def estimated_pr_auc_is_as_validated(metrics: Metrics, policy: GatePolicy) -> Finding:
    """PR-AUC expected from calibrated scores, before any of these products is tested."""
    rows = int(number(metrics, "estimate", "rows"))
    if is_null(metrics, "estimate", "pr_auc"):
        return Finding(None, f"{rows:,} products fit: no PR-AUC can be estimated from them.", rows=rows)
    expected_rows = number(metrics, "estimate", "expected_rows")
    if expected_rows < MIN_EXPECTED_ROWS:
        return Finding(
            None,
            f"{rows:,} products fit, of which {expected_rows:.1f} are expected to have the rarer label: too few to "
            f"estimate a PR-AUC from, {MIN_EXPECTED_ROWS} are needed.",
            rows=rows,
        )
    estimate, reference = number(metrics, "estimate", "pr_auc"), number(metrics, "estimate", "reference_pr_auc")
    errors = (number(metrics, "estimate", name) for name in ("standard_error", "reference_standard_error"))
    error = math.hypot(*errors)
    limit = -max(policy.estimate_drop, policy.estimate_z * error)
    change = estimate - reference
    return Finding(
        "WARN" if change < limit else None,
        f"PR-AUC is estimated at {estimate:.4f} from the scores of {rows:,} products and was {reference:.4f} in "
        f"validation by the same estimate: {change:+.4f} (standard error {error:.4f}), limit {limit:+.4f}.",
        value=change,
        limit=limit,
        standard_error=error,
        rows=rows,
    )


_GATES = (
    SCORE_GATE,
    Gate(
        estimated_pr_auc_is_as_validated,
        "WARN",
        "The PR-AUC to be expected from the scores is that of the validation rows.",
        "These products are harder to tell apart: have some of them tested, and train on the results.",
    ),
)

PREDICTION_CHECKS: tuple[CheckDefinition, ...] = tuple(gate.definition for gate in _GATES)
"""Every check on predictions."""


class ScoredModel(BaseModel):
    """A champion whose predictions are checked, and how it was judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: PackageType
    model: str = Field(min_length=1, description="The model's name, for sentences and to find its predictions.")
    policy: GatePolicy
    score_profile: dict[str, Any] | None = Field(description="From the version's metrics; none if it keeps none.")
    pr_auc_standard_error: float = Field(ge=0)


class CheckPredictionsParams(BaseModel):
    """By whose validation predictions are judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[ScoredModel, ...] = Field(min_length=1)


def check_predictions(inputs: Mapping[str, Path], params: CheckPredictionsParams, output: Path) -> None:
    """Compare each champion's scores with those of its validation rows, and estimate its PR-AUC.

    Args:
        inputs: `inventory`: the Parquet parts that were scored, with the `fits_*`; `predictions`: as `predict` wrote
            them, one part per part of the inventory.
        params: the champions.
        output: gets scores.json (per model the figures) and verdict.json (`Verdict`; of each check the worst
            outcome over the models, whose sentence names the model).
    """
    counts = {model.model: _Counts(model) for model in params.models}
    columns = {model.model: FIT_COLUMNS[model.package_type] for model in params.models}
    # Of each product there is a row per model, always in the same order.
    models = [model["model"] for model in read_json(inputs["predictions"] / SUMMARY)["models"]]
    for fits, scores in read_ahead(_looked_at(inputs, sorted({*columns.values()}), len(models))):
        for column, model in enumerate(models):
            is_fit = fits[columns[model]].fill_null(fill_value=False).to_numpy()
            counts[model].add(scores[is_fit, column])
    figures = {model: counted.figures() for model, counted in counts.items()}
    verdicts = {model.model: judge_by(_GATES, figures[model.model], model.policy) for model in params.models}
    write_json(output / "scores.json", figures)
    write_json(output / "verdict.json", combine(verdicts).model_dump(mode="json"))


def _looked_at(
    inputs: Mapping[str, Path], fits: Sequence[str], models: int
) -> Iterator[tuple[pa.Table, npt.NDArray[np.float64]]]:
    """By part, of the products that are looked at, the `fits_*` and the scores, shape (products, models)."""
    every = max(1, count_rows(inputs["inventory"]) // CHECKED_PRODUCTS)
    predictions = one_group_in(every, list_parts(inputs["predictions"]))
    for inventory, (part, groups) in zip(list_parts(inputs["inventory"]), predictions, strict=True):
        if not groups:
            continue
        ends = [rows // models for rows in itertools.accumulate(count_rows_of_groups(part), initial=0)]
        table = read_parquet(inventory, fits)
        yield (
            pa.concat_tables([table.slice(ends[group], ends[group + 1] - ends[group]) for group in groups]),
            read_parquet(part, ("score",), groups=groups)["score"].to_numpy().reshape(-1, models),
        )


class _Counts:
    """Counts of one model's scores."""

    def __init__(self, model: ScoredModel) -> None:
        self._model = model
        self._scores = ScoreCounts()
        self._bins = np.zeros(len(model.score_profile["shares"]) if model.score_profile else 0)

    def add(self, scores: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        self._scores.add(scores)
        if self._model.score_profile:
            self._bins += score_bins(self._model.score_profile, scores)

    def figures(self) -> dict[str, Any]:
        profile, rows = self._model.score_profile, self._scores.rows
        if profile is None:
            return {
                "scores": {"psi": None, "rows": rows, "reference_rows": None},
                "estimate": {"pr_auc": None, "rows": rows},
            }
        estimate = self._scores.estimate(profile["calibration"], profile["minority_label"])
        found = dict.fromkeys(Estimate._fields) if estimate is None else estimate._asdict()
        return {
            "scores": {"psi": score_index(profile, self._bins), "rows": rows, "reference_rows": int(profile["rows"])},
            "estimate": {
                **found,
                "rows": rows,
                "reference_pr_auc": profile["estimated_pr_auc"],
                "reference_standard_error": self._model.pr_auc_standard_error,
            },
        }
