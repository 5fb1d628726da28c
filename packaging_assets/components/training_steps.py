"""What each step of a model's training runs: the step, its params, and which assets it reads.

Assets run these plans, experiments run them with other values, and `packaging cache explain` fingerprints them without
running anything: they cannot disagree about what a step is.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from packaging_assets.artifacts.step import Step
from packaging_assets.components.instance_spec import InstanceSpec
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.domain.architectures import architecture_module, architecture_modules
from packaging_assets.domain.feeder_scores import feeder_input, scores_input
from packaging_assets.domain.metrics import EvaluateParams, evaluate
from packaging_assets.domain.models import TrainParams, train
from packaging_assets.domain.out_of_fold import OutOfFoldParams, score_out_of_fold
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.domain.splits import SplitParams, split

CANDIDATE = "candidate"
"""By which name `evaluate` reads the model that it judges."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step to run: `inputs` are asset keys of the same partition and `artifacts` URIs, both by input name.

    `extra_modules` are those that the step finds by name, so that its code counts. `model` is whose step it is, and
    `instances` what the model's YAML says of the machines; no result depends on them.
    """

    asset_key: str
    step: Step
    params: BaseModel
    inputs: Mapping[str, str]
    artifacts: Mapping[str, str] = field(default_factory=dict[str, str])
    extra_modules: tuple[str, ...] = ()
    model: str = ""
    instances: InstanceSpec | None = None


def plan_split(spec: ModelSpec, week: str) -> Planned:
    """Divide the labelled products of the model's package type."""
    # The hash method's split does not depend on the week, so the week must not be part of its fingerprint.
    monday = dt.date.fromisoformat(week) if spec.split.method == "time" else None
    return Planned(
        asset_key=f"{spec.name}/split",
        step=split,
        params=SplitParams(package_type=spec.package_type, week=monday, **spec.split.model_dump()),
        inputs={"labels": spec.labels_key, "features": "features"},
        model=spec.name,
        instances=spec.instances.split,
    )


def plan_model(spec: ModelSpec) -> Planned:
    """Train the model, on the out-of-fold scores of those it feeds from; it keeps copies of these."""
    return Planned(
        asset_key=f"{spec.name}/model",
        step=train,
        params=train_params(spec),
        inputs={
            "split": f"{spec.name}/split",
            "features": "features",
            **{feeder_input(name): f"{name}/model" for name in spec.feeds_from},
            **_scores_of_feeders(spec),
        },
        extra_modules=architecture_modules(spec.architecture, spec.parameters),
        model=spec.name,
        instances=spec.instances.train,
    )


def plan_out_of_fold(spec: ModelSpec, *, depth: int) -> Planned:
    """Score every product of the week out of fold, for the models that feed from this one.

    Args:
        spec: the model.
        depth: as `ModelSet.score_depth` gives it: how long the chain is that it is the beginning of.
    """
    return Planned(
        asset_key=f"{spec.name}/out_of_fold_scores",
        step=score_out_of_fold,
        params=OutOfFoldParams(folds=spec.score_folds, depth=depth),
        inputs={
            "model": f"{spec.name}/model",
            "split": f"{spec.name}/split",
            "features": "features",
            **_scores_of_feeders(spec),
        },
        extra_modules=architecture_modules(spec.architecture, spec.parameters),
        model=spec.name,
        instances=spec.instances.train,
    )


def plan_metrics(spec: ModelSpec, week: str, champion: ModelVersion | None, *, architectures: Iterable[str]) -> Planned:
    """Score the week's model and the champion before it, and judge.

    Args:
        spec: the model.
        week: the Monday of the week.
        champion: what it is held against; none for a package type's first model.
        architectures: as `ModelSet.architectures` gives them: the model's, and those of the models that it feeds from.
    """
    artifacts = {"champion": champion.artifact_uri, "champion_metrics": champion.metrics_uri} if champion else {}
    # Versions registered before models could feed from others do not say; they are of the model's own architecture.
    champions = champion.metrics.get("architectures", [spec.architecture]) if champion else []
    return Planned(
        asset_key=f"{spec.name}/metrics",
        step=evaluate,
        params=EvaluateParams(
            package_type=spec.package_type,
            week=dt.date.fromisoformat(week),
            features=spec.feature_set,
            policy=spec.gates,
            stage=spec.stage,
            champion_version=champion.version if champion else None,
            champion_model=champion.model if champion else None,
        ),
        inputs={
            CANDIDATE: f"{spec.name}/model",
            "split": f"{spec.name}/split",
            "features": "features",
            "labels": spec.labels_key,
        },
        artifacts=artifacts,
        extra_modules=tuple(sorted({architecture_module(name) for name in (*architectures, *champions)})),
        model=spec.name,
        instances=spec.instances.evaluate,
    )


def _scores_of_feeders(spec: ModelSpec) -> dict[str, str]:
    return {scores_input(name): f"{name}/out_of_fold_scores" for name in spec.feeds_from}


def train_params(spec: ModelSpec) -> TrainParams:
    """How the model is trained."""
    return TrainParams(
        package_type=spec.package_type,
        architecture=spec.architecture,
        parameters=spec.parameters,
        features=spec.feature_set,
        seed=spec.seed,
        class_weights=spec.class_weights,
    )
