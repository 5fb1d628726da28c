"""The floor under the weekly training: the same learning in plain Python, as one would write it without a platform.

DuckDB makes labels and features, each package type is split, trained with CatBoost and evaluated on its validation
rows, and with `--score` the catalogue is scored by the four models and the predictions are loaded into DuckDB.

Two variants, of which the faster counts: one process whose learner has two threads (`--processes 1`), and two processes
that share the frame by forking, whose learners have one thread each (`--processes 2`). Nothing of the platform is
imported; the learner's parameters come as JSON, so that both learn the same.

Usage: python benchmarks/floors/training.py WAREHOUSE OUTPUT --as-of 2025-01-20 --parameters JSON [--processes 2]
"""

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from catboost import CatBoostClassifier, Pool

PACKAGE_TYPES = ("mailer", "bag", "box", "sioc")
VALIDATION_SHARE = 0.25
SEED = 20250106
ROWS_PER_CHUNK = 250_000
HALF = 0.5
THREADS_OF_DUCKDB = 2

LABELS = """
with evidence as (
    select
        product_id,
        package_type,
        sum(tests_passed) as passed,
        sum(tests_failed) as failed,
        sum(case when evidence_on <= cast($as_of as date) - 14 then shipments else 0 end) as shipments,
        sum(case when evidence_on <= cast($as_of as date) - 14 then damage_reports else 0 end) as reports
    from marts.package_evidence
    where evidence_on < cast($as_of as date)
    group by all
)
pivot (
    select
        product_id,
        package_type,
        cast(case when passed + failed > 0 then passed > failed else reports = 0 end as tinyint) as label
    from evidence
    where passed + failed > 0 or reports >= 2 or (reports = 0 and shipments >= 30)
) on package_type in ('mailer', 'bag', 'box', 'sioc') using first(label) group by product_id
"""

NEWEST = """
select *
from marts.product_features
where updated_at < cast($as_of as timestamp)
qualify row_number() over (partition by product_id order by updated_at desc) = 1
"""


class Labelled(NamedTuple):
    """Labels and fits by product, the learner's frame of the same rows, and where models go."""

    products: pd.DataFrame
    frame: pd.DataFrame
    output: Path


_shared: list[Labelled] = []
"""What forked processes take over from this one."""


def main() -> None:
    """Train, evaluate, and score the catalogue if asked to."""
    arguments = _arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    columns = json.loads(arguments.columns)
    parameters = json.loads(arguments.parameters)
    products, frame = read_labelled(arguments.warehouse, arguments.as_of, columns)
    _shared.append(Labelled(products, frame, arguments.output))
    # The largest first: the other process fills the gap with what is left.
    order = sorted(PACKAGE_TYPES, key=lambda name: -len(rows_of(products, name)))
    if arguments.processes == 1:
        results = [train_type(name, {**parameters, "thread_count": 2}) for name in order]
    else:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(arguments.processes, mp_context=fork) as pool:
            results = list(pool.map(train_type, order, [{**parameters, "thread_count": 1}] * len(order)))
    (arguments.output / "metrics.json").write_text(json.dumps(dict(zip(order, results, strict=True))))
    if arguments.score:
        score_catalogue(arguments.warehouse, arguments.output, arguments.score, columns)


def read_labelled(warehouse: Path, as_of: str, columns: dict[str, list[str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and fits by product, and the learner's frame of the same rows, in the order of the product ids."""
    with duckdb.connect(str(warehouse), read_only=True, config={"threads": THREADS_OF_DUCKDB}) as connection:
        sql = f"select * from ({LABELS}) as labels join ({NEWEST}) as newest using (product_id) order by product_id"  # noqa: S608 - constants
        table = connection.sql(sql, params={"as_of": as_of}).to_arrow_table()
    fits = [f"fits_{name}" for name in PACKAGE_TYPES]
    return table.select(["product_id", *PACKAGE_TYPES, *fits]).to_pandas(), learner_frame(table, columns)


def learner_frame(table: pa.Table, columns: dict[str, list[str]]) -> pd.DataFrame:
    """Numbers as float32, categories as such."""
    frame: dict[str, object] = {
        name: table[name].cast(pa.float32(), safe=False).to_numpy() for name in columns["numeric"]
    }
    for name in columns["categorical"]:
        frame[name] = pd.Categorical(table[name].fill_null("(missing)").dictionary_encode().to_pandas())
    return pd.DataFrame(frame)


def rows_of(products: pd.DataFrame, name: str) -> np.ndarray:
    """Positions of the products that have a label for the type and fit it."""
    return np.flatnonzero(products[name].notna() & products[f"fits_{name}"])


def train_type(name: str, parameters: dict[str, object]) -> dict[str, float]:
    """Split, fit, save, and evaluate on the validation rows."""
    products, frame, output = _shared[0]
    rows = rows_of(products, name)
    hashes = pd.util.hash_array(
        products["product_id"].to_numpy(object)[rows], hash_key=f"{SEED:016d}", categorize=False
    )
    is_validation = hashes.astype(np.float64) / 2.0**64 < VALIDATION_SHARE
    y = products[name].to_numpy()[rows].astype(np.int8)
    categories = list(frame.select_dtypes("category").columns)
    model = CatBoostClassifier(**parameters, logging_level="Silent", allow_writing_files=False)
    model.fit(Pool(frame.iloc[rows[~is_validation]], y[~is_validation], cat_features=categories))
    model.save_model(str(output / f"{name}.cbm"))
    scores = model.predict_proba(Pool(frame.iloc[rows[is_validation]], cat_features=categories))[:, 1]
    return {"rows": len(rows), "average_precision": average_precision(y[is_validation], scores)}


def average_precision(y: np.ndarray, scores: np.ndarray) -> float:
    """Of the rarer label; rows of equal score enter together."""
    if y.mean() > HALF:
        y, scores = 1 - y, 1 - scores
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(y[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(y) - 1)
    precision = found[ends] / (ends + 1)
    return float((precision * np.diff(found[ends], prepend=0)).sum() / y.sum())


def score_catalogue(warehouse: Path, output: Path, as_of: str, columns: dict[str, list[str]]) -> None:
    """Score every product by the four models chunk by chunk, write Parquet, and load it into the warehouse."""
    models = {name: CatBoostClassifier().load_model(str(output / f"{name}.cbm")) for name in PACKAGE_TYPES}
    wanted = ["product_id", *columns["numeric"], *columns["categorical"], *(f"fits_{name}" for name in PACKAGE_TYPES)]
    selected = ", ".join(wanted)
    with duckdb.connect(str(warehouse), read_only=True, config={"threads": THREADS_OF_DUCKDB}) as connection:
        sql = f"select {selected} from ({NEWEST}) order by product_id"  # noqa: S608 - constants, and the caller's columns
        reader = connection.sql(sql, params={"as_of": as_of}).to_arrow_reader(ROWS_PER_CHUNK)
        for number, batch in enumerate(reader):
            pq.write_table(score_chunk(pa.table(batch), models, columns), output / f"part-{number:05d}.parquet")
    with duckdb.connect(str(warehouse), config={"threads": THREADS_OF_DUCKDB}) as connection:
        connection.execute(
            "create or replace table floor_predictions as select * from read_parquet($files)",
            {"files": [str(path) for path in sorted(output.glob("part-*.parquet"))]},
        )


def score_chunk(table: pa.Table, models: dict[str, CatBoostClassifier], columns: dict[str, list[str]]) -> pa.Table:
    """One row per product and package type."""
    pool = Pool(learner_frame(table, columns), cat_features=columns["categorical"])
    scores = np.column_stack([model.predict_proba(pool)[:, 1] for model in models.values()])
    fits = np.column_stack([table[f"fits_{name}"].fill_null(fill_value=False).to_numpy() for name in models])
    ids = table["product_id"].combine_chunks().take(pa.array(np.repeat(np.arange(len(table)), len(models))))
    return pa.table(
        {
            "product_id": ids,
            "package_type": pa.array(list(models)).take(pa.array(np.tile(np.arange(len(models)), len(table)))),
            "score": scores.ravel(),
            "is_suitable": ((scores >= HALF) & fits).ravel(),
            "model_version": np.ones(scores.size, np.int64),
        }
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warehouse", type=Path, help="the DuckDB file")
    parser.add_argument("output", type=Path, help="gets the models, their metrics and the predictions")
    parser.add_argument("--as-of", required=True, help="the end of the training week, exclusive")
    parser.add_argument("--columns", required=True, help="JSON: the features, `numeric` and `categorical`")
    parser.add_argument("--parameters", required=True, help="JSON: CatBoost's parameters, but for threads")
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2)
    parser.add_argument("--score", metavar="AS_OF", help="score the catalogue as it was known by then, exclusive")
    return parser.parse_args()


if __name__ == "__main__":
    main()
