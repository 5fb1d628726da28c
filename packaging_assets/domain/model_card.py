"""Model cards: everything a reviewer needs about one trained and judged model, on one HTML page.

The page stands alone (style and charts are inside it), so that it can be mailed, archived and opened without a server.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.drift_criteria import index_limits
from packaging_assets.domain.features import FeatureSet, PackageType
from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.model_card_charts import (
    Chart,
    WeekRate,
    bar_rows,
    calibration_chart,
    histogram_chart,
    label_rate_chart,
    precision_recall_chart,
    volume_chart,
)
from packaging_assets.domain.model_card_page import render_card
from packaging_assets.domain.parquet_files import list_parts, read_parquet
from packaging_assets.domain.scored_rows import toward

CARD = "card.html"

FEATURES_SHOWN = 15
SERIES_OF_COLUMNS = 8
"""From so many numbered columns on (image_embedding_00, _01, ...) their importance is shown as one sum."""

OUTCOMES = {"approve": "approved by the gates", "reject": "rejected by the gates", "pending": "waits for a person"}
RESULTS = {
    "PASSED": ("✓", "ok", "passed"),
    "WARN": ("!", "warn", "failed with a warning"),
    "ERROR": ("✗", "no", "failed"),
}
"""Of a gate: the mark, its style, and the word for those who do not see the mark."""

SIDES = {0: "not suitable", 1: "suitable"}


class LineageEntry(BaseModel):
    """An artifact that the card's figures come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    uri: str = Field(description="Relative to the artifact store.")
    content_hash: str


class ModelCardParams(BaseModel):
    """What the input folders do not say about themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: PackageType
    model: str = Field(min_length=1, description="The model's name: the package type, unless it has one of its own.")
    week: dt.date = Field(description="The Monday of the training week.")
    fingerprint: str = Field(description="Of the metrics: the identity under which the model is registered.")
    code_version: str = Field(description="Of the code that trained the model; empty if it was not kept.")
    policy: GatePolicy = Field(
        default=DEFAULT_POLICY,
        description="The gates' thresholds: limits to draw, and the density, whose distribution is always drawn.",
    )
    lineage: tuple[LineageEntry, ...] = ()


def write_model_card(inputs: Mapping[str, Path], params: ModelCardParams, output: Path) -> None:
    """Write the card.

    Args:
        inputs: `candidate` and, if the metrics have one, `champion`: folders written by `models.train`; `metrics`: by
            `metrics.evaluate`; `split`: by `splits.split`; `labels`: by `labels.resolve_labels`; `features`: by
            `features.keep_features`.
        params: names and lineage.
        output: gets card.html.

    Raises:
        KeyError: a folder was written by another version of its step and lacks a figure.
    """
    metrics = read_json(inputs["metrics"] / "metrics.json")
    model = read_json(inputs["candidate"] / "model.json")
    labels = _labels(inputs, params.package_type)
    content: dict[str, Any] = {
        "title": f"{_name(params, metrics.get('stage'))}, week of {params.week}",
        "subtitle": f"Model card of fingerprint {params.fingerprint[:16]}. Positive class of all figures: "
        f"{SIDES[metrics['minority_label']]}, the rarer label.",
        "verdict": _verdict(read_json(inputs["metrics"] / "verdict.json")),
        "key_figures": key_figures(metrics, params.model),
        "judged_on": _judged_on(metrics),
        "curves": _curves(inputs["metrics"], metrics, params.model),
        "slices": _slices(metrics.get("slices"), params.policy),
        "drift": _drift(inputs, params, metrics),
        "label_charts": _label_charts(inputs["labels"], labels, params.package_type, metrics),
        "data": _data(read_json(inputs["split"] / "split.json"), labels, params, metrics),
        **_model(model),
        "fingerprint": params.fingerprint,
        "code_version": params.code_version or "not kept",
        "lineage": params.lineage,
    }
    (output / CARD).write_text(render_card(content), encoding="utf-8")


def number(value: float | None, form: str = "{:.4f}") -> str:
    """A figure as text; nothing where it could not be computed."""
    return "" if value is None else form.format(value)


def _name(params: ModelCardParams, stage: str | None) -> str:
    """`mailer`; of another model for mailers `mailer_text (shadow model for mailer)`, as a type may have several."""
    if params.model == params.package_type and stage != "shadow":
        return params.model
    kind = "shadow model" if stage == "shadow" else "model"
    return f"{params.model} ({kind} for {params.package_type})"


def key_figures(metrics: Mapping[str, Any], model: str) -> list[tuple[str, str, str]]:
    """Name, value and note of the figures that a reviewer looks at first; `model` is the name of the model."""
    champion = metrics["champion"]
    against = ("against champion", "first model", "judged by floors and baseline")
    if champion is not None:
        error = number(champion["standard_error"])
        against = (
            "against champion",
            f"{champion['difference']:+.4f}",
            f"PR-AUC, ± {error} (std. error); {version_of(champion, model)}",
        )
    return [
        ("PR-AUC", number(metrics["pr_auc"]), f"± {number(metrics['pr_auc_standard_error'])} (std. error)"),
        against,
        (
            "log loss",
            number(metrics["log_loss"]),
            "" if champion is None else f"champion {number(champion['log_loss'])}",
        ),
        ("observed over expected", number(metrics["calibration"]["ratio"], "{:.3f}"), "calibration"),
        ("validation rows", f"{metrics['validation_rows']:,}", f"{metrics['minority_rows']:,} of the rarer label"),
        ("training rows", f"{metrics['training_rows']:,}", f"{metrics['training_label_rate']:.1%} suitable"),
    ]


def version_of(champion: Mapping[str, Any], model: str) -> str:
    """The version that the metrics of `model` compare with, and of which model it is if that is another."""
    other = champion.get("model") or model
    return f"{'' if other == model else f'{other} '}version {champion['version']}"


def _verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "outcome": verdict["outcome"],
        "word": OUTCOMES[verdict["outcome"]],
        "reasons": [*verdict["failures"], *verdict["warnings"]],
        "checks": [_check(check) for check in verdict["checks"]],
    }


def _check(check: Mapping[str, Any]) -> dict[str, str]:
    result = "PASSED" if check["is_passed"] else check["severity"]
    mark, style, word = RESULTS[result]
    return {
        "mark": mark,
        "style": style,
        "word": word,
        "name": check["name"],
        "sentence": check["sentence"],
        "remedy": "" if check["is_passed"] else check["remedy"],
        "value": _measured(check["value"]),
        "limit": _measured(check["limit"]),
        "standard_error": number(check["standard_error"], "{:.2g}"),
        "rows": number(check["rows"], "{:,}"),
    }


def _measured(value: float | None) -> str:
    """A count with all its digits, whatever else with four."""
    return number(value, "{:,.0f}" if value is not None and float(value).is_integer() else "{:.4g}")


def _judged_on(metrics: Mapping[str, Any]) -> str:
    excluded = metrics["excluded_champion_training_rows"]
    kept_apart = (
        "the model was not trained on."
        if metrics["champion"] is None
        else f"neither model was trained on; {excluded:,} were left out because the champion was trained on them."
    )
    sentence = (metrics.get("evaluation") or {}).get("sentence", "")
    return f"{metrics['validation_rows']:,} rows that {kept_apart} {sentence}".strip()


def _curves(folder: Path, metrics: Mapping[str, Any], model: str) -> list[Chart]:
    table = read_parquet(folder / "scores.parquet")
    minority, labels = int(metrics["minority_label"]), table["label"].to_numpy()
    y, candidate = toward(minority, labels, table["candidate_score"].to_numpy())
    scores = {"candidate": candidate}
    if metrics["champion"] is not None:
        name = f"champion, {version_of(metrics['champion'], model)}"
        scores[name] = toward(minority, labels, table["champion_score"].to_numpy())[1]
    return [precision_recall_chart(y, scores), calibration_chart(y, scores)]


def _slices(slices: Mapping[str, Any] | None, policy: GatePolicy) -> dict[str, Any] | None:
    if not slices:
        return None
    dimensions = list(dict.fromkeys(row["dimension"] for row in slices["rows"]))
    rows = [
        {
            "name": f"{row['dimension']}: {row['value']}",
            "rows": f"{row['rows']:,}",
            "minority_rows": f"{row['minority_rows']:,}",
            "candidate": number(row["candidate_log_loss"]),
            "champion": number(row["champion_log_loss"]),
            "change": number(row["relative_change"], "{:+.1%}"),
            "p_value": number(row["p_value_holm"], "{:.3g}"),
            "is_worse": row["is_worse"],
        }
        for row in sorted(slices["rows"], key=lambda row: _place_of_slice(row, dimensions, policy))
    ]
    note = (
        "Log loss of candidate and champion on the same rows of each slice; p is one-sided for the candidate being "
        "worse, adjusted for the number of slices (Holm)."
    )
    return {"rows": rows, "note": note}


def _place_of_slice(row: Mapping[str, Any], dimensions: Sequence[str], policy: GatePolicy) -> tuple[int, float, str]:
    """Bands from the lowest to the highest, where the alphabet would have `below 2` last; others by name."""
    dimension, value = row["dimension"], row["value"]
    return dimensions.index(dimension), _lower_edge(value) if dimension in policy.slice_bands else 0.0, value


def _lower_edge(band: str) -> float:
    """Of a band as `slices` names it: `below 2`, `2 to 5`, `from 5`; missing values come last."""
    if band.startswith("below "):
        return -math.inf
    found = re.match(r"(?:from )?([-+.e\d]+)", band)
    return float(found[1]) if found else math.inf


def _drift(inputs: Mapping[str, Path], params: ModelCardParams, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    drift = metrics["drift"]
    if drift is None:
        return None
    profile = read_json(inputs["champion"] / "profile.json")
    indexes, limits = drift["psi"], _index_limits(metrics, params.policy)
    shown = sorted(indexes, key=lambda name: (limits[name] - indexes[name], name))[:FEATURES_SHOWN]
    drawn = [name for name in (params.policy.density_feature, *shown) if name in profile["numeric"]]
    return {
        "note": f"{drift['rows']:,} products of this week against the {drift['reference_rows']:,} that the champion "
        "was trained on.",
        "psi": bar_rows({name: indexes[name] for name in shown}, limits={name: limits[name] for name in shown}),
        "psi_note": "The mark is the gate's limit for a warning, which is the wider the fewer products have a value.",
        "histograms": _histograms(inputs, profile, list(dict.fromkeys(drawn))[:2]),
        "facts": _drift_facts(drift, metrics),
    }


def _index_limits(metrics: Mapping[str, Any], policy: GatePolicy) -> dict[str, float]:
    """From where on each feature's index is a warning."""
    return {name: index_limits(metrics, policy, name)[0] for name in metrics["drift"]["psi"]}


def _histograms(inputs: Mapping[str, Path], profile: Mapping[str, Any], names: Sequence[str]) -> list[Chart]:
    """The features' distributions over the rows that their index was computed on, in the reference's bins."""
    wanted = _ids(inputs["split"] / "train.parquet", inputs["split"] / "validation.parquet")
    wanted = pa.chunked_array([*wanted.chunks, *_ids(inputs["champion"] / "training_ids.parquet").chunks])
    parts = [read_parquet(part, ("product_id", *names)) for part in list_parts(inputs["features"])]
    table = pa.concat_tables(parts)
    table = table.filter(pc.is_in(table["product_id"], value_set=wanted.combine_chunks()))
    return [_histogram(name, profile["numeric"][name], table[name]) for name in names]


def _histogram(name: str, reference: Mapping[str, Any], column: pa.ChunkedArray) -> Chart:
    edges = np.asarray(reference["edges"], dtype=np.float64)
    values = column.cast(pa.float32(), safe=False).to_numpy().astype(np.float64)
    present = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    shares = (counts / max(len(present), 1)).tolist()
    return histogram_chart(f"Distribution of {name}", reference["edges"], reference["shares"], shares)


def _ids(*paths: Path) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for path in paths for chunk in read_parquet(path, ("product_id",))[0].chunks])


def _drift_facts(drift: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    missing = max(drift["missing"].items(), key=lambda item: (item[1]["increase"], item[0]), default=None)
    unseen = max(drift["unseen"].items(), key=lambda item: (item[1]["excess"], item[0]), default=None)
    facts = [
        ("largest increase of missing values", "" if missing is None else _gain(missing[0], missing[1]["increase"])),
        (
            "most unknown values",
            "" if unseen is None else _gain(unseen[0], unseen[1]["excess"], " beyond the expected"),
        ),
        ("PSI of the champion's scores", number(metrics["score_psi"])),
    ]
    return [(name, value) for name, value in facts if value]


def _gain(name: str, share: float, what: str = "") -> str:
    return f"{name}: {100 * share:+.2f} percentage points{what}"


def _labels(inputs: Mapping[str, Path], package_type: str) -> pa.Table:
    """The labels of the products that the split holds."""
    columns = ("product_id", "package_type", "label", "source", "first_evidence_at", "last_evidence_at")
    labels = read_parquet(inputs["labels"] / "labels.parquet", columns, dictionary=("package_type", "source"))
    labels = labels.filter(pc.equal(labels["package_type"], package_type))
    ids = _ids(inputs["split"] / "train.parquet", inputs["split"] / "validation.parquet")
    return labels.filter(pc.is_in(labels["product_id"], value_set=ids.combine_chunks()))


def weekly_label_rates(labels: pa.Table) -> list[WeekRate]:
    """The label rate of tested products by the week of their first evidence, oldest first.

    Labels from feedback are left out: damage shows sooner than safety, so among young products they are mostly 0.
    """
    tested = labels.filter(pc.equal(labels["source"], "test"))
    mondays = pc.floor_temporal(tested["first_evidence_at"], unit="week").cast(pa.date32())
    table = pa.table({"week": mondays, "label": tested["label"].cast(pa.int64())})
    sums = table.group_by("week").aggregate([("label", "sum"), ("label", "count")]).sort_by("week")
    columns = (sums[name].to_pylist() for name in ("week", "label_count", "label_sum"))
    return [WeekRate(week, rows, good / rows) for week, rows, good in zip(*columns, strict=True)]


def _label_charts(folder: Path, labels: pa.Table, package_type: str, metrics: Mapping[str, Any]) -> list[Chart]:
    label_rate = metrics["label_rate"]
    weeks = weekly_label_rates(labels)
    volume = read_parquet(folder / "volume.parquet")
    volume = volume.filter(pc.equal(volume["package_type"], package_type)).sort_by("week")
    by_week = list(zip(volume["week"].to_pylist(), volume["evidence_rows"].to_pylist(), strict=True))
    rate = [label_rate_chart(weeks, label_rate and label_rate["champion"])] if weeks else []
    return [*rate, *([volume_chart(by_week)] if by_week else [])]


def _data(
    split: Mapping[str, Any], labels: pa.Table, params: ModelCardParams, metrics: Mapping[str, Any]
) -> list[tuple[str, str]]:
    end = params.week + dt.timedelta(weeks=1)
    first, last = pc.min(labels["first_evidence_at"]).as_py(), pc.max(labels["last_evidence_at"]).as_py()
    tested = pc.sum(pc.equal(labels["source"], "test"), min_count=0).as_py()
    sides = [(f"{side} rows", _side(split[side])) for side in ("train", "validation")]
    volume = metrics["volume"]
    usual = number(volume.get("median"), "a median of {:,.1f}")
    return [
        ("training week", f"{params.week} to {end} (exclusive, UTC)"),
        ("evidence", f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}; nothing from {end} on counts"),
        *sides,
        ("split", _how_split(split)),
        ("labels from tests", f"{tested:,} of {len(labels):,}; the others from customer feedback"),
        (
            "labels left out",
            ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in split["excluded"].items()),
        ),
        ("new evidence", f"{number(volume.get('rows'), '{:,}')} rows; in the weeks before {usual or 'unknown'}"),
    ]


def _how_split(split: Mapping[str, Any]) -> str:
    """Each method with what it goes by: the seed has no part in a split by time."""
    if split["method"] == "time":
        return f"by time: products first seen in the last {split['validation_weeks']} weeks validate"
    by = f" of {split['group_by']}" if "group_by" in split else ""
    return f"by {split['method']}{by}, seed {split['seed']}"


def _side(side: Mapping[str, Any]) -> str:
    random = f"{side['random_tests']:,} from randomly chosen tests"
    groups = f" in {side['groups']:,} groups" if "groups" in side else ""
    return f"{side['rows']:,}{groups}, {side['label_rate']:.1%} suitable, {random}"


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    features = FeatureSet(**model["features"])
    importance = sum_numbered(model["feature_importance"])
    shown = dict(sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:FEATURES_SHOWN])
    given = [(name, str(value)) for name, value in sorted(model["parameters"].items())]
    weights = model.get("class_weights")
    return {
        "importance": bar_rows(shown, form="{:.1f}"),
        "importance_note": f"The {len(shown)} largest of {len(importance)}, as the learner reports them.",
        "features": features.columns,
        "parameters": [
            ("architecture", model["architecture"]),
            *(given or [("parameters", "the architecture's defaults")]),
            ("seed", str(model["seed"])),
            *([("class weights", weighting_in_words(weights))] if weights else []),
            ("features", ", ".join(f"{len(getattr(features, kind))} {kind}" for kind in features.kinds)),
        ],
    }


def weighting_in_words(weighting: Mapping[str, float] | str | None) -> str:
    """Class weights as model.json has them: `none`, `balanced`, or `suitable 1, not suitable 3`."""
    if isinstance(weighting, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {factor:g}" for name, factor in weighting.items())
    return weighting or "none"


def sum_numbered(importance: Mapping[str, float]) -> dict[str, float]:
    """Importances with those of long series of numbered columns, such as an embedding's, added up."""
    series: dict[str, list[str]] = {}
    for name in importance:
        if found := re.fullmatch(r"(.+)_\d+", name):
            series.setdefault(found[1], []).append(name)
    long = {stem: names for stem, names in series.items() if len(names) >= SERIES_OF_COLUMNS}
    summed = {name for names in long.values() for name in names}
    sums = {
        f"{stem} ({len(names)} columns)": math.fsum(importance[name] for name in names) for stem, names in long.items()
    }
    return {**{name: value for name, value in importance.items() if name not in summed}, **sums}
