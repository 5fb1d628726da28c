"""How far two models lie apart on the rows that both have scored and neither was trained on, in one week or several.

Scored are the rows that judge a model (all its validation rows, or the randomly chosen tests among them), and a product
that validates a model did not train it: rows that both have scored are rows that neither was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from packaging_assets.domain.average_precision import (
    FloatArray,
    Labels,
    average_precision,
    influence,
    paired_average_precision_difference,
    precision_recall_curve,
    recall_at_precision,
)
from packaging_assets.domain.evaluation_plots import plot_precision_recall
from packaging_assets.domain.parquet_files import read_column_names, read_parquet
from packaging_assets.domain.scored_rows import RECALL_PRECISION, toward
from packaging_assets.domain.slices import log_losses
from packaging_assets.domain.splits import GROUP
from packaging_assets.experiments.errors import ExperimentError

if TYPE_CHECKING:
    Texts = npt.NDArray[np.str_]

CANDIDATE, CHAMPION = "candidate_score", "champion_score"


@dataclass(frozen=True)
class ScoredWeek:
    """The validation rows of one week with a model's scores, P(suitable), and the split's groups; shapes (rows,)."""

    week: str
    ids: Texts
    labels: Labels
    scores: FloatArray
    minority_label: int
    groups: Texts | None = None


@dataclass(frozen=True)
class Figures:
    """How good one model is on the shared rows."""

    pr_auc: float
    log_loss: float
    recall_at_95_precision: float


@dataclass(frozen=True)
class WeekDifference:
    """The first model minus the second in one week: PR-AUC of the rarer label, with its standard error.

    Both by the first's labels; `note` says which rows, and of how many the second has another label.
    """

    week: str
    first: Figures
    second: Figures
    difference: float
    standard_error: float
    rows: int
    note: str


@dataclass(frozen=True)
class MeanDifference:
    """The mean of the weeks' differences; its error takes into account that a product validates in every week.

    Where the split has groups, these are what is independent, in one week too.
    """

    weeks: int
    difference: float
    standard_error: float


@dataclass(frozen=True)
class _Shared:
    """Rows of both, as seen from the rarer label: y = 1 is that label. `units` are independent of one another."""

    units: Texts
    y: Labels
    first: FloatArray
    second: FloatArray
    note: str


def read_scores(
    metrics: Path, week: str, minority_label: int, column: str = CANDIDATE, *, split: Path | None = None
) -> ScoredWeek:
    """The scores that `metrics.evaluate` wrote into the folder `metrics`, of the candidate or of its champion.

    Args:
        metrics: the folder.
        week: of which week.
        minority_label: the rarer label.
        column: whose scores.
        split: the folder of the split that the rows are of, for its groups; none if it has none.

    Raises:
        ExperimentError: the column is that of a champion, and there was none.
    """
    table = read_parquet(metrics / "scores.parquet", ("product_id", "label", column))
    if table[column].null_count:
        raise ExperimentError(f"There was no champion before {week} to compare with: compare with baseline instead.")
    ids = np.asarray(table["product_id"].to_pylist(), dtype=np.str_)
    groups = None if split is None else _groups_of(ids, split / "validation.parquet")
    return ScoredWeek(week, ids, table["label"].to_numpy(), table[column].to_numpy(), minority_label, groups)


def _groups_of(ids: Texts, validation: Path) -> Texts | None:
    if GROUP not in read_column_names(validation):
        return None
    rows = read_parquet(validation, ("product_id", GROUP))
    group_of = dict(zip(rows["product_id"].to_pylist(), rows[GROUP].to_pylist(), strict=True))
    return np.asarray([group_of[product] for product in ids.tolist()], dtype=np.str_)


def compare_week(first: ScoredWeek, second: ScoredWeek) -> WeekDifference:
    """The difference of the first to the second.

    Raises:
        ExperimentError: the rows they share are too few to have both labels.
    """
    shared = _share(first, second)
    groups = np.unique(shared.units, return_inverse=True)[1]
    paired = paired_average_precision_difference(shared.y, shared.second, shared.first, groups)
    return WeekDifference(
        week=first.week,
        first=_figures(shared.y, shared.first),
        second=_figures(shared.y, shared.second),
        difference=paired.difference,
        standard_error=paired.standard_error,
        rows=len(shared.y),
        note=shared.note,
    )


def mean_difference(pairs: Sequence[tuple[ScoredWeek, ScoredWeek]]) -> MeanDifference:
    """The mean over weeks, each pair being one week's.

    The error is the infinitesimal jackknife's with products as the units that are drawn, or the groups that the split
    keeps together: a unit's influences in all weeks are added up before they are squared. Weeks judged by the same
    products are no independent evidence, and the error is then hardly smaller than that of one of them.
    """
    shared = [_share(first, second) for first, second in pairs]
    units, position = np.unique(np.concatenate([rows.units for rows in shared]), return_inverse=True)
    influences = np.concatenate([influence(rows.y, rows.first) - influence(rows.y, rows.second) for rows in shared])
    by_unit = np.bincount(position, weights=influences / len(shared), minlength=len(units))
    differences = [average_precision(rows.y, rows.first) - average_precision(rows.y, rows.second) for rows in shared]
    return MeanDifference(len(shared), float(np.mean(differences)), float(np.sqrt((by_unit**2).sum())))


def plot_both(path: Path, first: ScoredWeek, second: ScoredWeek, names: tuple[str, str]) -> None:
    """Draw both precision-recall curves over the shared rows to the PNG file `path`."""
    shared = _share(first, second)
    curves = {
        name: precision_recall_curve(shared.y, scores)
        for name, scores in zip(names, (shared.first, shared.second), strict=True)
    }
    plot_precision_recall(path, curves, baseline=float(shared.y.mean()))


def _share(first: ScoredWeek, second: ScoredWeek) -> _Shared:
    _, mine, theirs = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    labels = first.labels[mine]
    if len(set(labels.tolist())) < 2:  # noqa: PLR2004 - the two labels
        raise ExperimentError(
            f"{first.week}: the two share {len(mine):,} rows that neither was trained on, too few to have both labels: "
            "compare experiments whose splits overlap."
        )
    y, ours = toward(first.minority_label, labels, first.scores[mine])
    other = toward(first.minority_label, labels, second.scores[theirs])[1]
    relabelled = int((labels != second.labels[theirs]).sum())
    note = _note(first, second, len(mine)) + _label_note(relabelled)
    return _Shared(_units(first, mine, second, theirs), y, ours, other, note)


def _units(first: ScoredWeek, mine: npt.NDArray[np.intp], second: ScoredWeek, theirs: npt.NDArray[np.intp]) -> Texts:
    """What shared rows are independent by: the groups of the first's split, else of the second's, else products."""
    if first.groups is not None:
        return first.groups[mine]
    return first.ids[mine] if second.groups is None else second.groups[theirs]


def _note(first: ScoredWeek, second: ScoredWeek, rows: int) -> str:
    if rows == len(first.ids) == len(second.ids):
        return f"the {rows:,} rows that judge both"
    return (
        f"{rows:,} rows that neither was trained on, of {len(first.ids):,} that judge the one and "
        f"{len(second.ids):,} that judge the other"
    )


def _label_note(relabelled: int) -> str:
    """Models may have label rules of their own, and labels may have changed between two experiments."""
    if not relabelled:
        return ""
    return f"; {relabelled:,} of them have another label in the second's evaluation, and the first's labels count"


def _figures(y: Labels, scores: FloatArray) -> Figures:
    return Figures(
        pr_auc=average_precision(y, scores),
        log_loss=float(log_losses(y, scores).mean()),
        recall_at_95_precision=recall_at_precision(y, scores, RECALL_PRECISION),
    )
