import json

import pytest
from click.testing import CliRunner

from packaging_assets.cli.spec import spec
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.settings import PROJECT_ROOT


def run(*arguments):
    result = CliRunner().invoke(spec, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def sections():
    return {section["path"]: section for section in reversed(json.loads(run("docs", "--json")))}


def field(sections, path, name):
    return next(one for one in sections[path]["fields"] if one["name"] == name)


def test_the_page_in_the_docs_is_what_the_command_prints():
    page = (PROJECT_ROOT / "docs" / "model-spec.md").read_text()

    assert page == run("docs"), "packaging spec docs > docs/model-spec.md"


def test_every_field_is_there_and_says_what_it_means(sections):
    assert [one["name"] for one in sections[""]["fields"]] == list(ModelSpec.model_fields)
    unexplained = [(path, one["name"]) for path in sections for one in sections[path]["fields"] if not one["meaning"]]
    assert unexplained == []


def test_nested_fields_have_sections_of_their_own(sections):
    assert set(sections) == {
        "",
        "features",
        "labels",
        "class_weights",
        "split",
        "gates",
        "instances",
        "instances.train",
        "instances.evaluate",
        "instances.predict",
        "instances.split",
        "search.<key>",
    }


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("", "package_type", ("`mailer` or `bag` or `box` or `sioc`", "required", "")),
        ("", "features", ("text or fields", "see there", "")),
        ("", "parameters", ("mapping", "`{}`", "")),
        ("", "suitable_from", ("number", "`0.5`", "from 0, up to 1")),
        ("", "class_weights", ("`balanced` or fields or null", "`null`", "")),
        ("", "split", ("fields", "those of its fields", "")),
        ("", "feeds_from", ("list of text", "`[]`", "")),
        ("split", "validation_fraction", ("number", "`0.3`", "above 0, below 1")),
        ("labels", "maturity_days", ("whole number or null", "`null`", "from 0, up to 366")),
        ("instances.train", "use_spot", ("true or false", "`false`", "")),
        ("search.<key>", "int", ("[whole number, whole number] or null", "`null`", "")),
    ],
)
def test_a_field_has_its_type_default_and_bounds(sections, path, name, expected):
    found = field(sections, path, name)

    assert (found["type"], found["default"], found["bounds"]) == expected


def test_features_lists_groups_and_sets():
    lines = run("features").splitlines()

    assert "  measures (numeric, 5): length_cm, width_cm, height_cm, weight_kg, price_usd" in lines
    assert "  image_embedding (embedding, 64): image_embedding_00 to image_embedding_63" in lines
    assert "  multimodal (85): title, categories, measures, derived, image_embedding" in lines
    assert "  none (0): no columns" in lines


def test_features_as_json_has_every_column():
    found = json.loads(run("features", "--json"))

    assert len(found["sets"]["default"]) == 84
    assert found["groups"]["title"] == ["title"]
    assert found["defaults"]["stacked"] == "none"


def test_features_of_a_model_are_those_that_its_yaml_comes_to():
    assert run("features", "--model", "box").splitlines()[1:] == [
        "embedding (64): image_embedding_00 to image_embedding_63",
        "categorical (5): category, subcategory, product_type, brand, liquid",
    ]
    assert len(json.loads(run("features", "--model", "box", "--json"))["numeric"]) == 15


def test_features_of_a_model_that_there_is_not_are_refused():
    result = CliRunner().invoke(spec, ["features", "--model", "tube"])

    assert (result.exit_code, result.output) == (
        1,
        "Error: There is no model 'tube'; there is bag, box, mailer, sioc\n",
    )
