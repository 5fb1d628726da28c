from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from packaging_assets.domain.feature_set_files import read_catalogue
from packaging_assets.domain.feature_sets import FeatureSetError, as_taken_by, union_of_columns
from packaging_assets.domain.features import FeatureSet

DBT = """\
models:
  - name: others
  - name: product_features
    columns:
      - {name: product_id, config: {meta: {owner: nobody}}}
      - {name: title, config: {meta: {feature_group: title, feature_kind: text}}}
      - {name: colour, config: {meta: {feature_group: looks, feature_kind: categorical}}}
      - {name: weight_kg, config: {meta: {feature_group: measures, feature_kind: numeric}}}
      - {name: length_cm, config: {meta: {feature_group: measures, feature_kind: numeric}}}
      - {name: image_0, config: {meta: {feature_group: image, feature_kind: embedding}}}
      - {name: image_1, config: {meta: {feature_group: image, feature_kind: embedding}}}
      - {name: updated_at}
"""
SETS = """\
sets:
  default: {groups: [measures, image, looks]}
  wordy: {set: default, include: [title], exclude: [image_1]}
  none: {groups: []}
defaults:
  reader: wordy
"""


def catalogue_of(folder: Path, dbt=DBT, sets=SETS):
    (folder / "dbt.yml").write_text(dbt)
    (folder / "sets.yaml").write_text(sets)
    return read_catalogue(folder / "dbt.yml", folder / "sets.yaml", relative_to=folder)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return catalogue_of(tmp_path_factory.mktemp("catalogue"))


def test_groups_are_what_dbt_says_in_its_order_and_other_columns_are_no_features(catalogue):
    assert catalogue.groups == {
        "title": ("title",),
        "looks": ("colour",),
        "measures": ("weight_kg", "length_cm"),
        "image": ("image_0", "image_1"),
    }


def test_sets_are_composed_of_groups_and_of_sets_above_them(catalogue):
    assert catalogue.sets == {
        "default": ("colour", "weight_kg", "length_cm", "image_0", "image_1"),
        "wordy": ("title", "colour", "weight_kg", "length_cm", "image_0"),
        "none": (),
    }


def test_an_architecture_may_have_a_default_of_its_own(catalogue):
    assert (catalogue.default_of("reader"), catalogue.default_of("catboost")) == ("wordy", "default")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "wordy",
            FeatureSet(
                numeric=("weight_kg", "length_cm"), embedding=("image_0",), categorical=("colour",), text=("title",)
            ),
        ),
        (
            {"set": "default", "include": ["title"], "exclude": ["measures", "image_0"]},
            FeatureSet(embedding=("image_1",), categorical=("colour",), text=("title",)),
        ),
        (
            {"groups": ["measures", "looks"], "exclude": ["weight_kg"]},
            FeatureSet(numeric=("length_cm",), categorical=("colour",)),
        ),
        ({"groups": [], "include": ["weight_kg"]}, FeatureSet(numeric=("weight_kg",))),
        (
            {"categorical": ["colour"], "numeric": ["length_cm", "weight_kg"]},
            FeatureSet(numeric=("weight_kg", "length_cm"), categorical=("colour",)),
        ),
        ({"numeric": ["image_1", "weight_kg"]}, FeatureSet(numeric=("weight_kg", "image_1"))),
        ({"categorical": ["title"]}, FeatureSet(categorical=("title",))),
        (FeatureSet(numeric=("anything",)), FeatureSet(numeric=("anything",))),
    ],
)
def test_a_name_a_composition_and_a_list_come_to_a_feature_set_in_dbts_order(catalogue, value, expected):
    assert catalogue.resolve(value) == expected


@given(st.permutations(["measures", "image", "looks"]))
def test_the_order_in_which_groups_are_named_does_not_matter(catalogue, groups):
    assert catalogue.resolve({"groups": groups}) == catalogue.resolve("default")


def test_a_written_out_feature_set_comes_to_itself(catalogue):
    features = catalogue.resolve("wordy")

    assert catalogue.resolve(features.model_dump(mode="json")) == features


def test_a_set_may_be_of_nothing_for_models_that_see_scores_only(catalogue):
    assert catalogue.resolve("none").columns == ()
    assert catalogue.resolve({}).columns == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("wide", "features: there is no feature set 'wide' in sets.yaml; there is default, wordy, none"),
        ("defualt", "features: there is no feature set 'defualt' in sets.yaml; did you mean 'default'?"),
        ({"groups": ["look"]}, "features.groups: there is no feature group 'look' in dbt.yml; did you mean 'looks'?"),
        ({"set": "wide"}, "features.set: there is no feature set 'wide' in sets.yaml"),
        (
            {"groups": ["size"]},
            "features.groups: there is no feature group 'size' in dbt.yml; there is title, looks, measures, image",
        ),
        (
            {"set": "default", "include": ["price"]},
            "features.include: 'price' is neither a feature nor a group of dbt.yml; there are the groups title, looks,",
        ),
        (
            {"set": "default", "exclude": ["title"]},
            "features.exclude: 'title' is not among the features, so it cannot be left out",
        ),
        ({"set": "default", "groups": ["image"]}, "features begins with either `set` or `groups`"),
        ({"include": ["title"]}, "features begins with either `set` or `groups`"),
        ({"numeric": ["product_id"]}, "features.numeric: 'product_id' is neither a feature nor a group of dbt.yml"),
        ({"numeric": ["colour"]}, "features.numeric: column 'colour' is categorical in dbt.yml; list it as that"),
        ({"text": ["weight_kg"]}, "features.text: column 'weight_kg' is numeric in dbt.yml; list it as that"),
        (
            {"numeric": ["image_0"], "embedding": ["image_0"]},
            "features.embedding: feature 'image_0' is listed more than once; list each column once",
        ),
        (
            7,
            "features = 7 is neither a set's name (default, wordy, none), nor a composition (set, groups, include, ex",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_file_field_value_and_what_there_is(catalogue, value, message):
    with pytest.raises(FeatureSetError) as error:
        catalogue.resolve(value)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("value", [{"numeric": [], "groups": []}, {"colours": []}, {"scores": ["box"]}, {"set": 3}])
def test_keys_and_types_that_there_are_not_are_refused(catalogue, value):
    with pytest.raises(ValidationError):
        catalogue.resolve(value)


@pytest.mark.parametrize(
    ("dbt", "sets", "message"),
    [
        ("models: [", SETS, "dbt.yml cannot be read: "),
        ("- a list", SETS, "dbt.yml: the file must be a mapping, and it is list"),
        ("models: [{name: others}]", SETS, "dbt.yml does not describe the dbt model product_features"),
        (
            DBT.replace("feature_kind: text", "feature_kind: words"),
            SETS,
            "dbt.yml: column 'title' has feature_group 'title' and feature_kind 'words'; a feature has a group",
        ),
        (DBT.replace("feature_group: image, ", "", 1), SETS, "dbt.yml: column 'image_0' has feature_group None"),
        (DBT, "sets: {wide: {groups: []}}", "sets.yaml: there is no set 'default' under `sets`; name one so"),
        (DBT, "", "sets.yaml: there is no set 'default' under `sets`; name one so"),
        (DBT, "sets: 3", "sets.yaml: sets must be a mapping, and it is int"),
        (
            DBT,
            "sets: {a: {set: b}, b: {groups: []}}",
            "sets.yaml: sets.a.set: there is no feature set 'b' in sets.yaml; there is none (a set can begin with",
        ),
        (DBT, "sets: {a: {group: []}}", "sets.yaml: sets.a is no composition: "),
        (DBT, SETS + "  x: word", "sets.yaml: defaults.x names no set: 'word'; did you mean 'wordy'?"),
        (DBT, SETS + "  x: y", "sets.yaml: defaults.x names no set: 'y'; there is default, wordy, none"),
        (
            DBT,
            SETS.replace("defaults:", "default:"),
            "sets.yaml: there is no section 'default'; did you mean 'defaults'?",
        ),
        (DBT, SETS + "wide: {groups: [image]}", "sets.yaml: there is no section 'wide'; there is sets, defaults"),
    ],
)
def test_files_that_contradict_themselves_are_refused(tmp_path, dbt, sets, message):
    with pytest.raises(FeatureSetError) as error:
        catalogue_of(tmp_path, dbt, sets)
    assert str(error.value).startswith(message)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FeatureSetError, match=r"nowhere.yml cannot be read"):
        read_catalogue(tmp_path / "nowhere.yml", tmp_path / "nowhere.yaml")


def test_an_embedding_is_numbers_to_an_architecture_that_knows_none(catalogue):
    features = catalogue.resolve("default")
    taken = as_taken_by({"numeric", "categorical"}, features)

    assert (taken.numeric, taken.embedding) == (("weight_kg", "length_cm", "image_0", "image_1"), ())
    assert taken.columns == features.columns
    assert as_taken_by({"numeric", "embedding"}, features) is features
    assert as_taken_by({"text"}, features) is features
    assert as_taken_by({"numeric"}, taken) is taken


def test_an_extract_has_the_columns_of_every_model_those_of_the_default_set_first(catalogue):
    feature_sets = [
        catalogue.resolve("wordy"),
        FeatureSet(numeric=("zeal", "weight_kg", "age")),
        FeatureSet(scores=("box",)).without_scores(),
    ]
    default = catalogue.resolve("default").columns

    assert union_of_columns(feature_sets, catalogue) == (*default, "title", "age", "zeal")
    assert union_of_columns([], catalogue) == default
