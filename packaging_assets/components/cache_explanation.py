"""What the cache would answer if an asset were materialized now, and why: without running anything."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from packaging_assets.artifacts.explanation import Difference, code_now, explain
from packaging_assets.artifacts.fingerprint import FingerprintError, FingerprintParts, fingerprint_parts
from packaging_assets.artifacts.store import Artifact, ArtifactStore, parse_uri
from packaging_assets.components.label_rules import LabelRules
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.serving import serving_before
from packaging_assets.components.training_steps import (
    Planned,
    plan_metrics,
    plan_model,
    plan_out_of_fold,
    plan_split,
)
from packaging_assets.domain.registry import check_week
from packaging_assets.domain.spelling import did_you_mean
from packaging_assets.resources.model_registry import ModelRegistry

Answer = Literal["hit", "miss", "unknown"]

LABELS = "labels"

WITHOUT_FINGERPRINT = ("registered_model", "champion")
"""Steps of a model that are written to the registry and make no artifact."""


class ExplanationError(Exception):
    """Nothing can be explained; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What the cache would answer for an asset's partition.

    `artifact` is what it was compared with: the current one, unless another was asked for. `answer` is "unknown" where
    nothing that was checked differs and `unchecked` says what could not be checked. `upstream` are the assets that
    would be run before it, so that its inputs may yet change.
    """

    asset_key: str
    partition: str | None
    answer: Answer
    artifact: Artifact | None
    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()
    upstream: tuple["Explanation", ...] = ()
    note: str = ""


@dataclass(frozen=True)
class CacheExplainer:
    """Explains the cache of a home: its artifacts, its registry, and the project's models as their files are now."""

    store: ArtifactStore
    registry: ModelRegistry
    models: ModelSet

    def explain(self, asset_key: str, partition: str | None) -> Explanation:
        """What would happen now, compared with the partition's current artifact.

        Raises:
            ExplanationError: the asset has no artifacts.
            FingerprintError: the step's code cannot be found.
            RegistryError: the partition of a model's step is no week.
        """
        plan = self._plan(asset_key, partition)
        current = self.store.current(asset_key, partition)
        if plan is not None:
            return self._explain_plan(plan, partition, current)
        if current is None:
            raise _nothing_there(asset_key, partition, self.meant(asset_key))
        return self._explain_code(current)

    def meant(self, asset_key: str) -> str:
        """As `did_you_mean`, of an asset that neither has artifacts nor is a model's."""
        steps = (*PLANS, *WITHOUT_FINGERPRINT)
        known = {parse_uri(uri)[0] for uri in self.store.uris()}
        known |= {f"{model}/{step}" for model in self.models.specs for step in steps}
        return "" if asset_key in known else did_you_mean(asset_key, sorted(known))

    def compare(self, artifact: Artifact, other: Artifact) -> Explanation:
        """How `artifact` came to be another than `other`, which is taken for the older one."""
        differences = explain(self.store.parts(other), self.store.parts(artifact))
        return Explanation(
            asset_key=artifact.asset_key,
            partition=artifact.partition,
            answer="miss" if differences else "hit",
            artifact=other,
            differences=tuple(differences),
        )

    def _plan(self, asset_key: str, partition: str | None) -> Planned | None:
        name, _, step = asset_key.partition("/")
        if partition is None or name not in self.models.specs or step not in PLANS:
            return None
        check_week(partition)
        return PLANS[step](self, self.models.specs[name], partition)

    def _explain_plan(self, plan: Planned, partition: str | None, current: Artifact | None) -> Explanation:
        sources = {name: self.store.current(key, partition) for name, key in plan.inputs.items()}
        absent = sorted(plan.inputs[name] for name, artifact in sources.items() if artifact is None)
        upstream = self._upstream([key for key in plan.inputs.values() if key not in absent], partition)
        if absent:
            note = f"not materialized for this partition: {', '.join(absent)}"
            return self._missed(plan, partition, current, upstream, note=note)
        inputs = {name: artifact.content_hash for name, artifact in sources.items() if artifact is not None}
        inputs |= {name: self.store.get(uri).content_hash for name, uri in plan.artifacts.items()}
        now = fingerprint_parts(plan.step, params=plan.params, inputs=inputs, extra_modules=plan.extra_modules)
        there = self.store.find(plan.asset_key, partition, now.fingerprint)
        if there is not None:
            return self._found(there, current, upstream)
        if current is None:
            return self._missed(plan, partition, current, upstream, note="nothing has been computed yet")
        origins = {**plan.inputs, **{name: uri.rpartition("/")[0] for name, uri in plan.artifacts.items()}}
        differences = tuple(explain(self.store.parts(current), now, sources=origins))
        return replace(self._missed(plan, partition, current, upstream), differences=differences)

    def _upstream(self, asset_keys: Iterable[str], partition: str | None) -> tuple[Explanation, ...]:
        """Of these assets, and of what they are made from, those that would be run; each once, the first made first."""
        found: dict[str, Explanation] = {}
        for key in asset_keys:
            explanation = self.explain(key, partition)
            itself = [explanation] if explanation.answer == "miss" else []
            found |= {one.asset_key: one for one in [*explanation.upstream, *itself]}
        return tuple(found.values())

    def _found(self, there: Artifact, current: Artifact | None, upstream: tuple[Explanation, ...]) -> Explanation:
        is_expired = self.store.is_expired(there)
        note = "" if there == current else "an earlier artifact fits, and would be made the current one again"
        if is_expired:
            note = "nothing differs, but it is older than cache_max_age_days"
        return Explanation(
            asset_key=there.asset_key,
            partition=there.partition,
            answer="miss" if is_expired else "hit",
            artifact=there,
            upstream=upstream,
            note=note,
        )

    def _missed(
        self,
        plan: Planned,
        partition: str | None,
        current: Artifact | None,
        upstream: tuple[Explanation, ...],
        *,
        note: str = "",
    ) -> Explanation:
        return Explanation(
            asset_key=plan.asset_key,
            partition=partition,
            answer="miss",
            artifact=current,
            upstream=upstream,
            note=note,
        )

    def _explain_code(self, current: Artifact) -> Explanation:
        """As far as it can be told without asking the warehouse, or whom the registry would have score."""
        then = self.store.parts(current)
        try:
            code = code_now(then)
        except FingerprintError as error:
            return Explanation(
                asset_key=current.asset_key,
                partition=current.partition,
                answer="miss",
                artifact=current,
                note=f"the code that made it is gone: {error}",
            )
        rules = self._label_rules(current.asset_key)
        now = FingerprintParts(
            step=then.step,
            modules=code.modules,
            libraries=code.libraries,
            params=rules.params.model_dump(mode="json") if rules else then.params,
            inputs=then.inputs,
        )
        differences = tuple(explain(then, now))
        return Explanation(
            asset_key=current.asset_key,
            partition=current.partition,
            answer="miss" if differences or self.store.is_expired(current) else "unknown",
            artifact=current,
            differences=differences,
            unchecked=("inputs",) if rules else ("params", "inputs"),
        )

    def _label_rules(self, asset_key: str) -> LabelRules | None:
        """By which labels are made: the one asset from the warehouse whose params the models' files say."""
        if asset_key == LABELS:
            return LabelRules()
        model = asset_key.removesuffix(f"/{LABELS}")
        return self.models.specs[model].labels if model != asset_key and model in self.models.specs else None


def _nothing_there(asset_key: str, partition: str | None, meant: str) -> ExplanationError:
    if meant:
        return ExplanationError(f"Nothing was ever computed for {asset_key}{meant}")
    if asset_key.rpartition("/")[2] in WITHOUT_FINGERPRINT:
        return ExplanationError(f"{asset_key} is a record in the model registry and has no artifact: it is not cached.")
    if partition is None:
        return ExplanationError(
            f"Nothing was ever computed for {asset_key} without a partition: name one, as in "
            f"packaging cache explain {asset_key} 2025-01-06 (packaging cache list --asset {asset_key})."
        )
    return ExplanationError(
        f"Nothing was ever computed for {asset_key} for {partition}: see packaging cache list for what there is."
    )


def _plan_split(_: CacheExplainer, spec: ModelSpec, week: str) -> Planned:
    return plan_split(spec, week)


def _plan_model(_: CacheExplainer, spec: ModelSpec, week: str) -> Planned:  # noqa: ARG001 - as the others
    return plan_model(spec)


def _plan_out_of_fold(explainer: CacheExplainer, spec: ModelSpec, week: str) -> Planned:  # noqa: ARG001 - as above
    return plan_out_of_fold(spec, depth=explainer.models.score_depth(spec.name))


def _plan_metrics(explainer: CacheExplainer, spec: ModelSpec, week: str) -> Planned:
    names = explainer.models.serving_names(spec.package_type)
    champion = serving_before(explainer.registry, names, week)
    return plan_metrics(spec, week, champion, architectures=explainer.models.architectures(spec))


PLANS: Mapping[str, Callable[[CacheExplainer, ModelSpec, str], Planned]] = {
    "split": _plan_split,
    "model": _plan_model,
    "out_of_fold_scores": _plan_out_of_fold,
    "metrics": _plan_metrics,
}
"""The steps whose plan is known without running anything."""
