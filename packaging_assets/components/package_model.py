"""The component behind `defs/<package type>/defs.yaml`: one model's chain of assets, its checks and its job."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import BaseModel

from packaging_assets.components.assets.champion import champion_asset
from packaging_assets.components.assets.metrics import metrics_asset
from packaging_assets.components.assets.model import model_asset
from packaging_assets.components.assets.model_card import model_card_asset
from packaging_assets.components.assets.registered_model import registered_model_asset
from packaging_assets.components.assets.split import split_asset
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.partitions import weekly_partitions
from packaging_assets.settings import current_settings


@dataclass
class PackageModel(dg.Component):
    """One package type's model: its split, model, metrics with gates, model card, registered version and champion."""

    spec: ModelSpec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The YAML's schema."""
        return ModelSpec

    @classmethod
    def load(cls, attributes: Any, context: dg.ComponentLoadContext) -> "PackageModel":  # noqa: ARG003 - Dagster's
        """Build the component from its validated YAML."""
        return cls(ModelSpec.model_validate(attributes))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002 - Dagster's signature
        """The chain of assets of this model, and the job that runs it alone."""
        weekly = weekly_partitions(current_settings())
        assets = [
            build(self.spec, weekly)
            for build in (
                split_asset,
                model_asset,
                metrics_asset,
                model_card_asset,
                registered_model_asset,
                champion_asset,
            )
        ]
        job = dg.define_asset_job(
            f"train_{self.spec.package_type}",
            selection=dg.AssetSelection.groups(self.spec.package_type),
            description=f"Train, judge and register the {self.spec.package_type} model of one week.",
        )
        return dg.Definitions(assets=assets, jobs=[job])
