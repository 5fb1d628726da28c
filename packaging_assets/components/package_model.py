"""The component behind `defs/<name>/defs.yaml`: one model's chain of assets, its checks and its job."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import BaseModel

from packaging_assets.components.assets.champion import champion_asset
from packaging_assets.components.assets.labels import labels_asset
from packaging_assets.components.assets.metrics import metrics_asset
from packaging_assets.components.assets.model import model_asset
from packaging_assets.components.assets.model_card import model_card_asset
from packaging_assets.components.assets.out_of_fold_scores import out_of_fold_scores_asset
from packaging_assets.components.assets.registered_model import registered_model_asset
from packaging_assets.components.assets.split import split_asset
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.scaffolder import PackageModelScaffolder
from packaging_assets.partitions import weekly_partitions
from packaging_assets.settings import current_settings


@dg.scaffold_with(PackageModelScaffolder)
@dataclass
class PackageModel(dg.Component):
    """One model: its split, model, metrics with gates, model card, registered version and champion."""

    spec: ModelSpec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The YAML's schema."""
        return ModelSpec

    @classmethod
    def load(cls, attributes: Any, context: dg.ComponentLoadContext) -> "PackageModel":  # noqa: ARG003 - Dagster's
        """Build the component from its validated YAML; Dagster gives None for one without attributes."""
        return cls(attributes if isinstance(attributes, ModelSpec) else ModelSpec.model_validate(attributes))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The chain of assets of this model, and the job that runs it alone."""
        models = model_set(context)
        spec, weekly = models.specs[self.spec.name], weekly_partitions(current_settings())
        builders = [split_asset, model_asset, metrics_asset, model_card_asset, registered_model_asset]
        if spec.name in models.feeding:
            builders.append(out_of_fold_scores_asset)
        if spec.stage == "live":
            builders.append(champion_asset)
        if spec.labels_key != "labels":
            builders.append(labels_asset)
        assets = [build(spec, models, weekly) for build in builders]
        job = dg.define_asset_job(
            f"train_{spec.name}",
            selection=dg.AssetSelection.groups(spec.name),
            description=f"Train, judge and register the model {spec.name} of one week.",
        )
        return dg.Definitions(assets=assets, jobs=[job])


_last_set: dict[int, tuple[dg.ComponentTree, ModelSet]] = {}
"""The models of the tree that was loaded last, which is kept so that its id is its own."""


def model_set(context: dg.ComponentLoadContext) -> ModelSet:
    """All models of the project, read and checked once for each loading of its definitions.

    Raises:
        ModelSetError: their YAML files contradict one another.
    """
    tree = context.component_tree
    if id(tree) not in _last_set:
        models = ModelSet.of(component.spec for component in tree.get_all_components(of_type=PackageModel))
        _last_set.clear()
        _last_set[id(tree)] = tree, models
    return _last_set[id(tree)][1]
