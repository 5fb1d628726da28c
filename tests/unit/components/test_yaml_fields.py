"""What a model's YAML can say: features, labels, class weights, machines; and what a run may set otherwise."""

import datetime as dt
import sys

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from packaging_assets.cli.experiment_values import yaml_snippet
from packaging_assets.components.feature_columns import check_gate_columns
from packaging_assets.components.instance_spec import InstanceSpec
from packaging_assets.components.label_rules import LabelRules
from packaging_assets.components.model_spec import ModelSpec, OverrideError, as_in_yaml, override
from packaging_assets.components.project_features import extract_columns, project_features
from packaging_assets.components.training_steps import plan_metrics, plan_model, plan_split
from packaging_assets.domain.architectures import architecture_class
from packaging_assets.domain.class_weights import ClassWeights
from packaging_assets.domain.features import DEFAULT_FEATURES, FIT_COLUMNS, FeatureSet, feature_frame
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.labels import LabelParams


class NumbersOnly:
    """An architecture that says which kinds it takes, embeddings not among them."""

    feature_kinds = frozenset({"numeric", "categorical"})
    fit = prepare = predict_proba = save = load = feature_importance = lambda *_: None


def spec(**fields) -> ModelSpec:
    return ModelSpec(**{"package_type": "mailer", **fields})


def table_of_products():
    import pyarrow as pa

    random = np.random.default_rng(4)
    columns = {name: random.normal(size=60) for name in DEFAULT_FEATURES.numeric}
    return pa.table(columns | {name: ["a", "b", "c"] * 20 for name in DEFAULT_FEATURES.categorical})


def trained_bytes(features: FeatureSet, folder) -> bytes:
    table = table_of_products()
    labels = (np.asarray(table["weight_kg"]) > 0).astype(np.int8)
    folder.mkdir()
    model = architecture_class("catboost")(features, {"iterations": 5})
    model.fit(feature_frame(table, features), labels, sample_weight=np.ones(len(labels)), seed=1).save(folder)
    return (folder / "model.cbm").read_bytes()


def test_the_default_set_has_the_columns_of_old_in_their_order_and_trains_the_same_bytes(tmp_path):
    features = spec().feature_set

    assert features.columns == DEFAULT_FEATURES.columns
    assert [len(getattr(features, kind)) for kind in ("numeric", "embedding", "categorical")] == [15, 64, 5]
    assert trained_bytes(features, tmp_path / "new") == trained_bytes(DEFAULT_FEATURES, tmp_path / "old")


def test_every_column_that_dbt_has_is_a_feature_or_a_key_a_time_or_a_fit():
    import yaml

    from packaging_assets.components.project_features import PRODUCT_FEATURES

    (model,) = yaml.safe_load(PRODUCT_FEATURES.read_text())["models"]
    others = {column["name"] for column in model["columns"]} - set(project_features().features)
    assert others == {"product_id", "updated_at", "created_at", *FIT_COLUMNS.values()}


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("catboost", "default"),
        (f"{__name__}:NumbersOnly", "default"),
        ("catboost_multimodal", "multimodal"),
        ("torch_fusion", "multimodal"),
        ("stacked", "none"),
    ],
)
def test_features_that_are_not_named_follow_from_the_architecture(tmp_path, monkeypatch, architecture, expected):
    for extra in ("torch", "safetensors"):  # which need not be installed
        (tmp_path / f"{extra}.py").touch()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])

    found = spec(name="m", architecture=architecture, feeds_from=("box",)).features

    assert found.columns == project_features().resolve(expected).columns


def test_the_scores_of_feeders_come_on_top_of_the_features():
    seen = spec(features={"groups": ["measures"]}, feeds_from=("box",)).feature_set

    assert seen.columns == ("length_cm", "width_cm", "height_cm", "weight_kg", "price_usd", "score_box")
    assert spec(architecture="stacked", feeds_from=("box",)).feature_set.columns == ("score_box",)


def test_an_architecture_that_takes_no_embedding_gets_numbers():
    seen = spec(architecture=f"{__name__}:NumbersOnly").feature_set

    assert (len(seen.numeric), seen.embedding) == (79, ())
    assert seen.columns == DEFAULT_FEATURES.columns


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"features": "wide"},
            "there is no feature set 'wide' in packaging_assets/feature_sets.yaml; there is default",
        ),
        (
            {"features": {"groups": ["sizes"]}},
            "there is no feature group 'sizes' in dbt_project/models/features/product_features.yml; there is title,",
        ),
        (
            {"features": {"numeric": ["wieght_kg"]}},
            "dbt_project/models/features/product_features.yml; did you mean 'weight_",
        ),
        ({"features": {"numeric": ["colour"]}}, "'colour' is neither a feature nor a group of dbt_project/models"),
        ({"features": "none"}, "model 'mailer' sees nothing: give it `features`, or models to feed from"),
        ({"features": {"set": "default", "withour": []}}, "features.withour\n  Extra inputs are not permitted"),
        ({"name": "labels"}, "a model cannot be called 'labels', as the platform's own assets are"),
        ({"class_weights": "even"}, "Input should be 'balanced'"),
        ({"class_weights": {"suitable": 0}}, "greater than 0"),
        ({"labels": {"min_shipments": 0}}, "labels.min_shipments\n  Input should be greater than or equal to 1"),
        ({"labels": {"maturity_days": -1}}, "labels.maturity_days"),
        ({"instances": {"train": {"instance_type": "m5.large"}}}, "instances.train.instance_type"),
        ({"instances": {"train": {"instance_count": 0}}}, "instances.train.instance_count"),
        ({"instances": {"tune": {}}}, "instances.tune\n  Extra inputs are not permitted"),
        ({"seed": 2**31}, "less than 2147483648"),
        ({"seed": True}, "seed\n  Value error, a number belongs here; yes, no, on and off are true and false in YAML"),
        ({"suitable_from": True}, "suitable_from\n  Value error, a number belongs here"),
        ({"labels": {"maturity_days": False}}, "labels.maturity_days\n  Value error, a number belongs here"),
        ({"instances": {"train": {"volume_gb": True}}}, "instances.train.volume_gb\n  Value error, a number belongs"),
        ({"class_weights": {"suitable": True}}, "class_weights.ClassWeights.suitable\n  Value error, a number belongs"),
        ({"gates": {"volume_z": float("inf")}}, "gates.volume_z\n  Input should be a finite number"),
        ({"labels": {"max_propensity_weight": float("inf")}}, "max_propensity_weight\n  Input should be a finite num"),
        (
            {"parameters": {"learning_rate": float("nan")}},
            "parameters\n  Value error, give text, finite numbers, true, ",
        ),
        ({"parameters": {"a": [{"b": float("inf")}]}}, "parameters\n  Value error, give text, finite numbers, true, "),
        ({"parameters": {"a": {1, 2}}}, "parameters\n  Value error, give text, finite numbers, true, "),
        ({"name": "experiments"}, "a model cannot be called 'experiments'"),
        ({"owners": ["ann"]}, "owner 'ann' is neither an e-mail address nor a team, such as 'team:packaging'"),
        ({"owners": ["team:"]}, "owner 'team:' is neither"),
        (
            {"gates": {"density_feature": "density"}},
            "density_feature: 'density' is no numeric feature of dbt_project/mo",
        ),
        ({"gates": {"density_feature": "density_kg"}}, "yml; did you mean 'density_kg_per_l'?"),
        ({"gates": {"slice_categories": ["weight_kg"]}}, "slice_categories: 'weight_kg' is no categorical feature of"),
        ({"gates": {"slice_bands": ["price"]}}, "slice_bands: 'price' is no numeric feature of"),
        ({"parameters": {"class_weights": {0: 1.0, 1: 2.0}}}, "mappings of these whose keys are text (in quotes where"),
        ({"split": {"seed": 10**16}}, "less than 10000000000000000"),
        ({"split": {"group_by": "brnad"}}, "group_by: 'brnad' is no categorical feature of dbt_project/models/feat"),
        ({"split": {"group_by": "brnad"}}, "did you mean 'brand'?"),
        ({"split": {"group_by": "weight_kg"}}, "group_by: 'weight_kg' is no categorical feature of"),
        ({"split": {"group_by": "brand", "method": "time"}}, "`group_by` belongs to the split method 'hash'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field_and_the_reason(fields, message):
    with pytest.raises(ValidationError) as error:
        spec(**fields)
    assert message in str(error.value)


def test_the_columns_of_the_default_gates_are_there_and_owners_may_be_people():
    assert check_gate_columns(GatePolicy()) == GatePolicy()
    assert spec(owners=["ann@shop.example", "team:mail"]).owners == ("ann@shop.example", "team:mail")
    assert spec(instances={"train": {"use_spot": True}}).instances.train.use_spot


def test_everything_but_the_package_type_has_a_default():
    required = [name for name, field in ModelSpec.model_fields.items() if field.is_required()]

    assert required == ["package_type"]
    assert (spec().class_weights, spec().labels, spec().instances.predict) == (None, LabelRules(), InstanceSpec())


def test_the_weeks_features_have_the_column_that_a_split_groups_by():
    seen = {"numeric": ["weight_kg"], "categorical": ["category"]}
    grouped = spec(features=seen, split={"group_by": "brand"})

    assert grouped.columns_of_training.columns == ("weight_kg", "category", "brand")
    assert grouped.feature_set.columns == ("weight_kg", "category")
    assert spec(features=seen, split={"group_by": "category"}).columns_of_training == spec(features=seen).features


def test_models_with_the_default_rules_share_the_labels():
    assert spec().labels_key == "labels"
    assert spec(labels={"min_shipments": 30}).labels_key == "labels"
    assert spec(labels={"min_shipments": 20}).labels_key == "mailer/labels"
    assert spec(name="m", labels={"maturity_days": 14}).labels_key == "m/labels"


def test_steps_read_the_labels_of_the_models_own_rules():
    own = spec(labels={"feedback_weight": 0.5})

    assert plan_split(own, "2025-01-06").inputs["labels"] == "mailer/labels"
    assert plan_metrics(own, "2025-01-06", None, architectures=()).inputs["labels"] == "mailer/labels"
    assert plan_split(spec(), "2025-01-06").inputs["labels"] == "labels"
    assert own.labels.params == LabelParams(feedback_weight=0.5)


def test_class_weights_are_part_of_how_a_model_is_trained_and_machines_are_not():
    weighted = spec(class_weights={"suitable": 2})

    assert plan_model(weighted).params.class_weights == ClassWeights(suitable=2)
    assert plan_model(spec(instances={"train": {"volume_gb": 99}})).params == plan_model(spec()).params


def test_an_extract_has_the_default_columns_and_what_any_model_adds():
    models = [spec(), spec(features="measures_only"), spec(features="multimodal")]

    assert extract_columns(model.features for model in models[:2]) == DEFAULT_FEATURES.columns
    assert extract_columns(model.features for model in models) == (*DEFAULT_FEATURES.columns, "title")


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        ({"features": "multimodal"}, {"features": "multimodal"}),
        ({"features": {"groups": ["measures"]}}, {"features": "measures_only"}),
        ({"features.numeric": ["weight_kg"]}, None),
        ({"features.exclude": ["image_embedding"]}, {"features": "tabular"}),
        ({"features.include": ["title"]}, {"features": "multimodal"}),
        ({"architecture": "catboost_multimodal"}, {"architecture": "catboost_multimodal", "features": "multimodal"}),
        ({"class_weights": "balanced"}, {"class_weights": "balanced"}),
        ({"class_weights.suitable": 2}, {"class_weights": {"suitable": 2}}),
        ({"class_weights": None}, {}),
        ({"split.validation_fraction": 0.2}, {"split": {"validation_fraction": 0.2}}),
        ({"gates.min_pr_auc": 0.1, "suitable_from": 0.4}, {"gates": {"min_pr_auc": 0.1}, "suitable_from": 0.4}),
        ({"instances.train.use_spot": True}, {"instances": {"train": {"use_spot": True}}}),
        ({"seed": 7}, {"seed": 7}),
    ],
)
def test_a_run_may_set_what_a_model_is_trained_with(values, changed):
    found = override(spec(), values)

    if changed is not None:
        assert found == spec(**changed)
    else:
        assert found.features.numeric == ("weight_kg",)
        assert found.features.embedding == DEFAULT_FEATURES.columns[15:79]


def test_features_that_the_yaml_names_stay_when_a_run_sets_another_architecture():
    found = override(spec(features="tabular"), {"architecture": "catboost_multimodal"})

    assert found.features == project_features().resolve("tabular")


def test_what_a_run_leaves_out_is_left_out_of_the_features_of_the_architecture_that_it_sets():
    set_otherwise = {"features.exclude": ["price_usd"], "architecture": "catboost_multimodal"}
    columns = project_features().resolve("multimodal").columns

    found = override(spec(), set_otherwise)

    assert "title" in columns
    assert found.features.columns == tuple(name for name in columns if name != "price_usd")


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({}, {"features.exclude": ["price_usd"], "seed": 7}),
        ({}, {"features.include": ["title"], "architecture": "catboost_multimodal", "features.exclude": ["brand"]}),
        ({"features": "tabular"}, {"features.include": ["image_embedding"]}),
        ({"features": {"numeric": ["weight_kg", "price_usd"]}}, {"features.exclude": ["price_usd"]}),
        ({}, {"parameters.depth": 4}),
    ],
)
def test_what_a_run_sets_can_be_written_into_the_yaml(fields, values):
    written = as_in_yaml(spec(**fields), values)
    nested = yaml.safe_load(yaml_snippet(written))["attributes"]
    assert spec(**{**fields, **nested}).features == override(spec(**fields), values).features
    kept = {key: value for key, value in written.items() if key != "features"}
    assert kept == {key: value for key, value in values.items() if not key.startswith("features")}


def test_values_set_one_after_the_other_build_on_each_other():
    found = override(
        spec(class_weights={"suitable": 3}),
        {"features": "tabular", "features.exclude": ["brand"], "class_weights.not_suitable": 2},
    )

    assert found.features.categorical == ("category", "subcategory", "product_type", "liquid")
    assert found.class_weights == ClassWeights(suitable=3, not_suitable=2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels.min_shipments": 3}, "labels.min_shipments cannot be set for one run, since a model's labels are an"),
        ({"labels": {}}, "labels cannot be set for one run"),
        ({"stage": "shadow"}, "stage says what the model is and cannot be set for one run"),
        ({"features.exclude": "brand"}, "features.exclude = 'brand' cannot be: give a list of groups or columns"),
        ({"features.exclude": ["title"]}, "features.exclude: 'title' is not among the features"),
        ({"features": "wide"}, "mailer: features = 'wide' cannot be: "),
        (
            {"tabular": True},
            (
                "a model has no field 'tabular'; there is architecture, class_weights, description, features, "
                "feeds_from, gates, instances, parameters, score_folds, search, seed, split, suitable_from: see"
            ),
        ),
        ({"feature": "tabular"}, "a model has no field 'feature'; did you mean 'features'?"),
        ({"instances.train.size": 3}, "a model has no field 'instances.train.size'; there is instance_count,"),
        (
            {"split.validation_fracton": 0.2},
            "a model has no field 'split.validation_fracton'; did you mean 'validation_",
        ),
        ({"class_weights.neither": 3}, "a model has no field 'class_weights.neither'; there is not_suitable, suitable"),
        ({"class_weights.suitable": -3}, "mailer: class_weights.ClassWeights.suitable = -3 cannot be"),
    ],
)
def test_a_run_may_not_set_what_cannot_be_or_is_settled_before_it(values, message):
    with pytest.raises(OverrideError) as error:
        override(spec(), values)
    assert str(error.value).startswith(message)


def test_a_hash_splits_week_is_no_part_of_its_params():
    assert plan_split(spec(), "2025-01-06").params.week is None
    by_time = spec(split={"method": "time"})
    assert plan_split(by_time, "2025-01-06").params.week == dt.date(2025, 1, 6)
