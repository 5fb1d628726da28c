"""A home of 900 products with labels and features of two weeks, nothing trained yet, and a workbench over it."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fixed_clock import FixedClock

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.run_step import StepResult, run_step
from packaging_assets.artifacts.store import ArtifactInput
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.training_steps import (
    Planned,
    plan_metrics,
    plan_model,
    plan_out_of_fold,
    plan_split,
)
from packaging_assets.domain.registry import ModelVersion, Registration
from packaging_assets.experiments.records import ExperimentRecords
from packaging_assets.experiments.workbench import Workbench
from packaging_assets.resources.compute import InProcessCompute
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

PRODUCTS = 900
WEEKS = ("2025-02-03", "2025-02-10")
NOW = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
TYPES = ("mailer", "box")


def spec(package_type: str, **changes: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "package_type": package_type,
            "parameters": {"iterations": 15, "depth": 3, "learning_rate": 0.3, "thread_count": 1},
            "features": {"numeric": ["weight_kg", "price_usd"], "categorical": ["brand"]},
            "gates": {"slice_categories": [], "slice_bands": []},
            **changes,
        }
    )


def make_bench(home: Path, **changes: Any) -> Workbench:
    """A new home with data for both weeks; `changes` are of the model mailer."""
    store = LocalArtifactStore(home / "artifacts", clock=lambda: NOW)
    for number, week in enumerate(WEEKS):
        _commit(store, "labels", week, _labels(week, number))
        _commit(store, "features", week, {"part-00000.parquet": _products(number).drop_columns(["mailer", "box"])})
    return bench_over(home, **changes)


def bench_over(home: Path, **changes: Any) -> Workbench:
    """The workbench over a home that is there."""
    return Workbench(
        store=LocalArtifactStore(home / "artifacts", clock=lambda: NOW),
        registry=SqliteModelRegistry(home / "registry.db", clock=lambda: NOW),
        compute=InProcessCompute(),
        models=ModelSet.of([spec("mailer", **changes), spec("box")]),
        records=ExperimentRecords(home),
        clock=FixedClock(NOW),
    )


def train_in_main(bench: Workbench, model: str, week: str, champion: ModelVersion | None = None) -> list[StepResult]:
    """What the assets split, model and metrics do."""
    chosen = bench.models.specs[model]
    architectures = bench.models.architectures(chosen)
    plans = (
        plan_split(chosen, week),
        plan_model(chosen),
        plan_metrics(chosen, week, champion, architectures=architectures),
    )
    return [_run_in_main(bench, plan, week) for plan in plans]


def score_in_main(bench: Workbench, model: str, week: str) -> None:
    """What the asset out_of_fold_scores does."""
    chosen = bench.models.specs[model]
    _run_in_main(bench, plan_out_of_fold(chosen, depth=bench.models.score_depth(model)), week)


def register(bench: Workbench, model: str, week: str, results: list[StepResult]) -> ModelVersion:
    _, trained, judged = (result.artifact for result in results)
    return bench.registry.register(
        Registration(
            model=model,
            package_type=model,
            training_week=week,
            fingerprint=judged.fingerprint,
            artifact_uri=trained.uri,
            metrics_uri=judged.uri,
            content_hash=trained.content_hash,
            code_version="0.1.0",
            metrics={},
            reasons=(),
            verdict="approve",
        )
    )


def state_of(home: Path) -> dict[str, bytes]:
    """Every file of the home but the experiments' own, by path."""
    paths = [path for path in home.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    named = {path.relative_to(home).as_posix(): path for path in paths}
    own = ("experiments/", "artifacts/experiments/")
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(own)}


def _run_in_main(bench: Workbench, plan: Planned, week: str) -> StepResult:
    store = bench.store
    current = {name: store.current(key, week) for name, key in plan.inputs.items()}
    fixed = {name: store.get(uri) for name, uri in plan.artifacts.items()}
    inputs = {name: ArtifactInput(store, found) for name, found in {**current, **fixed}.items() if found is not None}
    return run_step(
        store,
        plan.step,
        asset_key=plan.asset_key,
        partition=week,
        inputs=inputs,
        params=plan.params,
        provenance={"run_id": "run in main"},
        compute=bench.compute,
        extra_modules=plan.extra_modules,
    )


def _products(number: int) -> pa.Table:
    """Labels depend on weight, price and brand with noise; each week a tenth of the prices is another."""
    rng = np.random.default_rng(3)
    weight, price, brand = rng.normal(size=PRODUCTS), rng.normal(size=PRODUCTS), rng.integers(0, 4, PRODUCTS)
    score = 1.4 * weight + 0.8 * price + 0.7 * (brand - 1.5)
    labels = {name: score + rng.logistic(size=PRODUCTS) > shift for name, shift in (("mailer", 1.0), ("box", -1.0))}
    again = np.random.default_rng(number).random(PRODUCTS) < 0.1
    return pa.table(
        {
            "product_id": [f"p{row:05d}" for row in range(PRODUCTS)],
            "weight_kg": weight,
            "price_usd": np.where(again, -price, price),
            "density_kg_per_l": np.exp(weight),
            "brand": [f"brand {value}" for value in brand],
            "title": [f"Brand {value} Thing" for value in brand],
            **{f"fits_{name}": np.ones(PRODUCTS, dtype=bool) for name in TYPES},
            **{name: label.astype(np.int8) for name, label in labels.items()},
        }
    )


def _labels(week: str, number: int) -> dict[str, pa.Table]:
    products = _products(number)
    monday = dt.date.fromisoformat(week)
    seen = pa.array([dt.datetime.combine(monday, dt.time())] * PRODUCTS, pa.timestamp("us"))
    parts = [
        pa.table(
            {
                "product_id": products["product_id"],
                "package_type": [name] * PRODUCTS,
                "label": products[name],
                "weight": np.ones(PRODUCTS),
                "is_random_test": np.ones(PRODUCTS, dtype=bool),
                "first_evidence_at": seen,
            }
        )
        for name in TYPES
    ]
    weeks = [monday - dt.timedelta(weeks=back) for back in range(5)]
    volume = [pa.table({"package_type": [name] * 5, "week": weeks, "evidence_rows": [200] * 5}) for name in TYPES]
    return {"labels.parquet": pa.concat_tables(parts), "volume.parquet": pa.concat_tables(volume)}


def _commit(store: LocalArtifactStore, asset_key: str, week: str, tables: dict[str, pa.Table]) -> None:
    parts = FingerprintParts(step=asset_key, modules={}, libraries={}, params={"week": week}, inputs={})
    with store.scratch() as scratch:
        folder = scratch / "output"
        folder.mkdir()
        for name, table in tables.items():
            pq.write_table(table, folder / name)
        store.point(store.commit(asset_key, week, folder, parts=parts, provenance={}))
