import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain.parquet_files import list_parts, write_parquet
from packaging_assets.domain.prediction_shards import merge_predictions
from packaging_assets.domain.predictions import PREDICTION_SCHEMA, PredictionCountError, PredictModel, PredictParams

PARAMS = PredictParams(
    models=(
        PredictModel(package_type="mailer", model="mailer", version=3, threshold=0.5, input_name="mailer"),
        PredictModel(package_type="box", model="box", version=1, threshold=0.5, input_name="box"),
    ),
    as_of="2025-01-13T00:00:00",
)


def write_shard(folder, products, suitable):
    """What `predict` writes for one part of an inventory."""
    folder.mkdir()
    rows = len(products) * 2
    table = pa.table(
        {
            "product_id": np.repeat(products, 2).tolist(),
            "package_type": ["mailer", "box"] * len(products),
            "score": np.zeros(rows),
            "damage_probability": np.ones(rows),
            "is_suitable": [False] * rows,
            "model": ["mailer", "box"] * len(products),
            "model_version": [3, 1] * len(products),
        },
        schema=PREDICTION_SCHEMA,
    )
    write_parquet(table, folder / "part-00000.parquet")
    models = [
        {"package_type": name, "model": name, "version": version, "rows": len(products), "suitable": count}
        for (name, version), count in zip((("mailer", 3), ("box", 1)), suitable, strict=True)
    ]
    summary = {"as_of": "2025-01-13T00:00:00", "inventory_rows": len(products), "rows": rows, "models": models}
    (folder / "predictions.json").write_text(json.dumps(summary))
    return folder


def test_parts_keep_their_order_and_counts_add_up(tmp_path):
    shards = [write_shard(tmp_path / "b", ["p1", "p2"], (1, 2)), write_shard(tmp_path / "a", ["p3"], (0, 1))]
    output = tmp_path / "output"
    output.mkdir()
    merge_predictions(shards, PARAMS, output)
    parts = list_parts(output)
    assert [part.name for part in parts] == ["part-00000.parquet", "part-00001.parquet"]
    products = [pq.read_table(part)["product_id"].unique().to_pylist() for part in parts]
    assert products == [["p1", "p2"], ["p3"]]
    assert json.loads((output / "predictions.json").read_text()) == {
        "as_of": "2025-01-13T00:00:00",
        "inventory_rows": 3,
        "rows": 6,
        "models": [
            {"package_type": "mailer", "model": "mailer", "version": 3, "rows": 3, "suitable": 1},
            {"package_type": "box", "model": "box", "version": 1, "rows": 3, "suitable": 3},
        ],
    }


def test_a_shard_that_lost_rows_is_refused(tmp_path):
    shard = write_shard(tmp_path / "a", ["p1", "p2"], (1, 2))
    write_parquet(pq.read_table(shard / "part-00000.parquet").slice(1), shard / "part-00000.parquet")
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(PredictionCountError, match="3 predictions were written for 2 products and 2 models"):
        merge_predictions([shard], PARAMS, output)
    assert not (output / "predictions.json").exists()
