"""Reading the models' YAML files without Dagster gives what Dagster loads."""

from pathlib import Path

import dagster as dg
import pytest

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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type: [", "is not valid YAML: while parsing"),
        (MODEL.format(package_type="crate"), "package_type = 'crate' cannot be: "),
        (MODEL.format(package_type="box") + "  depth: 3\n", "depth = 3 cannot be: Extra inputs"),
        ("type: packaging_assets.components.PackageModel\n", "attributes = None cannot be: "),
    ],
)
def test_a_wrong_file_is_named_with_field_and_value(tmp_path: Path, text: str, problem: str):
    write(tmp_path / "box", text)
    with pytest.raises(ModelSetError) as caught:
        load_models(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "box" / "defs.yaml"))
    assert problem in str(caught.value)
