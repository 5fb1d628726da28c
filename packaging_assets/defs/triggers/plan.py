"""From what a trigger asks for to runs of the platform's jobs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from packaging_assets.components.assets.registered_model import ASKED_TAGS
from packaging_assets.components.learner_problems import learner_problems
from packaging_assets.components.model_set import OVERRIDES_TAG, ModelSet, ModelSetError
from packaging_assets.components.model_spec import OverrideError
from packaging_assets.components.step_asset import NO_CACHE_TAG
from packaging_assets.domain.spelling import meant_or_all
from packaging_assets.domain.triggers import Trigger, TriggerError
from packaging_assets.jobs import JOBS
from packaging_assets.partitions import daily_partitions, monthly_partitions, weekly_partitions
from packaging_assets.settings import Settings

TRIGGER_TAG = ASKED_TAGS["trigger"]
"""Run tag: the identity of the trigger that asked for the run."""

JOB_NAMES = {"train": "weekly", "daily": "daily", "monthly": "monthly"}
SHARED_TRAINING_ASSETS = ("labels", "features")


@dataclass(frozen=True)
class PlannedRun:
    """A run to launch: the job by its short name, its partition and tags, and the groups of assets, none for all."""

    job: str
    partition: str
    tags: Mapping[str, str]
    groups: tuple[str, ...]


def plan_runs(trigger: Trigger, models: ModelSet, settings: Settings) -> list[PlannedRun]:
    """The runs that a trigger asks for, one for each partition, oldest first: a week is judged against those before it.

    Raises:
        TriggerError: a partition, model, field or value is not one there is; all problems at once.
    """
    problems = [*_partition_problems(trigger, settings), *_model_problems(trigger, models)]
    if problems:
        raise TriggerError(*problems)
    return [
        PlannedRun(JOB_NAMES[trigger.pipeline], key, _tags(trigger), _with_feeders(trigger.models, models))
        for key in sorted(trigger.keys)
    ]


def run_request(run: PlannedRun, graph: BaseAssetGraph | None, trigger: str) -> dg.RunRequest:
    """The run as Dagster launches it; its run key lets Dagster refuse it a second time."""
    return dg.RunRequest(
        run_key=f"{trigger}/{run.partition}",
        job_name=JOBS[run.job].name,
        partition_key=run.partition,
        tags=dict(run.tags),
        asset_selection=assets_of(run, graph) if run.groups and graph else None,
    )


def assets_of(run: PlannedRun, graph: BaseAssetGraph) -> list[dg.AssetKey]:
    """The assets of the run's groups, and those that every model's training begins with."""
    shared = [dg.AssetKey(name) for name in SHARED_TRAINING_ASSETS]
    groups = dg.AssetSelection.groups(*run.groups).resolve(graph)
    return [*shared, *sorted(groups - set(shared))]


def _partition_problems(trigger: Trigger, settings: Settings) -> Sequence[str]:
    partitions = {"train": weekly_partitions, "daily": daily_partitions, "monthly": monthly_partitions}
    known = partitions[trigger.pipeline](settings).get_partition_keys()
    is_known = frozenset(known)
    there = f"they go from {known[0]} to {known[-1]}" if known else "none is over yet"
    return [
        f"partition = {key!r}: {trigger.pipeline} has no such partition; {there}."
        for key in trigger.keys
        if key not in is_known
    ]


def _model_problems(trigger: Trigger, models: ModelSet) -> Sequence[str]:
    unknown = [name for name in trigger.models if name not in models.specs]
    problems = [f"models: there is no model {name!r:.60}{meant_or_all(name, models.specs)}" for name in unknown]
    not_trained = [name for name in trigger.overrides if trigger.models and name not in trigger.models]
    problems += [f"overrides: {name!r:.60} is not among `models`." for name in not_trained]
    try:
        changed = models.with_overrides(trigger.overrides)
    except (OverrideError, ModelSetError) as error:
        return [*problems, f"overrides: {error}"]
    set_otherwise = [changed.specs[name] for name in trigger.overrides]
    return [*problems, *(f"overrides: {problem}" for problem in learner_problems(set_otherwise))]


def _tags(trigger: Trigger) -> dict[str, str]:
    said = {ASKED_TAGS["by"]: trigger.requested_by, ASKED_TAGS["reason"]: trigger.reason}
    return {
        TRIGGER_TAG: trigger.identity,
        **({OVERRIDES_TAG: json.dumps(trigger.overrides, sort_keys=True)} if trigger.overrides else {}),
        **({} if trigger.use_cache else NO_CACHE_TAG),
        **{tag: text for tag, text in said.items() if text},
    }


def _with_feeders(names: Sequence[str], models: ModelSet) -> tuple[str, ...]:
    """The models asked for and all that they feed from, in the order of training; none if all are asked for."""
    wanted = set(names)
    for name, spec in reversed(list(models.specs.items())):
        if name in wanted:
            wanted |= set(spec.feeds_from)
    return tuple(name for name in models.specs if name in wanted)
