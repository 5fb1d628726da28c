"""What must hold between the models' YAML files, and what follows from all of them together."""

import json
from typing import Any

import pytest

from packaging_assets.components.model_set import OVERRIDES_TAG, ModelSet, ModelSetError
from packaging_assets.components.model_spec import ModelSpec, OverrideError


def spec(package_type: str, **fields: Any) -> ModelSpec:
    return ModelSpec(package_type=package_type, **fields)  # type: ignore[arg-type]


def chain(**fields: Any) -> list[ModelSpec]:
    """sioc feeds from bag, and bag from box; given with the last first."""
    return [
        spec("sioc", feeds_from=("bag",), architecture="stacked", **fields),
        spec("bag", feeds_from=("box",), **fields),
        spec("box", **fields),
    ]


def test_feeding_models_come_before_those_that_feed_from_them() -> None:
    models = ModelSet.of([*chain(), spec("mailer")])

    order = list(models.specs)
    assert order.index("box") < order.index("bag") < order.index("sioc")
    assert sorted(order) == ["bag", "box", "mailer", "sioc"]
    assert models.feeding == {"bag", "box"}


def test_the_depth_of_out_of_fold_scores_is_the_length_of_the_longest_chain_of_feeding_models() -> None:
    models = ModelSet.of([*chain(), spec("mailer", feeds_from=("box", "sioc"))])

    assert {name: models.score_depth(name) for name in models.specs} == {"mailer": 0, "sioc": 0, "bag": 1, "box": 2}
    assert ModelSet.of(chain()).score_depth("box") == 1


def test_the_architectures_of_a_model_are_its_own_and_those_of_all_that_feed_it() -> None:
    models = ModelSet.of(chain())

    assert models.architectures(models.specs["sioc"]) == ("catboost", "stacked")
    assert models.architectures(models.specs["box"]) == ("catboost",)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([spec("box"), spec("box")], "two models are called 'box'"),
        ([spec("bag", feeds_from=("crate",))], "feeds from 'crate', and there is no such model; there is bag"),
        (
            [spec("bag", feeds_from=("box",)), spec("box", feeds_from=("bag",))],
            r"in a circle: (bag <- box <- bag|box <- bag <- box); take one name out of `feeds_from`",
        ),
        ([spec("box"), spec("box", name="other")], "'box' and 'other' are both live for box"),
        (
            [spec("box"), spec("box", name="other", stage="shadow"), spec("bag", replaces="box")],
            "model 'bag' replaces 'box', which decides on box and not on bag",
        ),
        (
            [spec("box", replaces="other"), spec("box", name="other", replaces="box")],
            r"replace one another in a circle, so that none would serve: (box <- other <- box|other <- box <- other);",
        ),
    ],
)
def test_what_contradicts_is_refused(specs: list[ModelSpec], message: str) -> None:
    with pytest.raises(ModelSetError, match=message):
        ModelSet.of(specs)


HASH = {"method": "hash", "validation_fraction": 0.3, "seed": 1}
TIME = {"method": "time", "validation_weeks": 4}


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (HASH, HASH),
        ({**HASH, "validation_fraction": 0.2}, HASH),
        ({**HASH, "group_by": "brand"}, {**HASH, "group_by": "brand"}),
        (TIME, TIME),
        ({**TIME, "validation_weeks": 2}, TIME),
    ],
)
def test_models_whose_validation_rows_validate_their_feeders_too_may_feed(
    mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    models = ModelSet.of([spec("box", split=theirs), spec("bag", feeds_from=("box",), split=mine)])

    assert models.feeding == {"box"}


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (HASH, {**HASH, "validation_fraction": 0.2}),
        (HASH, {**HASH, "seed": 2}),
        (HASH, {**HASH, "group_by": "brand"}),
        ({**HASH, "group_by": "brand"}, HASH),
        (HASH, TIME),
        (TIME, HASH),
        (TIME, {**TIME, "validation_weeks": 2}),
    ],
)
def test_a_product_that_validates_a_model_must_not_have_trained_those_it_feeds_from(
    mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    with pytest.raises(ModelSetError, match="are not all among the validation rows of 'box': give both the same"):
        ModelSet.of([spec("box", split=theirs), spec("bag", feeds_from=("box",), split=mine)])


def test_with_a_split_by_time_the_labels_must_be_the_same_since_they_say_when_a_product_was_first_seen() -> None:
    other = {"min_shipments": 50}
    by_hash = [spec("box", labels=other), spec("bag", feeds_from=("box",))]
    assert ModelSet.of(by_hash).feeding == {"box"}

    with pytest.raises(ModelSetError, match="give both the same `split` and `labels`"):
        ModelSet.of([spec("box", split=TIME, labels=other), spec("bag", feeds_from=("box",), split=TIME)])


def test_a_chain_needs_as_many_folds_as_it_leaves_out_and_one_to_train_on() -> None:
    assert ModelSet.of(chain(score_folds=3)).specs["box"].score_folds == 3
    with pytest.raises(ModelSetError, match=r"'box' is the beginning of a chain for which 2 folds are too few: .* 3"):
        ModelSet.of(chain(score_folds=2))


def test_the_models_of_a_chain_have_the_same_folds_but_its_last_one_has_none() -> None:
    sioc, bag, box = chain()
    assert ModelSet.of([sioc.model_copy(update={"score_folds": 9}), bag, box]).feeding == {"bag", "box"}
    with pytest.raises(ModelSetError, match="'box' and 'bag' feed one another and have 5 and 4 folds"):
        ModelSet.of([sioc, bag, box.model_copy(update={"score_folds": 5})])


def test_a_run_may_set_fields_otherwise_and_the_models_are_checked_again() -> None:
    models = ModelSet.of(chain())
    tags = {OVERRIDES_TAG: json.dumps({"box": {"parameters.depth": 3}})}

    assert models.of_run(tags).specs["box"].parameters == {"depth": 3}
    assert models.of_run({}) is models
    with pytest.raises(OverrideError, match=r"there is no model 'boxx'; did you mean 'box'\?"):
        models.with_overrides({"boxx": {}})
    with pytest.raises(OverrideError, match="there is no model 'crate'; there is box, bag, sioc"):
        models.with_overrides({"crate": {"seed": 1}})
    with pytest.raises(ModelSetError, match="give both the same `split`"):
        models.with_overrides({"box": {"split.seed": 3}})


def test_for_one_run_a_model_may_be_fed_less_but_not_more() -> None:
    models = ModelSet.of([*chain(), spec("mailer", feeds_from=("box",))])

    assert models.with_overrides({"mailer": {"feeds_from": []}}).specs["mailer"].feeds_from == ()
    with pytest.raises(OverrideError, match="model 'mailer' cannot feed from 'bag' for one run, since the asset graph"):
        models.with_overrides({"mailer": {"feeds_from": ["box", "bag"]}})


def test_a_replaced_model_is_a_shadow_and_serves_until_its_successor_has_a_champion() -> None:
    models = ModelSet.of([spec("box"), spec("box", name="newer", replaces="box"), spec("bag")])

    assert (set(models.live()), set(models.shadows())) == ({"newer", "bag"}, {"box"})
    assert models.serving_names("box") == ("newer", "box")
    assert models.serving_names("bag") == ("bag",)
    assert models.serving_names("sioc") == ()


def test_what_was_replaced_may_be_gone() -> None:
    models = ModelSet.of([spec("box", name="newer", replaces="box")])

    assert models.serving_names("box") == ("newer", "box")
