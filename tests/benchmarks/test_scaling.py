"""The calculation for many instances, against figures worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scaling import (
    INSTANCES,
    PRODUCTS,
    Rates,
    limits_table,
    scenarios,
    shortest_seconds,
    simulate,
    stops_scaling_at,
    table,
)
from deploy.costs import Figures

RATES = Rates(
    products_per_second=1_000,
    start_seconds=60,
    instance_hour=3.6,
    chunk_rows=250_000,
    rpus=8,
    unload_rpu_seconds_per_million=160,
    load_rpu_seconds_per_million=80,
    rpu_hour=0.36,
)


def test_two_instances_share_four_chunks():
    outcome = simulate(1_000_000, 2, RATES)
    assert (outcome.unload_seconds, outcome.start_seconds, outcome.score_seconds, outcome.load_seconds) == (
        20,
        60,
        500,
        10,
    )
    assert outcome.seconds == 590
    assert outcome.instances_usd == pytest.approx((2 * 60 + 1000) / 1000)  # 3.6 an hour is a thousandth a second
    assert outcome.warehouse_usd == pytest.approx(30 * 8 * 0.0001)
    assert outcome.usd == pytest.approx(1.144)


def test_the_largest_share_is_of_whole_chunks():
    assert simulate(1_000_000, 3, RATES).score_seconds == 500  # four chunks on three: one takes two
    assert simulate(900_000, 1, RATES).score_seconds == 900  # the last chunk is not full


def test_instances_without_a_chunk_are_not_started():
    assert simulate(1_000_000, 64, RATES).usd == simulate(1_000_000, 4, RATES).usd
    assert simulate(1_000_000, 64, RATES).score_seconds == 250


def test_a_larger_warehouse_is_faster_and_costs_the_same():
    small, large = (simulate(1_000_000, 1, replace(RATES, rpus=rpus)) for rpus in (8, 80))
    assert (small.unload_seconds, large.unload_seconds) == (20, 2)
    assert small.warehouse_usd == pytest.approx(large.warehouse_usd)


def test_it_stops_scaling_where_doubling_saves_less_than_a_tenth():
    # 1090, 590, 340 s with 1, 2, 4 instances; there are four chunks
    assert stops_scaling_at(1_000_000, RATES) == 4
    # doubling from one saves 500 of 1090, from two 250 of 590 s
    assert stops_scaling_at(1_000_000, RATES, worth=0.45) == 2
    assert stops_scaling_at(1_000_000, RATES, worth=0.46) == 1
    assert shortest_seconds(1_000_000, RATES) == 340


@pytest.mark.parametrize("name", ["products_per_second", "chunk_rows", "rpus"])
def test_a_rate_of_zero_is_refused(name: str):
    with pytest.raises(ValueError, match=f"{name} is 0: give a figure above zero"):
        replace(RATES, **{name: 0})


def test_a_negative_price_is_refused_and_a_free_warehouse_is_not():
    with pytest.raises(ValueError, match="rpu_hour is -1"):
        replace(RATES, rpu_hour=-1)
    assert simulate(1_000_000, 1, replace(RATES, rpu_hour=0)).warehouse_usd == 0


@pytest.mark.parametrize(("products", "instances"), [(0, 1), (1, 0)])
def test_nothing_to_do_or_nobody_to_do_it_is_refused(products: int, instances: int):
    with pytest.raises(ValueError, match=f"{products} products on {instances} instances"):
        simulate(products, instances, RATES)


@given(st.integers(1, 10**9), st.integers(1, 500))
def test_one_more_instance_never_takes_longer_nor_costs_less(products: int, instances: int):
    now, more = simulate(products, instances, RATES), simulate(products, instances + 1, RATES)
    assert more.seconds <= now.seconds
    assert more.usd >= now.usd
    assert now.seconds >= shortest_seconds(products, RATES)


def test_rates_come_from_the_figures_of_the_costs():
    rates = Rates.of_figures(Figures(rows_per_core_second=400_000, models=4, cores=4, use_of_cores=0.5, job_hour=0.5))
    assert rates.products_per_second == 200_000
    assert rates.instance_hour == 0.5
    assert rates.rpus == Figures().rpus


def test_the_tables_have_a_line_per_scenario_and_number_of_instances():
    rates = Rates.of_figures(Figures())
    lines = table(rates).splitlines()
    assert len(lines) == 2 + len(INSTANCES) * len(scenarios(rates))
    alone = simulate(PRODUCTS, 1, rates)
    assert lines[2] == f"| 8 RPU | 1 | 100 | 2 | 14.5 | 100 | {alone.seconds / 60:.0f} | 1 | {alone.usd:.2f} |"
    assert len(limits_table(rates).splitlines()) == 2 + len(scenarios(rates))


def test_the_warehouse_bounds_the_smallest_and_the_instances_the_slow_learner():
    eight, _, large, slow = scenarios(Rates.of_figures(Figures())).values()
    assert stops_scaling_at(PRODUCTS, eight) == 1
    assert stops_scaling_at(PRODUCTS, slow) > stops_scaling_at(PRODUCTS, large) > 1
