"""One trial of tuning: which values can be tried, and what a model with them is worth on held-out training rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from packaging_assets.components.model_spec import ModelSpec, OverrideError, override
from packaging_assets.components.search_space import SearchSpace
from packaging_assets.components.training_steps import Planned, plan_model, plan_split
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.experiment import read_artifact_json
from packaging_assets.experiments.holdout import HoldOutParams, MeasureParams, hold_out, measure_holdout
from packaging_assets.experiments.workbench import Workbench

SEARCHABLE = ("parameters", "architecture", "features", "feeds_from", "class_weights")
"""Fields that change what is learned from given rows. Others change the rows, or how the result is judged."""

SEEDS = 10**16


@dataclass(frozen=True)
class Measure:
    """PR-AUC of the rarer label on `rows` held-out training rows; `fingerprint` is that of all that led to it."""

    pr_auc: float
    standard_error: float
    rows: int
    minority_rows: int
    fingerprint: str
    is_cache_hit: bool


def check_space(spec: ModelSpec, space: SearchSpace) -> None:
    """Whether every field can be searched, and both ends of every range are values that it can have.

    Raises:
        ExperimentError: it is not so, or the space is empty.
    """
    if not space:
        raise ExperimentError(
            f"There is nothing to search for {spec.name}: give `search` in its YAML, as in "
            "`search: {parameters.depth: {int: [3, 8]}}`, or a file with such lines by --space."
        )
    for key, values in space.items():
        if key.partition(".")[0] not in SEARCHABLE:
            raise ExperimentError(
                f"search: {key} cannot be tuned, since it does not change what is learned from given rows; fields that "
                f"do are {', '.join(SEARCHABLE)}. Try {key} by packaging experiment run --set."
            )
        for value in values.extremes:
            try:
                override(spec, {key: value})
            except OverrideError as error:
                raise ExperimentError(f"search: {error}") from None


@dataclass(frozen=True)
class Bench:
    """Where the trials of one search are run: a week, a share of its training rows held out."""

    workbench: Workbench
    week: str
    fraction: float
    name: str

    def measure(self, spec: ModelSpec, overrides: Mapping[str, Any]) -> Measure:
        """Train the model with other values on what is not held out, and measure it on what is.

        Raises:
            OverrideError, ModelSetError, ArchitectureError, ...: the model refuses the values or the data.
        """
        changed = override(spec, overrides)
        chain = self.workbench.chain(self.week, self.name, changed)
        results = [chain.run(plan) for plan in self._plans(changed)]
        figures = read_artifact_json(self.workbench, results[-1].artifact.uri, "holdout")
        return Measure(
            pr_auc=figures["pr_auc"],
            standard_error=figures["standard_error"],
            rows=figures["rows"],
            minority_rows=figures["minority_rows"],
            fingerprint=results[-1].artifact.fingerprint,
            is_cache_hit=results[-1].is_cache_hit,
        )

    def _plans(self, spec: ModelSpec) -> tuple[Planned, ...]:
        split, model = plan_split(spec, self.week), plan_model(spec)
        inner, trial, measure = (f"{spec.name}/tuning_{step}" for step in ("split", "model", "measure"))
        held_out = Planned(
            asset_key=inner,
            step=hold_out,
            params=HoldOutParams(fraction=self.fraction, seed=(spec.split.seed + 1) % SEEDS),
            inputs={"split": split.asset_key},
        )
        trained = replace(model, asset_key=trial, inputs={**model.inputs, "split": inner})
        measured = Planned(
            asset_key=measure,
            step=measure_holdout,
            params=MeasureParams(),
            inputs={**trained.inputs, "candidate": trial},
            extra_modules=model.extra_modules,
        )
        return split, held_out, trained, measured
