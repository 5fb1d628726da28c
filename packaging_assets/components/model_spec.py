"""What one model's YAML file says: the fields of `defs/<name>/defs.yaml`, their defaults and their bounds.

Pure pydantic, so that `dg check yaml` can refuse unknown keys and bad values with file, line and key, and so that
nothing here needs Dagster.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, ValidationError, WrapValidator, field_validator, model_validator

from packaging_assets.components.architecture_names import check_architecture_name
from packaging_assets.components.feature_columns import check_gate_columns, check_group_column
from packaging_assets.components.instance_spec import InstanceSpecs
from packaging_assets.components.label_rules import LabelRules
from packaging_assets.components.project_features import default_features, project_features
from packaging_assets.components.search_space import SearchRange
from packaging_assets.domain.architectures import architecture_class, feature_kinds
from packaging_assets.domain.class_weights import ClassWeighting, ClassWeights
from packaging_assets.domain.feature_sets import FeatureComposition, FeatureLists, FeatureSetError, as_taken_by
from packaging_assets.domain.features import FeatureSet, score_column
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.spelling import did_you_mean
from packaging_assets.domain.splits import GROUPS_NEED_HASH
from packaging_assets.domain.written_fields import WrittenFields

TRAINING_TAG = {"packaging/pipeline": "training"}
"""Tag of every asset that the weekly job materializes."""


Features = Annotated[
    FeatureSet,
    WrapValidator(
        lambda value, _: project_features().resolve(value),
        json_schema_input_type=str | FeatureComposition | FeatureLists,
    ),
]
"""A feature set, which YAML gives by a set's name, as a composition, or column by column."""


def _check_json(parameters: dict[str, Any]) -> dict[str, Any]:
    """`parameters`, if JSON can say them.

    In a fingerprint and for a job, NaN and infinity would both become null, and the key 1 the same as the key "1".
    """
    try:
        is_said = json.loads(json.dumps(parameters, allow_nan=False)) == parameters
    except (TypeError, ValueError):
        is_said = False
    if not is_said:
        raise ValueError(
            "give text, finite numbers, true, false, null, lists, and mappings of these whose keys are text "
            "(in quotes where it looks like a number)"
        )
    return parameters


class SplitSpec(WrittenFields):
    """How labelled products are divided into training and validation rows."""

    method: Literal["hash", "time"] = Field(
        default="hash",
        description="hash: by a hash of the product id, the same for every type and week; "
        "time: products first labelled in the last `validation_weeks` weeks validate.",
    )
    validation_fraction: float = Field(
        default=0.3, gt=0, lt=1, description="Share of the products that validate (method hash)."
    )
    seed: int = Field(default=20250106, ge=0, lt=10**16, description="Seed of the hash; another seed is another split.")
    group_by: Annotated[str | None, AfterValidator(check_group_column)] = Field(
        default=None,
        description="A categorical feature, such as a product family: products with the same value are on the same "
        "side (method hash), those without one by themselves.",
    )
    validation_weeks: int = Field(default=4, ge=1, description="Weeks of newest products that validate (method time).")

    @model_validator(mode="after")
    def _groups_have_their_method(self) -> "SplitSpec":
        if self.method == "time" and self.group_by is not None:
            raise ValueError(GROUPS_NEED_HASH)
        return self


RESERVED_NAMES = frozenset(
    {"labels", "features", "daily", "monthly", "outcomes", "inference", "warehouse", "recommendations", "review", "ml"}
    | {"raw", "default", "experiments"}
)
"""Groups, first parts of asset keys and folders of artifacts that are not a model's."""

OWNER = re.compile(r"team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")
"""Whom Dagster takes for an owner."""


class OverrideError(ValueError):
    """A field of a model cannot be set to a value for one run; the message names field, value and reason."""


class ModelSpec(WrittenFields):
    """One model: everything a data scientist decides about it."""

    package_type: Literal["mailer", "bag", "box", "sioc"] = Field(description="The package type the model decides on.")
    name: str = Field(
        default="",
        max_length=40,
        pattern=r"^([a-z][a-z0-9_]*)?$",
        description="What the model is called in assets and registry: lower-case letters, digits and '_'; by default "
        "the package type.",
    )
    stage: Literal["live", "shadow"] = Field(
        default="live",
        description="live: its approved versions serve; shadow: trained, compared with the live model of the same "
        "package type and registered every week, but never approved, and its predictions go into a table of their own.",
    )
    replaces: str | None = Field(
        default=None,
        description="A model of the same package type that steps back to shadow once this one is live; until this one "
        "has an approved version, that model's champion serves on.",
    )
    description: str = Field(
        default="", description="What is particular about this model; shown in the UI with the model asset."
    )
    owners: tuple[str, ...] = Field(
        default=("team:packaging-science",), description="Who answers for the model: e-mail addresses or `team:` names."
    )
    architecture: Annotated[str, AfterValidator(check_architecture_name)] = Field(
        default="catboost", description="A shipped architecture, or the import path of a class: `package.module:Class`."
    )
    parameters: Annotated[dict[str, Any], AfterValidator(_check_json)] = Field(
        default_factory=dict, description="The architecture's own parameters; what is not named keeps its default."
    )
    features: Features = Field(
        default_factory=lambda: project_features().resolve({}),  # until the architecture is known to be one
        description="The columns the model sees: a feature set's name, a composition of groups and columns, or columns "
        "by kind; by default the set that packaging_assets/feature_sets.yaml names for the architecture.",
    )
    feeds_from: tuple[str, ...] = Field(
        default=(),
        description="Models whose scores are features of this one: out-of-fold scores in training, and when scoring "
        "those of the very versions that it was trained with.",
    )
    score_folds: int = Field(
        default=4,
        ge=2,
        le=20,
        description="Folds in which out-of-fold scores are made for the models fed from this one.",
    )
    labels: LabelRules = Field(
        default=LabelRules(),
        description="When evidence becomes a label. A model with other rules than the defaults has labels of its own, "
        "the asset `<name>/labels`; all others share the asset `labels`.",
    )
    class_weights: ClassWeighting = Field(
        default=None,
        description="balanced: both classes get the same total weight in training; or a factor for each. It moves the "
        "scores, so the calibration gate will notice.",
    )
    split: SplitSpec = Field(default=SplitSpec(), description="Training and validation rows.")
    gates: Annotated[GatePolicy, AfterValidator(check_gate_columns)] = Field(
        default=GatePolicy(), description="When a trained model is approved, held or rejected."
    )
    suitable_from: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="The score from which on a product counts as suitable for the package type.",
    )
    seed: int = Field(default=20250106, ge=0, lt=2**31, description="Seed of the learner.")
    instances: InstanceSpecs = Field(
        default=InstanceSpecs(),
        description="The machines on which the model's steps run with SageMaker compute; local compute takes no notice "
        "of them, and no result depends on them.",
    )
    search: dict[str, SearchRange] = Field(
        default_factory=dict[str, SearchRange],
        description="What `packaging experiment tune` tries: dotted key -> its values, as in "
        "`parameters.depth: {int: [3, 8]}`. Training takes no notice of it.",
    )

    @field_validator("owners")
    @classmethod
    def _owners_are_known_to_dagster(cls, owners: tuple[str, ...]) -> tuple[str, ...]:
        for owner in owners:
            if not OWNER.fullmatch(owner):
                raise ValueError(f"owner {owner!r} is neither an e-mail address nor a team, such as 'team:packaging'")
        return owners

    @model_validator(mode="after")
    def _complete(self) -> "ModelSpec":
        if not self.name:
            object.__setattr__(self, "name", self.package_type)
        if "features" not in self.model_fields_set:
            object.__setattr__(self, "features", default_features(self.architecture))
        if self.name in self.feeds_from or self.name == self.replaces:
            field = "feeds_from" if self.name in self.feeds_from else "replaces"
            raise ValueError(f"model {self.name!r} names itself in `{field}`; name another model")
        if len(set(self.feeds_from)) < len(self.feeds_from):
            raise ValueError(f"`feeds_from` of {self.name!r} names a model twice: {', '.join(self.feeds_from)}")
        taken = sorted({score_column(name) for name in self.feeds_from}.intersection(self.features.columns))
        if taken:
            raise ValueError(f"feature {taken[0]!r} of {self.name!r} has the name of a score that it feeds from")
        if self.name in RESERVED_NAMES:
            raise ValueError(
                f"a model cannot be called {self.name!r}, as the platform's own assets are; give another name"
            )
        if not self.features.columns and not self.feeds_from:
            raise ValueError(f"model {self.name!r} sees nothing: give it `features`, or models to feed from")
        return self

    @property
    def feature_set(self) -> FeatureSet:
        """Everything the learner sees: the features as it takes them, and the scores of the models it feeds from.

        Raises:
            ArchitectureError: the architecture cannot be imported, which this does.
        """
        seen = self.features.model_copy(update={"scores": self.feeds_from})
        return as_taken_by(feature_kinds(architecture_class(self.architecture)), seen)

    @property
    def columns_of_training(self) -> FeatureSet:
        """The columns that the week's features must have: those that the model sees, and what its split groups by."""
        group_by = self.split.group_by
        if group_by is None or group_by in self.features.columns:
            return self.features
        return self.features.model_copy(update={"categorical": (*self.features.categorical, group_by)})

    @property
    def labels_key(self) -> str:
        """Asset key of the labels that the model is trained on: shared, unless its rules are its own."""
        return "labels" if self.labels == LabelRules() else f"{self.name}/labels"


def override(spec: ModelSpec, values: Mapping[str, Any]) -> ModelSpec:
    """The same model with some fields set for one run, by dotted key: `{"parameters.depth": 8}`.

    Raises:
        OverrideError: there is no such field, the value is none it can have, or it is one of the fields that say what
            the model is rather than how it is trained.
    """
    fields: dict[str, Any] = spec.model_dump(mode="json")
    if "features" not in spec.model_fields_set:  # another architecture may have another default
        del fields["features"]
        if any(key.partition(".")[0] == "features" for key in values):
            architecture = str(values.get("architecture", spec.architecture))
            fields["features"] = default_features(architecture).model_dump(mode="json")
    for key, value in values.items():
        _set(fields, key, value)
    try:
        return ModelSpec.model_validate(fields)
    except ValidationError as error:
        # A field that may be one thing or another has an error for each: the deepest is about the thing that was meant.
        problem = max(error.errors(), key=lambda one: len(one["loc"]))
        where = ".".join(str(part) for part in problem["loc"])
        # What fields contradict together has no place of its own; then it is about everything that was to be set.
        what = f"{where} = {problem['input']!r}" if where else ", ".join(f"{k} = {v!r}" for k, v in values.items())
        reason = problem["msg"].removeprefix("Value error, ")
        raise OverrideError(f"{spec.name}: {what} cannot be: {reason}") from None


ADJUSTMENTS = {"features.include", "features.exclude"}
"""Keys that say what is added to a model's features or left out; its YAML says of which set as well."""


def as_in_yaml(spec: ModelSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """What to write into the model's YAML, by dotted key, for what `override` makes of it with these values.

    Raises:
        OverrideError: as `override`.
    """
    adjusted = {key.removeprefix("features."): value for key, value in values.items() if key in ADJUSTMENTS}
    if not adjusted:
        return dict(values)
    before = override(spec, {key: value for key, value in values.items() if key not in ADJUSTMENTS}).features
    named = (name for name, columns in project_features().sets.items() if set(columns) == set(before.columns))
    found = next(named, None)
    lists = override(spec, values).features.model_dump(mode="json", exclude={"scores"}, exclude_defaults=True)
    features = lists if found is None else {"set": found, **adjusted}
    return {**{key: value for key, value in values.items() if not key.startswith("features")}, "features": features}


FIXED = ("name", "package_type", "stage", "replaces", "owners")
"""Fields that no run may set otherwise than the YAML does."""


MAY_BE_SET = [name for name in ModelSpec.model_fields if name not in {*FIXED, "labels"}]
"""Fields that a run may set."""


def _set(fields: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    _check_may_be_set(key)
    if key in ADJUSTMENTS:
        fields["features"] = _adjusted(fields["features"], last, value)
        return
    if path == ["class_weights"] and not isinstance(fields["class_weights"], dict):
        fields["class_weights"] = ClassWeights().model_dump()
    inner: Any = fields
    for name in path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or (last not in inner and path[:1] != ["parameters"]):
        known = sorted(inner if path and isinstance(inner, dict) else MAY_BE_SET)
        all_there_is = f"; there is {', '.join(known)}: see `packaging spec docs`"
        own = "" if path else f"; what is the architecture's own is set as 'parameters.{last}'"
        near = did_you_mean(last, known) or all_there_is + own
        raise OverrideError(f"a model has no field {key!r}{near}")
    inner[last] = value


def _check_may_be_set(key: str) -> None:
    first = key.partition(".")[0]
    if first in FIXED:
        raise OverrideError(f"{key} says what the model is and cannot be set for one run: change its YAML")
    if first == "labels":
        raise OverrideError(
            f"{key} cannot be set for one run, since a model's labels are an asset that is there before it: give the "
            "model, or a shadow model beside it, rules of its own in its YAML"
        )


def _adjusted(features: object, how: str, names: object) -> dict[str, Any]:
    """The features with some more (`include`) or less (`exclude`), column by column."""
    if not isinstance(names, list | tuple):
        raise OverrideError(f"features.{how} = {names!r} cannot be: give a list of groups or columns")
    given = [str(name) for name in cast("Sequence[object]", names)]
    include, exclude = (given, []) if how == "include" else ([], given)
    catalogue = project_features()
    try:
        columns = catalogue.adjust(catalogue.resolve(features).columns, include=include, exclude=exclude)
    except FeatureSetError as error:
        raise OverrideError(str(error)) from None
    return catalogue.by_kind(columns).model_dump(mode="json")
