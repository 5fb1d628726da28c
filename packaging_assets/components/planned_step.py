"""How an asset of a model runs what was planned for it."""

import dagster as dg

from packaging_assets.artifacts.run_step import StepResult
from packaging_assets.artifacts.step import Input
from packaging_assets.artifacts.store import ArtifactInput
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.step_asset import StepRunner
from packaging_assets.components.training_steps import Planned


def run_planned(runner: StepRunner, plan: Planned) -> StepResult:
    """Run the step over the current artifacts of the assets it reads, or find its result in the store.

    Raises:
        MissingUpstreamError: one of those assets has not been materialized for the partition.
    """
    return runner.run(
        plan.step,
        inputs=inputs_of(runner, plan),
        params=plan.params,
        extra_modules=plan.extra_modules,
        instances=plan.instances,
        model=plan.model,
    )


def inputs_of(runner: StepRunner, plan: Planned) -> dict[str, Input]:
    """What the step reads, by input name."""
    artifacts = {name: ArtifactInput(runner.store, runner.store.get(uri)) for name, uri in plan.artifacts.items()}
    return {**{name: runner.upstream(key) for name, key in plan.inputs.items()}, **artifacts}


def spec_of_run(context: dg.AssetExecutionContext, models: ModelSet, name: str) -> ModelSpec:
    """The model as its YAML has it, with what the run's tags set otherwise."""
    return models.of_run(context.run.tags).specs[name]
