"""Assets of the training jobs are what `dg.asset` makes of the same function."""

from typing import Any

import dagster as dg
import pytest

from packaging_assets.components.model_spec import TRAINING_TAG
from packaging_assets.components.training_asset import training_asset

WEEKS = dg.WeeklyPartitionsDefinition(start_date="2025-01-05")
KEY = dg.AssetKey(["mailer", "metrics"])
CHECKS = [dg.AssetCheckSpec("is_good", asset=KEY, description="Good enough."), dg.AssetCheckSpec("is_new", asset=KEY)]
SAID: dict[str, Any] = {
    "key": KEY,
    "deps": [
        "features",
        ["mailer", "model"],
        dg.AssetDep(["mailer", "split"], partition_mapping=dg.AllPartitionMapping()),
    ],
    "group_name": "mailer",
    "owners": ["team:packaging-science"],
    "partitions_def": WEEKS,
    "check_specs": CHECKS,
    "kinds": {"json"},
    "op_tags": {"dagster/priority": "1"},
    "pool": "warehouse",
}


def ours(*, passes: bool = True) -> dg.AssetsDefinition:
    @training_asset(**SAID)
    def metrics(context: dg.AssetExecutionContext, store: dict[str, str]) -> dg.MaterializeResult:
        """The week's figures.

        One set per week.
        """
        store[context.partition_key] = "made"
        return dg.MaterializeResult(
            data_version=dg.DataVersion("17"),
            metadata={"rows": 3},
            check_results=[dg.AssetCheckResult(check_name=check.name, passed=passes) for check in CHECKS],
        )

    return metrics


def dagsters() -> dg.AssetsDefinition:
    @dg.asset(tags=TRAINING_TAG, **SAID)
    def metrics(context: dg.AssetExecutionContext, store: dg.ResourceParam[dict[str, str]]) -> dg.MaterializeResult:
        """The week's figures.

        One set per week.
        """
        raise NotImplementedError

    return metrics


def test_what_dagster_knows_of_the_asset_is_the_same() -> None:
    mine, theirs = ours(), dagsters()
    assert list(mine.specs) == list(theirs.specs)
    assert list(mine.check_specs) == list(theirs.check_specs)
    assert mine.op.name == theirs.op.name == "mailer__metrics"
    assert mine.op.description == theirs.op.description == "The week's figures.\n\nOne set per week."
    assert mine.op.required_resource_keys == theirs.op.required_resource_keys == {"store"}
    assert dict(mine.op.tags) == dict(theirs.op.tags)
    assert mine.op.pool == theirs.op.pool == "warehouse"
    outputs = [
        [
            (output.name, output.dagster_type, output.is_required, output.io_manager_key)
            for output in asset.op.output_defs
        ]
        for asset in (mine, theirs)
    ]
    assert outputs[0] == outputs[1]
    assert set(mine.keys_by_input_name.values()) == set(theirs.keys_by_input_name.values())


def test_what_its_step_requires_is_said_once() -> None:
    """Dagster's op says it for each input and output; jobs go through all of it."""
    mine, theirs = (list(asset.op.get_resource_requirements(None, None)) for asset in (ours(), dagsters()))
    assert {requirement.key for requirement in theirs} == {"store", "io_manager"}
    assert [requirement.key for requirement in mine] == ["store", "io_manager"]
    assert mine[0] == theirs[0]


def materialize(asset: dg.AssetsDefinition, store: dict[str, str]) -> dg.ExecuteInProcessResult:
    return dg.materialize([asset], resources={"store": store}, partition_key="2025-01-12", raise_on_error=False)


def test_the_function_gets_its_resources_and_its_result_is_recorded() -> None:
    store: dict[str, str] = {}
    result = materialize(ours(passes=False), store)
    assert result.success
    assert store == {"2025-01-12": "made"}
    (made,) = result.asset_materializations_for_node("mailer__metrics")
    assert (made.partition, made.metadata["rows"].value) == ("2025-01-12", 3)
    assert (made.tags or {})["dagster/data_version"] == "17"
    evaluations = {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()}
    assert evaluations == {"is_good": False, "is_new": False}


def test_an_asset_that_wants_no_context_gets_none() -> None:
    seen: list[int] = []

    @training_asset(["mailer", "champion"], deps=[], group_name="mailer", owners=["team:packaging-science"])
    def champion(registry: list[int]) -> dg.MaterializeResult:
        """The version that serves."""
        seen.extend(registry)
        return dg.MaterializeResult()

    assert dg.materialize([champion], resources={"registry": [3]}).success
    assert seen == [3]


@pytest.mark.parametrize(
    ("result", "complaint"),
    [(dg.MaterializeResult(), "did not return an output for non-optional output"), (None, "yielded a value of type")],
    ids=["checks are missing", "nothing is returned"],
)
def test_a_result_that_lacks_something_fails_the_step(result: Any, complaint: str) -> None:
    @training_asset(**SAID)
    def metrics(store: dict[str, str]) -> dg.MaterializeResult:
        """The week's figures."""
        return result

    run = materialize(metrics, {})
    assert not run.success
    (failed,) = [event for event in run.all_events if event.is_step_failure]
    assert complaint in failed.step_failure_data.error.to_string()  # pyright: ignore[reportOptionalMemberAccess]
