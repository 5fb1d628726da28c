"""Two versions side by side, and the difference on rows that both have scored and neither trained on.

They are of one model, or of two that decide on one package type: a shadow model and the one that serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from packaging_assets.domain.average_precision import (
    FloatArray,
    Groups,
    Labels,
    average_precision,
    error_of_mean,
    paired_average_precision_difference,
)
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.model_card import weighting_in_words
from packaging_assets.domain.model_card_charts import calibration_chart, precision_recall_chart
from packaging_assets.domain.model_card_page import render_comparison
from packaging_assets.domain.parquet_files import read_parquet
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.domain.scored_rows import toward
from packaging_assets.domain.slices import log_losses
from packaging_assets.domain.splits import GROUP


class ComparisonError(ValueError):
    """The two versions cannot be compared; the message says why."""


@dataclass(frozen=True)
class ComparedVersion:
    """A version with its folders: `model` as `models.train` wrote it, `metrics` as `metrics.evaluate` did."""

    version: ModelVersion
    model: Path
    metrics: Path


@dataclass(frozen=True)
class SharedScores:
    """Rows that both versions scored: shapes (rows,), y = 1 the rarer label, `note` where the scores come from.

    `groups` are those of the split, where it has any.
    """

    y: Labels
    first: FloatArray
    second: FloatArray
    note: str
    groups: Groups | None = None


@dataclass(frozen=True)
class Difference:
    """A figure of the second version minus that of the first on shared rows, with its standard error."""

    name: str
    first: float
    second: float
    difference: float
    standard_error: float


FIGURES = (
    ("PR-AUC", ("pr_auc",), "{:.4f}"),
    ("standard error of PR-AUC", ("pr_auc_standard_error",), "{:.4f}"),
    ("log loss", ("log_loss",), "{:.4f}"),
    ("ROC AUC", ("roc_auc",), "{:.4f}"),
    ("recall at 95% precision", ("recall_at_95_precision",), "{:.3f}"),
    ("observed over expected", ("calibration", "ratio"), "{:.3f}"),
    ("validation rows", ("validation_rows",), "{:,}"),
    ("of the rarer label", ("minority_rows",), "{:,}"),
    ("training rows", ("training_rows",), "{:,}"),
    ("suitable in training rows", ("training_label_rate",), "{:.1%}"),
)
DIFFERENCE = ("champion", "difference"), "{:+.4f}"
MADE_FROM = ("architecture", "seed", "minority_label")
FEATURE_KINDS = ("numeric", "embedding", "scores", "categorical", "text")


def names_apart(first: ModelVersion, second: ModelVersion) -> tuple[str, str]:
    """What two versions are called in tables and charts: by number, and by model too where that differs."""
    if first.model == second.model:
        return f"version {first.version}", f"version {second.version}"
    return f"{first.model} {first.version}", f"{second.model} {second.version}"


def subject_of(first: ModelVersion, second: ModelVersion) -> str:
    """What two versions have in common: the model, or else the package type."""
    return first.model if first.model == second.model else first.package_type


def check_comparable(first: ModelVersion, second: ModelVersion) -> None:
    """Whether two versions can be held against each other.

    Raises:
        ComparisonError: they decide on different package types, or are the same version twice.
    """
    if first.package_type != second.package_type:
        raise ComparisonError(
            f"{first.model}:{first.version} decides on {first.package_type} and {second.model}:{second.version} on "
            f"{second.package_type}: name two versions for one package type."
        )
    if (first.model, first.version) == (second.model, second.version):
        raise ComparisonError(f"{first.model}:{first.version} was named twice: name two versions.")


def side_by_side(first: ModelVersion, second: ModelVersion) -> list[tuple[str, str, str]]:
    """Name and both values of every figure that either version has, each from its own week's evaluation."""
    rows = [
        ("week", first.training_week, second.training_week),
        *([("stage", first.stage, second.stage)] if "shadow" in (first.stage, second.stage) else []),
        ("status", str(first.status), str(second.status)),
        ("verdict of the gates", first.verdict, second.verdict),
        ("champion of its model", _yes(first.is_champion), _yes(second.is_champion)),
        *((name, _figure(first, path, form), _figure(second, path, form)) for name, path, form in FIGURES),
        ("champion it was held against", _held_against(first), _held_against(second)),
        ("difference to that champion", _figure(first, *DIFFERENCE), _figure(second, *DIFFERENCE)),
        ("code version", first.code_version, second.code_version),
    ]
    return [row for row in rows if row[1:] != ("-", "-")]


def differences_in_making(first: Path, second: Path) -> list[tuple[str, str, str]]:
    """What differs between two model folders' architecture, parameters, seed, class weights and features."""
    one, other = read_json(first / "model.json"), read_json(second / "model.json")
    parameters = sorted({*one["parameters"], *other["parameters"]})
    rows = [
        *((name, str(one[name]), str(other[name])) for name in MADE_FROM),
        ("class weights", _class_weights(one), _class_weights(other)),
        *((name, _parameter(one, name), _parameter(other, name)) for name in parameters),
        *(_only(one, other, kind) for kind in FEATURE_KINDS),
    ]
    return [row for row in rows if row[1] != row[2]]


def _parameter(model: Mapping[str, Any], name: str) -> str:
    return str(model["parameters"].get(name, "default"))


def _class_weights(model: Mapping[str, Any]) -> str:
    return weighting_in_words(model.get("class_weights"))


def _only(one: Mapping[str, Any], other: Mapping[str, Any], kind: str) -> tuple[str, str, str]:
    mine, theirs = set(one["features"].get(kind, ())), set(other["features"].get(kind, ()))
    return f"only its {kind} features", ", ".join(sorted(mine - theirs)), ", ".join(sorted(theirs - mine))


def shared_scores(first: ComparedVersion, second: ComparedVersion) -> SharedScores | None:
    """Scores of both versions for the same rows; None if fewer than two rows, or one label only, are shared.

    Where one was the champion that the other was held against, both were scored on the other's features. Else each was
    scored in its own week; the rows are those that judged both, with the labels of the later week.
    """
    for challenger, champion in ((second, first), (first, second)):
        if challenger.version.held_against == (champion.version.model, champion.version.version):
            return _from_one_evaluation(challenger, champion, is_second=challenger is second)
    return _from_two_evaluations(first, second)


def differences(shared: SharedScores) -> list[Difference]:
    """PR-AUC and log loss on the shared rows."""
    paired = paired_average_precision_difference(shared.y, shared.first, shared.second, shared.groups)
    return [
        Difference("PR-AUC", *_average_precisions(shared), paired.difference, paired.standard_error),
        _log_loss_difference(shared),
    ]


def comparison_page(first: ComparedVersion, second: ComparedVersion) -> str:
    """The comparison as one HTML page that stands alone."""
    shared = shared_scores(first, second)
    found = [] if shared is None else differences(shared)
    one, other = names_apart(first.version, second.version)
    curves = [] if shared is None else _curves(one, other, shared)
    return render_comparison(
        {
            "title": _title(first.version, second.version),
            "subtitle": f"Weeks of {first.version.training_week} and {second.version.training_week}. Differences are "
            f"{other} minus {one}.",
            "key_figures": [
                (
                    f"{each.name}, difference",
                    f"{each.difference:+.4f}",
                    f"± {each.standard_error:.4f} (std. error); {each.first:.4f} and {each.second:.4f}",
                )
                for each in found
            ],
            "names": (one, other),
            "rows": side_by_side(first.version, second.version),
            "shared_note": "" if shared is None else shared.note,
            "curves": curves,
            "differences": differences_in_making(first.model, second.model),
        }
    )


def _title(first: ModelVersion, second: ModelVersion) -> str:
    if first.model == second.model:
        return f"{first.model}: versions {first.version} and {second.version}"
    return f"{subject_of(first, second)}: {' and '.join(names_apart(first, second))}"


def _held_against(version: ModelVersion) -> str:
    """By number; by model, too, where that is another, or of another environment."""
    model, number = version.held_against or (version.model, "-")
    return str(number) if model == version.model else f"{model} {number}"


def _yes(is_so: bool) -> str:  # noqa: FBT001 - a word for a flag
    return "yes" if is_so else "no"


def _figure(version: ModelVersion, path: tuple[str, ...], form: str) -> str:
    value: Any = version.metrics
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return form.format(value) if isinstance(value, int | float) else "-"


def _from_one_evaluation(
    challenger: ComparedVersion, champion: ComparedVersion, *, is_second: bool
) -> SharedScores | None:
    table = read_parquet(challenger.metrics / "scores.parquet")
    candidate, other = table["candidate_score"].to_numpy(), table["champion_score"].to_numpy()
    ordered = (other, candidate) if is_second else (candidate, other)
    name, other_name = names_apart(challenger.version, champion.version)
    note = (
        f"{len(table):,} rows, scored by both in the evaluation of {name}, whose champion {other_name} was, on the "
        "features of that week."
    )
    return _shared(challenger, table["label"].to_numpy(), *ordered, note, _groups(table))


def _from_two_evaluations(first: ComparedVersion, second: ComparedVersion) -> SharedScores | None:
    tables = [read_parquet(each.metrics / "scores.parquet") for each in (first, second)]
    ids = [np.asarray(table["product_id"].to_pylist(), dtype=str) for table in tables]
    _, mine, theirs = np.intersect1d(ids[0], ids[1], assume_unique=True, return_indices=True)
    (earlier, earlier_rows), (later, rows) = (tables[0], mine), (tables[1], theirs)
    if first.version.training_week > second.version.training_week:
        (earlier, earlier_rows), (later, rows) = (later, rows), (earlier, earlier_rows)
    note = (
        f"{len(mine):,} rows that judged both; each version was scored in its own week, with the features of that "
        "week, and the labels are those of the later week."
    )
    return _shared(
        second,
        later["label"].to_numpy()[rows],
        tables[0]["candidate_score"].to_numpy()[mine],
        tables[1]["candidate_score"].to_numpy()[theirs],
        note,
        _groups(later, rows) if GROUP in later.column_names else _groups(earlier, earlier_rows),
    )


def _shared(
    toward_whose: ComparedVersion,
    labels: Labels,
    first: FloatArray,
    second: FloatArray,
    note: str,
    groups: Groups | None,
) -> SharedScores | None:
    if len(set(labels.tolist())) < 2:  # noqa: PLR2004 - the two labels
        return None
    minority = int(toward_whose.version.metrics["minority_label"])
    y, first = toward(minority, labels, first)
    return SharedScores(y, first, toward(minority, labels, second)[1], note, groups)


def _groups(scores: pa.Table, rows: npt.NDArray[np.intp] | slice = slice(None)) -> Groups | None:
    return scores[GROUP].to_numpy()[rows] if GROUP in scores.column_names else None


def _average_precisions(shared: SharedScores) -> tuple[float, float]:
    return average_precision(shared.y, shared.first), average_precision(shared.y, shared.second)


def _log_loss_difference(shared: SharedScores) -> Difference:
    first, second = log_losses(shared.y, shared.first), log_losses(shared.y, shared.second)
    gap = second - first
    error = error_of_mean(gap, shared.groups)
    return Difference("log loss", float(first.mean()), float(second.mean()), float(gap.mean()), error)


def _curves(first: str, second: str, shared: SharedScores) -> list[Any]:
    scores = {second: shared.second, first: shared.first}
    return [precision_recall_chart(shared.y, scores), calibration_chart(shared.y, scores)]
