"""Which training rows are held out for tuning."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain.splits import hash_to_unit_interval
from packaging_assets.experiments.holdout import HoldOutParams, hold_out

ROWS = 60


def held_out(folder: Path, groups: list[str] | None) -> list[str]:
    """Products held out of `ROWS` training rows, of which every second is suitable."""
    split, output = folder / "split", folder / "out"
    split.mkdir(parents=True)
    output.mkdir()
    rows = {"product_id": [f"p{row:02d}" for row in range(ROWS)], "label": [row % 2 for row in range(ROWS)]}
    pq.write_table(pa.table(rows | ({"group": groups} if groups else {})), split / "train.parquet")
    hold_out({"split": split}, HoldOutParams(fraction=0.3, seed=7), output)
    train, validation = (pq.read_table(output / f"{side}.parquet") for side in ("train", "validation"))
    assert sorted([*train["product_id"].to_pylist(), *validation["product_id"].to_pylist()]) == rows["product_id"]
    return validation["product_id"].to_pylist()


@pytest.mark.parametrize("groups", [None, [f"f{row // 4}" for row in range(ROWS)]])
def test_a_products_hash_decides_or_that_of_its_group(tmp_path: Path, groups: list[str] | None):
    by = groups or [f"p{row:02d}" for row in range(ROWS)]
    is_out = hash_to_unit_interval(pa.chunked_array([by]), 7) < 0.3

    assert held_out(tmp_path, groups) == [f"p{row:02d}" for row in range(ROWS) if is_out[row]]
