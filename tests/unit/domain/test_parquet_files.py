"""How Parquet is written: what repeats as dictionaries, ids plain."""

import pyarrow as pa
import pyarrow.parquet as pq

from packaging_assets.domain.parquet_files import repeating_texts, write_parquet


def test_a_text_that_repeats_eight_times_is_a_dictionary_and_one_that_does_not_is_plain(tmp_path):
    rows = 800
    table = pa.table(
        {
            "product_id": [f"p{row // 4:05d}" for row in range(rows)],
            "category": [f"c{row % 100}" for row in range(rows)],
            "brand": [f"b{row % 101}" for row in range(rows)],
            "tests": [row % 3 for row in range(rows)],
        }
    )
    assert repeating_texts(table) == ["category"]
    write_parquet(table, tmp_path / "labels.parquet")
    with pq.ParquetFile(tmp_path / "labels.parquet") as file:
        columns = [file.metadata.row_group(0).column(number) for number in range(4)]
        dictionaries = [column.path_in_schema for column in columns if "RLE_DICTIONARY" in column.encodings]
        assert dictionaries == ["category", "tests"]
        assert file.read().equals(table)


def test_no_rows_can_be_written(tmp_path):
    write_parquet(pa.table({"product_id": pa.array([], pa.string())}), tmp_path / "none.parquet")
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0
