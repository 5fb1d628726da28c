"""Metrics: candidate and champion scored on the same rows, and what has changed since the champion was trained.

The rows are the candidate's validation rows less every product the champion was trained on. All of `gate_criteria`'s
evidence is made here and nowhere else; the verdict is stored beside the metrics it was made from.

"Minority" is the rarer label of the candidate's training rows. Scores are probabilities of `suitable`; PR-AUC is the
average precision of the minority, for which they are turned round (1 - score) where that is 0.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.average_precision import (
    Groups,
    Labels,
    average_precision,
)
from packaging_assets.domain.features import (
    DEFAULT_FEATURES,
    MISSING,
    TITLE,
    FeatureSet,
    PackageType,
    check_all_there,
    feature_frame,
    iterate_features,
    title_column,
)
from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy
from packaging_assets.domain.gates import judge
from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.domain.label_changes import compare_label_rates, compare_volume
from packaging_assets.domain.leakage import find_strongest_feature
from packaging_assets.domain.model_card_charts import calibration_chart, precision_recall_chart
from packaging_assets.domain.model_folders import PROFILE, TRAINING_IDS, trained_on, union_of_features
from packaging_assets.domain.models import load_model, score_table
from packaging_assets.domain.parquet_files import read_parquet, write_parquet
from packaging_assets.domain.probabilities import check_probabilities
from packaging_assets.domain.profiles import compare
from packaging_assets.domain.score_profiles import describe_scores, score_bins, score_index
from packaging_assets.domain.scored_rows import (
    Scored,
    compare_with_champion,
    finite,
    measure_candidate,
    toward,
)
from packaging_assets.domain.slices import compare_slices, slice_rows
from packaging_assets.domain.splits import GROUP, group_numbers
from packaging_assets.domain.svg_charts import standalone_svg

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from packaging_assets.domain.models import TrainedModel

RANDOM_TESTS = "random_tests"
ALL_VALIDATION_ROWS = "all_validation_rows"

COMPARED_TITLES = 50_000
"""Titles whose words are looked at, evenly spaced: they have some 300,000 words, and new ones are a share of these."""


class EvaluationError(ValueError):
    """The candidate cannot be evaluated; the message names what is wrong and the remedy."""


class EvaluateParams(BaseModel):
    """What is evaluated, and by which thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: PackageType
    week: dt.date = Field(description="The Monday of the candidate's week.")
    features: FeatureSet = Field(default=DEFAULT_FEATURES, description="The candidate's features.")
    policy: GatePolicy = Field(default=DEFAULT_POLICY, description="The gates' thresholds.")
    stage: Literal["live", "shadow"] = Field(
        default="live", description="Whether the candidate may come to serve; a live model is judged anew."
    )
    champion_version: int | None = Field(
        default=None,
        ge=1,
        description="Registered version given as the input `champion`; none for a type's first model.",
    )
    champion_model: str | None = Field(
        default=None, description="Of which model it is a version: not always the candidate's own."
    )


class _Rows(NamedTuple):
    """Training and validation rows of the week by product id.

    `table` has the columns that candidate and champion read, `frame` those of the candidate, the scores of the models
    that it feeds from left out: these are made from the columns, and nothing drifts or gives labels away in them that
    does not in the columns.
    """

    ids: pa.Array
    y: Labels
    is_validation: npt.NDArray[np.bool_]
    table: pa.Table
    frame: pd.DataFrame
    is_random_test: npt.NDArray[np.bool_]
    groups: Groups | None


def evaluate(inputs: Mapping[str, Path], params: EvaluateParams, output: Path) -> None:
    """Score, compare, judge.

    Args:
        inputs: `candidate` and, from a type's second model on, `champion`: folders written by `models.train`; with it
            `champion_metrics`: by this step for the champion; `split`: by `splits.split`; `features`: by
            `features.keep_features`; `labels`: by `labels.resolve_labels`.
        params: package type, week, policy and the champion's version.
        output: gets metrics.json, verdict.json, scores.parquet (`product_id`, `label`, `candidate_score`,
            `champion_score`, which is null without a champion, and `GROUP`, a number for each, where the split has
            groups), pr_curve.svg and calibration.svg.

    Raises:
        EvaluationError: champion, its metrics and `champion_version` do not come together, the features are not the
            candidate's, or no validation rows with both labels are left.
        ArchitectureError: a score of candidate or champion is no probability.
    """
    _check_champion(inputs, params)
    candidate = load_model(inputs["candidate"])
    champion = load_model(inputs["champion"]) if "champion" in inputs else None
    if candidate.features != params.features:
        raise EvaluationError(
            f"the candidate in {inputs['candidate']} was trained on other features than those to be evaluated; train "
            "it again or name its features"
        )
    models = [candidate] if champion is None else [candidate, champion]
    known = _read_known(inputs, models, params.policy)
    rows = _read_rows(inputs, models, known)
    is_judging = rows.is_validation & ~_is_in_training(inputs.get("champion"), rows.ids)
    _check_both_labels(rows.y[is_judging], params)
    judging = rows.table.filter(pa.array(is_judging))
    scores = score_table(models, judging)
    names = (f"the candidate in {inputs['candidate']}", f"the champion, version {params.champion_version}")
    check_probabilities(scores, judging["product_id"], names)
    held_out = Scored(
        rows.ids.filter(pa.array(is_judging)),
        rows.y[is_judging],
        scores[:, 0],
        None if champion is None else scores[:, 1],
        rows.is_random_test[is_judging],
        None if rows.groups is None else rows.groups[is_judging],
    )
    evaluation = _choose_rows(held_out, candidate.minority_label, params.policy)
    scored = held_out.only(held_out.is_random_test) if evaluation["source"] == RANDOM_TESTS else held_out
    score_drift = _score_drift(inputs, held_out)
    metrics = {
        **_describe_candidate(inputs, params, rows, is_judging, candidate.inventory_features),
        "architectures": list(candidate.architectures),
        **measure_candidate(scored, candidate.minority_label),
        "validation_rows": len(scored.y),
        "evaluation": evaluation,
        "champion": _compare(scored, candidate.minority_label, params),
        "slices": _slices(known, scored, candidate.minority_label, params.policy),
        "label_rate": _label_rate(rows.y, inputs.get("champion")),
        "volume": _volume(inputs["labels"] / "volume.parquet", params),
        "drift": None if champion is None else _drift(inputs, champion, known),
        "scores": score_drift,
        "score_psi": None if score_drift is None else score_drift["psi"],
        "score_profile": describe_scores(held_out.y, held_out.candidate, candidate.minority_label),
        "leakage": _leakage(inputs["candidate"], rows, scored, candidate),
    }
    write_json(output / "metrics.json", metrics)
    write_json(output / "verdict.json", judge(metrics, params.policy).model_dump(mode="json"))
    _write_scores(scored, output / "scores.parquet")
    _plot(scored, candidate.minority_label, params, output)


def _check_champion(inputs: Mapping[str, Path], params: EvaluateParams) -> None:
    if ("champion" in inputs) != (params.champion_version is not None):
        raise EvaluationError(
            f"champion_version is {params.champion_version} and the input `champion` is "
            f"{inputs.get('champion', 'absent')}; give both, or neither for the first model of {params.package_type}"
        )
    if ("champion" in inputs) != ("champion_metrics" in inputs):
        raise EvaluationError(
            f"{params.package_type}, week {params.week}: `champion` and `champion_metrics` belong together, and only "
            f"one of them is among the inputs {', '.join(sorted(inputs))}; give both, or neither for the first model"
        )


def _check_both_labels(y: Labels, params: EvaluateParams) -> None:
    if len(np.unique(y)) < 2:  # noqa: PLR2004 - the two labels
        raise EvaluationError(
            f"{params.package_type}, week {params.week}: the {len(y)} validation rows on which the champion was not "
            "trained do not have both labels; raise validation_fraction, or keep the split's seed that the champion "
            "was trained with"
        )


def _read_known(inputs: Mapping[str, Path], models: Sequence[TrainedModel], policy: GatePolicy) -> pa.Table:
    """The week's products of the type, and those that the champion was trained on, from one reading.

    The columns are those that any of `models` reads; with a champion also those of slices and the title, if there is
    one.
    """
    features = union_of_features([model.inventory_features for model in models])
    wanted = _ids(inputs["split"] / "train.parquet", inputs["split"] / "validation.parquet")
    extra: tuple[str, ...] = ()
    if "champion" in inputs:
        wanted = pa.chunked_array([*wanted.chunks, *_ids(inputs["champion"] / TRAINING_IDS).chunks])
        extra = (*policy.slice_bands, *policy.slice_categories, *title_column(inputs["features"]))
    ids = wanted.combine_chunks()
    parts = iterate_features(inputs["features"], features, extra_columns=extra)
    return pa.concat_tables(part.filter(pc.is_in(part["product_id"], value_set=ids)) for part in parts)


def _ids(*paths: Path) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for path in paths for chunk in read_parquet(path, ("product_id",))[0].chunks])


def _read_rows(inputs: Mapping[str, Path], models: Sequence[TrainedModel], known: pa.Table) -> _Rows:
    """The rows with what all `models` read, of which the first is the candidate, in the order of `known`.

    A product on both sides of a bad split has two.
    """
    train = read_parquet(inputs["split"] / "train.parquet")
    validation = read_parquet(inputs["split"] / "validation.parquet")
    both = pa.concat_tables([train, validation])
    place = _places(inputs["features"], known, both["product_id"])
    order = np.argsort(place, kind="stable")
    both, table = both.take(order), known.take(place[order])
    return _Rows(
        both["product_id"].combine_chunks(),
        both["label"].to_numpy(),
        np.repeat([False, True], [len(train), len(validation)])[order],
        table,
        feature_frame(table, models[0].inventory_features),
        both["is_random_test"].to_numpy(),
        group_numbers(both),
    )


def _places(folder: Path, known: pa.Table, ids: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """At which row of `known`, read from `folder`, each product is."""
    place = pc.index_in(ids, value_set=known["product_id"].combine_chunks())
    if place.null_count:
        check_all_there(folder, known.take(place.drop_null()), ids)
    return place.to_numpy()


def _is_in_training(model: Path | None, ids: pa.Array) -> npt.NDArray[np.bool_]:
    """Which products the model was trained on, or one of the models that it feeds from."""
    if model is None:
        return np.zeros(len(ids), dtype=bool)
    return pc.is_in(ids, value_set=trained_on(model).combine_chunks()).to_numpy(zero_copy_only=False)


def _choose_rows(held_out: Scored, minority_label: int, policy: GatePolicy) -> dict[str, Any]:
    """Which rows judge: the randomly chosen tests if they hold enough of the rarer label, else all validation rows.

    Other tests and all feedback exist for products that somebody chose, or shipped in that package: they are not like
    the products that the model will score.
    """
    is_random, is_minority = held_out.is_random_test, held_out.y == minority_label
    random_minority, rows = int((is_random & is_minority).sum()), len(held_out.y)
    has_both = random_minority < int(is_random.sum())
    is_enough = random_minority >= policy.min_random_minority_rows and has_both
    tests = f"the {int(is_random.sum()):,} randomly chosen package tests"
    counts = f"with {random_minority:,} of the rarer label where {policy.min_random_minority_rows:,} are asked for"
    is_one_label_only = random_minority >= policy.min_random_minority_rows and not has_both
    lacking = "have no other label" if is_one_label_only else "are too few"
    return {
        "source": RANDOM_TESTS if is_enough else ALL_VALIDATION_ROWS,
        "random_test_rows": int(is_random.sum()),
        "random_minority_rows": random_minority,
        "all_validation_rows": rows,
        "min_random_minority_rows": policy.min_random_minority_rows,
        "sentence": f"The rows that judge are {tests} among {rows:,} validation rows, {counts}."
        if is_enough
        else f"The rows that judge are all {rows:,} validation rows: {tests} among them {lacking}, {counts}.",
    }


def _score_drift(inputs: Mapping[str, Path], held_out: Scored) -> dict[str, Any] | None:
    """The champion's scores of this week's held-out rows against those of its own week's."""
    if held_out.champion is None:
        return None
    profile = read_json(inputs["champion_metrics"] / "metrics.json").get("score_profile")
    if profile is None:
        return {"psi": None, "rows": len(held_out.y), "reference_rows": None}
    index = score_index(profile, score_bins(profile, held_out.champion))
    return {"psi": index, "rows": len(held_out.y), "reference_rows": int(profile["rows"])}


def _slices(known: pa.Table, scored: Scored, minority_label: int, policy: GatePolicy) -> dict[str, Any] | None:
    if scored.champion is None:
        return None
    dimensions: dict[str, Any] = {}
    if policy.slice_bands or policy.slice_categories:
        columns = FeatureSet(numeric=policy.slice_bands, categorical=policy.slice_categories)
        position = pc.index_in(scored.ids, value_set=known["product_id"].combine_chunks())
        dimensions = slice_rows(feature_frame(known.select(columns.columns).take(position), columns), policy)
    y, candidate = toward(minority_label, scored.y, scored.candidate)
    _, champion = toward(minority_label, scored.y, scored.champion)
    return compare_slices(dimensions, y, candidate, champion, policy, scored.groups)


def _describe_candidate(
    inputs: Mapping[str, Path],
    params: EvaluateParams,
    rows: _Rows,
    is_judging: npt.NDArray[np.bool_],
    features: FeatureSet,
) -> dict[str, Any]:
    model = read_json(inputs["candidate"] / "model.json")
    frame = rows.frame
    return {
        "week": params.week.isoformat(),
        "package_type": params.package_type,
        "stage": params.stage,
        "is_first_model": params.champion_version is None,
        "training_rows": model["rows"],
        "training_label_rate": model["label_rate"],
        "excluded_champion_training_rows": int((rows.is_validation & ~is_judging).sum()),
        "columns_without_values": [name for name in features.numbers if frame[name].isna().all()]
        + [name for name in features.categorical if (frame[name] == MISSING).all()],
    }


def _compare(scored: Scored, minority_label: int, params: EvaluateParams) -> dict[str, Any] | None:
    comparison = compare_with_champion(scored, minority_label, params.champion_version)
    return None if comparison is None else {"model": params.champion_model, **comparison}


def _label_rate(y: Labels, champion: Path | None) -> dict[str, Any] | None:
    """Share of 'suitable' in the week's training and validation rows against the champion's training rows."""
    if champion is None:
        return None
    model = read_json(champion / "model.json")
    return compare_label_rates(float(y.mean()), len(y), float(model["label_rate"]), int(model["rows"]))


def _volume(path: Path, params: EvaluateParams) -> dict[str, Any]:
    table = read_parquet(path, ("package_type", "week", "evidence_rows"))
    table = table.filter(pc.equal(table["package_type"], params.package_type))
    by_week = dict(zip(table["week"].to_pylist(), table["evidence_rows"].to_pylist(), strict=True))
    return compare_volume(by_week, params.week)


def _drift(inputs: Mapping[str, Path], champion: TrainedModel, known: pa.Table) -> dict[str, Any]:
    """This week's products of the type, and those the champion was trained on as they are known now, against then.

    The latter stay in even where they no longer fit the package type. A fault in the dimensions makes them unfit, so
    the split loses the very rows that show it: with 30% of the catalogue in inches the density's index over the split
    of `sioc` (which has a least size) was 0.04, where it was 0.46 for `box`.
    """
    titles = None
    if TITLE in known.column_names:
        titles = known[TITLE].take(pa.array(range(0, len(known), -(-len(known) // COMPARED_TITLES) or 1), pa.int64()))
    return compare(read_json(inputs["champion"] / PROFILE), feature_frame(known, champion.inventory_features), titles)


def _leakage(candidate: Path, rows: _Rows, scored: Scored, model: TrainedModel) -> dict[str, Any]:
    y, scores = toward(model.minority_label, scored.y, scored.candidate)
    strongest = find_strongest_feature(rows.frame, rows.y, rows.is_validation, model.inventory_features)
    return {
        "shared_products": int((rows.is_validation & _is_in_training(candidate, rows.ids)).sum()),
        "average_precision": average_precision(y, scores),
        "feature": None if strongest is None else strongest.feature,
        "max_feature_auc": None if strongest is None else finite(strongest.area_under_roc),
    }


def _write_scores(scored: Scored, path: Path) -> None:
    rows = len(scored.y)
    champion = pa.nulls(rows, pa.float64()) if scored.champion is None else pa.array(scored.champion)
    columns = {
        "product_id": scored.ids,
        "label": pa.array(scored.y, pa.int8()),
        "candidate_score": pa.array(scored.candidate, pa.float64()),
        "champion_score": champion,
        **({} if scored.groups is None else {GROUP: pa.array(scored.groups, pa.int32())}),
    }
    write_parquet(pa.table(columns), path)


def _plot(scored: Scored, minority_label: int, params: EvaluateParams, output: Path) -> None:
    y, candidate = toward(minority_label, scored.y, scored.candidate)
    scores = {"candidate": candidate}
    if scored.champion is not None:
        scores[f"champion, version {params.champion_version}"] = toward(minority_label, scored.y, scored.champion)[1]
    for name, chart in (("pr_curve", precision_recall_chart(y, scores)), ("calibration", calibration_chart(y, scores))):
        (output / f"{name}.svg").write_text(standalone_svg(chart.svg, chart.legend), encoding="utf-8")
