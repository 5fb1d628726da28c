"""The ECS tasks: their commands, who they are, and that the platform finds every setting it needs in them."""

import re
from typing import Any

import pytest
from click.testing import CliRunner
from stacks import resources, template

from packaging_assets.resources.environment import (
    artifact_store_for,
    compute_for,
    model_registry_for,
    warehouse_for,
)
from packaging_assets.settings import Settings

TASKS = ("CodeServer", "Daemon", "Webserver", "Run")
KEPT_BY_DEFAULT = {"PACKAGING_HOME"}
"""In the image."""


@pytest.fixture(scope="module")
def platform() -> dict[str, Any]:
    return resources("platform")


def container(platform: dict[str, Any], task: str) -> dict[str, Any]:
    (only,) = platform[f"{task}Task"]["Properties"]["ContainerDefinitions"]
    return only


def environment(platform: dict[str, Any], task: str = "Run") -> dict[str, Any]:
    return {given["Name"]: given["Value"] for given in container(platform, task)["Environment"]}


def secrets(platform: dict[str, Any], task: str = "Run") -> dict[str, Any]:
    given = [secret.get("Fn::If", [0, secret])[1] for secret in container(platform, task)["Secrets"]]
    return {secret["Name"]: secret["ValueFrom"] for secret in given}


def test_every_setting_in_the_tasks_is_one_of_the_platforms(platform: dict[str, Any]):
    names = {f"PACKAGING_{field.upper()}" for field in Settings.model_fields}
    given = {name for task in TASKS for name in {**environment(platform, task), **secrets(platform, task)}}

    assert {name for name in given if name.startswith("PACKAGING_")} - names == set()


def test_the_tasks_differ_in_nothing_but_their_command_and_size(platform: dict[str, Any]):
    settings = [environment(platform, task) for task in TASKS]

    assert settings.count(settings[0]) == 4


FILLED_IN = {
    "PACKAGING_NAME": "packaging-live",
    "PACKAGING_FIRST_WEEK": "2025-01-06",
    "PACKAGING_AWS_REGION": "eu-west-1",
    "PACKAGING_S3_BUCKET": "packaging-live-111122223333-eu-west-1",
    "PACKAGING_KMS_KEY": "arn:aws:kms:eu-west-1:111122223333:key/k",
    "PACKAGING_REDSHIFT_METHOD": "iam",
    "PACKAGING_REDSHIFT_WORKGROUP": "packaging-live",
    "PACKAGING_REDSHIFT_CLUSTER": "",
    "PACKAGING_REDSHIFT_HOST": "packaging-live.111122223333.eu-west-1.redshift-serverless.amazonaws.com",
    "PACKAGING_REDSHIFT_PORT": "5439",
    "PACKAGING_REDSHIFT_DATABASE": "packaging",
    "PACKAGING_REDSHIFT_USER": "",
    "PACKAGING_REDSHIFT_SECRET_ARN": "",
    "PACKAGING_REDSHIFT_COPY_ROLE_ARN": "arn:aws:iam::111122223333:role/packaging-live-warehouse-files",
    "PACKAGING_SAGEMAKER_ROLE_ARN": "arn:aws:iam::111122223333:role/packaging-live-job",
    "PACKAGING_SAGEMAKER_IMAGE": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/packaging-assets@sha256:0",
    "PACKAGING_MODEL_GROUPS": "packaging-live",
    "PACKAGING_ERROR_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:packaging-live-errors",
    "PACKAGING_WARNING_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:packaging-live-warnings",
    "PACKAGING_METRICS_NAMESPACE": "PackagingAssets",
    "PACKAGING_TRIGGER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/packaging-live-triggers",
    "PACKAGING_STATE_DATABASE_URL": "postgresql+psycopg2://db.example:5432/packaging",
    "PACKAGING_PROMOTIONS": "pending",
}
"""What CloudFormation makes of the task's settings, those apart that are written in the template."""


def test_with_what_the_stacks_give_the_platform_has_every_resource(
    platform: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
):
    given = {name: value for name, value in environment(platform).items() if name.startswith("PACKAGING_")}
    assert set(given) == {*FILLED_IN, "PACKAGING_ENV"}
    for name, value in {**FILLED_IN, "PACKAGING_ENV": given["PACKAGING_ENV"], "PACKAGING_HOME": tmp_path}.items():
        monkeypatch.setenv(name, str(value))

    settings = Settings()

    assert settings.env == "aws"
    assert settings.environment_name == settings.model_groups == "packaging-live"
    for build in (warehouse_for, artifact_store_for, model_registry_for, compute_for):
        assert build(settings) is not None


def test_names_of_jobs_begin_as_the_roles_expect_even_if_the_environments_name_is_long():
    from packaging_assets.domain.models import train
    from packaging_assets.resources.sagemaker_names import job_name

    longest = "packaging-" + "a" * 16

    assert job_name(longest, train, "f" * 64, 0).startswith(f"{longest}-")
    assert len(job_name(longest, train, "f" * 64, 99)) <= 63


def test_nobody_is_root_and_sagemakers_entry_point_is_replaced(platform: dict[str, Any]):
    for task in TASKS:
        given = container(platform, task)
        assert (given["User"], given["Privileged"], given["EntryPoint"]) == ("1000:1000", False, ["/usr/bin/env"])


def test_the_web_server_listens_on_the_loopback_interface_only(platform: dict[str, Any]):
    command = container(platform, "Webserver")["Command"]

    assert command[:3] == ["dagster-webserver", "-h", "127.0.0.1"]
    assert platform["Webserver"]["Properties"]["EnableExecuteCommand"] is True
    assert "EnableExecuteCommand" not in platform["Daemon"]["Properties"]


def test_dagster_knows_the_commands_and_their_options(platform: dict[str, Any]):
    from dagster._cli import create_dagster_cli
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import create_dagster_webserver_cli

    programs = {
        "dagster": create_dagster_cli(),
        "dagster-daemon": create_dagster_daemon_cli(),
        "dagster-webserver": create_dagster_webserver_cli(),
    }
    for task in ("CodeServer", "Daemon", "Webserver"):
        for command in (container(platform, task)["Command"], container(platform, task)["HealthCheck"]["Command"][1:]):
            if command[0] not in programs:
                continue
            words = [word for word in command[1:] if re.fullmatch(r"[a-z][a-z-]*", word) and word != "packaging"]
            options = [word for word in command if word.startswith("-")]
            path = words if command[0] != "dagster-webserver" else []
            shown = CliRunner().invoke(programs[command[0]], [*path, "--help"], prog_name=command[0])
            assert shown.exit_code == 0, (command, shown.output)
            assert all(option in shown.output for option in options), command


def test_each_task_becomes_the_role_of_its_duty(platform: dict[str, Any]):
    roles = {task: platform[f"{task}Task"]["Properties"]["TaskRoleArn"]["Fn::ImportValue"]["Fn::Sub"] for task in TASKS}

    assert roles == {
        "CodeServer": "packaging-${Environment}-code-server-role",
        "Daemon": "packaging-${Environment}-daemon-role",
        "Webserver": "packaging-${Environment}-webserver-role",
        "Run": "packaging-${Environment}-run-role",
    }


def test_passwords_come_from_secrets_and_stand_in_no_url(platform: dict[str, Any]):
    assert secrets(platform)["PGPASSWORD"] == {"Fn::Sub": "${DatabaseSecret}:password::"}
    assert set(secrets(platform)) == {"PGUSER", "PGPASSWORD", "PACKAGING_REDSHIFT_PASSWORD", "PACKAGING_PROMOTION_KEY"}
    assert not [name for name in environment(platform) if re.search("PASSWORD|PROMOTION_KEY", name)]
    assert environment(platform)["PACKAGING_STATE_DATABASE_URL"] == {
        "Fn::Sub": "postgresql+psycopg2://${Database.Endpoint.Address}:${Database.Endpoint.Port}/packaging"
    }


def test_there_are_never_two_daemons(platform: dict[str, Any]):
    daemon = platform["Daemon"]["Properties"]

    assert daemon["DesiredCount"] == 1
    assert daemon["DeploymentConfiguration"]["MaximumPercent"] == 100


def test_services_have_a_launch_type_which_the_run_launcher_copies(platform: dict[str, Any]):
    services = [platform[name]["Properties"] for name in ("CodeServer", "Daemon", "Webserver")]

    assert [(given["LaunchType"], "CapacityProviderStrategy" in given) for given in services] == [
        ("FARGATE", False)
    ] * 3


def holds(assertion: Any, given: dict[str, str]) -> bool:
    """Whether an assertion of a template's rules holds for parameters."""
    ((function, operands),) = assertion.items()
    if function == "Fn::Equals":
        first, second = (given[item["Ref"]] if isinstance(item, dict) else item for item in operands)
        return first == second
    met = [holds(operand, given) for operand in operands]
    return {"Fn::Not": not met[0], "Fn::And": all(met), "Fn::Or": any(met)}[function]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"RedshiftWorkgroup": "w"}, []),
        ({"RedshiftCluster": "c", "RedshiftUser": "u"}, []),
        ({"RedshiftWorkgroup": "w", "RedshiftUser": "u", "RedshiftSecretArn": "s"}, []),
        ({}, ["OneWarehouse"]),
        ({"RedshiftWorkgroup": "w", "RedshiftCluster": "c", "RedshiftUser": "u"}, ["OneWarehouse"]),
        ({"RedshiftCluster": "c"}, ["UserOfTheWarehouse"]),
        ({"RedshiftWorkgroup": "w", "RedshiftSecretArn": "s"}, ["UserOfTheWarehouse"]),
    ],
)
def test_a_warehouse_that_cannot_be_signed_in_to_is_refused_before_it_is_deployed(
    given: dict[str, str], refused: list[str]
):
    nothing = dict.fromkeys(("RedshiftWorkgroup", "RedshiftCluster", "RedshiftUser", "RedshiftSecretArn"), "")
    rules = template("platform")["Rules"]

    assert refused == [
        name
        for name, rule in rules.items()
        if not all(holds(each["Assert"], {**nothing, **given}) for each in rule["Assertions"])
    ]


def test_images_are_given_by_digest():
    pattern = template("platform")["Parameters"]["Image"]["AllowedPattern"]
    repository = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/packaging-assets"

    assert re.fullmatch(pattern, f"{repository}@sha256:{'0a' * 32}")
    assert not re.fullmatch(pattern, f"{repository}:latest")
