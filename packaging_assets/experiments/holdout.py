"""Training rows held out for tuning: trials are judged by them, so that the validation rows stay unseen until the end.

A search that looked at the validation rows would find the values that happen to suit those rows, and the gates, which
judge by the same rows, would believe it.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.average_precision import average_precision, average_precision_error
from packaging_assets.domain.features import feature_frame, read_features
from packaging_assets.domain.feeder_scores import FeederScores, feeder_input
from packaging_assets.domain.json_files import write_json
from packaging_assets.domain.model_folders import union_of_features
from packaging_assets.domain.models import load_model
from packaging_assets.domain.parquet_files import read_parquet, write_parquet
from packaging_assets.domain.scored_rows import toward
from packaging_assets.domain.slices import log_losses
from packaging_assets.domain.splits import GROUP, SplitError, group_numbers, hash_to_unit_interval

MEASURE = "holdout.json"


class HoldOutParams(BaseModel):
    """Which training rows are held out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fraction: float = Field(default=0.25, gt=0, lt=1, description="Share of the training rows that judge trials.")
    seed: int = Field(
        ge=0,
        lt=10**16,
        description="Not the split's: all training rows hash above its validation fraction, so none would be held out.",
    )


class MeasureParams(BaseModel):
    """Nothing to choose: the model's folder says what it needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def hold_out(inputs: Mapping[str, Path], params: HoldOutParams, output: Path) -> None:
    """Divide training rows once more, by a hash of the product id, or of the group where the split has groups.

    Args:
        inputs: `split`, written by `splits.split`; of it the training rows alone are read.
        params: share and seed.
        output: gets train.parquet and validation.parquet, of the split's columns, both parts of its training rows.

    Raises:
        SplitError: a side has no rows, or one label only.
    """
    rows = read_parquet(inputs["split"] / "train.parquet")
    by = GROUP if GROUP in rows.column_names else "product_id"
    is_held_out = pa.array(hash_to_unit_interval(rows[by], params.seed) < params.fraction)
    sides = {"train": rows.filter(pc.invert(is_held_out)), "validation": rows.filter(is_held_out)}
    for name, side in sides.items():
        labels = set(side["label"].to_pylist())
        if len(labels) < 2:  # noqa: PLR2004 - the two labels
            raise SplitError(
                f"of the {len(rows)} training rows, the {len(side)} for {name} when tuning have the labels "
                f"{sorted(labels)}: hold out another share (--hold-out), or wait for more labels"
            )
        write_parquet(side, output / f"{name}.parquet")


def measure_holdout(inputs: Mapping[str, Path], params: MeasureParams, output: Path) -> None:  # noqa: ARG001 - a step
    """Judge a trial's model by the rows that were held out.

    Scores of models that it feeds from are out of fold here too: those models were trained on the rows held out. That
    does not undo all of it. The scores of the trial's training rows, in other folds, rest on the labels held out: with
    labels of pure chance the area under the ROC curve was .536 (mean of 25 draws of 600 rows, standard error .010).

    Args:
        inputs: `candidate`, `split` by `hold_out`, `features`; per feeder `feeder_<name>` and `scores_<name>`, as
            `models.train` had them.
        params: none.
        output: gets holdout.json: `pr_auc` of the rarer label, its `standard_error`, `log_loss`, `rows`,
            `minority_rows`.
    """
    model = load_model(inputs["candidate"])
    rows = read_parquet(inputs["split"] / "validation.parquet")
    table = read_features(inputs["features"], union_of_features([model.features]), product_ids=rows["product_id"])
    feeders = {name: inputs[feeder_input(name)] for name in model.features.scores}
    frame = feature_frame(FeederScores(inputs, feeders).add_to(table), model.features)
    y, scores = toward(model.minority_label, rows["label"].to_numpy(), model.score(model.prepare(frame)))
    figures = {
        "pr_auc": average_precision(y, scores),
        "standard_error": average_precision_error(y, scores, group_numbers(rows)),
        "log_loss": float(log_losses(y, scores).mean()),
        "rows": len(y),
        "minority_rows": int(y.sum()),
    }
    write_json(output / MEASURE, figures)
