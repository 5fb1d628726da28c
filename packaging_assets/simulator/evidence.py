"""What the retailer learns about products: package tests, and feedback from what it shipped."""

# pyright: reportAttributeAccessIssue=false
# pyarrow.compute makes its functions while it is imported, where pyright cannot see them.

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from packaging_assets.domain.package_types import PACKAGE_TYPES, WEAKEST_TO_STRONGEST
from packaging_assets.simulator import constants as c
from packaging_assets.simulator.catalogue import Bools, Ints, Products, random_stream, to_second
from packaging_assets.simulator.config import DAY_US, WEEK_US, RetailerConfig
from packaging_assets.simulator.incidents import INCIDENTS, Incident
from packaging_assets.simulator.tables import CUSTOMER_FEEDBACK, PACKAGE_TESTS, padded, product_ids, times
from packaging_assets.simulator.world import Floats

HOUR_US = DAY_US // 24
TEST_HOUR = 8
RANDOM_TEST = 1
TARGETED_TEST = 2
FALSE_TEST = 100
"""Number of a product's first wrong retest in week 1; week K's begin at K x 100, their corrections 50 later."""
TRUE_TEST_OFFSET = 50


@dataclass(frozen=True)
class Evidence:
    """Rows of one evidence table and the time of each, by product and time."""

    table: pa.Table
    time_us: Ints


@dataclass(frozen=True)
class _Tests:
    row: Ints
    kind: Ints  # index into PACKAGE_TYPES
    tested_us: Ints
    is_passed: Bools
    is_random: Bools
    number: Ints  # of this product's tests of this type


def draw_tests(config: RetailerConfig, products: Products, truth: dict[str, Bools], block: int) -> Evidence:
    """All package tests of a block of products.

    A product is tested in all four types, one to 28 days after it appears, whatever it is like (a random sample); so
    tests per week grow as the catalogue does. On top, `targeted_share` of these tests are repeated within four weeks
    because somebody doubted the product: three times as often when it had failed.
    """
    rng = random_stream(config, block, 2)
    suitable = np.column_stack([truth[name] for name in PACKAGE_TYPES])
    shortest, longest = c.TEST_DELAY_DAYS
    draw, delay = _systematic_sample(config, products)
    tested = products.created_us + (shortest + (longest - shortest) * delay) * DAY_US
    is_tested = draw < _eventually_tested(config)
    first_us = np.where(is_tested, np.floor(tested / DAY_US).astype(np.int64) * DAY_US, config.end_us)
    random_tests = _random_tests(first_us, _outcome(suitable, rng))
    targeted = _targeted_tests(config, random_tests, suitable, rng)
    parts = [random_tests, targeted]
    for incident in config.incidents:
        if incident.kind == "label_rate_shift":
            parts += _shifted_tests(config, first_us, suitable, incident, block)
    return _test_table(config, products, parts)


def _systematic_sample(config: RetailerConfig, products: Products) -> Floats:
    """Two numbers in [0, 1) per product, shape (2, n), spread evenly over the catalogue from a random start."""
    start = np.random.default_rng(config.seed).random((2, 1))
    return (start + products.number * np.asarray(c.SYSTEMATIC_SAMPLE)[:, None]) % 1.0


def _eventually_tested(config: RetailerConfig) -> float:
    """Probability of ever being tested such that `tested_share` are by the end, when the youngest still wait."""
    growth = np.log1p(config.weekly_growth)
    shortest, longest = (days / 7 * growth for days in c.TEST_DELAY_DAYS)
    old_enough = (np.exp(-shortest) - np.exp(-longest)) / (longest - shortest)
    return float(min(config.tested_share / old_enough, 1.0))


def _outcome(suitable: Bools, rng: np.random.Generator) -> Bools:
    return rng.random(suitable.shape) < np.where(suitable, c.TEST_SENSITIVITY, c.FALSE_PASS)


def _random_tests(first_us: Ints, is_passed: Bools) -> _Tests:
    """One test of every type and product, an hour apart on the day that begins at `first_us`."""
    n, kinds = is_passed.shape
    row, kind = np.divmod(np.arange(n * kinds), kinds)
    return _Tests(
        row=row,
        kind=kind,
        tested_us=first_us[row] + (TEST_HOUR + kind) * HOUR_US,
        is_passed=is_passed.ravel(),
        is_random=np.ones(n * kinds, bool),
        number=np.full(n * kinds, RANDOM_TEST),
    )


def _targeted_tests(config: RetailerConfig, tests: _Tests, suitable: Bools, rng: np.random.Generator) -> _Tests:
    draw, delay = rng.random((2, len(tests.row)))
    is_chosen = draw < config.targeted_share * np.where(tests.is_passed, 0.5, 1.5)
    is_passed = _outcome(suitable, rng).ravel()
    row = tests.row[is_chosen]
    return _Tests(
        row=row,
        kind=tests.kind[is_chosen],
        tested_us=to_second(tests.tested_us[is_chosen] + (1 + 27 * delay[is_chosen]) * DAY_US),
        is_passed=is_passed[is_chosen],
        is_random=np.zeros(len(row), bool),
        number=np.full(len(row), TARGETED_TEST),
    )


def _shifted_tests(
    config: RetailerConfig, first_us: Ints, suitable: Bools, incident: Incident, block: int
) -> list[_Tests]:
    """Wrong results for a share of the tested products and, if there is a week after, the tests that correct them."""
    rng = random_stream(config, block, 4, list(INCIDENTS).index(incident.kind), incident.week)
    start = config.week_start_us(incident.week)
    rows = np.flatnonzero((first_us < start) & (rng.random(len(first_us)) < incident.share))
    number = incident.week * FALSE_TEST
    failing = np.zeros_like(suitable)
    wrong = _retests(rows, failing, rng, start_us=start, times_each=c.FALSE_RETESTS, number=number)
    number += TRUE_TEST_OFFSET
    right = _retests(rows, suitable, rng, start_us=start + WEEK_US, times_each=c.TRUE_RETESTS, number=number)
    return [wrong, right] if incident.week < config.weeks else [wrong]


def _retests(
    rows: Ints, outcome: Bools, rng: np.random.Generator, *, start_us: int, times_each: int, number: int
) -> _Tests:
    """`times_each` tests of every type within the week from `start_us`, all of a product's on one day."""
    kinds = outcome.shape[1]
    day = start_us + rng.integers(0, 7, len(rows)) * DAY_US
    row, kind, repeat = np.meshgrid(np.arange(len(rows)), np.arange(kinds), np.arange(times_each), indexing="ij")
    row, kind, repeat = row.ravel(), kind.ravel(), repeat.ravel()
    return _Tests(
        row=rows[row],
        kind=kind,
        tested_us=day[row] + (TEST_HOUR + kind) * HOUR_US + repeat * HOUR_US // 10,
        is_passed=outcome[rows[row], kind],
        is_random=np.ones(len(row), bool),
        number=number + repeat,
    )


def _test_table(config: RetailerConfig, products: Products, parts: list[_Tests]) -> Evidence:
    row, kind, tested, is_passed, is_random, number = (
        np.concatenate([getattr(part, field) for part in parts])
        for field in ("row", "kind", "tested_us", "is_passed", "is_random", "number")
    )
    order = np.lexsort((number, kind, tested, row))
    order = order[tested[order] < config.end_us]
    row, kind, number = row[order], kind[order], number[order]
    types = pa.array(PACKAGE_TYPES).take(pa.array(kind))
    of_product = products.number[row]
    test_id = pc.binary_join_element_wise(
        pc.binary_join_element_wise("T", padded(of_product), ""), types, pc.cast(pa.array(number), pa.string()), "-"
    )
    columns = [
        test_id,
        product_ids(of_product),
        types,
        times(tested[order]),
        pa.array(is_passed[order]),
        pa.array(is_random[order]),
    ]
    return Evidence(pa.table(columns, schema=PACKAGE_TESTS), tested[order])


def draw_feedback(
    config: RetailerConfig,
    products: Products,
    truth: dict[str, Bools],
    eligible: dict[str, Bools],
    block: int,
) -> Evidence:
    """All customer feedback of a block: one row per product, type shipped in and shipping week.

    A product is shipped in one type, the retailer's choice, over four weeks that begin one to 28 days after it
    appears. Since the retailer avoids types it believes unsafe, suitable ones are over-represented.
    """
    rng = random_stream(config, block, 3)
    n = len(products)
    is_covered = rng.random(n) < config.feedback_share
    chosen = _choose_type(products, eligible, rng)
    suitable = np.column_stack([truth[name] for name in PACKAGE_TYPES])[np.arange(n), chosen]
    total = rng.poisson(c.MEAN_SHIPMENTS * np.exp(rng.normal(0.0, c.SALES_SD, n)))
    shipments = rng.multinomial(total, np.full(c.SHIPPING_WEEKS, 1 / c.SHIPPING_WEEKS))
    reported = c.REPORTED_SHARE * np.where(suitable, c.DAMAGE_IF_SUITABLE, c.DAMAGE_IF_UNSUITABLE)
    reports = rng.binomial(shipments, reported[:, None])
    begin = products.created_us + rng.uniform(1, 28, n) * DAY_US
    shipped = np.floor(begin / DAY_US).astype(np.int64)[:, None] * DAY_US + np.arange(c.SHIPPING_WEEKS) * WEEK_US
    row, week = np.nonzero(is_covered[:, None] & (shipments > 0) & (shipped < config.end_us))
    of_product = products.number[row]
    number = pc.cast(pa.array(week + 1), pa.string())
    columns = [
        pc.binary_join_element_wise(pc.binary_join_element_wise("F", padded(of_product), ""), number, "-"),
        product_ids(of_product),
        pa.array(PACKAGE_TYPES).take(pa.array(chosen[row])),
        times(shipped[row, week]),
        pa.array(shipments[row, week]),
        pa.array(reports[row, week]),
    ]
    return Evidence(pa.table(columns, schema=CUSTOMER_FEEDBACK), shipped[row, week])


def _choose_type(products: Products, eligible: dict[str, Bools], rng: np.random.Generator) -> Ints:
    """The weakest type that fits and is believed safe; else the strongest that fits; else a box. Shape (n,)."""
    believed = products.severity + rng.normal(0.0, c.CHOICE_NOISE_SD, len(products))
    chosen = np.full(len(products), PACKAGE_TYPES.index("box"))
    for name in WEAKEST_TO_STRONGEST:
        chosen = np.where(eligible[name], PACKAGE_TYPES.index(name), chosen)
    for name in reversed(WEAKEST_TO_STRONGEST):
        is_safe = eligible[name] & (believed < c.THETA[name])
        chosen = np.where(is_safe, PACKAGE_TYPES.index(name), chosen)
    return chosen
