"""All models of the project together: what must hold between their YAML files, and which of them serves.

Here belongs what one file cannot say by itself. What one model is belongs to `model_spec`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from packaging_assets.components.model_spec import ModelSpec, OverrideError, override
from packaging_assets.domain.spelling import meant_or_all

OVERRIDES_TAG = "packaging/overrides"
"""Run tag: JSON of model name -> dotted key -> value, which hold for that run only."""


class ModelSetError(ValueError):
    """The models' YAML files contradict one another; the message names the models, the field and the remedy.

    `models` are those whose files to look at.
    """

    def __init__(self, message: str, *models: str) -> None:
        super().__init__(message)
        self.models = models


@dataclass(frozen=True)
class ModelSet:
    """The project's models by name, feeding models before those that feed from them.

    A live model that a live one replaces counts as shadow.
    """

    specs: Mapping[str, ModelSpec]

    @classmethod
    def of(cls, specs: Iterable[ModelSpec]) -> "ModelSet":
        """Check the models against one another.

        Raises:
            ModelSetError: two have one name, two of one package type are live, `feeds_from` names what is not there,
                `replaces` a model of another package type, models replace one another or feed from one another in a
                circle, a model's split would let it be judged on rows that a model it feeds from was trained on, or the
                models of a chain have not the same folds.
        """
        named: dict[str, ModelSpec] = {}
        for spec in specs:
            if spec.name in named:
                raise ModelSetError(f"two models are called {spec.name!r}: give one of them another `name`", spec.name)
            named[spec.name] = spec
        for spec in named.values():
            _check_replaced(spec, named)
            _check_feeders(spec, named)
        _check_somebody_serves(named)
        replaced = {spec.replaces for spec in named.values() if spec.stage == "live"}
        effective = {
            name: named[name].model_copy(update={"stage": "shadow"}) if name in replaced else named[name]
            for name in _in_order(named)
        }
        _check_one_live(effective.values())
        models = cls(effective)
        _check_folds(models)
        return models

    def with_overrides(self, overrides: Mapping[str, Mapping[str, object]]) -> "ModelSet":
        """The same models with some fields set for one run, checked again.

        Raises:
            OverrideError: a model is unknown, or a field or value is not possible.
            ModelSetError: the models contradict one another with these values.
        """
        for name in overrides:
            if name not in self.specs:
                raise OverrideError(f"there is no model {name!r}{meant_or_all(name, self.specs)}")
        changed = ModelSet.of(override(spec, overrides.get(name, {})) for name, spec in self.specs.items())
        for name, spec in changed.specs.items():
            added = [feeder for feeder in spec.feeds_from if feeder not in self.specs[name].feeds_from]
            if added:
                raise OverrideError(
                    f"model {name!r} cannot feed from {added[0]!r} for one run, since the asset graph says what runs "
                    "before what: change `feeds_from` in its YAML, or try it with `packaging experiment run`"
                )
        return changed

    def of_run(self, tags: Mapping[str, str]) -> "ModelSet":
        """The models as a run's tags would have them."""
        overrides = overrides_in(tags)
        return self.with_overrides(overrides) if overrides else self

    def live(self) -> dict[str, ModelSpec]:
        """The live models by name."""
        return {name: spec for name, spec in self.specs.items() if spec.stage == "live"}

    def shadows(self) -> dict[str, ModelSpec]:
        """The shadow models by name."""
        return {name: spec for name, spec in self.specs.items() if spec.stage == "shadow"}

    @cached_property
    def feeding(self) -> frozenset[str]:
        """Names of the models that others feed from."""
        return frozenset(name for spec in self.specs.values() for name in spec.feeds_from)

    def score_depth(self, name: str) -> int:
        """How many models feed from this one, one after another, and are fed from themselves; the longest such chain.

        So many folds besides a product's own are left out in out-of-fold scores (see `domain.out_of_fold`).
        """
        fed = [spec.name for spec in self.specs.values() if name in spec.feeds_from and spec.name in self.feeding]
        return max((1 + self.score_depth(model) for model in fed), default=0)

    def architectures(self, spec: ModelSpec) -> tuple[str, ...]:
        """Of a model and of those that it feeds from, directly or through others; sorted, each once."""
        fed = (name for feeder in spec.feeds_from for name in self.architectures(self.specs[feeder]))
        return tuple(sorted({spec.architecture, *fed}))

    def serving_names(self, package_type: str) -> tuple[str, ...]:
        """Whose champion serves a package type: the live model's, else that of the one it replaces, and so on."""
        name = next((name for name, spec in self.live().items() if spec.package_type == package_type), None)
        names: list[str] = []
        while name is not None and name not in names:
            names.append(name)
            name = self.specs[name].replaces if name in self.specs else None
        return tuple(names)


def overrides_in(tags: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """The overrides that a run's tags carry; none for most runs."""
    return json.loads(tags.get(OVERRIDES_TAG, "{}"))


def _check_replaced(spec: ModelSpec, named: Mapping[str, ModelSpec]) -> None:
    other = named.get(spec.replaces or "")
    if other is not None and other.package_type != spec.package_type:
        raise ModelSetError(
            f"model {spec.name!r} replaces {other.name!r}, which decides on {other.package_type} and not on "
            f"{spec.package_type}: name a model of the same package type",
            spec.name,
        )


def _check_somebody_serves(named: Mapping[str, ModelSpec]) -> None:
    """Live models that replace one another would all step back to shadow."""
    live = {name: spec for name, spec in named.items() if spec.stage == "live"}
    try:
        TopologicalSorter({name: [spec.replaces] for name, spec in live.items() if spec.replaces in live}).prepare()
    except CycleError as error:
        raise _circular(
            error,
            "these models replace one another in a circle, so that none would serve: {circle}; take `replaces` out of "
            "the one that is to step back",
        ) from None


def no_such_feeder(model: str, feeder: str, there: Iterable[str]) -> ModelSetError:
    """What to raise where a model feeds from one that is not `there`."""
    near = meant_or_all(feeder, there)
    return ModelSetError(f"model {model!r} feeds from {feeder!r}, and there is no such model{near}", model)


def _check_feeders(spec: ModelSpec, named: Mapping[str, ModelSpec]) -> None:
    for name in spec.feeds_from:
        if name not in named:
            raise no_such_feeder(spec.name, name, named)
        _check_split(spec, named[name])


def _check_split(spec: ModelSpec, feeder: ModelSpec) -> None:
    """A product that validates the one must not have trained the other: its score would know the answer."""
    mine, theirs = spec.split, feeder.split
    if mine.method == "hash":
        is_safe = (theirs.method, theirs.seed, theirs.group_by) == ("hash", mine.seed, mine.group_by) and (
            mine.validation_fraction <= theirs.validation_fraction
        )
    else:
        # A product validates by when it was first labelled, and other rules for labels make other products labelled.
        is_safe = (theirs.method, spec.labels) == ("time", feeder.labels) and (
            mine.validation_weeks <= theirs.validation_weeks
        )
    if not is_safe:
        raise ModelSetError(
            f"model {spec.name!r} feeds from {feeder.name!r}, but its validation rows are not all among the validation "
            f"rows of {feeder.name!r}: give both the same `split`" + (" and `labels`" if mine.method == "time" else ""),
            spec.name,
            feeder.name,
        )


def _check_folds(models: ModelSet) -> None:
    """In a chain the same folds are left out everywhere, and something must be left to train on."""
    feeding = models.feeding
    for name in feeding:
        folds, least = models.specs[name].score_folds, models.score_depth(name) + 2
        if folds < least:
            raise ModelSetError(
                f"model {name!r} is the beginning of a chain for which {folds} folds are too few: set `score_folds` of "
                f"the chain's models to {least} or more",
                name,
            )
        for feeder in models.specs[name].feeds_from:
            if models.specs[feeder].score_folds != folds:
                raise ModelSetError(
                    f"models {feeder!r} and {name!r} feed one another and have {models.specs[feeder].score_folds} and "
                    f"{folds} folds: give both the same `score_folds`",
                    feeder,
                    name,
                )


def _in_order(named: Mapping[str, ModelSpec]) -> list[str]:
    try:
        return list(TopologicalSorter({name: spec.feeds_from for name, spec in named.items()}).static_order())
    except CycleError as error:
        raise _circular(
            error, "these models feed from one another in a circle: {circle}; take one name out of `feeds_from`"
        ) from None


def _circular(error: CycleError, sentence: str) -> ModelSetError:
    """What to raise of models in a circle, which the sentence names where it says `{circle}`."""
    circle: list[str] = error.args[1]
    return ModelSetError(sentence.format(circle=" <- ".join(circle)), *dict.fromkeys(circle))


def _check_one_live(specs: Iterable[ModelSpec]) -> None:
    live: dict[str, str] = {}
    for spec in specs:
        if spec.stage == "live":
            other = live.setdefault(spec.package_type, spec.name)
            if other != spec.name:
                raise ModelSetError(
                    f"models {other!r} and {spec.name!r} are both live for {spec.package_type}: set `stage: shadow` in "
                    f"one, or `replaces: {other}` in the one that is to serve",
                    other,
                    spec.name,
                )
