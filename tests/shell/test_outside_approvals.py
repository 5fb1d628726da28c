"""The sensor of outside approvals: SageMaker's stand-in on one side, Dagster's graph and the alerts on the other."""

import datetime as dt
import uuid
import warnings
from pathlib import Path

import dagster as dg
import pytest
from aws_fixtures import *  # noqa: F403 - fixtures are found by being there
from aws_fixtures import IMAGE, TESTS
from dagster.components.core.component_tree import ComponentTree
from fixed_clock import FixedClock

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.components.assets.champion import champion_key
from packaging_assets.components.model_files import load_models
from packaging_assets.defs.registry.sensor import outside_approvals_sensor
from packaging_assets.domain.registry import Registration, RegistryError
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.sagemaker_registry import SageMakerModelRegistry
from packaging_assets.settings import load_settings, use_settings

NOW = dt.datetime(2025, 2, 3, 9, 0, tzinfo=dt.UTC)


@pytest.fixture
def registry(sagemaker_stand_in, sagemaker_as, s3, bucket):
    """Two versions of mailer: the first serves, the second was rejected by its verdict."""
    name = f"shell-{uuid.uuid4().hex[:8]}"
    registry = SageMakerModelRegistry(
        sagemaker_as(),
        name,
        objects=S3Objects(s3, bucket, "registry"),
        clock=lambda: NOW,
        image=IMAGE,
        artifact_root=f"s3://{bucket}/artifacts",
        sleep=lambda _: None,
    )
    for number, (week, verdict) in enumerate([("2025-01-06", "approve"), ("2025-01-13", "reject")]):
        registry.register(
            Registration(
                model="mailer",
                package_type="mailer",
                training_week=week,
                fingerprint=f"f{number}",
                verdict=verdict,
                artifact_uri=f"mailer/model/{week}/f{number}",
                metrics_uri=f"mailer/metrics/{week}/f{number}",
                content_hash=f"c{number}",
                code_version="1",
                metrics={"pr_auc": 0.5},
            )
        )
    return registry


@pytest.fixture
def alerts(tmp_path):
    return AlertStore(tmp_path / "alerts.db")


@pytest.fixture
def tick(instance, registry, alerts, tmp_path):
    """One tick of the sensor; what it shows."""
    sensor = outside_approvals_sensor(load_models())
    resources = {
        "settings": load_settings(tmp_path),
        "alert_store": alerts,
        "alert_routes": (),
    }

    def run(model_registry=registry, now=NOW):
        bound = {**resources, "model_registry": model_registry, "clock": FixedClock(now)}
        context = dg.build_sensor_context(instance=instance, resources=bound)
        return str(sensor.evaluate_tick(context).skip_message)

    return run


@pytest.fixture
def studio(sagemaker_stand_in, sagemaker_as, registry):
    """Gives a version of mailer another status as SageMaker Studio does."""
    people = sagemaker_stand_in.operations.packages.people
    people["KEYBOB"] = {"UserProfileName": "bob"}
    bob = sagemaker_as("KEYBOB")

    def give(number, status, **comment):
        listed = bob.list_model_packages(ModelPackageGroupName=registry.group("mailer"), SortBy="CreationTime")
        arns = [package["ModelPackageArn"] for package in listed["ModelPackageSummaryList"]]
        bob.update_model_package(ModelPackageArn=arns[number - 1], ModelApprovalStatus=status, **comment)

    yield give
    people.clear()


def champions(instance):
    records = instance.fetch_materializations(champion_key("mailer"), limit=10).records
    return [{name: value.value for name, value in record.asset_materialization.metadata.items()} for record in records]


def failures(alerts):
    return [failure for kept in alerts.alerts() for failure in kept.alert.failures]


def test_an_approval_in_studio_moves_the_champion_in_the_graph_once(tick, studio, instance, registry, alerts):
    assert tick() == "Nothing was decided outside."
    studio(2, "Approved", ApprovalDescription="The drift is the new supplier.")
    assert tick() == "mailer 2 Approved by bob"
    assert tick() == "Nothing was decided outside."
    (event,) = champions(instance)
    assert (event["version"], event["actor"], event["reason"]) == (2, "bob", "The drift is the new supplier.")
    assert event["decision"] == "approve mailer 2, outside"
    assert registry.champion("mailer").version == 2
    assert failures(alerts) == []


def test_a_sensor_that_is_killed_before_it_has_told_tells_it_next_time_and_once(tick, studio, instance, registry):
    class Killed:
        """The registry of a process that is killed before it can acknowledge."""

        def __getattr__(self, name):
            return getattr(registry, name)

        def acknowledge(self, _decisions):
            raise KeyboardInterrupt

    studio(2, "Approved", ApprovalDescription="fine")
    with pytest.raises(KeyboardInterrupt):
        tick(Killed())
    assert tick() == "mailer 2 Approved by bob"
    assert len(champions(instance)) == 1


def test_an_approval_without_a_reason_is_set_back_and_told_once(tick, studio, instance, registry, alerts):
    studio(2, "Approved")
    assert "mailer 2 set back: bob wrote no reason" in tick()
    tick()
    (failure,) = failures(alerts)
    assert failure.headline == "was decided about outside, and set back"
    assert failure.sentence.startswith("bob made version 2 Approved in SageMaker at ")
    assert failure.sentence.endswith(" UTC. It is Rejected again.")
    assert failure.remedy.startswith("Decide by name and with a reason: packaging models approve mailer 2 --reason")
    assert failure.owners
    assert champions(instance) == []
    assert registry.champion("mailer").version == 1


def test_each_of_several_decisions_is_shown_and_each_that_is_set_back_is_told(tick, studio, instance, registry, alerts):
    studio(2, "Approved", ApprovalDescription="The drift is the new supplier.")
    tick()
    studio(2, "Rejected", ApprovalDescription="It was not the supplier.")
    assert tick() == "mailer 2 Rejected by bob"
    assert [(event["version"], event["reason"]) for event in champions(instance)] == [
        (1, "It was not the supplier."),
        (2, "The drift is the new supplier."),
    ]
    studio(1, "Rejected")
    tick()
    studio(2, "Approved")
    tick()
    assert [failure.sentence.partition(" in SageMaker")[0] for failure in failures(alerts)] == [
        "bob made version 2 Approved",
        "bob made version 1 Rejected",
    ]
    assert registry.champion("mailer").version == 1


def test_what_cannot_be_looked_at_is_told_once_a_day_and_the_rest_is_done(
    tick, studio, registry, alerts, sagemaker_stand_in, instance
):
    class Half:
        """A registry that has another model, of which nothing can be said."""

        def __getattr__(self, name):
            return getattr(registry, name)

        def models(self):
            return ["bag", "mailer"]

        def reconcile(self, model):
            if model == "bag":
                raise RegistryError("SageMaker is on holiday.")
            registry.reconcile(model)

    studio(2, "Approved", ApprovalDescription="fine")
    assert tick(Half()) == "mailer 2 Approved by bob; bag: SageMaker is on holiday."
    tick(Half())
    (failure,) = failures(alerts)
    assert failure.sentence == "Could not look at bag: SageMaker is on holiday."
    assert len(champions(instance)) == 1


def test_a_registry_that_cannot_be_listed_is_told(tick, alerts):
    class Gone:
        def models(self):
            raise RegistryError("S3 is on holiday.")

    assert tick(Gone()) == "the registry: S3 is on holiday."
    assert [failure.severity for failure in failures(alerts)] == ["error"]
    assert [failure.owners for failure in failures(alerts)] == [("team:packaging-platform",)]


class Troubled:
    """A registry of three models; of two of them a call fails."""

    def __init__(self, registry, call):
        self._registry, self._call = registry, call

    def __getattr__(self, name):
        found = getattr(self._registry, name)
        return self._fail if name == self._call else found

    def _fail(self, model):
        if model in {"bag", "box"}:
            raise RegistryError("SageMaker is on holiday.")
        return getattr(self._registry, self._call)(model)

    def models(self):
        return ["bag", "box", "mailer"]


@pytest.mark.parametrize("call", ["reconcile", "outside_decisions"])
def test_every_model_in_trouble_is_told_by_itself_and_again_the_next_day(tick, studio, registry, alerts, call):
    studio(2, "Approved", ApprovalDescription="fine")
    registry.reconcile("mailer")
    troubled = Troubled(registry, call)
    trouble = "bag: SageMaker is on holiday.; box: SageMaker is on holiday."
    assert tick(troubled) == f"mailer 2 Approved by bob; {trouble}"
    tick(troubled)
    assert tick(troubled, NOW + dt.timedelta(days=1)) == trouble
    assert sorted(failure.key for failure in failures(alerts)) == [
        f"trouble:outside approvals:{model}:{day}" for model in ("bag", "box") for day in ("2025-02-03", "2025-02-04")
    ]


def test_what_was_decided_before_a_model_got_into_trouble_is_passed_on(tick, studio, registry, instance):
    class Behind(Troubled):
        def reconcile(self, _model):
            raise RegistryError("SageMaker is on holiday.")

        def models(self):
            return ["mailer"]

    studio(2, "Approved", ApprovalDescription="fine")
    registry.reconcile("mailer")
    assert tick(Behind(registry, "")) == "mailer 2 Approved by bob; mailer: SageMaker is on holiday."
    assert [event["version"] for event in champions(instance)] == [2]


@pytest.mark.parametrize(("env", "names"), [("local", []), ("aws", ["outside_approvals"])])
def test_there_is_a_sensor_where_models_can_be_decided_about_outside(tmp_path, env, names):
    with use_settings(load_settings(tmp_path, env=env)), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of loading one folder by itself, which Dagster calls a preview
        tree = ComponentTree.for_project(TESTS.parent)
        found = tree.build_defs_at_path(Path("registry")).sensors or []
    assert [sensor.name for sensor in found] == names
    assert [sensor.default_status for sensor in found] == [dg.DefaultSensorStatus.RUNNING] * len(names)
