"""Runs the steps of one model for one week as an experiment: planned as the assets plan them, kept beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging_assets.artifacts.run_step import StepResult, run_step
from packaging_assets.artifacts.step import Compute, Input
from packaging_assets.artifacts.store import Artifact, ArtifactInput, ArtifactStore
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.step_asset import compute_for
from packaging_assets.components.training_steps import Planned, plan_model, plan_out_of_fold, plan_split
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.layered_store import LayeredStore

OnStep = Callable[[str], None]
"""Is told the asset key of each step before it runs or is found."""


OUT_OF_FOLD = "out_of_fold_scores"


def be_silent(asset_key: str) -> None:
    """Tell nobody."""


@dataclass
class Chain:
    """The steps of one model in one week, in the order in which they are run.

    A step reads what this chain has made under an asset key, else what is current in the main area. Where that is not
    there, or was made with other values than the YAML has now, and belongs to a model that this one feeds from, it is
    made as an experiment too: `models` has those.
    """

    store: ArtifactStore
    compute: Compute
    models: ModelSet
    week: str
    provenance: Mapping[str, Any]
    on_step: OnStep = be_silent
    results: dict[str, StepResult] = field(default_factory=dict[str, StepResult])

    def run(self, plan: Planned) -> StepResult:
        """Run a step, or find its result in either area.

        Raises:
            ExperimentError: something that it reads has not been materialized for the week.
        """
        layered = LayeredStore(self.store)
        inputs = self._inputs(plan, layered)
        self.on_step(plan.asset_key)
        result = run_step(
            layered,
            plan.step,
            asset_key=plan.asset_key,
            partition=self.week,
            inputs=inputs,
            params=plan.params,
            provenance=self.provenance,
            extra_modules=plan.extra_modules,
            compute=compute_for(self.compute, plan.instances, plan.asset_key, plan.model),
        )
        self.results[plan.asset_key] = result
        return result

    def _inputs(self, plan: Planned, layered: LayeredStore) -> dict[str, Input]:
        named = {name: self._artifact(key, plan) for name, key in plan.inputs.items()}
        fixed = {name: layered.get(uri) for name, uri in plan.artifacts.items()}
        return {name: ArtifactInput(layered, artifact) for name, artifact in {**named, **fixed}.items()}

    def _artifact(self, asset_key: str, plan: Planned) -> Artifact:
        if asset_key in self.results:
            return self.results[asset_key].artifact
        current = self.store.current(asset_key, self.week)
        if current is not None and self._is_enough(current):
            return current
        missing = self._plan(asset_key)
        if missing is None:
            raise ExperimentError(
                f"{plan.asset_key} for {self.week} needs {asset_key} for {self.week}, which has not been materialized: "
                f"packaging run weekly --partition {self.week} makes it."
            )
        return self.run(missing).artifact

    def _is_enough(self, current: Artifact) -> bool:
        """Whether it is what the models' YAML files say now, and has all that these models need.

        Out-of-fold scores are made for chains of some length and no longer: the project's own chains may be shorter
        than the one that an experiment tries. And with other folds, labels that one model leaves out come back from the
        other.
        """
        name, _, step = current.asset_key.partition("/")
        if name not in self.models.specs or step not in {"split", "model", OUT_OF_FOLD}:
            return True
        if not self._is_as_in_yaml(name):
            return False
        made = self.store.parts(current).params
        is_deep_enough = made.get("depth", 0) >= self.models.score_depth(name)
        return step != OUT_OF_FOLD or (is_deep_enough and made.get("folds") == self.models.specs[name].score_folds)

    def _is_as_in_yaml(self, name: str) -> bool:
        """Whether a model of the main area, and those it feeds from, have the values that their YAML files have now.

        One that was trained before its `split` was edited may have learned from what validates the model at hand.
        """
        spec = self.models.specs[name]
        for plan in (plan_split(spec, self.week), plan_model(spec)):
            current = self.store.current(plan.asset_key, self.week)
            if current is not None and self.store.parts(current).params != plan.params.model_dump(mode="json"):
                return False
        return all(self._is_as_in_yaml(feeder) for feeder in spec.feeds_from)

    def _plan(self, asset_key: str) -> Planned | None:
        """How to make an asset of one of the models; None for what experiments do not make, such as labels."""
        name, _, step = asset_key.partition("/")
        spec = self.models.specs.get(name)
        if spec is None:
            return None
        plans: dict[str, Callable[[], Planned]] = {
            "split": lambda: plan_split(spec, self.week),
            "model": lambda: plan_model(spec),
            OUT_OF_FOLD: lambda: plan_out_of_fold(spec, depth=self.models.score_depth(name)),
        }
        return plans[step]() if step in plans else None


def experimental_provenance(identifier: str, spec: ModelSpec, code_version: str) -> dict[str, Any]:
    """What is kept beside the artifacts of an experiment: whose they are."""
    return {"experiment": identifier, "model": spec.name, "code_version": code_version}
