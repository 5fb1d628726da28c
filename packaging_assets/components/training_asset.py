"""How the assets of the training jobs are defined: what `dg.asset` would make of them, at a quarter of its cost.

A project of 200 models has 1,000 of them. `dg.asset` takes a millisecond for each, most of it to find out from a
function's signature and docstring what all of these have alike (docs/adr/0023).
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

import dagster as dg
from dagster._core.definitions.input import InputDefinition
from dagster._core.definitions.output import OutputDefinition
from dagster._core.definitions.resource_requirement import (
    OpDefinitionResourceRequirement,
    OutputManagerRequirement,
    ResourceRequirement,
)

from packaging_assets.components.model_spec import TRAINING_TAG

Body = Callable[..., dg.MaterializeResult]
"""What materializes the asset; its arguments are `context`, if it wants it, and resources by their keys."""

_OUTPUT = "result"
_RESULT = dg.Out(dg.Nothing)


class _CheckOut(dg.Out):
    """The output of a check. Not of nothing, as the result: Dagster lets outputs of nothing be missing.

    Outputs of checks differ in their names alone, and a project has thousands: each is a copy of one.
    """

    def to_definition(self, annotation_type: Any, name: Any, description: Any, code_version: Any) -> OutputDefinition:  # noqa: ARG002
        made = copy.copy(_ANY_OUTPUT)
        made._name = name  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return made


_ANY_OUTPUT = OutputDefinition()
_CHECK = _CheckOut()


@cache
def _order_only(name: str) -> InputDefinition:
    """An input of that name, which carries nothing; steps of many models have some alike."""
    return InputDefinition(name, dagster_type=dg.Nothing)


class _TrainingOp(dg.OpDefinition):
    """An op that says once what it requires.

    Dagster asks for it in each job, several times, and gets the same I/O manager for every input and output: of a
    model's metrics 25 times.
    """

    def get_resource_requirements(self, handle: Any, asset_layer: Any) -> Iterator[ResourceRequirement]:  # noqa: ARG002
        described = f"{self.node_type_str} '{handle or self.name}'"
        for key in sorted(self.required_resource_keys):
            yield OpDefinitionResourceRequirement(key=key, node_description=described)
        first = self.output_defs[0]
        yield OutputManagerRequirement(key=first.io_manager_key, node_description=described, output_name=first.name)


def training_asset(
    key: dg.AssetKey | Sequence[str],
    *,
    deps: Sequence[str | Sequence[str] | dg.AssetDep],
    group_name: str,
    owners: Sequence[str],
    partitions_def: dg.PartitionsDefinition | None = None,
    description: str | None = None,
    check_specs: Sequence[dg.AssetCheckSpec] = (),
    kinds: AbstractSet[str] = frozenset(),
    op_tags: Mapping[str, str] | None = None,
    pool: str | None = None,
) -> Callable[[Body], dg.AssetsDefinition]:
    """Make a function an asset of the training jobs; what is not said here is as `dg.asset` has it.

    Args:
        key: the asset's key, after which its step is called.
        deps: the assets that it reads.
        group_name: the model's name, or that of what models share.
        owners: e-mail addresses or `team:` names.
        partitions_def: the weeks; None for an asset that has one state.
        description: Markdown; by default the function's docstring.
        check_specs: the checks whose results the function's result carries, all of them.
        kinds: shown in the UI.
        op_tags: the step's, such as its priority.
        pool: in which its step takes a slot.
    """
    key = dg.AssetKey.from_coercible(key)
    upstream = [dep if isinstance(dep, dg.AssetDep) else dg.AssetDep(dep) for dep in deps]
    inputs = {dep.asset_key.to_python_identifier(): dep.asset_key for dep in upstream}
    checks = {check.get_python_identifier(): check for check in check_specs}

    def define(body: Body) -> dg.AssetsDefinition:
        text = description or inspect.cleandoc(body.__doc__ or "")
        op = _TrainingOp(
            compute_fn=_compute(body),
            name=key.to_python_identifier(),
            description=text,
            ins={name: _order_only(name) for name in inputs},  # pyright: ignore[reportArgumentType] - takes these, too
            outs={_OUTPUT: _RESULT, **dict.fromkeys(checks, _CHECK)},
            required_resource_keys=set(_resources_of(body)),
            tags=op_tags,
            pool=pool,
        )
        spec = dg.AssetSpec(
            key,
            deps=upstream,
            description=text,
            group_name=group_name,
            owners=owners,
            tags=TRAINING_TAG,
            kinds=set(kinds),
            partitions_def=partitions_def,
        )
        return dg.AssetsDefinition(
            node_def=op,
            keys_by_input_name=inputs,
            keys_by_output_name={_OUTPUT: key},
            check_specs_by_output_name=checks,
            specs=[spec],
        )

    return define


def _compute(body: Body) -> Callable[[Any, Mapping[str, Any]], Iterator[dg.MaterializeResult]]:
    resources, takes_context = _resources_of(body), "context" in _parameters(body)

    def compute(context: dg.AssetExecutionContext, inputs: Mapping[str, Any]) -> Iterator[dg.MaterializeResult]:  # noqa: ARG001
        given = {name: getattr(context.resources, name) for name in resources}
        yield body(context=context, **given) if takes_context else body(**given)

    return compute


def _resources_of(body: Body) -> list[str]:
    return [name for name in _parameters(body) if name != "context"]


def _parameters(body: Body) -> tuple[str, ...]:
    return body.__code__.co_varnames[: body.__code__.co_argcount]
