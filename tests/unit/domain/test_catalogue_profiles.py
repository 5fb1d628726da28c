from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labelled_catalogue import profile_catalogue

from packaging_assets.domain import catalogue_profiles
from packaging_assets.domain.features import FeatureSet

FEATURES = FeatureSet(numeric=("weight_kg",), categorical=("brand",))


def write_parts(folder: Path, rows: int = 100, *, titles: bool = True) -> Path:
    table = pa.table(
        {
            "product_id": [f"p{row:04d}" for row in range(rows)],
            "weight_kg": np.arange(float(rows)),
            "brand": ["a", "b"] * (rows // 2),
            **({"title": ["Box"] * rows} if titles else {}),
        }
    )
    for number, start in enumerate(range(0, rows, 33)):
        pq.write_table(table.slice(start, 33), folder / f"part-{number:05d}.parquet")
    return folder


def test_all_products_are_described(tmp_path: Path):
    profile = profile_catalogue(write_parts(tmp_path), FEATURES)

    assert profile["rows"] == 100
    assert profile["categorical"]["brand"]["shares"] == {"a": 0.5, "b": 0.5}
    assert profile["title"]["words"] == "box"


def test_of_many_products_every_so_many_th_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(catalogue_profiles, "MAX_ROWS", 10)

    profile = profile_catalogue(write_parts(tmp_path, titles=False), FEATURES)

    assert profile["rows"] == 10
    assert profile["numeric"]["weight_kg"]["edges"] == pytest.approx(np.arange(9, 90, 9))
    assert profile["title"] is None


@pytest.mark.parametrize(("most", "described"), [(100, 100), (99, 50), (50, 50), (49, 34)])
def test_no_more_products_are_described_than_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, described: int
):
    monkeypatch.setattr(catalogue_profiles, "MAX_ROWS", most)

    assert profile_catalogue(write_parts(tmp_path), FEATURES)["rows"] == described
