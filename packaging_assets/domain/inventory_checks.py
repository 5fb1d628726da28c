"""Checks on products before they are scored: are they like those the champions learned from?

Memory does not grow with the inventory: it is read part by part and only counts are kept. Neither does time, beyond a
quarter of a million products: of more, row groups are looked at in even distances. The reference is each
champion's profile of its whole catalogue (see `catalogue_profiles`), so products that fit no package type count too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from packaging_assets.domain.drift_gates import DRIFT_GATES
from packaging_assets.domain.features import TITLE, FeatureSet, feature_frame, iterate_features, title_column
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.json_files import read_json, write_json
from packaging_assets.domain.parquet_files import count_rows
from packaging_assets.domain.profiles import ProfileComparison
from packaging_assets.domain.read_ahead import read_ahead
from packaging_assets.domain.verdicts import CheckDefinition, combine, judge_by

INVENTORY_CHECKS: tuple[CheckDefinition, ...] = tuple(gate.definition for gate in DRIFT_GATES)
"""Every check on an inventory."""

CHECKED_ROWS = 250_000
"""Of an inventory of more products, row groups are looked at that have about so many or more. The champions' profiles
are of 50,000 products: to look at all of ten million makes a difference between the two a tenth surer."""


class InventoryModel(BaseModel):
    """A champion that is to score the inventory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="The model's name, for sentences.")
    input_name: str = Field(description="Which input is the model's folder.")
    policy: GatePolicy


class CheckInventoryParams(BaseModel):
    """By whose training an inventory is judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[InventoryModel, ...] = Field(min_length=1)


def check_inventory(inputs: Mapping[str, Path], params: CheckInventoryParams, output: Path) -> None:
    """Compare an inventory with what each champion learned from.

    Args:
        inputs: `inventory`: Parquet parts written by `keep_features`; each model's folder under its `input_name`.
        params: the champions.
        output: gets drift.json (per model as `ProfileComparison.drift`) and verdict.json (`Verdict`; of each check the
            worst outcome over the models, whose sentence names the model).

    Raises:
        FeatureError: the inventory lacks a feature of a model, or has it in the wrong type.
    """
    profiles = {model.name: read_json(inputs[model.input_name] / "catalogue_profile.json") for model in params.models}
    drift = _compare(inputs["inventory"], profiles)
    verdicts = {
        model.name: judge_by(DRIFT_GATES, {"drift": drift[model.name], "columns_without_values": []}, model.policy)
        for model in params.models
    }
    write_json(output / "drift.json", drift)
    write_json(output / "verdict.json", combine(verdicts).model_dump(mode="json"))


def _compare(inventory: Path, profiles: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Champions of one week share their profile, which is then compared once."""
    distinct: list[Any] = []
    which: dict[str, int] = {}
    for name, profile in profiles.items():
        if profile not in distinct:
            distinct.append(profile)
        which[name] = distinct.index(profile)
    comparisons = [ProfileComparison(profile) for profile in distinct]
    columns = [_columns(profile) for profile in distinct]
    titles, every = title_column(inventory), max(1, count_rows(inventory) // CHECKED_ROWS)
    for features, comparison in zip(columns, comparisons, strict=True):
        for part in read_ahead(iterate_features(inventory, features, extra_columns=titles, every=every)):
            comparison.add(feature_frame(part, features), part[TITLE] if titles else None)
    return {name: comparisons[index].drift() for name, index in which.items()}


def _columns(profile: Mapping[str, Any]) -> FeatureSet:
    """What a profile describes beside titles: perhaps nothing, which a feature set that is validated may not be."""
    return FeatureSet.model_construct(numeric=tuple(profile["numeric"]), categorical=tuple(profile["categorical"]))
