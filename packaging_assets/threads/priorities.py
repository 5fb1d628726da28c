"""Which of the steps that are ready go first.

Steps that lead to learning go before those that only come after it, as tags say. Among equals the step goes first from
which the longest chain hangs, by the time that its steps took when they were last computed: the list scheduling by
critical path of Graham (SIAM J. Appl. Math. 17, 1969). With two cores and four models, which of them is last makes a
difference of a tenth of a week's training.
"""

from collections.abc import Callable, Mapping, Set
from graphlib import TopologicalSorter

import dagster as dg
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.storage.tags import PRIORITY_TAG

LEARNS = {PRIORITY_TAG: "2"}
"""Steps that fit models: they take longest, so the rest fills the gaps that they leave."""

LEADS_TO_LEARNING = {PRIORITY_TAG: "1"}
"""Steps that those wait for: they go before the steps that only come after."""

COMPUTE_SECONDS = "compute_seconds"
"""Metadata of a materialization: how long its artifact took to compute, whichever run did."""


def order_of_steps(instance: dg.DagsterInstance, plan: ExecutionPlan) -> Callable[[ExecutionStep], tuple[float, float]]:
    """The key by which ready steps are sorted: the first one starts first."""
    paths = path_seconds(plan.get_executable_step_deps(), _last_seconds(instance, plan))
    return lambda step: (-_priority(step), -paths.get(step.key, 0.0))


def path_seconds(dependencies: Mapping[str, Set[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of the longest chain that begins with a step, for each step.

    Args:
        dependencies: step -> those that it waits for.
        seconds: what a step takes; nothing is known of those that are absent.
    """
    after: dict[str, float] = {}
    paths: dict[str, float] = {}
    for step in reversed(list(TopologicalSorter(dependencies).static_order())):
        paths[step] = seconds.get(step, 0.0) + after.get(step, 0.0)
        for earlier in dependencies.get(step, ()):
            after[earlier] = max(after.get(earlier, 0.0), paths[step])
    return paths


def _priority(step: ExecutionStep) -> int:
    try:
        return int(step.tags.get(PRIORITY_TAG, "0"))
    except ValueError:  # as Dagster's claims on pools take it; its own order of steps would fail the run
        return 0


def _last_seconds(instance: dg.DagsterInstance, plan: ExecutionPlan) -> dict[str, float]:
    """What the steps took, whatever partition they were last computed for."""
    step_of = {
        output.properties.asset_key: key
        for key in plan.step_keys_to_execute
        for output in plan.get_step_by_key(key).step_outputs
        if output.properties.asset_key is not None
    }
    seconds: dict[str, float] = {}
    for record in instance.get_asset_records(list(step_of)) if step_of else []:
        event = record.asset_entry.last_materialization
        materialization = event.asset_materialization if event else None
        value = materialization.metadata.get(COMPUTE_SECONDS) if materialization else None
        if isinstance(value, dg.FloatMetadataValue) and value.value is not None:
            seconds[step_of[record.asset_entry.asset_key]] = value.value
    return seconds
