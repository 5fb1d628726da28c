"""Versions of products: the first delivery, a later correction, and the faulty and repaired ones of an incident."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from packaging_assets.simulator import constants as c
from packaging_assets.simulator.catalogue import Bools, Ints, Products, random_stream, to_second
from packaging_assets.simulator.config import WEEK_US, RetailerConfig
from packaging_assets.simulator.incidents import INCIDENTS, PRODUCT_FAULTS, Incident
from packaging_assets.simulator.tables import PRODUCTS, product_ids, times
from packaging_assets.simulator.titles import brand_names, build_titles, leaf_names, look_up
from packaging_assets.simulator.world import Floats

CM_PER_INCH = 2.54
NO_FAULT = ""


@dataclass(frozen=True)
class Corrections:
    """When each product's one correction comes (perhaps after the end) and what was wrong until then; n rows."""

    at_us: Ints
    is_title: Bools
    weight_factor: Floats
    price_factor: Floats


@dataclass(frozen=True)
class Versions:
    """m versions: which row of the block, when, and with which fault (index into `("", *PRODUCT_FAULTS)`)."""

    row: Ints
    updated_us: Ints
    fault: Ints


def draw_corrections(config: RetailerConfig, products: Products, block: int) -> Corrections:
    """Corrections come at the rate `weekly_corrections`; before, title, price or weight (a third each) is wrong.

    A title to be corrected has brand and product type only; a price or weight is off by a lognormal factor (sd .3).
    The truth and the Bayes score are those of the corrected product.
    """
    rng = random_stream(config, block, 1)
    n = len(products)
    wait = rng.exponential(1.0, n) / max(config.weekly_corrections, 1e-12) * WEEK_US
    at = np.minimum(products.created_us + wait, float(config.end_us))
    kind = rng.integers(0, 3, n)
    factor = np.exp(rng.normal(0.0, 0.3, n))
    is_coming = at < config.end_us
    return Corrections(
        at_us=to_second(at) + 1,
        is_title=is_coming & (kind == 0),
        weight_factor=np.where(is_coming & (kind == 1), factor, 1.0),
        price_factor=np.where(is_coming & (kind == 2), factor, 1.0),  # noqa: PLR2004 - the third of the three kinds
    )


def list_versions(config: RetailerConfig, products: Products, corrections: Corrections, block: int) -> Versions:
    """Every version of the block's products, by product, then time.

    Times are whole seconds plus a number of microseconds that differs by kind of version, so that no two versions of
    a product share one.
    """
    rows = np.arange(len(products))
    corrected = rows[corrections.at_us < config.end_us]
    parts = [
        (rows, products.created_us, NO_FAULT),
        (corrected, corrections.at_us[corrected], NO_FAULT),
    ]
    faults = [incident for incident in config.incidents if incident.kind in PRODUCT_FAULTS]
    for index, incident in enumerate(faults):
        parts += _incident_versions(config, products, incident, block, 2 + 2 * index)
    row = np.concatenate([part[0] for part in parts])
    updated = np.concatenate([part[1] for part in parts])
    codes = ("", *PRODUCT_FAULTS)
    fault = np.concatenate([np.full(len(part[0]), codes.index(part[2])) for part in parts])
    order = np.lexsort((updated, row))
    return Versions(row[order], updated[order], fault[order])


def _incident_versions(
    config: RetailerConfig, products: Products, incident: Incident, block: int, microseconds: int
) -> list[tuple[Ints, Ints, str]]:
    """A share of the catalogue re-delivered with the fault, and as it should be in the week after, if there is one."""
    rng = random_stream(config, block, 4, list(INCIDENTS).index(incident.kind), incident.week)
    start = config.week_start_us(incident.week)
    draw, faulty_at, repaired_at = rng.random((3, len(products)))
    rows = np.flatnonzero((products.created_us < start) & (draw < incident.share))
    versions = [(rows, to_second(start + faulty_at[rows] * WEEK_US) + microseconds, incident.kind)]
    if incident.week < config.weeks:
        repaired = to_second(start + WEEK_US + repaired_at[rows] * WEEK_US) + microseconds + 1
        versions.append((rows, repaired, NO_FAULT))
    return versions


def product_table(products: Products, corrections: Corrections, versions: Versions, chosen: Ints | Bools) -> pa.Table:
    """The chosen versions as rows of `products`, with the values known at each version's time."""
    row, updated, fault = versions.row[chosen], versions.updated_us[chosen], versions.fault[chosen]
    is_early = updated < corrections.at_us[row]
    columns = _observed(products, corrections, row, is_early)
    columns["updated_at"] = times(updated)
    table = pa.table([columns[name] for name in PRODUCTS.names], schema=PRODUCTS)
    if not fault.any():
        return table
    return _with_faults(table, products, row, is_early & corrections.is_title[row], fault)


def _observed(products: Products, corrections: Corrections, row: Ints, is_early: Bools) -> dict[str, pa.Array]:
    weight = np.where(is_early, products.weight_kg[row] * corrections.weight_factor[row], products.weight_kg[row])
    price = np.where(is_early, products.price_usd[row] * corrections.price_factor[row], products.price_usd[row])
    categories, subcategories, product_types = leaf_names()
    leaf = products.leaf[row]
    columns = {
        "product_id": product_ids(products.number[row]),
        "created_at": times(products.created_us[row]),
        "title": build_titles(products, row, is_bare=is_early & corrections.is_title[row], is_foreign=False),
        "category": look_up(categories, leaf),
        "subcategory": look_up(subcategories, leaf),
        "product_type": look_up(product_types, leaf),
        "brand": look_up(brand_names(), products.brand[row]),
        "weight_kg": pa.array(np.round(weight, 3).clip(0.001)),
        "price_usd": pa.array(np.round(price, 2).clip(0.01)),
        "is_liquid": pa.array(products.is_liquid[row]),
    }
    sides = zip(("length_cm", "width_cm", "height_cm"), products.sides_cm[row].T, strict=True)
    columns |= {name: pa.array(values) for name, values in sides}
    embedding = np.ascontiguousarray(products.embedding[row].T)
    return columns | {f"image_embedding_{index:02d}": pa.array(values) for index, values in enumerate(embedding)}


def _with_faults(table: pa.Table, products: Products, row: Ints, is_bare: Bools, fault: Ints) -> pa.Table:
    for code, kind in enumerate(PRODUCT_FAULTS, start=1):
        is_faulty = pa.array(fault == code)
        if kind == "foreign_titles":
            german = build_titles(products, row, is_bare=is_bare, is_foreign=True)
            table = _replace(table, "title", is_faulty, german)
        else:
            table = _spoil(table, kind, is_faulty)
    return table


def _spoil(table: pa.Table, kind: str, is_faulty: pa.Array) -> pa.Table:
    """The table with a fault that needs no more than the column's own values."""
    for name in _spoilt_columns(kind):
        column = table[name].combine_chunks()
        table = _replace(table, name, is_faulty, _spoilt(column, kind))
    return table


def _spoilt_columns(kind: str) -> tuple[str, ...]:
    return {
        "cm_to_inch": ("length_cm", "width_cm", "height_cm"),
        "null_column": ("weight_kg",),
        "embedding_zeroed": tuple(f"image_embedding_{index:02d}" for index in range(c.EMBEDDING_WIDTH)),
        "unseen_categories": ("category", "subcategory", "product_type"),
    }[kind]


def _spoilt(column: pa.Array, kind: str) -> pa.Array:
    if kind == "cm_to_inch":
        return pc.round(pc.divide(column, CM_PER_INCH), 2)
    if kind == "unseen_categories":
        return pc.binary_join_element_wise("New", column, " ")
    if kind == "null_column":
        return pa.nulls(len(column), column.type)
    return pa.array(np.zeros(len(column), np.float32))


def _replace(table: pa.Table, name: str, where: pa.Array, values: pa.Array) -> pa.Table:
    column = pc.if_else(where, values, table[name].combine_chunks())
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
