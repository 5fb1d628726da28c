"""Reading the models' YAML files without Dagster gives what Dagster loads."""

from pathlib import Path

import dagster as dg
import pytest

from packaging_assets import definitions
from packaging_assets.components import package_model
from packaging_assets.components.model_files import load_models
from packaging_assets.components.model_set import ModelSet, ModelSetError
from packaging_assets.definitions import build_definitions
from packaging_assets.settings import load_settings

MODEL = """\
type: packaging_assets.components.PackageModel
attributes:
  package_type: {package_type}
"""


def write(folder: Path, text: str, name: str = "defs.yaml") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_the_project_s_models_are_those_that_dagster_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    loaded: list[ModelSet] = []

    def model_set(context: dg.ComponentLoadContext) -> ModelSet:
        loaded.append(original(context))
        return loaded[-1]

    original = package_model.model_set
    monkeypatch.setattr(package_model, "model_set", model_set)
    build_definitions(load_settings(tmp_path))
    assert {"mailer", "bag", "box", "sioc"} <= set(loaded[0].specs)
    assert load_models() == loaded[0]
    assert list(load_models().specs) == list(loaded[0].specs)


def test_every_name_depth_and_document_counts_and_other_components_do_not(tmp_path: Path):
    write(tmp_path / "box", MODEL.format(package_type="box"), "defs.yml")
    write(tmp_path / "team" / "bag", MODEL.format(package_type="bag"), "component.yaml")
    both = "---\n".join(MODEL.format(package_type=name) for name in ("mailer", "sioc"))
    write(tmp_path / "light", f"{both}---\ntype: dagster.DefsFolderComponent\n---\n")
    write(tmp_path / "light" / "below", MODEL.format(package_type="box"))
    assert list(load_models(tmp_path).specs) == ["box", "mailer", "sioc", "bag"]


BOX = MODEL.format(package_type="box")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type: [", " is not valid YAML: while parsing"),
        (BOX + "  seed: !!int x\n", " is not valid YAML: invalid literal for int"),
        ("", " is empty: write what the model is, or delete the file"),
        (BOX + "  seed: 1\n  seed: 2\n", " is not valid YAML: 'seed' is given twice, in lines 4 and 5: leave one out"),
        ("attributes: {}\n", ":1: a model's file begins with `type: packaging_assets.components.PackageModel`"),
        ("- a list\n", ":1: a model's file begins with `type: packaging_assets.components.PackageModel`"),
        (
            BOX.replace("Model", "Modl"),
            ":1: there is no component 'packaging_assets.components.PackageModl'; did you mean 'packaging_assets",
        ),
        ("type: packaging_assets.components.PackageModel\n", ":1: package_type is missing, and must be given"),
        (MODEL.format(package_type="crate"), ":3: package_type = 'crate' cannot be: Input should be 'mailer', "),
        (BOX + "  suitable_form: 3\n", ":4: suitable_form: there is no such field; did you mean 'suitable_from'?"),
        (BOX + "  split:\n    q: 1\n", ":5: split.q: there is no such field; there is method, validation_fraction, "),
        (
            BOX + "  gates: {confidense: 1}\n",
            ":4: gates.confidense: there is no such field; did you mean 'confidence'?",
        ),
        (BOX + "  search: {seed: {imt: [1, 3]}}\n", ":4: search.seed.imt: there is no such field; did you mean 'int'?"),
        (
            BOX + "  features: {set: default, numeric: [weight_kg]}\n",
            ":4: features.numeric cannot stand beside the other fields of `features`: leave it out, or them",
        ),
        (BOX + "  features: tabuler\n", ":4: features: there is no feature set 'tabuler' in "),
        (BOX + "  class_weights: {suitabel: 2}\n", ":4: class_weights.suitabel: there is no such field; did you mean "),
        (BOX + "  class_weights: {suitable: -1}\n", ":4: class_weights.suitable = -1 cannot be: Input should be "),
        (
            BOX + "  class_weights: balancd\n",
            ":4: class_weights = 'balancd' cannot be: Input should be 'balanced', or ",
        ),
        (BOX + "  description: 2025-01-06\n  seed: x\n", ":5: seed = 'x' cannot be: "),
        (BOX + "  name: labels\n", ":2: a model cannot be called 'labels', "),
        (BOX + "  feeds_from: [bax, box]\n", ":2: model 'box' names itself in `feeds_from`; name another model"),
    ],
)
def test_a_wrong_file_is_named_with_line_field_value_and_remedy(tmp_path: Path, text: str, problem: str):
    write(tmp_path / "box", text)
    with pytest.raises(ModelSetError) as caught:
        load_models(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'box' / 'defs.yaml'}{problem}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_mapping_may_set_otherwise_what_it_merges(tmp_path: Path):
    nested = "  parameters:\n    p: {b: &b {<<: &a {x: 1}, x: 2}}\n    c: {<<: *b, x: 3}\n"
    write(tmp_path / "box", BOX + nested)
    assert load_models(tmp_path).specs["box"].parameters == {"p": {"b": {"x": 2}}, "c": {"x": 3}}


def test_all_that_is_wrong_with_all_files_is_said_at_once(tmp_path: Path):
    for name in ("bag", "box"):
        write(tmp_path / name, MODEL.format(package_type=name) + "  seed: x\n  sead: 1\n")
    with pytest.raises(ModelSetError) as caught:
        load_models(tmp_path)
    assert [line.partition("/defs.yaml:")[2].partition(" ")[0] for line in str(caught.value).splitlines()] == [
        "4:", "5:", "4:", "5:"
    ]  # fmt: skip


def test_models_that_contradict_one_another_are_named_with_their_files(tmp_path: Path):
    write(tmp_path / "one", BOX)
    write(tmp_path / "two", BOX)
    write(tmp_path / "three", MODEL.format(package_type="bag"))
    with pytest.raises(ModelSetError) as caught:
        load_models(tmp_path)
    files = ", ".join(str(tmp_path / name / "defs.yaml") for name in ("one", "two"))
    assert str(caught.value) == f"two models are called 'box': give one of them another `name`; see {files}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOX + "  suitable_form: 3\n", ":4: suitable_form: there is no such field; did you mean 'suitable_from'?"),
        (BOX + "  seed: 1\n  seed: 2\n", " is not valid YAML: 'seed' is given twice, in lines 4 and 5: leave one out"),
        (
            BOX + "  labels: {min_shipments: 1, min_shipments: 2}\n",
            " is not valid YAML: 'min_shipments' is given twice, in lines 4 and 4: leave one out",
        ),
    ],
)
def test_dagster_says_the_same_of_a_wrong_file(
    text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    project = shop(tmp_path, text, monkeypatch)
    with pytest.raises(ModelSetError) as caught:
        build_definitions(load_settings(tmp_path))
    assert str(caught.value) == f"{project / 'defs' / 'box' / 'defs.yaml'}{problem}"


def test_dagster_takes_keys_that_are_equal_where_they_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    merged = "  parameters: {a: &a {x: 1}, b: {<<: *a, x: 2}, c: [*a, *a]}\n"
    shop(tmp_path, f"---\n{BOX}{merged}---\n{MODEL.format(package_type='bag')}", monkeypatch)
    loaded = build_definitions(load_settings(tmp_path))
    assert {job.name for job in loaded.jobs or ()} >= {"train_box", "train_bag"}


def shop(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in place of this one, with one file of models."""
    project = folder / f"shop_{folder.name}"  # Python keeps what it has imported by its name
    write(project / "defs" / "box", text)
    for package in (project, project / "defs"):
        (package / "__init__.py").touch()
    root = f'[tool.dg]\ndirectory_type = "project"\nproject.root_module = "{project.name}"\n'
    (folder / "pyproject.toml").write_text(root)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(definitions, "PROJECT", project)
    return project
