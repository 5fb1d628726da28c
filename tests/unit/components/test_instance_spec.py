"""What `instances` in a model's YAML may say, and which steps it reaches."""

import pytest
from pydantic import ValidationError

from packaging_assets.artifacts.job import JobResources
from packaging_assets.components.inference import beside_predictions, predict_instances
from packaging_assets.components.instance_spec import InstanceSpec, InstanceSpecs, most_demanding
from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec, override
from packaging_assets.components.training_steps import plan_metrics, plan_model, plan_out_of_fold, plan_split

MACHINES = {
    "split": {"instance_type": "ml.c5.large", "run_as": "driver"},
    "train": {"instance_type": "ml.m5.4xlarge", "use_spot": True, "max_runtime_minutes": 5},
    "evaluate": {"instance_type": "ml.r5.xlarge", "volume_gb": 50},
    "predict": {"instance_type": "ml.c5.2xlarge", "instance_count": 3, "run_as": "transform"},
}


def spec(package_type="mailer", **fields):
    return ModelSpec.model_validate({"package_type": package_type, **fields})


def test_every_step_of_a_model_has_the_machines_of_its_yaml():
    model = spec(name="fast", instances=MACHINES)
    plans = {
        "split": plan_split(model, "2025-01-06"),
        "train": plan_model(model),
        "evaluate": plan_metrics(model, "2025-01-06", None, architectures=()),
    }
    assert {name: (plan.model, plan.instances) for name, plan in plans.items()} == {
        name: ("fast", getattr(model.instances, name)) for name in plans
    }
    assert plan_out_of_fold(model, depth=0).instances == model.instances.train
    assert model.instances.train.resources == JobResources(
        instance_type="ml.m5.4xlarge", max_runtime_seconds=300, use_spot=True
    )


def test_no_result_depends_on_the_machines():
    plain, fast = spec(), spec(instances=MACHINES)
    for plan in (plan_model, lambda model: plan_split(model, "2025-01-06")):
        assert (plan(plain).params, plan(plain).inputs) == (plan(fast).params, plan(fast).inputs)


def test_machines_can_be_set_for_one_run():
    changed = override(spec(), {"instances.train.instance_type": "ml.p3.2xlarge", "instances.split.run_as": "driver"})
    assert changed.instances.train.instance_type == "ml.p3.2xlarge"
    assert changed.instances.split.run_as == "driver"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train": {"run_as": "transform"}}, "`train.run_as` is 'transform', which sends an inventory's files one by"),
        ({"split": {"run_as": "transform"}}, "is for `predict`: choose processing, training or driver"),
        ({"evaluate": {"run_as": "lambda"}}, "Input should be 'driver', 'processing', 'training' or 'transform'"),
        ({"predict": {"use_spot": True}}, "`predict` runs as a processing job, for which there is no spare capacity"),
        ({"train": {"use_spot": True, "run_as": "processing"}}, "training jobs, and `run_as` is 'processing'"),
        ({"predict": {"instance_count": 0}}, "Input should be greater than or equal to 1"),
        ({"tune": {}}, "Extra inputs are not permitted"),
    ],
)
def test_what_no_job_can_be_is_refused(fields, message):
    with pytest.raises(ValidationError) as refused:
        InstanceSpecs.model_validate(fields)
    assert message in str(refused.value)


def test_of_several_models_that_are_scored_together_the_one_with_the_most_machines_counts():
    def machines(**fields):
        return InstanceSpec.model_validate(fields)

    two, three = machines(instance_count=2), machines(instance_count=3, instance_type="ml.m5.large")
    other_three = machines(instance_count=3, instance_type="ml.c5.large")
    assert most_demanding([two, three, other_three]) == other_three
    assert most_demanding([]) == most_demanding([InstanceSpec(), InstanceSpec()]) == InstanceSpec()
    chosen = machines(instance_type="ml.t3.medium")
    assert most_demanding([InstanceSpec(), chosen]) == chosen


def test_live_models_say_what_scores_and_shadow_models_do_not():
    chosen, larger = {"instance_count": 2}, {"instance_count": 9}
    models = ModelSet.of(
        [
            spec("box", instances={"predict": chosen}),
            spec("mailer"),
            spec("bag", name="trial", stage="shadow", instances={"predict": larger}),
        ]
    )
    assert predict_instances(models) == InstanceSpec(instance_count=2)


@pytest.mark.parametrize(("asked", "found"), [("transform", None), ("driver", "driver"), (None, None)])
def test_what_runs_beside_scoring_has_its_machines_and_not_its_kind_of_job(asked, found):
    machines = InstanceSpec(run_as=asked, instance_count=4)
    assert beside_predictions(machines) == InstanceSpec(run_as=found, instance_count=4)
