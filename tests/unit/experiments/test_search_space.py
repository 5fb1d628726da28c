"""What a search space in YAML can say."""

from typing import Any

import pytest
from pydantic import ValidationError

from packaging_assets.components.model_spec import ModelSpec, override
from packaging_assets.components.search_space import SearchRange
from packaging_assets.components.training_steps import plan_metrics, plan_model, plan_split

SEARCH = {
    "parameters.depth": {"int": [3, 8]},
    "parameters.learning_rate": {"float": ["1e-2", 0.3], "log": True},
    "features": {"choice": ["default", {"numeric": ["weight_kg"]}]},
}


def test_a_model_carries_its_space_and_keeps_it_when_overridden():
    spec = ModelSpec.model_validate({"package_type": "bag", "search": SEARCH})
    assert spec.search["parameters.depth"].extremes == (3, 8)
    assert spec.search["parameters.learning_rate"].bounds == (0.01, 0.3)
    assert spec.search["features"].extremes == ("default", {"numeric": ["weight_kg"]})
    assert spec.search["features"].bounds == (0, 0)
    assert override(spec, {"parameters.depth": 4}).search == spec.search


def test_the_space_is_part_of_no_step():
    plain, searched = (ModelSpec.model_validate({"package_type": "bag", **more}) for more in ({}, {"search": SEARCH}))
    for plan in (
        lambda spec: plan_split(spec, "2025-01-06"),
        plan_model,
        lambda spec: plan_metrics(spec, "2025-01-06", None, architectures=("catboost",)),
    ):
        assert plan(plain) == plan(searched)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "give exactly one of int, float and choice, not none"),
        ({"int": [1, 2], "choice": [1, 2]}, "not int, choice"),
        ({"int": [8, 3]}, "the first bound must be below the second, and both finite: 8 and 3 are not"),
        ({"float": [0.0, float("inf")]}, "both finite: 0.0 and inf are not"),
        ({"float": [0.0, 1.0], "log": True}, "log needs bounds above 0, and 0.0 is not"),
        ({"int": [0, 4], "log": True}, "log needs bounds above 0, and 0 is not"),
        ({"choice": ["a"]}, "a choice needs at least two values"),
        ({"choice": ["a", "b"], "log": True}, "log is for int and float"),
        ({"int": [1, 2, 3]}, "int"),
        ({"ints": [1, 2]}, "ints"),
    ],
)
def test_what_cannot_be_searched_is_refused(values: dict[str, Any], sentence: str):
    with pytest.raises(ValidationError, match=sentence):
        SearchRange.model_validate(values)
