import errno
import re
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from packaging_assets.cli.models import models
from packaging_assets.components import model_files
from packaging_assets.components.model_files import load_models
from packaging_assets.components.model_set import ModelSetError
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.components.new_model import NewModel, NewModelError
from packaging_assets.components.scaffolder import PackageModelScaffolder

MAILER = """\
type: packaging_assets.components.PackageModel
attributes:
  package_type: mailer
  description: Padded mailers.
  owners: [team:mail]
  parameters: {depth: 6}
  features: {set: tabular, exclude: [brand]}
  search:
    parameters.depth: {int: [3, 8]}
"""
BOX = "type: packaging_assets.components.PackageModel\nattributes: {package_type: box}\n"


@pytest.fixture
def defs(tmp_path, monkeypatch) -> Path:
    """The models of a project that has a mailer and a box."""
    defs = tmp_path / "packaging_assets" / "defs"
    for name, text in (
        ("mailer", MAILER),
        ("box", BOX),
        ("labels", "# to come\n---\ntype: dagster.DefsFolderComponent\n"),
    ):
        (defs / name).mkdir(parents=True)
        (defs / name / "defs.yaml").write_text(text)
    monkeypatch.setattr(model_files, "DEFS", defs)
    monkeypatch.setattr(model_files.load_models, "__defaults__", (defs,))
    monkeypatch.setattr("packaging_assets.settings.PROJECT_ROOT", tmp_path)
    return defs


def new(*arguments):
    result = CliRunner().invoke(models, ["new", *arguments])
    return result.exit_code, result.output


def attributes(defs, name):
    document = yaml.safe_load((defs / name / "defs.yaml").read_text())
    assert document["type"] == "packaging_assets.components.PackageModel"
    return document["attributes"]


def test_a_model_like_another_sets_what_that_one_sets_and_is_to_replace_it(defs):
    code, output = new("mailer_two", "--like", "mailer")

    assert code == 0
    assert attributes(defs, "mailer_two") == {
        "package_type": "mailer",
        "name": "mailer_two",
        "replaces": "mailer",
        "owners": ["team:mail"],
        "parameters": {"depth": 6},
        "features": {"set": "tabular", "exclude": ["brand"]},
        "search": {"parameters.depth": {"int": [3, 8]}},
    }
    assert output.splitlines()[:2] == [
        "Wrote packaging_assets/defs/mailer_two/defs.yaml. Next:",
        "  packaging models check",
    ]


def test_a_shadow_of_another_architecture_leaves_that_ones_parameters_behind(defs):
    assert new("words", "--like", "mailer", "--architecture", "catboost_multimodal", "--shadow")[0] == 0

    assert attributes(defs, "words") == {
        "package_type": "mailer",
        "name": "words",
        "stage": "shadow",
        "replaces": "mailer",
        "owners": ["team:mail"],
        "architecture": "catboost_multimodal",
        "features": {"set": "tabular", "exclude": ["brand"]},
    }
    assert load_models(defs).shadows().keys() == {"words"}


def test_a_type_without_a_model_needs_its_name_only(defs):
    assert new("bag")[0] == 0

    assert attributes(defs, "bag") == {"package_type": "bag"}
    assert load_models(defs).live().keys() == {"mailer", "box", "bag"}


def test_a_package_type_may_be_given_instead_of_a_model(defs):
    assert new("second", "--package-type", "box", "--architecture", "catboost")[0] == 0

    assert attributes(defs, "second") == {"package_type": "box", "name": "second", "replaces": "box"}


def test_every_line_that_is_commented_out_is_the_default_it_says_it_is(defs):
    assert new("sioc", "--architecture", "catboost_multimodal")[0] == 0
    text = (defs / "sioc" / "defs.yaml").read_text()
    given = ModelSpec(**attributes(defs, "sioc"))
    fields = "|".join(ModelSpec.model_fields)
    lines = re.findall(rf"^  # (?:{fields}): .*$", text, re.MULTILINE)

    assert len(lines) == len(ModelSpec.model_fields) - 2
    for line in lines:
        document = yaml.safe_load(text.replace(line, line.replace("# ", "", 1)))
        assert ModelSpec(**document["attributes"]) == given, line
    assert max(map(len, text.splitlines())) <= 120
    assert "  # features: multimodal\n" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mailer", "--like", "box"], "defs/mailer is there already and is not overwritten"),
        (["labels", "--like", "box"], "defs/labels is there already and is not overwritten"),
        (["daily", "--like", "box"], "a model cannot be called 'daily', as the platform's own assets are"),
        (["Two", "--like", "box"], "name = 'Two' cannot be: String should match pattern"),
        (["../two", "--like", "box"], "name = '../two' cannot be: String should match pattern"),
        (["two", "--like", "mialer"], "there is no model 'mialer' to be like; did you mean 'mailer'?"),
        (["two", "--like", "sioc"], "there is no model 'sioc' to be like; there is box, mailer"),
        (["two"], "decide on? Give --like MODEL, or --package-type with one of mailer, bag, box, sioc"),
        (["two", "--package-type", "tube"], "there is no package type 'tube'; there is mailer, bag, box, sioc"),
        (["two", "--package-type", "mialer"], "there is no package type 'mialer'; did you mean 'mailer'?"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(defs, arguments, message):
    before = sorted(defs.rglob("*"))

    code, output = new(*arguments)

    assert code == 1
    assert message in output.replace("\n", " ")
    assert sorted(defs.rglob("*")) == before


def test_its_pattern_is_read_as_the_models_are(defs):
    """Dates are text, and only files of components count, whatever else lies beside them."""
    (defs / "mailer" / "notes.yaml").write_text("type: [")
    (defs / "box" / "defs.yaml").write_text(BOX.replace("box}", 'box, name: "", parameters: {since: 2025-01-06}}'))

    assert new("box_two", "--like", "box")[0] == 0
    assert "    since: '2025-01-06'\n" in (defs / "box_two" / "defs.yaml").read_text()
    assert new("mailer_two", "--like", "mailer")[0] == 0


def test_a_model_whose_folder_has_another_name_is_not_made_twice(defs):
    (defs / "elsewhere").mkdir()
    (defs / "elsewhere" / "defs.yaml").write_text(BOX.replace("box", "bag"))

    assert "there is a model 'bag' already" in new("bag")[1]


def test_models_that_contradict_one_another_are_told_before_one_is_added(defs):
    (defs / "box" / "defs.yaml").write_text(BOX.replace("{", "{name: mailer, "))

    assert "two models are called 'mailer'" in new("two", "--like", "mailer")[1]


def request(folder: Path, **changes):
    fields = {
        "type_name": "packaging_assets.components.PackageModel",
        "target_path": folder,
        "scaffold_format": "yaml",
        "project_root": None,
        "params": NewModel(like="mailer", shadow=True),
        **changes,
    }
    return dg.ScaffoldRequest(**fields)


def test_dg_scaffolds_the_same_file(defs):
    folder = defs / "by_dg"
    folder.mkdir()
    PackageModelScaffolder().scaffold(request(folder))
    written = (folder / "defs.yaml").read_text()
    (folder / "defs.yaml").unlink()
    folder.rmdir()

    assert new("by_dg", "--like", "mailer", "--shadow")[0] == 0
    assert (folder / "defs.yaml").read_text() == written
    assert PackageModelScaffolder.get_scaffold_params() is NewModel


@pytest.mark.parametrize("changes", [{"scaffold_format": "python"}, {"append": True}, {"params": NewModel()}])
def test_dg_is_refused_what_cannot_be_and_its_folder_is_taken_back(defs, changes):
    folder = defs / "by_dg"
    folder.mkdir()

    with pytest.raises(NewModelError):
        PackageModelScaffolder().scaffold(request(folder, **changes))

    assert not folder.exists()


def test_dg_is_told_of_models_that_contradict_one_another_and_its_folder_is_taken_back(defs):
    (defs / "box" / "defs.yaml").write_text(BOX.replace("{", "{name: mailer, "))
    folder = defs / "by_dg"
    folder.mkdir()

    with pytest.raises(ModelSetError, match="two models are called 'mailer'"):
        PackageModelScaffolder().scaffold(request(folder))

    assert not folder.exists()


def test_a_full_disk_leaves_nothing_in_the_way_of_the_next_try(defs, monkeypatch):
    write_text = Path.write_text

    def fill(path, text, encoding=None):
        write_text(path, text[:10], encoding)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", fill)
        code, output = new("mailer_two", "--like", "mailer")
    assert (code, output.startswith("Error: No space left on device. Make room")) == (1, True)
    assert list((defs / "mailer_two").iterdir()) == []
    assert new("mailer_two", "--like", "mailer")[0] == 0
