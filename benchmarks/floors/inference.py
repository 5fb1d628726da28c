"""The floor of monthly inference: unload, score, load, by hand, and nothing of the platform.

DuckDB streams the newest version of each product, in whatever order it has them, and PyArrow writes it as Parquet:
that takes half the CPU time of DuckDB's own COPY. Of every part the columns that the models use are read with
categories as dictionaries, made into one CatBoost pool and scored by all models, while the next part is read and the
last one written. DuckDB takes the predictions in from those files. No order, no hashes, no checks, no records.

Usage: python benchmarks/floors/inference.py WAREHOUSE MODELS_JSON FOLDER AS_OF [--stage unload|score|load]
           [--window-start TIME] [--memory-limit 800MB] [--threads 2] [--rows-per-part 200000] [--warm-bytes 0]

MODELS_JSON: {package type: path of its model.cbm}. Writes {stage: [wall seconds, CPU seconds]} and the rows as JSON.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from catboost import CatBoostClassifier, Pool

WEAKEST_TO_STRONGEST = ("sioc", "bag", "mailer", "box")
BATCH_ROWS = 65_536
SUITABLE_FROM = 0.5
# Real embeddings hardly shrink, and unpacking them costs more than reading them.
TEXT_COMPRESSION, NUMBER_COMPRESSION = "lz4", "none"

SUPERSEDED = """
create temporary table superseded as
with newest as (
    select product_id, max(updated_at) as updated_at
    from marts.product_features
    where updated_at >= $start and updated_at < $as_of
    group by product_id
    having count(*) > 1
)
select versions.product_id, versions.updated_at
from marts.product_features as versions
inner join newest on versions.product_id = newest.product_id
where versions.updated_at >= $start and versions.updated_at < newest.updated_at
"""

INVENTORY = """
select * exclude (created_at)
from marts.product_features as versions
where
    updated_at >= $start
    and updated_at < $as_of
    and not exists (
        select 1 from superseded
        where superseded.product_id = versions.product_id and superseded.updated_at = versions.updated_at
    )
"""

INSERT = """
insert into ml.predictions by name
select
    $cadence as cadence,
    cast($start as date) as partition_start,
    *,
    cast($as_of as timestamp) as as_of,
    1 as load_id
from read_parquet($files)
"""


def main() -> None:
    """Run the stages asked for and print what they took."""
    options = _options()
    warm_memory(options.warm_bytes)
    figures: dict[str, object] = {}
    for stage in (options.stage,) if options.stage else ("unload", "score", "load"):
        wall, cpu = time.perf_counter(), time.process_time()
        figures[f"{stage}_rows"] = {"unload": unload, "score": score, "load": load}[stage](options)
        figures[stage] = [time.perf_counter() - wall, time.process_time() - cpu]
    options.figures.write_text(json.dumps(figures) + "\n")


def warm_memory(size: int) -> None:
    """Have the machine hold so many bytes of memory, and give them back to its kernel.

    A hypervisor takes away what a virtual machine leaves unused for seconds, and the first to ask for it again waits:
    up to 8 s for the 4 GB of an inventory. Linux only; elsewhere nothing is done.
    """
    if size and hasattr(os, "memfd_create"):
        block = bytes(1 << 20)
        with os.fdopen(os.memfd_create("warm"), "wb", buffering=0) as file:
            for _ in range(size // len(block)):
                file.write(block)


def unload(options: argparse.Namespace) -> int:
    """The products as Parquet parts in FOLDER/inventory; the rows."""
    folder = _empty(options.folder / "inventory")
    bounds = {"start": options.window_start, "as_of": options.as_of}
    with _connected(options, read_only=True) as connection, ThreadPoolExecutor(1) as writer:
        connection.execute(SUPERSEDED, bounds)
        reader = connection.sql(INVENTORY, params=bounds).to_arrow_reader(BATCH_ROWS)
        rows, written = 0, []
        for number, table in enumerate(_tables(reader, options.rows_per_part)):
            for done in written[-1:]:
                done.result()  # one part waits to be written at most: memory is flat
            written.append(writer.submit(_write_inventory, table, folder / f"part-{number:05d}.parquet"))
            rows += table.num_rows
        for done in written[-1:]:
            done.result()
    return rows


def score(options: argparse.Namespace) -> int:
    """The predictions as Parquet parts in FOLDER/predictions; the products."""
    folder = _empty(options.folder / "predictions")
    paths = json.loads(options.models.read_text())
    models = [CatBoostClassifier().load_model(str(paths[name])) for name in paths]
    columns = models[0].feature_names_
    categories = [columns[index] for index in models[0].get_cat_feature_indices()]
    fits = [f"fits_{name}" for name in paths]
    parts = sorted((options.folder / "inventory").glob("*.parquet"))
    rows = 0
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        coming = [reader.submit(_prepare, parts[0], columns, categories, fits)]
        written = []
        for number in range(len(parts)):
            ids, can_fit, pool = coming.pop().result()
            if number + 1 < len(parts):
                coming.append(reader.submit(_prepare, parts[number + 1], columns, categories, fits))
            scores = np.column_stack(
                [model.predict_proba(pool, thread_count=options.threads)[:, 1] for model in models]
            )
            for done in written[-1:]:
                done.result()
            path = folder / parts[number].name
            written.append(writer.submit(_write_predictions, ids, scores, can_fit, tuple(paths), path))
            rows += len(ids)
        written[-1].result()
    return rows


def load(options: argparse.Namespace) -> int:
    """Replace the partition's rows in the warehouse in one transaction; the rows."""
    files = sorted(str(path) for path in (options.folder / "predictions").glob("*.parquet"))
    key = {"cadence": options.cadence, "start": options.partition_start}
    with _connected(options, read_only=False) as connection:
        connection.begin()
        connection.execute("delete from ml.predictions where cadence = $cadence and partition_start = $start", key)
        connection.execute(INSERT, {**key, "as_of": options.as_of, "files": files})
        connection.commit()
    return sum(pq.read_metadata(file).num_rows for file in files)


def _tables(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.Table]:
    batches: list[pa.RecordBatch] = []
    for batch in reader:
        batches.append(batch)
        if sum(waiting.num_rows for waiting in batches) >= rows:
            table = pa.Table.from_batches(batches)
            yield table.slice(0, rows)
            batches = table.slice(rows).to_batches()
    if batches:
        yield pa.Table.from_batches(batches)


def _write_inventory(table: pa.Table, path: Path) -> None:
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    pq.write_table(
        table,
        path,
        row_group_size=BATCH_ROWS,
        compression={name: TEXT_COMPRESSION if name in texts else NUMBER_COMPRESSION for name in table.column_names},
        use_dictionary=[name for name in texts if name not in ("product_id", "title")],
        write_statistics=False,
    )


def _prepare(
    part: Path, columns: list[str], categories: list[str], fits: list[str]
) -> tuple[pa.Array, np.ndarray, Pool]:
    with pq.ParquetFile(part, read_dictionary=categories) as file:
        table = file.read(["product_id", *columns, *fits], use_threads=False).combine_chunks()
    frame: dict[str, object] = {}
    for name in columns:
        if name in categories:
            column = table[name].unify_dictionaries().combine_chunks()
            values = [*column.dictionary.to_pylist(), "(missing)"]
            codes = column.indices.fill_null(len(values) - 1).to_numpy()
            frame[name] = pd.Categorical.from_codes(codes, categories=pd.Index(values, dtype=object))
        else:
            frame[name] = table[name].cast(pa.float32(), safe=False).to_numpy()
    can_fit = np.column_stack([table[name].fill_null(fill_value=False).to_numpy() for name in fits])
    return table["product_id"].combine_chunks(), can_fit, Pool(pd.DataFrame(frame), cat_features=categories)


def _write_predictions(
    ids: pa.Array, scores: np.ndarray, can_fit: np.ndarray, types: tuple[str, ...], path: Path
) -> None:
    rows, count = scores.shape
    model_of = pa.array(np.tile(np.arange(count, dtype=np.int32), rows))
    named = pa.DictionaryArray.from_arrays(model_of, pa.array(types))
    table = pa.table(
        {
            "product_id": ids.take(pa.array(np.repeat(np.arange(rows), count))),
            "package_type": named,
            "score": scores.ravel(),
            "damage_probability": _monotone(1 - scores, types).ravel(),
            "is_suitable": ((scores >= SUITABLE_FROM) & can_fit).ravel(),
            "model": named,
            "model_version": np.ones(rows * count, dtype=np.int64),
        }
    )
    compression = dict.fromkeys(table.column_names, TEXT_COMPRESSION)
    pq.write_table(
        table, path, row_group_size=2 * BATCH_ROWS, compression=compression, write_statistics=False,
        use_dictionary=["package_type", "model", "model_version"],
    )  # fmt: skip


def _monotone(damage: np.ndarray, types: tuple[str, ...]) -> np.ndarray:
    """Isotonic regression over the package types, by the min-max formula."""
    order = [types.index(name) for name in WEAKEST_TO_STRONGEST if name in types]
    ordered, count = damage[:, order], len(order)
    sums = np.cumsum(np.column_stack([np.zeros(len(damage)), ordered]), axis=1)
    result = np.empty_like(damage)
    for column in range(count):
        highest = [
            np.max([(sums[:, end + 1] - sums[:, start]) / (end + 1 - start) for end in range(column, count)], axis=0)
            for start in range(column + 1)
        ]
        result[:, order[column]] = np.min(highest, axis=0)
    return result


def _connected(options: argparse.Namespace, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    config = {
        "threads": options.threads,
        "memory_limit": options.memory_limit,
        "temp_directory": str(options.folder / "spill"),
        "preserve_insertion_order": False,
    }
    return duckdb.connect(str(options.warehouse), read_only=read_only, config=config)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("as_of")
    parser.add_argument("--figures", type=Path, default=Path("/dev/stdout"))
    parser.add_argument("--stage", choices=("unload", "score", "load"))
    parser.add_argument("--window-start", default="1900-01-01")
    parser.add_argument("--partition-start", default="2025-02-01")
    parser.add_argument("--cadence", default="monthly")
    parser.add_argument("--memory-limit", default="800MB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows-per-part", type=int, default=200_000)
    parser.add_argument("--warm-bytes", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
