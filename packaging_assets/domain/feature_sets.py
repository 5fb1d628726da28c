"""Feature sets by name: which features dbt provides, in which groups, and what a model's `features` come to.

dbt's YAML is the single source of the columns: each that is a feature says so with
`config: {meta: {feature_group: ..., feature_kind: ...}}`. Sets are named in a file of their own. A model then names a
set, composes one from groups, or lists columns by kind; all come to a `FeatureSet` in dbt's order of columns, so that
two ways to write one set are one set to the cache.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.features import FeatureKind, FeatureSet
from packaging_assets.domain.spelling import did_you_mean, meant_or_all

DEFAULT_SET = "default"
"""The set of a model that names none, unless its architecture has another."""

COLUMN_KINDS: tuple[FeatureKind, ...] = tuple(kind for kind in get_args(FeatureKind) if kind != "scores")
"""The kinds that a column can have; scores of other models are no columns."""

STRING_KINDS = frozenset({"categorical", "text"})
"""The kinds of columns of strings; the other kinds are of columns of numbers."""


class FeatureSetError(ValueError):
    """Features cannot be what a file says; the message names file, field, value and what there is."""


class FeatureComposition(BaseModel):
    """Features put together from a named set or from groups, and some more or less."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str | None = Field(default=None, description="The named set to begin with; either this or `groups`.")
    groups: tuple[str, ...] | None = Field(default=None, description="The groups to begin with; either this or `set`.")
    include: tuple[str, ...] = Field(default=(), description="Groups or columns to add.")
    exclude: tuple[str, ...] = Field(default=(), description="Groups or columns to leave out.")


class FeatureLists(BaseModel):
    """Features listed column by column."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numeric: tuple[str, ...] = Field(default=(), description="Columns of numbers.")
    embedding: tuple[str, ...] = Field(default=(), description="Columns of numbers that mean something together only.")
    categorical: tuple[str, ...] = Field(default=(), description="Columns of strings, each value a category.")
    text: tuple[str, ...] = Field(default=(), description="Columns of free text.")


@dataclass(frozen=True)
class Feature:
    """A column that dbt declares to be a feature."""

    name: str
    group: str
    kind: FeatureKind


@dataclass(frozen=True)
class FeatureCatalogue:
    """The features that dbt provides, in its order of columns, and the sets that are named.

    `sets` is name -> columns; `defaults` is architecture -> name of its set.
    """

    features: Mapping[str, Feature]
    sets: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, str]
    features_file: str
    sets_file: str

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The columns of each group, in dbt's order."""
        groups: dict[str, tuple[str, ...]] = {}
        for feature in self.features.values():
            groups[feature.group] = (*groups.get(feature.group, ()), feature.name)
        return groups

    def default_of(self, architecture: str) -> str:
        """The name of the set that a model of this architecture has if its YAML does not say."""
        return self.defaults.get(architecture, DEFAULT_SET)

    def resolve(self, value: object) -> FeatureSet:
        """What `features` in a model's YAML comes to: a set's name, a composition, or columns by kind.

        Raises:
            FeatureSetError: a set, group or column is unknown, a column has another kind, or nothing can be made of
                the value.
            pydantic.ValidationError: a composition or a list has unknown keys or values of a wrong type.
        """
        if isinstance(value, FeatureSet):
            return value
        if isinstance(value, str):
            return self.by_kind(self._named(value, "features"))
        if not isinstance(value, Mapping):
            raise FeatureSetError(
                f"features = {value!r} is neither a set's name ({', '.join(self.sets)}), nor a composition (set, "
                f"groups, include, exclude), nor columns by kind ({', '.join(COLUMN_KINDS)})"
            )
        given = cast("Mapping[str, Any]", value)
        if FeatureComposition.model_fields.keys() & given.keys():
            return self.by_kind(self.compose(FeatureComposition.model_validate(given)))
        # A feature set that was written out lists the scores too, of which there are none before `feeds_from`.
        lists = {key: columns for key, columns in given.items() if key != "scores" or columns}
        return self._listed(FeatureLists.model_validate(lists))

    def compose(self, composition: FeatureComposition, field: str = "features") -> tuple[str, ...]:
        """The columns that a composition comes to, in dbt's order.

        Raises:
            FeatureSetError: see `resolve`; also if nothing that `exclude` names is there.
        """
        if (composition.set is None) == (composition.groups is None):
            raise FeatureSetError(f"{field} begins with either `set` or `groups`: give one of the two")
        if composition.set is not None:
            chosen = set(self._named(composition.set, f"{field}.set"))
        else:
            chosen = {name for group in composition.groups or () for name in self._group(group, f"{field}.groups")}
        return self.adjust(chosen, include=composition.include, exclude=composition.exclude, field=field)

    def adjust(
        self, chosen: Collection[str], *, include: Iterable[str], exclude: Iterable[str], field: str = "features"
    ) -> tuple[str, ...]:
        """The columns of `chosen` and `include` without those of `exclude`, in dbt's order.

        Raises:
            FeatureSetError: there is no such group or column, or it cannot be left out since it is not in.
        """
        columns = {*chosen, *(name for one in include for name in self._group_or_column(one, f"{field}.include"))}
        for one in exclude:
            left_out = set(self._group_or_column(one, f"{field}.exclude"))
            if not left_out & columns:
                raise FeatureSetError(f"{field}.exclude: {one!r} is not among the features, so it cannot be left out")
            columns -= left_out
        return tuple(name for name in self.features if name in columns)

    def by_kind(self, columns: Collection[str]) -> FeatureSet:
        """A feature set of these columns, each of the kind that dbt gives it; perhaps of none."""
        return _feature_set({name: self.features[name].kind for name in columns}, self.features)

    def _listed(self, lists: FeatureLists) -> FeatureSet:
        kinds: dict[str, FeatureKind] = {}
        for kind in COLUMN_KINDS:
            field, columns = f"features.{kind}", cast("tuple[str, ...]", getattr(lists, kind))
            for name in columns:
                self._check_listed(name, kind, field)
                if name in kinds:
                    raise FeatureSetError(f"{field}: feature {name!r} is listed more than once; list each column once")
                kinds[name] = kind
        return _feature_set(kinds, self.features)

    def _check_listed(self, name: str, kind: FeatureKind, field: str) -> None:
        found = self._column(name, field).kind
        if (found in STRING_KINDS) != (kind in STRING_KINDS):
            raise FeatureSetError(f"{field}: column {name!r} is {found} in {self.features_file}; list it as that")

    def _named(self, name: str, field: str) -> tuple[str, ...]:
        if name not in self.sets:
            raise FeatureSetError(
                f"{field}: there is no feature set {name!r} in {self.sets_file}{meant_or_all(name, self.sets)}"
            )
        return self.sets[name]

    def _group(self, name: str, field: str) -> tuple[str, ...]:
        groups = self.groups
        if name not in groups:
            raise FeatureSetError(
                f"{field}: there is no feature group {name!r} in {self.features_file}{meant_or_all(name, groups)}"
            )
        return groups[name]

    def _group_or_column(self, name: str, field: str) -> tuple[str, ...]:
        return self.groups.get(name) or (self._column(name, field).name,)

    def _column(self, name: str, field: str) -> Feature:
        if name not in self.features:
            groups = f"; there are the groups {', '.join(self.groups)} (`packaging spec features` lists their columns)"
            near = did_you_mean(name, [*self.features, *self.groups]) or groups
            raise FeatureSetError(f"{field}: {name!r} is neither a feature nor a group of {self.features_file}{near}")
        return self.features[name]


def as_taken_by(kinds: Collection[FeatureKind], features: FeatureSet) -> FeatureSet:
    """`features` for an architecture that takes these kinds: an embedding is numbers to one that knows no embeddings.

    The columns and their order stay as they are.
    """
    if not features.embedding or "embedding" in kinds or "numeric" not in kinds:
        return features
    return features.model_copy(update={"numeric": (*features.numeric, *features.embedding), "embedding": ()})


def union_of_columns(feature_sets: Iterable[FeatureSet], catalogue: FeatureCatalogue) -> tuple[str, ...]:
    """The columns that an extract must have for all these models: those of the default set, then all others.

    The default set's are always among them, so that what one model leaves out changes no extract.
    """
    default = catalogue.by_kind(catalogue.sets[DEFAULT_SET]).columns
    others = {name for features in feature_sets for name in features.inventory_columns} - set(default)
    known = [name for name in catalogue.features if name in others]
    return (*default, *known, *sorted(others - set(known)))


def _feature_set(kinds: Mapping[str, FeatureKind], order: Iterable[str]) -> FeatureSet:
    columns = {kind: tuple(name for name in order if kinds.get(name) == kind) for kind in COLUMN_KINDS}
    # A feature set that sees nothing is refused, but one that has scores may lose them again.
    return FeatureSet(**columns, scores=("another model",)).without_scores()
