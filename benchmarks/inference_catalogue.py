"""A home with a catalogue of N products and four approved models, made in seconds per million products.

`raw.products` is filled by SQL: 160 leaf categories, 800 brands, titles of three to seven words, sides and weights
rounded as vendors give them, 64 embedding values. dbt builds the features, so they are what dbt builds. Nine products
in ten are from before the first partition, in the order of their last change as a first delivery has them; the others
came or changed day by day after it, `DAY_PRODUCTS` of them on each of the last days. Ids look random, as real ones do:
they tell nothing of when a product came.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.domain.features import FIT_COLUMNS, feature_frame, read_features
from packaging_assets.domain.model_folders import described_features
from packaging_assets.domain.models import TrainParams, load_model, train
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.parquet_files import write_parquet
from packaging_assets.domain.registry import Registration
from packaging_assets.domain.score_profiles import describe_scores
from packaging_assets.home import prepare_home
from packaging_assets.resources.built_days import day_fingerprints, dbt_project_hash, record_built_days
from packaging_assets.resources.dbt_project import invoke
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, warehouse_for
from packaging_assets.settings import Settings, load_settings

FIRST_WEEK = dt.date(2025, 1, 6)
LAST_DAY = dt.date(2025, 2, 28)
MONTH = "2025-02-01"
MONTH_END = dt.datetime(2025, 3, 1)  # noqa: DTZ001 - naive UTC, as everywhere in the warehouse
DAY = "2025-02-28"
DAY_PRODUCTS = 10_000
"""Products that came on the last day, or fewer in a small catalogue."""

TRAINING_ROWS = 20_000
TRAINING_WEEK = "2025-02-17"
SHARE_CORRECTED = 0.02
"""Of products there is a second version, of a later day."""

_PRIME = 2_654_435_761
_DAYS = (LAST_DAY - FIRST_WEEK).days + 1
_BLOCK = 1_000_000


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """A home with products and a champion of each package type."""

    settings: Settings

    @property
    def models(self) -> dict[str, Path]:
        """The folder of each package type's champion."""
        store = self.settings.artifacts_path
        return {
            name: store / version.artifact_uri
            for name in PACKAGE_TYPES
            if (version := model_registry_for(self.settings).champion(name)) is not None
        }


def make_catalogue(home: Path, products: int, *, models_of: Path | None) -> Catalogue:
    """The home under `home` with so many products, made if it is not there.

    Args:
        home: its folder.
        products: how many.
        models_of: another such home, whose models are taken; none to train them.
    """
    settings = load_settings(home, first_week=FIRST_WEEK, last_day=LAST_DAY)
    done = home / "catalogue.made"
    if not done.exists():
        prepare_home(settings)
        fill_products(settings, products)
        build_features(settings)
        if models_of is None:
            register_models(settings)
        else:
            shutil.copytree(models_of / "artifacts", settings.artifacts_path)
            shutil.copyfile(models_of / "registry.db", settings.registry_path)
        done.write_text(f"{products}\n")
    return Catalogue(settings)


def fill_products(settings: Settings, products: int) -> None:
    """Fill `raw.products` and the record of its deliveries, block by block so that memory is flat."""
    with duckdb.connect(str(settings.warehouse_path), config={"threads": settings.threads}) as connection:
        connection.execute("set preserve_insertion_order = true")
        for first in range(0, products, _BLOCK):
            rows = min(_BLOCK, products - first)
            connection.execute(_INSERT, {"first": first, "rows": rows, "products": products, "day": DAY_PRODUCTS})
        connection.execute(_CORRECT, {"products": products, "share": SHARE_CORRECTED})
        connection.execute(_DELIVER)


def build_features(settings: Settings) -> None:
    """Build what the inventory reads with dbt, and record all days as built."""
    result = invoke(settings, ["seed"])
    if result.success:
        result = invoke(settings, ["run", "--select", "stg_products", "product_features"])
    if not result.success:
        raise RuntimeError(f"dbt could not build the features: {result.exception or result.result}")
    warehouse = warehouse_for(settings)
    days = [FIRST_WEEK + dt.timedelta(days=number) for number in range(_DAYS)]
    project = dbt_project_hash(settings.dbt_project_path)
    record_built_days(warehouse, day_fingerprints(warehouse, days, first_day=FIRST_WEEK, project_hash=project))


def register_models(settings: Settings) -> None:
    """Train a model per package type with the platform's defaults on a sample, and approve it."""
    store, registry = artifact_store_for(settings), model_registry_for(settings)
    with store.scratch() as scratch:
        features = scratch / "features"
        features.mkdir()
        sample = "select * from marts.product_features order by hash(product_id), updated_at limit $rows"
        once = f"select * from ({sample}) qualify row_number() over (partition by product_id order by updated_at) = 1"  # noqa: S608
        warehouse_for(settings).unload(
            f"{once} order by product_id", {"rows": TRAINING_ROWS}, features, rows_per_file=TRAINING_ROWS
        )
        for package_type in PACKAGE_TYPES:
            split = scratch / f"split_{package_type}"
            output = scratch / f"model_{package_type}"
            split.mkdir()
            output.mkdir()
            labels = _write_labels(features, split / "train.parquet", package_type)
            train({"split": split, "features": features}, TrainParams(package_type=package_type, seed=1), output)
            metrics = _metrics(features, output, labels)
            parts = FingerprintParts(step=f"benchmark {package_type}", modules={}, libraries={}, params={}, inputs={})
            artifact = store.commit(f"{package_type}/model", TRAINING_WEEK, output, parts=parts, provenance={})
            store.point(artifact)
            registry.register(
                Registration(
                    model=package_type, package_type=package_type, training_week=TRAINING_WEEK,
                    fingerprint=artifact.fingerprint, artifact_uri=artifact.uri, metrics_uri=artifact.uri,
                    content_hash=artifact.content_hash, code_version="benchmark", metrics=metrics, verdict="approve",
                )
            )  # fmt: skip


def _write_labels(features: Path, target: Path, package_type: str) -> np.ndarray:
    """Labels that follow from a product's measures, category and embedding, with noise, so that trees are as usual."""
    names = ("product_id", "weight_kg", "longest_side_cm", "title_words", *_CATEGORIES, *_EMBEDDING[:6])
    files = sorted(features.glob("*.parquet"))
    table = pa.concat_tables([pa.parquet.read_table(file, columns=list(names)) for file in files])
    rng = np.random.default_rng(PACKAGE_TYPES.index(package_type))
    score = np.nan_to_num(np.log(table["weight_kg"].to_numpy())) + rng.logistic(size=len(table))
    score += np.nan_to_num(np.log(table["longest_side_cm"].to_numpy())) * 0.5
    for name in _CATEGORIES:
        codes = table[name].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
        effects = rng.normal(size=2000)
        score += effects[np.nan_to_num(codes).astype(np.int64)]
    for name in _EMBEDDING[:6]:
        score += rng.normal() * table[name].to_numpy()
    labels = (score > np.quantile(score, rng.uniform(0.4, 0.8))).astype(np.int8)
    write_parquet(pa.table({"product_id": table["product_id"], "label": labels, "weight": np.ones(len(table))}), target)
    return labels


def _metrics(features: Path, folder: Path, labels: np.ndarray) -> Mapping[str, Any]:
    model, columns = load_model(folder), described_features(folder)
    table = read_features(features, columns, extra_columns=[FIT_COLUMNS[model.package_type]])
    fits = table[FIT_COLUMNS[model.package_type]].to_numpy()
    scores = model.score(model.prepare(feature_frame(table, columns)))
    profile = describe_scores(labels[fits], scores[fits], model.minority_label)
    return {"score_profile": profile, "pr_auc_standard_error": 0.01, "architectures": list(model.architectures)}


_CATEGORIES = ("category", "subcategory", "product_type", "brand")
_EMBEDDING = tuple(f"image_embedding_{index:02d}" for index in range(64))
_GAUSS = math.sqrt(12 / 3)


def _uniform(stream: int) -> str:
    """A number in [0, 1) that follows from the product's number and the stream."""
    return f"(hash(number, {stream}) / 18446744073709551616.0)"


def _normal(stream: int) -> str:
    """Nearly normal: three uniform numbers out of one hash, of 21 bits each."""
    parts = [f"((hash(number, {stream}) >> {shift}) & 2097151)" for shift in (0, 21, 42)]
    return f"(({' + '.join(parts)}) / 2097152.0 - 1.5) * {_GAUSS}"


_LEAF = f"cast(floor(160 * power({_uniform(1)}, 2.5)) as integer)"
_BRAND = f"cast(floor(800 * power({_uniform(2)}, 5)) as integer)"
_WORDS = ("Blue", "Black", "White", "Green", "Large", "Small", "Set", "Premium", "Classic", "Glass", "Ceramic",
          "Wooden", "Metal", "Plastic", "Paper", "Cotton", "Rubber", "Loose", "Boxed", "Bagged", "Carded")  # fmt: skip
_LIST = "[" + ", ".join(f"'{word}'" for word in _WORDS) + "]"


def _word(stream: int) -> str:
    return f"coalesce({_LIST}[1 + cast(floor({2 * len(_WORDS)} * {_uniform(stream)}) as integer)] || ' ', '')"


_COLUMNS = f"""
    'P' || lpad(cast(number * {_PRIME} % 9999999967 as varchar), 10, '0') as product_id,
    updated_at,
    updated_at as created_at,
    'Brand' || brand || ' ' || {_word(20)} || {_word(21)} || 'Type' || leaf || ' ' || {_word(22)}
        || 'Model ' || cast(number % 5000 as varchar) as title,
    'Category ' || (leaf // 20) as category,
    'Subcategory ' || (leaf // 4) as subcategory,
    'Type ' || leaf as product_type,
    'Brand ' || brand as brand,
    round(exp(2.9 + 0.02 * (leaf % 20) + 0.4 * {_normal(3)}), 1) as length_cm,
    round(exp(2.6 + 0.02 * (leaf % 20) + 0.4 * {_normal(4)}), 1) as width_cm,
    case when {_uniform(9)} >= 0.005 then round(exp(1.9 + 0.02 * (leaf % 20) + 0.4 * {_normal(5)}), 1) end as height_cm,
    case when {_uniform(10)} >= 0.005 then round(exp(-0.5 + 0.7 * {_normal(6)}), 3) end as weight_kg,
    round(exp(3 + 0.9 * {_normal(7)}), 2) as price_usd,
    case when {_uniform(11)} >= 0.01 then {_uniform(8)} < 0.1 end as is_liquid,
    {", ".join(f"cast({_normal(100 + index)} as real) as {name}" for index, name in enumerate(_EMBEDDING))}
"""

# Nine in ten products changed last in the three years before the first partition, the others in its 54 days; the last
# `$day` of them on the last day.
_INSERT = f"""
insert into "raw".products
select {_COLUMNS}
from (
    select
        number,
        {_LEAF} as leaf,
        {_BRAND} as brand,
        case
            when number >= $products - $day
                then timestamp '{LAST_DAY}' + to_microseconds(cast({_uniform(12)} * 86399e6 as bigint))
            when number < 0.9 * $products
                then timestamp '2022-01-01' + to_microseconds(
                    cast(number / (0.9 * $products) * 1095 * 86400e6 as bigint)
                )
            else timestamp '{FIRST_WEEK}' + to_microseconds(
                cast((number / (0.1 * $products) - 9) * {_DAYS - 1} * 86400e6 as bigint)
            )
        end as updated_at
    from (select $first + range as number from range($rows))
)
"""  # noqa: S608 - the constants above

_CORRECT = f"""
insert into "raw".products
select
    * replace (
        timestamp '{FIRST_WEEK}' + to_microseconds(
            cast(hash(product_id, 1) / 18446744073709551616.0 * {_DAYS - 1} * 86400e6 as bigint)
        ) as updated_at,
        round(price_usd * 1.1, 2) as price_usd
    )
from "raw".products
where updated_at < timestamp '{FIRST_WEEK}' and hash(product_id, 2) / 18446744073709551616.0 < $share and $products > 0
order by updated_at
"""  # noqa: S608 - the constants above

_DELIVER = """
insert into "raw".delivery_days
select 'benchmark', 'products', cast(updated_at as date) as day, count(*) from "raw".products group by day
"""
