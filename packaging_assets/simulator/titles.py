"""Titles: brand, material (or not), product type, filler words, vendor pack (or not); in English, or German."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from packaging_assets.simulator import constants as c
from packaging_assets.simulator.catalogue import Bools, Ints, Products
from packaging_assets.simulator.taxonomy import TAXONOMY

FILLER_WORDS: tuple[str, ...] = (
    "", "", "", "Blue", "Black", "White", "Green", "Large", "Small", "Set", "Premium", "Classic",
)  # fmt: skip

_GERMAN_MATERIALS = ("Glas", "Keramik", "Holz", "Metall", "Kunststoff", "Papier", "Textil", "Gummi")
_GERMAN_PACKS = ("lose", "im Beutel", "im Karton", "in Blisterpackung", "im Hartschalenkoffer")
_GERMAN_FILLERS = (
    "",
    "",
    "",
    "blau",
    "schwarz",
    "weiß",
    "grün",
    "groß",
    "klein",
    "mehrteilig",
    "erstklassig",
    "klassisch",
)
_GERMAN_NOUNS = (
    "Haushaltsartikel",
    "Elektrogerät",
    "Pflegemittel",
    "Lebensmittel",
    "Spielzeug",
    "Bekleidung",
    "Werkzeug",
    "Bürobedarf",
)


@cache
def leaf_names() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Category, subcategory and product type of each of the 160 leaves."""
    rows = [(top.name, sub.name, leaf) for top in TAXONOMY for sub in top.subcategories for leaf in sub.product_types]
    categories, subcategories, product_types = zip(*rows, strict=True)
    return categories, subcategories, product_types


@cache
def brand_names() -> tuple[str, ...]:
    """800 invented names, all different."""
    starts = ("Al", "Bre", "Cor", "Du", "El", "Fen", "Gal", "Hel", "Is", "Jor", "Kal", "Lum", "Mor", "Nor", "Ol", "Per",
              "Quin", "Ras", "Sol", "Tar")  # fmt: skip
    middles = ("a", "e", "i", "o", "u", "ari", "eno", "ila")
    ends = ("dan", "mark", "tex", "vik", "zen")
    names = [start + middle + end for end in ends for middle in middles for start in starts]
    return tuple(names[: c.BRANDS])


def look_up(words: Sequence[str], index: np.ndarray) -> pa.Array:
    """`words[index]` as an Arrow string array."""
    return pa.array(words, pa.string()).take(pa.array(index))


def build_titles(products: Products, rows: Ints, *, is_bare: Bools, is_foreign: bool) -> pa.Array:
    """Titles of the given rows; a bare one has brand and product type only (what a correction later completes)."""
    material = np.where(products.is_material_shown[rows] & ~is_bare, products.material[rows] + 1, 0)
    pack = np.where(products.is_pack_shown[rows] & ~is_bare, products.pack[rows] + 1, 0)
    fillers = np.where(is_bare[:, None], 0, products.extra_words[rows])
    leaf = products.leaf[rows]
    if is_foreign:
        materials, packs, words = _GERMAN_MATERIALS, _GERMAN_PACKS, _GERMAN_FILLERS
        nouns = look_up(_GERMAN_NOUNS, leaf // (len(leaf_names()[0]) // len(_GERMAN_NOUNS)))
    else:
        materials, packs, words = _english(c.MATERIAL_EFFECTS), _english(c.PACK_EFFECTS), FILLER_WORDS
        nouns = look_up(leaf_names()[2], leaf)
    fill = [f" {word}" if word else "" for word in words]
    parts = (
        look_up(brand_names(), products.brand[rows]),
        _spaced(materials, material),
        pc.binary_join_element_wise(" ", nouns, ""),
        look_up(fill, fillers[:, 0]),
        look_up(fill, fillers[:, 1]),
        _spaced(packs, pack),
    )
    return pc.binary_join_element_wise(*parts, "")


def _english(effects: dict[str, float]) -> tuple[str, ...]:
    return tuple(word.capitalize() for word in effects)


def _spaced(words: Sequence[str], index: np.ndarray) -> pa.Array:
    """A space and the word; nothing for index 0."""
    return look_up(["", *(f" {word}" for word in words)], index)
