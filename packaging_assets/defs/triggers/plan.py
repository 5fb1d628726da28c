"""From what a trigger asks for to runs of the platform's jobs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from packaging_assets.components.assets.registered_model import ASKED_TAGS
from packaging_assets.components.model_set import OVERRIDES_TAG, ModelSet, ModelSetError
from packaging_assets.components.model_spec import ModelSpec, OverrideError
from packaging_assets.components.step_asset import NO_CACHE_TAG
from packaging_assets.components.training_steps import train_params
from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.models import make_architecture
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
    """The runs that a trigger asks for, one for each partition.

    Raises:
        TriggerError: a partition, model, field or value is not one there is; all problems at once.
    """
    problems = [*_partition_problems(trigger, settings), *_model_problems(trigger, models)]
    if problems:
        raise TriggerError(*problems)
    return [
        PlannedRun(JOB_NAMES[trigger.pipeline], key, _tags(trigger), _with_feeders(trigger.models, models))
        for key in trigger.keys
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
    there = ", ".join(models.specs)
    unknown = [name for name in trigger.models if name not in models.specs]
    problems = [f"models: there is no model {name!r:.60}; there is {there}." for name in unknown]
    not_trained = [name for name in trigger.overrides if trigger.models and name not in trigger.models]
    problems += [f"overrides: {name!r:.60} is not among `models`." for name in not_trained]
    try:
        changed = models.with_overrides(trigger.overrides)
    except (OverrideError, ModelSetError) as error:
        return [*problems, f"overrides: {error}."]
    return [*problems, *_learner_problems([changed.specs[name] for name in trigger.overrides])]


def _learner_problems(specs: Sequence[ModelSpec]) -> Iterator[str]:
    """What the learners say of the models' parameters and features, as training would, after an hour perhaps."""
    for spec in specs:
        try:
            make_architecture(train_params(spec))
        except ArchitectureError as error:
            yield f"overrides: {spec.name}: {error}."
        except Exception as error:  # noqa: BLE001 - an architecture of one's own may raise anything
            yield f"overrides: {spec.name}: {type(error).__name__}: {error}."


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
