"""`packaging models check`: everything that is wrong with the models' files, before a run."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from packaging_assets.cli.models import models
from packaging_assets.components import model_files

TYPE = "type: packaging_assets.components.PackageModel\nattributes:\n"

PLUG_IN = """\
raise OSError("no licence")


class Net:
    fit = prepare = predict_proba = save = load = feature_importance = None
"""


@pytest.fixture
def check(tmp_path, monkeypatch):
    monkeypatch.setattr(model_files.load_models, "__defaults__", (tmp_path,))

    def write_and_check(**texts: str) -> tuple[int, str]:
        for name, text in texts.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "defs.yaml").write_text(f"{TYPE}  package_type: {name}\n{text}")
        result = CliRunner().invoke(models, ["check"])
        return result.exit_code, result.output

    return write_and_check


def test_models_that_can_be_trained_are_listed(check):
    assert check(box="", bag="  parameters: {depth: 4}\n") == (0, "Nothing is wrong with the YAML of bag, box.\n")


def test_a_package_type_that_shadow_models_alone_decide_on_is_told(check):
    code, output = check(box="", bag="  stage: shadow\n")
    assert (code, output.splitlines()) == (
        0,
        [
            "Nothing is wrong with the YAML of bag, box.",
            "No model is live for bag, which is left out of predictions and recommendations.",
        ],
    )


def test_wrong_fields_are_told_with_file_and_line(check, tmp_path):
    code, output = check(box="  sead: 1\n", bag="  stage: lve\n")
    assert code == 1
    assert output.splitlines() == [
        f"Error: {tmp_path}/bag/defs.yaml:4: stage = 'lve' cannot be: Input should be 'live' or 'shadow'",
        f"{tmp_path}/box/defs.yaml:4: sead: there is no such field; did you mean 'seed'?",
    ]


def test_what_learners_refuse_is_told_before_a_run(check, tmp_path, monkeypatch):
    module = f"plug_in_{Path(tmp_path).name}"
    (tmp_path / f"{module}.py").write_text(PLUG_IN)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    code, output = check(
        bag="  parameters: {depht: 4}\n",
        box="  features: multimodal\n",
        mailer=f"  architecture: {module}:Net\n",
    )
    assert code == 1
    first, second, third = output.splitlines()
    assert first.startswith("Error: bag: unknown CatBoost parameter 'depht'; did you mean 'depth'?")
    assert second.startswith("box: architecture 'catboost' takes no text features (title); it takes ")
    assert third.startswith("mailer: ")
    assert third.endswith("no licence")


def test_numbers_that_are_text_to_yaml_are_told_before_a_run(check):
    nested = "{estimator: sklearn.linear_model.LogisticRegression, parameters: {C: 1e-05}}"
    code, output = check(
        bag="  parameters: {learning_rate: 1e-3}\n",
        box=f"  architecture: sklearn\n  parameters: {nested}\n",
        mailer="  parameters: {learning_rate: 1.0e-3, name: rate}\n",
    )
    said = "is text: YAML's numbers with an exponent have a point and its sign; write"
    assert (code, output.splitlines()) == (
        1,
        [
            f"Error: bag: parameters.learning_rate = '1e-3' {said} 0.001",
            f"box: parameters.parameters.C = '1e-05' {said} 1.0e-05",
        ],
    )


def test_what_a_search_could_not_try_is_told_before_it_begins(check):
    code, output = check(
        bag="  search: {parameters.dept: {int: [3, 8]}, parameters.depth: {int: [3, 8]}}\n",
        box="  search: {paramters.depth: {int: [3, 8]}}\n",
        mailer="  search: {features: {choice: [default, multimodal]}}\n",
        sioc="  search: {features: {choice: [default, tabular]}, class_weights: {choice: [balanced, null]}}\n",
    )
    assert code == 1
    bag, box, mailer = output.splitlines()
    assert bag.startswith("Error: bag: search: unknown CatBoost parameter 'dept'; did you mean 'depth'?")
    assert box.startswith("box: search: a model has no field 'paramters.depth'; there is ")
    assert mailer.startswith("mailer: search: architecture 'catboost' takes no text features (title)")
