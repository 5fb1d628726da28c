"""What one model's YAML file says: the fields of `defs/<package type>/defs.yaml`, their defaults and their bounds.

Pure pydantic, so that `dg check yaml` can refuse unknown keys and bad values with file, line and key, and so that
nothing here needs Dagster.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.features import DEFAULT_FEATURES, FeatureSet
from packaging_assets.domain.gates import GatePolicy

TRAINING_TAG = {"packaging/pipeline": "training"}
"""Tag of every asset that the weekly job materializes."""


class SplitSpec(BaseModel):
    """How labelled products are divided into training and validation rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["hash", "time"] = Field(
        default="hash",
        description="hash: by a hash of the product id, the same for every type and week; "
        "time: products first labelled in the last `validation_weeks` weeks validate.",
    )
    validation_fraction: float = Field(
        default=0.3, gt=0, lt=1, description="Share of the products that validate (method hash)."
    )
    seed: int = Field(default=20250106, ge=0, description="Seed of the hash; another seed is another split.")
    validation_weeks: int = Field(default=4, ge=1, description="Weeks of newest products that validate (method time).")


class ModelSpec(BaseModel):
    """One package type's model: everything a data scientist decides about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_type: Literal["mailer", "bag", "box", "sioc"] = Field(description="The package type the model decides on.")
    description: str = Field(
        default="", description="What is particular about this model; shown in the UI with the model asset."
    )
    owners: tuple[str, ...] = Field(
        default=("team:packaging-science",), description="Who answers for the model: e-mail addresses or `team:` names."
    )
    architecture: str = Field(
        default="catboost", description="A shipped architecture, or the import path of a class: `package.module:Class`."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="The architecture's own parameters; what is not named keeps its default."
    )
    features: FeatureSet = Field(default=DEFAULT_FEATURES, description="The columns the model sees.")
    split: SplitSpec = Field(default=SplitSpec(), description="Training and validation rows.")
    gates: GatePolicy = Field(default=GatePolicy(), description="When a trained model is approved, held or rejected.")
    suitable_from: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="The score from which on a product counts as suitable for the package type.",
    )
    seed: int = Field(default=20250106, ge=0, description="Seed of the learner.")
