"""Out-of-fold scores: what a model says about products whose labels it has not seen, for the models that feed from it.

A model that learned a product's label says too much about that product, and one trained on such scores would rely on
them more than new products bear out. So the products are divided into folds, and each fold is scored by a model that
was trained in the same way on the others (Wolpert, "Stacked generalization", Neural Networks 5, 1992).

Which fold a product is in depends on its id alone, or on what the split groups products by: it is the same in every
week and for every model of a chain. That makes chains exact. Let `score(p | S)` be the score of product p by a model
trained without the folds S and without that of p, and let every row q of that model's own training have the scores
`score(q | S + fold of p)` of the models which it feeds from. Then no label of p's fold, of whichever model, has any
part in the score of p: not in the features of other rows either. (Where only the own fold is left out, labels come
back by way of the feeders of a feeder: with labels that are pure chance, the second model of a chain then scored its
held-out products with an area under the ROC curve of .541 instead of .5; mean of 25 chains of 600 training rows,
standard error .006.) How many folds may be left out besides the own is the `depth`: 0 for a model from which only the
last ones of a chain feed.
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from packaging_assets.domain.architectures import Architecture
from packaging_assets.domain.features import feature_frame, iterate_features, read_features
from packaging_assets.domain.feeder_scores import (
    SCORES,
    SUMMARY,
    FeederError,
    FeederScores,
    FoldSet,
    out_of_fold_column,
)
from packaging_assets.domain.json_files import write_json
from packaging_assets.domain.model_folders import TRAINING_IDS, feeder_folders, model_digest
from packaging_assets.domain.models import TrainParams, fit, make_architecture, read_train_params
from packaging_assets.domain.parquet_files import read_parquet, write_parquet
from packaging_assets.domain.splits import GROUP, hash_to_unit_interval, read_group_by, read_groups

FOLD_SEED = 9_411_870_253_066_117
"""Of the hash that gives a product its fold. With a split's seed, folds would follow from the side of the split."""


class OutOfFoldParams(BaseModel):
    """How out-of-fold scores are made; how a fold's model is trained is read from the model's own folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folds: int = Field(default=4, ge=2, le=20, description="A product is in one of so many folds.")
    depth: int = Field(
        default=0,
        ge=0,
        description="How many folds are left out besides a product's own, in columns of their own: as many as models "
        "of the chain feed from this one, one after another, and are fed from themselves.",
    )

    @model_validator(mode="after")
    def _something_is_left(self) -> OutOfFoldParams:
        if self.depth + 2 > self.folds:
            raise ValueError(
                f"with {self.folds} folds and a depth of {self.depth} nothing would be left to train on; give at least "
                f"{self.depth + 2} folds"
            )
        return self


def score_out_of_fold(inputs: Mapping[str, Path], params: OutOfFoldParams, output: Path) -> None:
    """Score every product of the week with a model that has seen no label of its fold.

    Args:
        inputs: `model`: a folder written by `models.train`; `split` and `features`, from which it was trained; and
            `scores_<name>`, written by this step with a depth of one more, of each model that it feeds from.
        params: folds and depth.
        output: gets scores.parquet, one row per product of `features`: `product_id`, ascending; `fold`; `score`,
            P(suitable); and with a depth for each set of folds up to it, such as 0 and 2, `score_without_0_2`. And
            out_of_fold.json.

    Raises:
        FeederError: model, split and feeders' scores do not belong together, or the rows outside a fold have one
            label only.
        FeatureError: a feature is absent or of the wrong type.
        ArchitectureError: the architecture cannot be imported, or refuses the data.
    """
    work = _Work(inputs, params)
    columns = {left_out: np.full(len(work.fold), np.nan) for left_out in fold_sets(params.folds, 0, params.depth)}
    for left_out in fold_sets(params.folds, 1, params.depth + 1):
        scores = work.score(work.fit(left_out), left_out)
        for own in left_out:
            others = tuple(number for number in left_out if number != own)
            is_own = work.fold == own
            columns[others][is_own] = scores[is_own]
        if left_out in columns:
            is_out = np.isin(work.fold, left_out)
            columns[left_out][is_out] = scores[is_out]
    named = {out_of_fold_column(left_out): pa.array(values) for left_out, values in columns.items()}
    write_parquet(pa.table({"product_id": work.ids, "fold": pa.array(work.fold), **named}), output / SCORES)
    summary = {
        "model_digest": model_digest(inputs["model"]),
        "rows": len(work.fold),
        "training_rows": len(work.rows),
        "rows_per_fold": np.bincount(work.fold, minlength=params.folds).tolist(),
        **params.model_dump(),
    }
    write_json(output / SUMMARY, summary)


def fold_of(groups: pa.ChunkedArray, folds: int) -> npt.NDArray[np.int8]:
    """The fold of each product by its group, its id where the split has none: shape (rows,), from 0 to folds - 1."""
    return np.floor(hash_to_unit_interval(groups, FOLD_SEED) * folds).astype(np.int8)


def fold_sets(folds: int, least: int, most: int) -> list[FoldSet]:
    """All sets of `least` to `most` folds, each ascending, the smaller sets first."""
    return [chosen for size in range(least, most + 1) for chosen in combinations(range(folds), size)]


class _Work:
    """What every fold needs: the training rows with their features, and the products to score.

    `ids` and `fold` are those of all products, shape (products,), and `rows` the training rows.
    """

    def __init__(self, inputs: Mapping[str, Path], params: OutOfFoldParams) -> None:
        self.rows = read_parquet(inputs["split"] / "train.parquet")
        _check_same_rows(inputs, self.rows)
        self._params: TrainParams = read_train_params(inputs["model"])
        self._folds = params.folds
        self._folder = inputs["features"]
        self._own_features = self._params.features.without_scores()
        self._feeder_scores = FeederScores(inputs, feeder_folders(inputs["model"]))
        self._table = read_features(self._folder, self._own_features, product_ids=self.rows["product_id"])
        products = read_groups(self._folder, read_group_by(inputs["split"]))
        self.ids = products["product_id"]
        self.fold = fold_of(products[GROUP], params.folds)
        self._row_fold = self.fold[pc.index_in(self.rows["product_id"], value_set=self.ids).to_numpy()]

    def fit(self, left_out: FoldSet) -> Architecture:
        """The model's architecture, fitted to the training rows that are in other folds."""
        architecture = make_architecture(self._params)
        is_in = pa.array(~np.isin(self._row_fold, left_out))
        rows = self.rows.filter(is_in)
        if len(rows["label"].unique()) < 2:  # noqa: PLR2004 - the two labels
            raise FeederError(
                f"without fold {' and '.join(map(str, left_out))} of {self._folds}, the {len(rows)} training rows of "
                f"{self._params.package_type} do not have both labels, so the fold cannot be scored: wait for more "
                "labels, or raise `score_folds`, which makes folds smaller"
            )
        table = self._feeder_scores.add_to(self._table.filter(is_in), left_out)
        fit(architecture, feature_frame(table, self._params.features), rows, self._params)
        return architecture

    def score(self, architecture: Architecture, left_out: FoldSet) -> npt.NDArray[np.float64]:
        """P(suitable) of the products in these folds, shape (products,), NaN for all others; part by part."""
        scores = np.full(len(self.fold), np.nan)
        first = 0
        for part in iterate_features(self._folder, self._own_features):
            here = slice(first, first + len(part))
            first += len(part)
            is_out = np.isin(self.fold[here], left_out)
            if is_out.any():  # learners refuse to prepare nothing
                table = self._feeder_scores.add_to(part.filter(pa.array(is_out)), left_out)
                prepared = architecture.prepare(feature_frame(table, self._params.features))
                scores[here][is_out] = architecture.predict_proba(prepared)[:, 1]
        return scores


def _check_same_rows(inputs: Mapping[str, Path], rows: pa.Table) -> None:
    """The folds' models must be to each other as the model is to them, or its scores are not what they stand for."""
    trained_on = read_parquet(inputs["model"] / TRAINING_IDS, ("product_id",))["product_id"]
    if not trained_on.equals(rows["product_id"]):
        raise FeederError(
            f"the model in {inputs['model']} was trained on {len(trained_on)} other rows than the {len(rows)} of "
            f"{inputs['split']}: materialize the model for the same week again, then its out-of-fold scores"
        )
