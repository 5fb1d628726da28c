"""The scores that a model is trained on: those of the models it feeds from, out of fold, product by product.

They are made by `out_of_fold`; at inference a model's own copies of its feeders score instead (`models.score_table`).
"""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from packaging_assets.domain.features import score_column
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.model_folders import model_digest
from packaging_assets.domain.parquet_files import read_parquet

SCORES = "scores.parquet"
SUMMARY = "out_of_fold.json"


FoldSet = tuple[int, ...]
"""Numbers of folds, ascending."""


class FeederError(ValueError):
    """A model cannot be fed; the message names the feeding model and what to materialize."""


def scores_input(name: str) -> str:
    """Under which name a step gets the out-of-fold scores of the model `name`."""
    return f"scores_{name}"


def out_of_fold_column(left_out: FoldSet) -> str:
    """The column of scores by models that were trained without these folds, besides the product's own."""
    return f"score_without_{'_'.join(map(str, left_out))}" if left_out else "score"


def feeder_input(name: str) -> str:
    """Under which name a step gets the folder of the model `name`, from which another feeds."""
    return f"feeder_{name}"


class FeederScores:
    """Out-of-fold scores of the models that one model feeds from.

    Args:
        inputs: per feeder `scores_<name>`: a folder written by `out_of_fold.score_out_of_fold`.
        feeders: the feeders' folders by name, in the order of the score columns.

    Raises:
        FeederError: the scores of a feeder are of another version of it.
    """

    def __init__(self, inputs: Mapping[str, Path], feeders: Mapping[str, Path]) -> None:
        self._tables: dict[str, pa.Table] = {}
        for name, folder in feeders.items():
            scores = inputs[scores_input(name)]
            if read_json(scores / SUMMARY)["model_digest"] != model_digest(folder):
                raise FeederError(
                    f"the out-of-fold scores of {name!r} in {scores} belong to another version of it than the one in "
                    f"{folder}: materialize {name}/model and {name}/out_of_fold_scores for the same week again"
                )
            self._tables[name] = read_parquet(scores / SCORES)

    def add_to(self, table: pa.Table, left_out: FoldSet = ()) -> pa.Table:
        """`table`, which has `product_id`, with a column `score_<name>` per feeder.

        Args:
            table: products by `product_id`.
            left_out: folds that the feeders must not have been trained on, besides that of the product itself.

        Raises:
            FeederError: a feeder has no score of a product, or none without these folds.
        """
        wanted = out_of_fold_column(left_out)
        for name, scores in self._tables.items():
            if wanted not in scores.column_names:
                raise FeederError(
                    f"the out-of-fold scores of {name!r} have no column {wanted!r}, which a chain of models needs: "
                    f"materialize {name}/out_of_fold_scores for the same week again"
                )
            position = pc.index_in(table["product_id"], value_set=scores["product_id"])
            if position.null_count:
                missing = table["product_id"].filter(pc.is_null(position))
                raise FeederError(
                    f"the out-of-fold scores of {name!r} lack {len(missing)} of {len(table)} products, "
                    f"{missing[0].as_py()!r} among them: materialize {name}/out_of_fold_scores for the same week again"
                )
            table = table.append_column(score_column(name), scores[wanted].take(position))
        return table
