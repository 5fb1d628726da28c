"""The retailer that every seed shares: leaf categories, brands, and how embeddings show fragility and packing."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from packaging_assets.simulator import constants as c
from packaging_assets.simulator.taxonomy import TAXONOMY

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Effects by leaf (160 rows), brand (800 rows), material (8) and vendor pack (5)."""

    leaf_cdf: Floats
    leaf_log_sides: Floats  # (160, 3), ln cm
    leaf_log_density: Floats  # ln kg per litre
    leaf_fragility: Floats
    leaf_packing: Floats
    leaf_liquid_share: Floats
    leaf_log_price: Floats
    leaf_centre: Floats  # (160, 64)
    leaf_material_share: Floats  # (160, 8), rows sum to 1
    brand_cdf: Floats
    brand_effect: Floats
    material_effect: Floats
    pack_effect: Floats
    pack_share: Floats
    loading: Floats  # (2, 64): how one unit of fragility and of packing shows in the embedding


def _rank_cdf(size: int, exponent: float, order: NDArray[np.int64]) -> Floats:
    weights = (1.0 + order) ** -exponent
    cdf = np.cumsum(weights / weights.sum())
    cdf[size - 1] = 1.0
    return cdf


def pick(cdf: Floats, uniform: Floats) -> NDArray[np.int64]:
    """Indices drawn by inversion from a cumulative distribution; `uniform` in [0, 1)."""
    return np.searchsorted(cdf, uniform, side="right")


@cache
def build_world() -> World:
    """The one world there is; a few milliseconds, computed once."""
    rng = np.random.default_rng(c.WORLD_SEED)
    rows = [(category, sub) for category in TAXONOMY for sub in category.subcategories for _ in sub.product_types]
    leaves = len(rows)

    def typical(values: list[float], spread: float) -> Floats:
        return np.asarray(values) + rng.normal(0.0, spread, leaves)

    material = np.asarray([category.material_weights for category, _ in rows])
    pack_share = np.asarray(list(c.PACK_SHARES.values()))
    size = typical([0.0] * leaves, c.LEAF_SIZE_SD) + np.log(c.SIZE_SCALE)
    fragility = typical([sub.fragility * c.FRAGILITY_SCALE for _, sub in rows], c.LEAF_FRAGILITY_SD)
    packing = typical([sub.packing * c.PACK_SCALE for _, sub in rows], c.LEAF_PACK_SD)
    return World(
        leaf_cdf=_rank_cdf(leaves, c.LEAF_RANK_EXPONENT, rng.permutation(leaves)),
        leaf_log_sides=np.log([sub.sides_cm for _, sub in rows]) + size[:, None],
        leaf_log_density=typical([np.log(sub.density_kg_per_l) for _, sub in rows], c.LEAF_DENSITY_SD),
        leaf_fragility=fragility + c.FRAGILITY_LEVEL,
        leaf_packing=packing,
        leaf_liquid_share=np.asarray([sub.liquid_share for _, sub in rows]),
        leaf_log_price=typical([np.log(sub.price_usd) for _, sub in rows], 0.2),
        leaf_centre=rng.normal(0.0, c.LEAF_CENTRE_SD, (leaves, c.EMBEDDING_WIDTH)),
        leaf_material_share=material / material.sum(axis=1, keepdims=True),
        brand_cdf=_rank_cdf(c.BRANDS, c.BRAND_RANK_EXPONENT, np.arange(c.BRANDS)),
        brand_effect=rng.normal(0.0, c.BRAND_EFFECT_SD, c.BRANDS),
        material_effect=np.asarray(list(c.MATERIAL_EFFECTS.values())),
        pack_effect=np.asarray(list(c.PACK_EFFECTS.values())),
        pack_share=pack_share / pack_share.sum(),
        loading=rng.normal(0.0, c.EMBEDDING_LOADING_SD, (2, c.EMBEDDING_WIDTH)),
    )
