"""What one model's YAML may say, as far as other files' tests do not: names, feeders, architecture, overrides."""

import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from packaging_assets.components.model_spec import ModelSpec, OverrideError, override
from packaging_assets.domain.architectures import METHODS
from packaging_assets.domain.features import FeatureSet

ALL_METHODS = " = ".join(METHODS)
REMEDY = f"; an architecture has the methods {', '.join(METHODS)} (docs/architectures.md)"
ALL_BUT_FIT = ", ".join(method for method in METHODS if method != "fit")


def spec(**fields: Any) -> ModelSpec:
    return ModelSpec.model_validate({"package_type": "box", **fields})


def test_a_model_is_called_after_its_package_type_unless_it_has_a_name() -> None:
    assert (spec().name, spec(name="box_next").name) == ("box", "box_next")


def test_the_learner_sees_the_features_and_the_scores_in_the_order_of_the_feeders() -> None:
    model = spec(name="next", features={"numeric": ["weight_kg"]}, feeds_from=["box", "bag"])

    assert model.feature_set == FeatureSet(numeric=("weight_kg",), scores=("box", "bag"))
    assert spec(architecture="stacked", feeds_from=["bag"]).feature_set.columns == ("score_bag",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"feeds_from": ["box"]}, "model 'box' names itself in `feeds_from`; name another model"),
        ({"replaces": "box"}, "model 'box' names itself in `replaces`; name another model"),
        ({"feeds_from": ["bag", "bag"]}, "`feeds_from` of 'box' names a model twice: bag, bag"),
        ({"name": "Box"}, "String should match pattern"),
        ({"name": "b" * 41}, "at most 40 characters"),
        ({"score_folds": 1}, "greater than or equal to 2"),
        (
            {"architecture": "catbost"},
            r"there is no architecture 'catbost'; did you mean 'catboost'\?",
        ),
        (
            {"architecture": "xgb"},
            "there is no architecture 'xgb'; use one of catboost, .*'package.module:Class'",
        ),
        ({"architecture": "my_nets:"}, "there is no architecture 'my_nets:'"),
        ({"architecture": ":Net"}, "there is no architecture ':Net'"),
        ({"architecture": "my_nets:Net()"}, "there is no architecture"),
        (
            {"architecture": "my_nets:Net"},
            "there is no module 'my_nets' where Python looks for modules; correct the pa",
        ),
        ({"architecture": "my_team.nets:Net"}, "there is no module 'my_team.nets'"),
        ({"architecture": "..nets:Net"}, r"there is no module '\.\.nets'"),
        ({"architecture": "json.nets:Net"}, "there is no module 'json.nets'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec(**fields)


def test_a_score_must_not_have_the_name_of_a_feature() -> None:
    features = FeatureSet(numeric=("score_bag",))

    with pytest.raises(
        ValidationError, match="feature 'score_bag' of 'box' has the name of a score that it feeds from"
    ):
        spec(features=features, feeds_from=["bag"])


def test_a_class_of_ones_own_is_looked_for_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "team_of_mine"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text("raise RuntimeError('imported')\nclass Net(Base): ...\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert spec(architecture="team_of_mine.nets:Net").architecture == "team_of_mine.nets:Net"
    assert "team_of_mine.nets" not in sys.modules


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module whose name nothing else has."""
    name = f"nets_{uuid.uuid4().hex}"
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / f"{name}.py"


@pytest.mark.parametrize(
    "source",
    [
        "class Net(Base): ...\n",
        "@with_methods\nclass Net: ...\n",
        f"class Net:\n    {ALL_METHODS} = lambda *_: None\n",
        f"class Net:\n    def fit(self): ...\n    from somewhere import {ALL_BUT_FIT}\n",
        "from somewhere import Net\n",
        "from somewhere import Other as Net\n",
        "Net = make(3)\n",
        "try:\n    from fast import Net\nexcept ImportError:\n    class Net: ...\n",
        "from somewhere import *\n",
        "def __getattr__(name): ...\n",
    ],
)
def test_a_class_may_come_into_its_module_in_any_way(nets: Path, source: str) -> None:
    nets.write_text(source)

    assert spec(architecture=f"{nets.stem}:Net").architecture == f"{nets.stem}:Net"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("class Nett: ...\nclass Other: ...\n", "defines no 'Net'; did you mean 'Nett'?"),
        ("class Model: ...\nclass Other: ...\n", "defines no 'Net'; its classes are Model, Other: correct the name"),
        ("def f():\n    class Net: ...\n\nprint(Net)\n", "defines no 'Net'; its classes are none: correct the name"),
        (
            "class Net:\n    def fit(self): ...\n    def load(self): ...\n    def predict(self): ...\n",
            f"lacks prepare, predict_proba, save, feature_importance{REMEDY}",
        ),
        ("x = 1\nclass Net\n", ".py, line 2); correct the file"),
        ("\udcff", "is no Python: invalid or missing encoding declaration; correct the file"),
    ],
)
def test_a_class_that_its_module_does_not_define_is_refused(nets: Path, source: str, message: str) -> None:
    nets.write_bytes(source.encode(errors="surrogateescape"))

    with pytest.raises(ValidationError) as caught:
        spec(architecture=f"{nets.stem}:Net")

    (problem,) = caught.value.errors()
    assert problem["loc"] == ("architecture",)
    assert f"architecture '{nets.stem}:Net': " in problem["msg"]
    assert str(nets) in problem["msg"]
    assert problem["msg"].endswith(message)


@pytest.mark.parametrize(("present", "missing"), [((), "torch, safetensors"), (("torch",), "safetensors")])
def test_an_architecture_whose_extra_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: Sequence[str], missing: str
) -> None:
    for module in present:
        (tmp_path / f"{module}.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(each for each in sys.path if "site-packages" not in each)])
    for module in ("torch", "safetensors"):
        monkeypatch.delitem(sys.modules, module, raising=False)

    with pytest.raises(ValidationError, match=rf"'torch_fusion' needs {missing}, which .*`uv sync --extra torch`, or"):
        spec(architecture="torch_fusion")


def test_of_a_module_that_is_no_python_file_its_being_there_is_enough() -> None:
    assert spec(architecture="math:Net").architecture == "math:Net"


def test_a_run_may_feed_a_model_otherwise_but_not_rename_it() -> None:
    model = spec(features={"numeric": ["weight_kg"]})

    assert override(model, {"feeds_from": ["bag"], "score_folds": 5}).feeds_from == ("bag",)
    with pytest.raises(OverrideError, match="name says what the model is and cannot be set for one run"):
        override(model, {"name": "other"})
    with pytest.raises(OverrideError, match=r"box: architecture = 'catbost' cannot be: .*there is no architecture"):
        override(model, {"architecture": "catbost"})


def test_a_parameter_that_is_set_as_a_field_is_told_where_it_belongs() -> None:
    with pytest.raises(OverrideError, match=r"; what is the architecture's own is set as 'parameters.depth'$"):
        override(spec(), {"depth": 6})


def test_fields_that_contradict_together_are_told_without_the_rest_of_the_model() -> None:
    with pytest.raises(OverrideError) as caught:
        override(spec(), {"feeds_from": ["box"]})

    assert str(caught.value) == (
        "box: feeds_from = ['box'] cannot be: model 'box' names itself in `feeds_from`; name another model"
    )
