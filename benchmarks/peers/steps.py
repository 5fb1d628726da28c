"""The job that every orchestrator runs: 28 plain steps over folders with DuckDB, CatBoost and pyarrow, nothing else.

labels, features; for each package type split, train, evaluate, judge, register, champion; inventory, predictions. A
step reads the folders it is given, writes into the folder it is given, and knows of no orchestrator. Each says in
`<work>/trace.log` that it ran, which is how a re-run, a resume and a kill are counted.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from catboost import CatBoostClassifier, Pool

PACKAGE_TYPES = ("mailer", "bag", "box", "sioc")
NUMERIC = tuple(f"measure_{number}" for number in range(16))
CATEGORICAL = ("category", "brand", "material")
TREES, DEPTH, THREADS = 100, 6, 2
VALIDATION_SHARE = 0.2
HIGHEST_LOG_LOSS = 0.68
"""A constant score has 0.693 when both labels are equally frequent, as they are here."""

CHUNK = 125_000
LABELLED, TO_SCORE = 10_000, 500_000
"""Products: 40,000 labelled rows of product x package type, and what is scored."""

HANGING = "hanging"
"""File that says that the step which was to hang does."""


def make_warehouse(file: Path, *, labelled: int = LABELLED, to_score: int = TO_SCORE) -> None:
    """Products with features, and evidence in all four package types for the first `labelled` of them."""
    columns = ", ".join(f"((hash(i, {n}) % 1000003) / 1000003.0)::real as {name}" for n, name in enumerate(NUMERIC))
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"""
            create table products as select printf('P%09d', i) as product_id, {columns},
                'c' || hash(i, 101) % 40 as category, 'b' || hash(i, 102) % 800 as brand, 'm' || hash(i, 103) % 12
                as material from range({to_score}) t(i)""")
        for number, name in enumerate(PACKAGE_TYPES):
            connection.execute(f"""
                {"create table evidence as" if number == 0 else "insert into evidence"}
                select product_id, '{name}' as package_type, test,
                    measure_{number} + measure_{number + 4} + 0.3 * (hash(product_id, test, {number}) % 1000) / 1000.0
                    > 1.15 as is_intact
                from (from products order by product_id limit {labelled}), range(3) t(test)""")  # fmt: skip


def labels(warehouse: Path, output: Path) -> None:
    """One row per product and package type: the majority of its tests."""
    with _step("labels", output) as folder, duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute(f"""copy (select product_id, package_type, (avg(is_intact::int) > 0.5)::tinyint as label
            from evidence group by all order by all) to '{folder / "labels.parquet"}' (format parquet)""")


def features(warehouse: Path, output: Path) -> None:
    """One row per product that has evidence."""
    with _step("features", output) as folder, duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute(f"""copy (from products where product_id in (select product_id from evidence)
            order by product_id) to '{folder / "features.parquet"}' (format parquet)""")


def split(labels: Path, features: Path, package_type: str, output: Path) -> None:
    """The rows of one package type, a fifth of the products for validation by their hash."""
    with _step("split", output) as folder, duckdb.connect() as connection:
        for name, rows in (("train", ">="), ("validation", "<")):
            connection.execute(f"""copy (select * exclude package_type
                from '{labels}/labels.parquet' join '{features}/features.parquet' using (product_id)
                where package_type = '{package_type}' and (hash(product_id) % 1000) / 1000.0 {rows} {VALIDATION_SHARE}
                order by product_id) to '{folder / name}.parquet' (format parquet)""")


def train(split: Path, output: Path) -> None:
    """A CatBoost model of 100 trees."""
    with _step("train", output) as folder:
        model = CatBoostClassifier(
            iterations=TREES, depth=DEPTH, thread_count=THREADS, random_seed=1, max_ctr_complexity=1,
            verbose=False, allow_writing_files=False,
        )  # fmt: skip
        model.fit(_pool(pq.read_table(split / "train.parquet")))
        model.save_model(str(folder / "model.cbm"))


def evaluate(split: Path, model: Path, package_type: str, output: Path) -> None:
    """Log loss and accuracy on the validation rows.

    Raises:
        RuntimeError: the file `<work>/fail` names this package type. If `<work>/hang` does, it sleeps for a minute.
    """
    with _step("evaluate", output) as folder:
        _fail_or_hang(_work_of(output), package_type)
        table = pq.read_table(split / "validation.parquet")
        scores = _load(model).predict_proba(_pool(table), thread_count=THREADS)[:, 1]
        y = table["label"].to_numpy()
        log_loss = float(-np.mean(np.log(np.where(y == 1, scores, 1 - scores))))
        metrics = {"log_loss": log_loss, "accuracy": float(np.mean((scores > 0.5) == y)), "rows": len(y)}  # noqa: PLR2004
        (folder / "metrics.json").write_text(json.dumps(metrics, sort_keys=True))


def judge(evaluation: Path, output: Path) -> None:
    """Approved if the log loss is below the limit."""
    with _step("judge", output) as folder:
        metrics = json.loads((evaluation / "metrics.json").read_text())
        is_approved = metrics["log_loss"] < HIGHEST_LOG_LOSS
        (folder / "verdict.json").write_text(json.dumps({"is_approved": is_approved, **metrics}, sort_keys=True))


def register(model: Path, verdict: Path, package_type: str, registry: Path, output: Path) -> None:
    """One version per content of the model in the registry, a SQLite file; its number in version.json."""
    with _step("register", output) as folder, sqlite3.connect(registry, timeout=60) as connection:
        digest = hashlib.sha256((model / "model.cbm").read_bytes()).hexdigest()
        is_approved = json.loads((verdict / "verdict.json").read_text())["is_approved"]
        connection.execute("""create table if not exists versions (version integer primary key, package_type text,
            model text, sha256 text, is_approved integer, unique (package_type, sha256))""")
        connection.execute(
            "insert or ignore into versions (package_type, model, sha256, is_approved) values (?, ?, ?, ?)",
            (package_type, str(model), digest, is_approved),
        )
        row = connection.execute(
            "select version, model, is_approved from versions where package_type = ? and sha256 = ?",
            (package_type, digest),
        ).fetchone()
        registered = dict(zip(("version", "model", "is_approved"), row, strict=True))
        (folder / "version.json").write_text(json.dumps(registered, sort_keys=True))


def champion(version: Path, output: Path) -> None:
    """The model that scores.

    Raises:
        ValueError: the version is not approved.
    """
    with _step("champion", output) as folder:
        registered = json.loads((version / "version.json").read_text())
        if not registered["is_approved"]:
            raise ValueError(f"version {registered['version']} is not approved")
        (folder / "champion.json").write_text(json.dumps(registered, sort_keys=True))


def inventory(warehouse: Path, output: Path) -> None:
    """All products, in files of 125,000 rows."""
    with _step("inventory", output) as folder, duckdb.connect(str(warehouse), read_only=True) as connection:
        reader = connection.sql("from products").to_arrow_reader(CHUNK)
        for number, batch in enumerate(reader):
            pq.write_table(pa.Table.from_batches([batch]), folder / f"part-{number:05}.parquet")


def predictions(inventory: Path, champions: Mapping[str, Path], output: Path) -> None:
    """A score per product and package type; one pool per file for all models."""
    with _step("predictions", output) as folder:
        models = {
            name: _load(Path(json.loads((path / "champion.json").read_text())["model"]))
            for name, path in champions.items()
        }
        for part in sorted(inventory.glob("*.parquet")):
            table = pq.read_table(part, read_dictionary=CATEGORICAL)
            pool = _pool(table)
            scores = {
                name: model.predict_proba(pool, thread_count=THREADS)[:, 1].astype(np.float32)
                for name, model in models.items()
            }
            pq.write_table(pa.table({"product_id": table["product_id"], **scores}), folder / part.name)


def _pool(table: pa.Table) -> Pool:
    frame = table.select([*NUMERIC, *CATEGORICAL]).to_pandas(split_blocks=True)
    label = table["label"].to_numpy() if "label" in table.column_names else None
    return Pool(frame, label=label, cat_features=list(CATEGORICAL), thread_count=THREADS)


def _load(folder: Path) -> CatBoostClassifier:
    model = CatBoostClassifier()
    model.load_model(str(folder / "model.cbm"))
    return model


@contextmanager
def _step(name: str, output: Path) -> Generator[Path]:
    """An empty output folder; a line in the trace when the step has ended well."""
    output.mkdir(parents=True, exist_ok=True)
    for file in output.iterdir():
        file.unlink()
    yield output
    # One write, so that steps in several processes do not mix their lines.
    descriptor = os.open(_work_of(output) / "trace.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{name}\n".encode())
    os.close(descriptor)


def _work_of(output: Path) -> Path:
    return next(parent.parent for parent in output.parents if parent.name == "data")


def _fail_or_hang(work: Path, package_type: str) -> None:
    for name in ("fail", "hang"):
        file = work / name
        if file.exists() and file.read_text() == package_type:
            if name == "fail":
                raise RuntimeError(f"the evaluation of {package_type} fails because {file} says so")
            (work / HANGING).touch()
            time.sleep(60)
