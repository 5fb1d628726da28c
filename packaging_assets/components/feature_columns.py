"""Whether the columns that a model's gates and split name are there.

A misspelt one would leave its gate without a say, or be found out only when the week is split.
"""

from packaging_assets.components.project_features import project_features
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.spelling import meant_or_all


def check_gate_columns(gates: GatePolicy) -> GatePolicy:
    """`gates`, if each column that they name is a feature of the kind that they need.

    Raises:
        ValueError: one is not; the message names field and column.
    """
    for field, kind, names in (
        ("density_feature", "numeric", (gates.density_feature,)),
        ("slice_categories", "categorical", gates.slice_categories),
        ("slice_bands", "numeric", gates.slice_bands),
    ):
        for name in names:
            _check_column(field, kind, name)
    return gates


def check_group_column(name: str | None) -> str | None:
    """`name`, if it is a categorical feature, or None.

    Raises:
        ValueError: it is not; the message names the column.
    """
    if name is not None:
        _check_column("group_by", "categorical", name)
    return name


def _check_column(field: str, kind: str, name: str) -> None:
    catalogue = project_features()
    there = [column for column, feature in catalogue.features.items() if feature.kind == kind]
    if name not in there:
        near = meant_or_all(name, there)
        raise ValueError(f"{field}: {name!r} is no {kind} feature of {catalogue.features_file}{near}")
