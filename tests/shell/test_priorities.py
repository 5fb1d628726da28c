"""Which of the steps that are ready go first: those that lead to learning, and among them those that take longest."""

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from packaging_assets.threads.executor import threaded_executor
from packaging_assets.threads.priorities import COMPUTE_SECONDS, LEADS_TO_LEARNING, LEARNS, path_seconds

ONE_AT_A_TIME = {
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    "execution": {"config": {"max_concurrent": 1}},
}


def test_a_path_is_as_long_as_the_longest_chain_that_begins_with_its_step():
    dependencies = {"split": set(), "train": {"split"}, "judge": {"train"}, "card": {"train"}, "end": {"judge", "card"}}
    seconds = {"split": 1.0, "train": 20.0, "judge": 2.0, "card": 0.5}

    assert path_seconds(dependencies, seconds) == {"end": 0.0, "card": 0.5, "judge": 2.0, "train": 22.0, "split": 23.0}


@pytest.mark.parametrize("order", [["long", "short"], ["short", "long"]])
def test_of_two_chains_that_begin_with_a_step_the_longer_counts_whichever_comes_first(order):
    dependencies = {"begin": set(), **{name: {"begin"} for name in order}}

    assert path_seconds(dependencies, {"long": 9.0, "short": 1.0})["begin"] == 9.0


def asset(name, started, deps=(), **options):
    @dg.asset(name=name, deps=list(deps), **options)
    def made():
        started.append(name)

    return made


@pytest.fixture
def started():
    return []


def run(instance, *assets):
    job = dg.define_asset_job("one_after_the_other", executor_def=threaded_executor)
    definition = dg.Definitions(assets=assets, jobs=[job]).resolve_job_def("one_after_the_other")
    record = instance.create_run_for_job(definition, run_config=ONE_AT_A_TIME)
    assert execute_run(InMemoryJob(definition), record, instance).success


def took(instance, **seconds):
    for name, value in seconds.items():
        metadata = {COMPUTE_SECONDS: dg.MetadataValue.float(value)}
        instance.report_runless_asset_event(dg.AssetMaterialization(name, metadata=metadata))


def test_of_steps_alike_the_one_with_most_to_come_goes_first(instance, started):
    took(instance, a=1.0, b=5.0, c=2.0, after_c=9.0)

    run(instance, *(asset(name, started) for name in "abc"), asset("after_c", started, deps=["c"]))

    assert started == ["c", "after_c", "b", "a"]


def test_steps_that_learn_go_before_longer_ones(instance, started):
    took(instance, a=100.0, b=1.0)

    run(instance, asset("a", started), asset("b", started, op_tags=LEARNS))

    assert started == ["b", "a"]


def test_what_was_never_computed_goes_last_and_in_the_order_of_the_plan(instance, started):
    took(instance, c=0.1)

    run(instance, *(asset(name, started) for name in "abc"))

    assert started == ["c", "a", "b"]


def test_a_priority_that_is_no_number_counts_as_none(instance, started):
    run(
        instance,
        asset("a", started, op_tags={"dagster/priority": "high"}),
        asset("b", started, op_tags=LEADS_TO_LEARNING),
    )

    assert started == ["b", "a"]
