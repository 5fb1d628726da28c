"""Every number of the retailer's world.

"Given" constants come with the specification of this synthetic retailer. "Chosen" ones are free there; they are set
so that the population comes near its rates of suitable products (sioc .204, bag .383, mailer .372, box .882) and near
the average precision of the exact Bayes score on products that fit (sioc .758, bag .867, mailer .950, unsuitable for
box .760). `tests/unit/simulator/test_bayes.py` holds what came out.
"""

from typing import NamedTuple


class FitLimits(NamedTuple):
    """Sides in cm, longest first; weight in kg."""

    max_sides_cm: tuple[float, float, float] = (float("inf"), float("inf"), float("inf"))
    max_weight_kg: float = float("inf")
    min_longest_cm: float = 0.0
    min_middle_cm: float = 0.0
    min_weight_kg: float = 0.0
    allows_liquid: bool = True


# Given: what fits into each package type, and how severe a product's handling it stands.
FIT_LIMITS: dict[str, FitLimits] = {
    "mailer": FitLimits(max_sides_cm=(40, 32, 7), max_weight_kg=2.5),
    "bag": FitLimits(max_sides_cm=(60, 45, 25), max_weight_kg=9, allows_liquid=False),
    "box": FitLimits(max_sides_cm=(75, 55, 50), max_weight_kg=22),
    "sioc": FitLimits(min_longest_cm=15, min_middle_cm=10, min_weight_kg=0.15),
}
THETA: dict[str, float] = {"sioc": -0.75, "bag": -0.35, "mailer": 0.35, "box": 1.55}

# Given: the shape of the catalogue.
LEAF_RANK_EXPONENT = 0.6
BRANDS = 800
BRAND_RANK_EXPONENT = 0.8
BRAND_EFFECT_SD = 0.35
SHARED_SIZE_SD = 0.35
SIDE_SD = 0.18
WEIGHT_SD = 0.4
FRAGILITY_SD = 0.55
PACK_SD = 0.5
WORD_SHOWN = 0.75
EMBEDDING_WIDTH = 64
EMBEDDING_LOADING_SD = 0.25

# Given: severity = F - .8 P + .28 (ln w + .7) + .35 liquid + N(0, .5^2).
PACK_WEIGHT = 0.8
WEIGHT_SLOPE = 0.28
WEIGHT_OFFSET = 0.7
LIQUID_EFFECT = 0.35
SEVERITY_SD = 0.5

# Given: what tests and customers report.
TEST_SENSITIVITY = 0.97
FALSE_PASS = 0.05
MEAN_SHIPMENTS = 12.0
DAMAGE_IF_SUITABLE = 0.004
DAMAGE_IF_UNSUITABLE = 0.10
REPORTED_SHARE = 0.5

# Chosen: the retailer's categories, brands and embedding geometry come from this seed, not from the config's, so that
# every seed is another catalogue of the same retailer and the rates above hold for all of them.
WORLD_SEED = 20_250_106

# Chosen: how leaves differ around the figures of their subcategory (see taxonomy.py), and the level of each effect.
SIZE_SCALE = 0.83
LEAF_SIZE_SD = 0.12
LEAF_DENSITY_SD = 0.12
LEAF_FRAGILITY_SD = 0.25
LEAF_PACK_SD = 0.2
LEAF_CENTRE_SD = 0.3
FRAGILITY_SCALE = 1.15
FRAGILITY_LEVEL = 0.2
PACK_SCALE = 0.5
PRICE_SD = 0.5

# Chosen: the effect of each material on fragility and of each vendor pack on protection; titles.py has their words in
# German, in the same order.
MATERIAL_EFFECTS: dict[str, float] = {
    "glass": 0.6,
    "ceramic": 0.5,
    "wood": 0.0,
    "metal": -0.15,
    "plastic": -0.05,
    "paper": 0.05,
    "textile": -0.4,
    "rubber": -0.3,
}
PACK_EFFECTS: dict[str, float] = {"bulk": -0.35, "polybag": -0.2, "carton": 0.1, "blister": 0.2, "hardcase": 0.4}
PACK_SHARES: dict[str, float] = {"bulk": 0.15, "polybag": 0.25, "carton": 0.35, "blister": 0.15, "hardcase": 0.10}

# Chosen: when things happen, in weeks (days where it says so).
HISTORY_WEEKS = 52
LAUNCH_WEEKS = 12
TEST_DELAY_DAYS = (1.0, 28.0)
# The fractional parts of multiples of these two numbers fill the unit square evenly (Roberts, "The unreasonable
# effectiveness of quasirandom sequences", 2018): which products are tested and how soon is a systematic sample, so the
# number of tests per week varies by about a percent, not by the 7% of independent draws at 20,000 products.
SYSTEMATIC_SAMPLE = (0.7548776662466927, 0.5698402909980532)
SHIPPING_WEEKS = 4
SALES_SD = 1.0

# Chosen: the retailer picks the weakest type that fits and that it believes to be safe; its belief is severity with
# this noise. Two thirds of what it ships is then suitable, against 38% of bags in the population.
CHOICE_NOISE_SD = 1.0

# Chosen: incident label_rate_shift. One random and perhaps one targeted test went before, so 3 false results win the
# majority and 5 true ones win it back.
FALSE_RETESTS = 3
TRUE_RETESTS = 5
