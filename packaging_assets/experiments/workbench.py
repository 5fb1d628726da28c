"""What an experiment needs of a home: its artifacts, registry, models, clock; and which weeks there is data for."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from packaging_assets.artifacts.fingerprint import FingerprintError
from packaging_assets.artifacts.step import Compute
from packaging_assets.artifacts.store import ArtifactError, ArtifactStore, parse_uri
from packaging_assets.components.model_files import load_models
from packaging_assets.components.model_set import ModelSet, ModelSetError, no_such_feeder
from packaging_assets.components.model_spec import ModelSpec, OverrideError
from packaging_assets.domain.architectures import ArchitectureError
from packaging_assets.domain.features import FeatureError
from packaging_assets.domain.feeder_scores import FeederError
from packaging_assets.domain.metrics import EvaluationError
from packaging_assets.domain.models import ModelError
from packaging_assets.domain.spelling import meant_or_all
from packaging_assets.domain.splits import SplitError
from packaging_assets.experiments.chain import Chain, OnStep, be_silent, experimental_provenance
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.records import ExperimentRecords
from packaging_assets.resources.clock import Clock, SystemClock
from packaging_assets.resources.code_version import code_version
from packaging_assets.resources.environment import artifact_store_for, compute_for, model_registry_for
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.settings import Settings

VALUE_REFUSALS = (ArchitectureError, FeatureError, ModelSetError, OverrideError)
"""What is raised, with a message of one sentence, where a model cannot have the values it is given."""

REFUSALS = (*VALUE_REFUSALS, ArtifactError, EvaluationError, FeederError, FingerprintError, ModelError, SplitError)
"""All that a step or the models' rules raise with such a message; the others are about the data or the home."""


@dataclass(frozen=True)
class Workbench:
    """Where experiments are made. Artifacts and registry of the home are read; nothing of theirs is changed."""

    store: ArtifactStore
    registry: ModelRegistry
    compute: Compute
    models: ModelSet
    records: ExperimentRecords
    clock: Clock
    on_step: OnStep = be_silent

    @classmethod
    def for_home(cls, settings: Settings, *, on_step: Callable[[str], None] = be_silent) -> "Workbench":
        """That of a home and of the project's YAML files.

        Raises:
            ExperimentError: the YAML files are wrong or contradict one another.
        """
        with refusals_told(""):
            models = load_models()
        return cls(
            store=artifact_store_for(settings),
            registry=model_registry_for(settings),
            compute=compute_for(settings),
            models=models,
            records=ExperimentRecords(settings.home),
            clock=SystemClock(),
            on_step=on_step,
        )

    def spec(self, model: str) -> ModelSpec:
        """A model as its YAML has it.

        Raises:
            ExperimentError: there is none of that name.
        """
        if model not in self.models.specs:
            raise ExperimentError(f"There is no model {model!r}{meant_or_all(model, self.models.specs)}")
        return self.models.specs[model]

    def related(self, spec: ModelSpec) -> ModelSet:
        """A model, perhaps changed, and the models it feeds from; those that feed from it do not matter here.

        Raises:
            ModelSetError: the model does not agree with them, or there is none of a name.
        """
        found = {spec.name: spec}
        waiting = [*spec.feeds_from]
        while waiting:
            name = waiting.pop()
            if name not in self.models.specs:
                raise no_such_feeder(spec.name, name, self.models.specs)
            if name not in found:
                found[name] = self.models.specs[name]
                waiting += found[name].feeds_from
        return ModelSet.of(found.values())

    def chain(self, week: str, identifier: str, spec: ModelSpec) -> Chain:
        """The steps of one model, as `spec` has it, in one week; none of them run yet.

        Raises:
            ModelSetError: the model does not agree with those that it feeds from.
        """
        provenance = experimental_provenance(identifier, spec, code_version())
        return Chain(self.store, self.compute, self.related(spec), week, provenance, self.on_step)

    def weeks(self, spec: ModelSpec) -> list[str]:
        """The weeks with the model's labels and features, oldest first; whoever reads damaged ones is told."""
        needed = (spec.labels_key, "features")
        keys = [parse_uri(uri)[:2] for uri in self.store.uris()]
        named = {week for key, week in keys if key in needed and week is not None}
        return [week for week in sorted(named) if all(self._is_there(key, week) for key in needed)]

    def _is_there(self, asset_key: str, week: str) -> bool:
        try:
            return self.store.current(asset_key, week) is not None
        except ArtifactError:
            return True

    def check_weeks(self, spec: ModelSpec, weeks: Sequence[str]) -> tuple[str, ...]:
        """The weeks in order, each once; of none given, the latest that there is data for.

        Raises:
            ExperimentError: there is no data for one of them, or for any week.
        """
        known = self.weeks(spec)
        if not known:
            raise ExperimentError(
                f"No week has {spec.labels_key} and features yet: packaging run weekly --partition WEEK makes them, or "
                "packaging demo a home to try things in."
            )
        for week in weeks:
            if week not in known:
                raise ExperimentError(
                    f"There are no {spec.labels_key} and features for {week!r}; there are for {_some(known)}."
                )
        return tuple(sorted(set(weeks))) or (known[-1],)


def _some(weeks: Sequence[str]) -> str:
    shown = 6
    return ", ".join(weeks) if len(weeks) <= shown else f"{weeks[0]} to {weeks[-1]}"


@contextmanager
def refusals_told(what: str) -> Generator[None]:
    """Turn what a step or a rule refuses into an `ExperimentError` that begins with `what`."""
    try:
        yield
    except REFUSALS as error:
        raise ExperimentError(f"{what}{error}") from error
