"""A block of products: what can be observed of each, and the severity that nobody sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packaging_assets.simulator import constants as c
from packaging_assets.simulator.config import DAY_US, WEEK_US, RetailerConfig
from packaging_assets.simulator.world import Floats, World, pick

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

SECOND_US = 1_000_000


@dataclass(frozen=True)
class Products:
    """Products in order of creation; arrays of n rows. Measures are rounded as the retailer writes them."""

    number: Ints
    created_us: Ints
    leaf: Ints
    brand: Ints
    material: Ints
    is_material_shown: Bools
    pack: Ints
    is_pack_shown: Bools
    extra_words: Ints  # (n, 2): which two filler words the title has, 0 for none
    sides_cm: Floats  # (n, 3): length, width, height, in no order of size
    weight_kg: Floats
    price_usd: Floats
    is_liquid: Bools
    embedding: NDArray[np.float32]  # (n, 64)
    severity: Floats

    def __len__(self) -> int:
        """How many products."""
        return len(self.number)


def random_stream(config: RetailerConfig, block: int, *purpose: int) -> np.random.Generator:
    """The generator for one purpose in one block: independent of every other, whatever runs first."""
    return np.random.default_rng([config.seed, block, *purpose])


def to_second(time_us: Floats | Ints) -> Ints:
    """Times cut to the whole second; the microseconds are left to number the versions of a product."""
    return np.floor(np.asarray(time_us) / SECOND_US).astype(np.int64) * SECOND_US


def creation_times(config: RetailerConfig, number: Ints, uniform: Floats) -> Ints:
    """When product `number` of the catalogue appears, so that the catalogue grows by `weekly_growth` every week.

    What exists 52 weeks before the first week was launched in the 12 weeks before that. The last product appears on
    the last day, however small the catalogue is.
    """
    growth = np.log1p(config.weekly_growth)
    rank = (number + 1 - uniform) / config.products
    launched = np.exp(-growth * (config.weeks + c.HISTORY_WEEKS))
    grown = np.log(np.maximum(rank, launched)) / growth
    launch = np.minimum(rank / launched - 1.0, 0.0) * c.LAUNCH_WEEKS
    created = to_second(config.end_us - SECOND_US + (grown + launch) * WEEK_US)
    last = to_second(config.end_us - SECOND_US - uniform * (DAY_US - SECOND_US))
    return np.where(number == config.products - 1, np.maximum(created, last), created)


def draw_products(config: RetailerConfig, world: World, block: int) -> Products:
    """The products of one block (from 0); the same whatever other blocks are drawn."""
    rng = random_stream(config, block, 0)
    first = block * config.products_per_block
    number = np.arange(first, min(first + config.products_per_block, config.products), dtype=np.int64)
    n = len(number)
    leaf = pick(world.leaf_cdf, rng.random(n))
    brand = pick(world.brand_cdf, rng.random(n))
    material = (rng.random(n)[:, None] >= np.cumsum(world.leaf_material_share, axis=1)[leaf, :-1]).sum(axis=1)
    pack = pick(np.cumsum(world.pack_share)[:-1], rng.random(n))
    sides, weight = _measure(world, leaf, rng)
    is_liquid = rng.random(n) < world.leaf_liquid_share[leaf]
    fragility = world.material_effect[material] + rng.normal(0.0, c.FRAGILITY_SD, n)
    packing = world.pack_effect[pack] + world.brand_effect[brand] + rng.normal(0.0, c.PACK_SD, n)
    severity = (
        expected_severity(world, leaf, weight, is_liquid)
        + fragility
        - c.PACK_WEIGHT * packing
        + rng.normal(0.0, c.SEVERITY_SD, n)
    )
    price = np.exp(world.leaf_log_price[leaf] + rng.normal(0.0, c.PRICE_SD, n)).clip(0.5, 90_000).round(2)
    return Products(
        number=number,
        created_us=creation_times(config, number, rng.random(n)),
        leaf=leaf,
        brand=brand,
        material=material,
        is_material_shown=rng.random(n) < c.WORD_SHOWN,
        pack=pack,
        is_pack_shown=rng.random(n) < c.WORD_SHOWN,
        extra_words=rng.integers(0, 12, (n, 2)),
        sides_cm=sides,
        weight_kg=weight,
        price_usd=price,
        is_liquid=is_liquid,
        embedding=_embed(config, world, leaf, np.column_stack([fragility, packing]), rng),
        severity=severity,
    )


def _measure(world: World, leaf: Ints, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Sides in cm (to a millimetre) and weight in kg (to a gram)."""
    n = len(leaf)
    shared = rng.normal(0.0, c.SHARED_SIZE_SD, (n, 1))
    log_sides = world.leaf_log_sides[leaf] + shared + rng.normal(0.0, c.SIDE_SD, (n, 3))
    log_litres = log_sides.sum(axis=1) - np.log(1000.0)
    log_weight = log_litres + world.leaf_log_density[leaf] + rng.normal(0.0, c.WEIGHT_SD, n)
    return np.exp(log_sides).clip(0.1, 1000).round(1), np.exp(log_weight).clip(0.001, 2000).round(3)


def expected_severity(world: World, leaf: Ints, weight_kg: Floats, is_liquid: Bools) -> Floats:
    """Severity of a product whose fragility and packing are those of its leaf."""
    return (
        world.leaf_fragility[leaf]
        - c.PACK_WEIGHT * world.leaf_packing[leaf]
        + c.WEIGHT_SLOPE * (np.log(weight_kg) + c.WEIGHT_OFFSET)
        + c.LIQUID_EFFECT * is_liquid
    )


def _embed(
    config: RetailerConfig, world: World, leaf: Ints, deviation: Floats, rng: np.random.Generator
) -> NDArray[np.float32]:
    embedding = rng.standard_normal((len(leaf), c.EMBEDDING_WIDTH), dtype=np.float32)
    embedding *= np.float32(config.embedding_noise)
    embedding += world.leaf_centre.astype(np.float32)[leaf]
    embedding += deviation.astype(np.float32) @ world.loading.astype(np.float32)
    return embedding


def fits(sides_cm: Floats, weight_kg: Floats, is_liquid: Bools) -> dict[str, Bools]:
    """Package type -> whether each product fits by size, weight and liquid."""
    shortest, middle, longest = np.sort(sides_cm, axis=1).T
    return {
        name: (longest <= limits.max_sides_cm[0])
        & (middle <= limits.max_sides_cm[1])
        & (shortest <= limits.max_sides_cm[2])
        & (weight_kg <= limits.max_weight_kg)
        & (longest >= limits.min_longest_cm)
        & (middle >= limits.min_middle_cm)
        & (weight_kg >= limits.min_weight_kg)
        & (limits.allows_liquid | ~is_liquid)
        for name, limits in c.FIT_LIMITS.items()
    }


def suits(products: Products, eligible: dict[str, Bools]) -> dict[str, Bools]:
    """Package type -> the truth: it fits and stands the product's severity."""
    return {name: is_eligible & (products.severity < c.THETA[name]) for name, is_eligible in eligible.items()}
