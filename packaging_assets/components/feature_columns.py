"""Whether the columns that a model's gates look at are there: a misspelt one would leave its gate without a say."""

from packaging_assets.components.project_features import project_features
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.spelling import meant_or_all


def check_gate_columns(gates: GatePolicy) -> GatePolicy:
    """`gates`, if each column that they name is a feature of the kind that they need.

    Raises:
        ValueError: one is not; the message names field and column.
    """
    catalogue = project_features()
    for field, kind, names in (
        ("density_feature", "numeric", (gates.density_feature,)),
        ("slice_categories", "categorical", gates.slice_categories),
        ("slice_bands", "numeric", gates.slice_bands),
    ):
        there = [name for name, feature in catalogue.features.items() if feature.kind == kind]
        for name in names:
            if name not in there:
                near = meant_or_all(name, there)
                raise ValueError(f"{field}: {name!r} is no {kind} feature of {catalogue.features_file}{near}")
    return gates
