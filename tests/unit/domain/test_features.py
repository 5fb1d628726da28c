import datetime as dt
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from packaging_assets.domain.features import (
    DEFAULT_FEATURES,
    MISSING,
    FeatureError,
    FeatureExtractParams,
    FeatureSet,
    feature_frame,
    keep_features,
    read_features,
)

FEATURES = FeatureSet(numeric=("weight_kg", "title_words"), categorical=("brand",))
AS_OF = dt.datetime.fromisoformat("2025-01-13")
PARAMS = FeatureExtractParams(as_of=AS_OF, columns=FEATURES.columns)


def extract_table(ids, **columns) -> pa.Table:
    rows = len(ids)
    defaults = {
        "product_id": pa.array(ids, pa.string()),
        "updated_at": pa.array([dt.datetime.fromisoformat("2025-01-12T23:59:59")] * rows, pa.timestamp("us")),
        "weight_kg": pa.array([0.5 + i for i in range(rows)], pa.float64()),
        "title_words": pa.array(range(rows), pa.int64()),
        "brand": pa.array(["acme"] * rows, pa.string()),
        **{f"fits_{name}": pa.array([True] * rows, pa.bool_()) for name in ("mailer", "bag", "box", "sioc")},
    }
    return pa.table({**defaults, **columns})


def write_parts(folder: Path, *tables: pa.Table) -> Path:
    folder.mkdir()
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{number:05d}.parquet")
    return folder


def test_the_default_set_has_15_measures_64_embedding_values_and_5_categories():
    assert (len(DEFAULT_FEATURES.numeric), len(DEFAULT_FEATURES.categorical)) == (79, 5)
    assert DEFAULT_FEATURES.columns[15] == "image_embedding_00"
    assert DEFAULT_FEATURES.columns[78] == "image_embedding_63"


@pytest.mark.parametrize(
    ("numeric", "categorical", "reason"),
    [(("a", "b", "a"), (), "'a' is listed more than once"), (("a",), ("a",), "'a' is listed"), ((), (), "no columns")],
)
def test_a_feature_set_without_sense_is_refused(numeric, categorical, reason):
    with pytest.raises(ValidationError, match=reason):
        FeatureSet(numeric=numeric, categorical=categorical)


def test_the_frame_holds_the_columns_by_name_whatever_their_order_in_the_table():
    table = extract_table(["a", "b"])

    frame = feature_frame(table.select(["brand", "title_words", "product_id", "weight_kg"]), FEATURES)

    assert list(frame.columns) == ["weight_kg", "title_words", "brand"]
    assert frame["weight_kg"].tolist() == [0.5, 1.5]
    assert [str(dtype) for dtype in frame.dtypes] == ["float32", "float32", "category"]


def test_nulls_become_nan_in_numbers_and_a_value_in_categories():
    table = extract_table(
        ["a", "b"], weight_kg=pa.array([None, 2.0]), title_words=pa.array([3, None]), brand=pa.array([None, "acme"])
    )

    frame = feature_frame(table, FEATURES)

    assert frame["weight_kg"].isna().tolist() == [True, False]
    assert frame["title_words"].isna().tolist() == [False, True]
    assert frame["brand"].tolist() == [MISSING, "acme"]


def test_plain_and_dictionary_columns_in_chunks_give_the_same_frame():
    parts = [pa.array(["x", None, "y"]), pa.array(["z", "x", MISSING])]
    plain = extract_table(list("abcdef"), brand=pa.chunked_array(parts))
    encoded = extract_table(list("abcdef"), brand=pa.chunked_array([part.dictionary_encode() for part in parts]))

    expected = ["x", MISSING, "y", "z", "x", MISSING]
    assert feature_frame(plain, FEATURES)["brand"].tolist() == expected
    assert feature_frame(encoded, FEATURES)["brand"].tolist() == expected


def test_no_rows_give_an_empty_frame():
    assert feature_frame(extract_table([]), FEATURES).shape == (0, 3)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("weight_kg", pa.array([True]), "numeric feature 'weight_kg' is of type bool; expected integers or floats"),
        ("weight_kg", pa.array(["1.5"]), "numeric feature 'weight_kg' is of type string"),
        ("brand", pa.array([1.0]), "categorical feature 'brand' is of type double; expected strings"),
        ("brand", pa.array([True]), "categorical feature 'brand' is of type bool"),
        ("brand", pa.array([7]).dictionary_encode(), "categorical feature 'brand' is of type dictionary"),
    ],
)
def test_a_wrong_type_is_named_with_what_was_expected(column, values, message):
    with pytest.raises(FeatureError, match=message):
        feature_frame(extract_table(["a"], **{column: values}), FEATURES)


def test_numbers_that_float32_cannot_hold_are_rounded():
    table = extract_table(["a", "b"], weight_kg=pa.array([2**24 + 1, 3]), title_words=pa.array([0.1, 0.5]))

    frame = feature_frame(table, FEATURES)

    assert frame["weight_kg"].tolist() == [2.0**24, 3.0]
    assert frame["title_words"].tolist() == [np.float32(0.1), 0.5]


def test_an_absent_feature_is_named():
    with pytest.raises(FeatureError, match="feature 'brand' is not in the table, which has product_id, weight_kg"):
        feature_frame(extract_table(["a"]).select(["product_id", "weight_kg", "title_words"]), FEATURES)


@pytest.mark.parametrize("can_link", [True, False])
def test_keep_features_keeps_the_parts_as_they_are(tmp_path, monkeypatch, can_link):
    def refuse(*_):
        raise OSError("no links here")

    if not can_link:
        monkeypatch.setattr(os, "link", refuse)
    extract = write_parts(tmp_path / "extract", extract_table(["a", "b"]), extract_table([]), extract_table(["c"]))
    output = tmp_path / "output"
    output.mkdir()

    keep_features({"extract": extract}, PARAMS, output)

    assert {path.name: path.read_bytes() for path in output.iterdir()} == {
        path.name: path.read_bytes() for path in extract.iterdir()
    }


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([], "holds no Parquet file"),
        ([extract_table(["a"]).drop_columns(["brand"])], r"part-00000.parquet lacks the column 'brand' \(1 of 9"),
        ([extract_table(["a"]).drop_columns(["fits_box"])], "lacks the column 'fits_box'"),
        ([extract_table(["a", "a"])], "product_id 'a' comes after 'a'"),
        ([extract_table(["b", "a"])], "product_id 'a' comes after 'b'"),
        ([extract_table(["a", None])], "product_id None comes after 'a'"),
        ([extract_table(["a", "b"]), extract_table(["b"])], r"part-00001.parquet: product_id 'b' comes after 'b'"),
    ],
)
def test_keep_features_refuses_an_extract_that_is_not_one_row_per_product(tmp_path, tables, message):
    extract = write_parts(tmp_path / "extract", *tables)

    with pytest.raises(FeatureError, match=message):
        keep_features({"extract": extract}, PARAMS, tmp_path)


def test_keep_features_refuses_what_was_not_known_yet(tmp_path):
    table = extract_table(["a", "b"], updated_at=pa.array([AS_OF - dt.timedelta(microseconds=1), AS_OF]))
    extract = write_parts(tmp_path / "extract", table)

    with pytest.raises(FeatureError, match="product 'b' was updated at 2025-01-13 00:00:00, which is not before"):
        keep_features({"extract": extract}, PARAMS, tmp_path)

    alone = write_parts(tmp_path / "alone", extract_table(["c"], updated_at=pa.array([AS_OF])))
    with pytest.raises(FeatureError, match="product 'c' was updated at 2025-01-13 00:00:00, which is not before"):
        keep_features({"extract": alone}, PARAMS, tmp_path)


def test_rows_of_an_inventory_increase_by_time_and_then_by_product(tmp_path):
    early, late = AS_OF - dt.timedelta(days=2), AS_OF - dt.timedelta(days=1)
    params = PARAMS.model_copy(update={"order": ("updated_at", "product_id")})
    first = extract_table(["b", "a"], updated_at=pa.array([early, late]))
    (tmp_path / "kept").mkdir()
    keep_features({"extract": write_parts(tmp_path / "good", first)}, params, tmp_path / "kept")
    assert (tmp_path / "kept" / "part-00000.parquet").exists()

    second = extract_table(["a"], updated_at=pa.array([late]))
    with pytest.raises(FeatureError, match=r"part-00001.parquet: updated_at and product_id .*'a' comes after .*'a'"):
        keep_features({"extract": write_parts(tmp_path / "bad", first, second)}, params, tmp_path)


def test_as_of_has_no_time_zone():
    with pytest.raises(ValidationError, match="should not have timezone"):
        FeatureExtractParams(as_of=dt.datetime(2025, 1, 13, tzinfo=dt.UTC))


def test_read_features_reads_only_what_is_asked_for(tmp_path):
    folder = write_parts(tmp_path / "features", extract_table(["a", "b"]), extract_table(["c", "d"]))

    table = read_features(folder, FEATURES, product_ids=pa.array(["b", "c"]), extra_columns=("fits_box",))

    assert table.column_names == ["product_id", "weight_kg", "title_words", "brand", "fits_box"]
    assert table["product_id"].to_pylist() == ["b", "c"]
    assert pa.types.is_dictionary(table.schema.field("brand").type)
    assert np.isclose(table["weight_kg"].to_pylist(), [1.5, 0.5]).all()
    assert len(read_features(folder, FEATURES)) == 4


def test_read_features_names_a_product_that_is_not_there(tmp_path):
    folder = write_parts(tmp_path / "features", extract_table(["a"]))

    with pytest.raises(FeatureError, match="has 1 rows for 2 products asked for, 'z' among them"):
        read_features(folder, FEATURES, product_ids=pa.array(["a", "z"]))


def test_read_features_names_a_column_that_is_not_there(tmp_path):
    folder = write_parts(tmp_path / "features", extract_table(["a"]))

    with pytest.raises(FeatureError, match="lacks the column 'colour'"):
        read_features(folder, FeatureSet(numeric=("colour",)))


@pytest.mark.parametrize("encode", [False, True], ids=["plain", "dictionary"])
def test_texts_are_strings_as_they_stand_and_null_is_the_empty_text(encode):
    titles = pa.chunked_array([["Blue mug", None], [""]], pa.string())
    table = pa.table({"title": titles.dictionary_encode() if encode else titles})

    frame = feature_frame(table, FeatureSet(text=("title",)))

    assert frame["title"].tolist() == ["Blue mug", "", ""]
    assert str(frame["title"].dtype) == "string[pyarrow]"


def test_a_text_that_is_no_string_is_refused():
    with pytest.raises(FeatureError, match="text feature 'title' is of type int64; expected strings"):
        feature_frame(pa.table({"title": [1]}), FeatureSet(text=("title",)))
