"""The templates are valid, and no role can do what is not its duty."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from iam_policies import ACCOUNT, REGION, Roles

TEMPLATES = Path(__file__).resolve().parents[2] / "deploy" / "cloudformation"
BUCKET = "packaging-live-bucket"
OBJECTS = f"arn:aws:s3:::{BUCKET}"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
MODEL = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/packaging-live-mailer/3"
WORKGROUP = f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:workgroup/w"
JOB = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{{}}-job/{{}}"
JOB_LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/sagemaker/TrainingJobs:log-stream:{{}}/algo-1-1700000000"
TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/packaging-live/0123"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:packaging/{{}}"
ERRORS = f"arn:aws:sns:{REGION}:{ACCOUNT}:packaging-live-errors"


@pytest.fixture(scope="module")
def roles() -> Roles:
    parameters = {
        "Environment": "live",
        "RedshiftWorkgroupArn": WORKGROUP,
        "TrainingAccountBucket": "packaging-test-bucket",
        "TrainingAccount": "444455556666",
        "TrainingAccountKeyId": "t",
    }
    exports = {
        "bucket": BUCKET,
        "key": KEY,
        "errors": ERRORS,
        "warnings": ERRORS.replace("errors", "warnings"),
        "trigger-queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:packaging-live-triggers",
    }
    return Roles(TEMPLATES / "roles.yaml", parameters, {f"packaging-live-{name}": arn for name, arn in exports.items()})


@pytest.mark.parametrize("role", ["RunRole", "CodeServerRole", "DelivererRole"])
def test_on_a_provisioned_cluster_credentials_are_given_for_this_cluster_alone(role: str):
    redshift = f"arn:aws:redshift:{REGION}:{ACCOUNT}"
    parameters = {"Environment": "live", "RedshiftClusterArn": f"{redshift}:cluster:live-cluster"}
    exports = {f"packaging-live-{name}": name for name in ("bucket", "key", "errors", "warnings", "trigger-queue")}
    provisioned = Roles(TEMPLATES / "roles.yaml", parameters, exports)

    asked = {
        cluster: {
            provisioned.allows(role, "redshift:GetClusterCredentials", f"{redshift}:{kind}:{cluster}/packaging")
            for kind in ("dbuser", "dbname")
        }
        for cluster in ("live-cluster", "test-cluster")
    }
    assert asked == {"live-cluster": {True}, "test-cluster": {False}}


def test_cfn_lint_finds_nothing():
    templates = sorted(TEMPLATES.glob("*.yaml"))
    command = [Path(sys.executable).parent / "cfn-lint", "--regions", "eu-west-1", "us-east-1", "--", *templates]
    found = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - a fixed command

    assert (found.stdout, found.returncode) == ("", 0)


def test_there_is_a_role_for_each_duty(roles: Roles):
    assert roles.names() == [
        "WarehouseFilesRole",
        "JobRole",
        "RunRole",
        "CodeServerRole",
        "DaemonRole",
        "WebserverRole",
        "StartRole",
        "ReviewerRole",
        "PromoterRole",
        "DelivererRole",
        "PrunerRole",
        "OperatorRole",
    ]


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        ("WarehouseFilesRole", "s3:PutObject", f"{OBJECTS}/exchange/labels/000"),
        ("JobRole", "s3:GetObject", f"{OBJECTS}/artifacts/mailer/split/2025-01-06/f/train.parquet"),
        ("JobRole", "s3:PutObject", f"{OBJECTS}/jobs/j/output/model.tar.gz"),
        ("JobRole", "cloudwatch:PutMetricData", "*"),
        ("JobRole", "kms:Encrypt", KEY),
        ("JobRole", "kms:CreateGrant", KEY),
        ("RunRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model/2025-01-06/f/manifest.json"),
        ("RunRole", "redshift-data:BatchExecuteStatement", WORKGROUP),
        ("RunRole", "sagemaker:UpdateModelPackage", MODEL),
        ("RunRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/JobRole"),
        ("RunRole", "s3:DeleteObject", f"{OBJECTS}/artifacts/.work/0123"),
        ("RunRole", "s3:DeleteObject", f"{OBJECTS}/jobs/j/input/x"),
        ("RunRole", "sagemaker:CreateTrainingJob", JOB.format("training", "packaging-live-train-0123-0")),
        ("RunRole", "logs:GetLogEvents", JOB_LOG.format("packaging-live-train-0123-0")),
        ("CodeServerRole", "sns:Publish", ERRORS),
        ("CodeServerRole", "redshift-data:ExecuteStatement", WORKGROUP),
        ("CodeServerRole", "s3:PutObject", f"{OBJECTS}/registry/models/mailer.json"),
        ("CodeServerRole", "s3:DeleteObject", f"{OBJECTS}/triggers/x.json"),
        ("DaemonRole", "ecs:RunTask", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/packaging-live-run:4"),
        ("DaemonRole", "ecs:TagResource", TASK),
        ("DaemonRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/RunRole"),
        ("WebserverRole", "ecs:StopTask", TASK),
        ("WebserverRole", "s3:GetObject", f"{OBJECTS}/compute-logs/storage/r/compute_logs/x.out"),
        ("StartRole", "secretsmanager:GetSecretValue", SECRET.format("live/database-AbCdEf")),
        ("ReviewerRole", "sagemaker:UpdateModelPackage", MODEL),
        ("DelivererRole", "redshift-data:BatchExecuteStatement", WORKGROUP),
        ("DelivererRole", "s3:PutObject", f"{OBJECTS}/triggers/x.json"),
        ("PrunerRole", "s3:DeleteObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("OperatorRole", "ssm:StartSession", TASK),
        ("PromoterRole", "s3:GetObject", "arn:aws:s3:::packaging-test-bucket/artifacts/mailer/model/x"),
    ],
)
def test_a_role_can_do_its_duty(roles: Roles, role: str, action: str, resource: str):
    assert roles.allows(role, action, resource)


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        # Redshift writes where files are exchanged, and cannot read or overwrite a model.
        ("WarehouseFilesRole", "s3:GetObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("WarehouseFilesRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        # A job cannot publish its own output as an artifact, reach the warehouse, approve itself or tell people.
        ("JobRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("JobRole", "s3:DeleteObject", f"{OBJECTS}/jobs/j"),
        ("JobRole", "s3:GetObject", f"{OBJECTS}/exchange/unload/0123/000.parquet"),
        ("JobRole", "redshift-data:ExecuteStatement", WORKGROUP),
        ("JobRole", "sagemaker:UpdateModelPackage", MODEL),
        ("JobRole", "sagemaker:CreateTrainingJob", "*"),
        ("JobRole", "sns:Publish", ERRORS),
        ("JobRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/RunRole"),
        # A run cannot delete artifacts or versions, read secrets, or become anything but a job.
        ("RunRole", "s3:DeleteObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("RunRole", "sagemaker:DeleteModelPackage", MODEL),
        ("RunRole", "secretsmanager:GetSecretValue", "*"),
        ("RunRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/ReviewerRole"),
        ("RunRole", "s3:PutObject", f"{OBJECTS}/triggers/x.json"),
        ("RunRole", "ecs:RunTask", "*"),
        # Nothing of another environment in the account: its jobs, its models, its objects.
        ("RunRole", "sagemaker:StopTrainingJob", JOB.format("training", "packaging-liveeu-train-0123-0")),
        ("RunRole", "sagemaker:CreateTrainingJob", JOB.format("training", "live-train-0123-0")),
        ("RunRole", "logs:GetLogEvents", JOB_LOG.format("packaging-test-train-0123-0")),
        ("RunRole", "sagemaker:UpdateModelPackage", MODEL.replace("packaging-live", "packaging-test")),
        ("RunRole", "s3:GetObject", "arn:aws:s3:::packaging-test-bucket/artifacts/mailer/model/x"),
        # Sensors and schedules ask for runs, and cannot do their work, start or stop tasks, or undo what was made.
        ("CodeServerRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("CodeServerRole", "s3:DeleteObject", f"{OBJECTS}/registry/models/mailer.json"),
        ("CodeServerRole", "s3:GetObject", f"{OBJECTS}/exchange/unload/0123/000.parquet"),
        ("CodeServerRole", "sagemaker:DeleteModelPackage", MODEL),
        ("CodeServerRole", "sagemaker:CreateTrainingJob", JOB.format("training", "packaging-live-train-0123-0")),
        ("CodeServerRole", "ecs:RunTask", TASK),
        ("CodeServerRole", "ecs:StopTask", TASK),
        ("CodeServerRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/JobRole"),
        # The daemon starts runs, and cannot do their work itself, run anything but a run, or read what runs read.
        ("DaemonRole", "redshift-data:ExecuteStatement", WORKGROUP),
        ("DaemonRole", "sagemaker:UpdateModelPackage", MODEL),
        ("DaemonRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("DaemonRole", "s3:GetObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("DaemonRole", "sns:Publish", ERRORS),
        ("DaemonRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/JobRole"),
        ("DaemonRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/PrunerRole"),
        ("DaemonRole", "ecs:RunTask", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/packaging-live-webserver:4"),
        ("DaemonRole", "ecs:RunTask", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/packaging-test-run:4"),
        ("DaemonRole", "ecs:RegisterTaskDefinition", "*"),
        # The web server ends runs for people, and has no hands of its own: what is asked for goes through the queue.
        ("WebserverRole", "ecs:RunTask", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/packaging-live-run:4"),
        ("WebserverRole", "ecs:StopTask", TASK.replace("packaging-live", "packaging-test")),
        ("WebserverRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/RunRole"),
        ("WebserverRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("WebserverRole", "s3:GetObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("WebserverRole", "sagemaker:UpdateModelPackage", MODEL),
        ("WebserverRole", "redshift-data:ExecuteStatement", WORKGROUP),
        ("StartRole", "s3:GetObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("StartRole", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:other/x"),
        ("StartRole", "secretsmanager:GetSecretValue", SECRET.format("test/database-AbCdEf")),
        ("StartRole", "secretsmanager:PutSecretValue", SECRET.format("live/database-AbCdEf")),
        # A deliverer brings rows and asks for runs: no models, no decisions, no reading of triggers of others.
        ("DelivererRole", "s3:GetObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("DelivererRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("DelivererRole", "s3:GetObject", f"{OBJECTS}/triggers/x.json"),
        ("DelivererRole", "sagemaker:UpdateModelPackage", MODEL),
        ("DelivererRole", "ecs:RunTask", TASK),
        # A pruner frees storage, and cannot make a version, decide on one, or touch the record of decisions.
        ("PrunerRole", "s3:PutObject", f"{OBJECTS}/registry/models/mailer.json"),
        ("PrunerRole", "s3:DeleteObject", f"{OBJECTS}/registry/models/mailer.json"),
        ("PrunerRole", "s3:DeleteObjectVersion", f"{OBJECTS}/artifacts/mailer/model/x"),
        ("PrunerRole", "sagemaker:UpdateModelPackage", MODEL),
        # An operator opens the UI, and gets neither a shell, nor another environment's, nor anything behind it.
        ("OperatorRole", "ecs:ExecuteCommand", TASK),
        ("OperatorRole", "ssm:StartSession", TASK.replace("packaging-live", "packaging-test")),
        ("OperatorRole", "ssm:StartSession", f"arn:aws:ssm:{REGION}::document/AWS-StartInteractiveCommand"),
        ("OperatorRole", "ssm:SendCommand", "*"),
        ("OperatorRole", "s3:GetObject", f"{OBJECTS}/compute-logs/x"),
        # A reviewer decides, and cannot change what is decided about.
        ("ReviewerRole", "s3:PutObject", f"{OBJECTS}/artifacts/mailer/model_card/x"),
        ("ReviewerRole", "sagemaker:CreateModelPackage", MODEL),
        ("ReviewerRole", "sagemaker:DeleteModelPackage", MODEL),
        ("ReviewerRole", "redshift-data:ExecuteStatement", WORKGROUP),
        # A promoter cannot change anything in the account that the model comes from.
        ("PromoterRole", "s3:PutObject", "arn:aws:s3:::packaging-test-bucket/artifacts/mailer/model/x"),
        (
            "PromoterRole",
            "sagemaker:UpdateModelPackage",
            f"arn:aws:sagemaker:{REGION}:444455556666:model-package/packaging-test-mailer/1",
        ),
    ],
)
def test_a_role_cannot_do_what_is_not_its_duty(roles: Roles, role: str, action: str, resource: str):
    assert not roles.allows(role, action, resource)


def test_figures_go_into_the_namespaces_of_whose_they_are(roles: Roles):
    namespaces = {
        role: statement["Condition"]
        for role in roles.names()
        for statement in roles.documents(role)
        if "cloudwatch:PutMetricData" in statement["Action"]
    }

    ours = {"StringEquals": {"cloudwatch:namespace": "PackagingAssets"}}
    assert namespaces == {
        "JobRole": {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
        "RunRole": ours,
        "CodeServerRole": ours,
    }


def test_nobody_may_do_everything_of_a_service_or_touch_iam(roles: Roles):
    for role in roles.names():
        for actions, _ in roles.statements(role):
            assert not [action for action in actions if action.endswith("*")], role
            assert not [action for action in actions if action.startswith("iam:") and action != "iam:PassRole"], role


def test_all_resources_are_named_only_where_the_action_knows_none(roles: Roles):
    unlimited = {
        action
        for role in roles.names()
        for actions, resources in roles.statements(role)
        if "*" in resources
        for action in actions
    }

    assert unlimited == {
        "cloudwatch:PutMetricData",
        "ec2:DescribeNetworkInterfaces",
        "ecr:GetAuthorizationToken",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTasks",
        "redshift-data:CancelStatement",
        "redshift-data:DescribeStatement",
        "redshift-data:GetStatementResult",
        "sagemaker:ListModelPackageGroups",
        "sagemaker:ListModelPackages",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    }


def test_what_the_doctor_tries_on_behalf_of_a_run_a_run_may_do(roles: Roles):
    doctor = TEMPLATES.parents[1] / "packaging_assets" / "doctor"
    named = r'understood\(f?"([a-z0-9-]+:[A-Za-z{}]+)",\s*role="RunRole"'
    tried = {action for path in doctor.glob("*.py") for action in re.findall(named, path.read_text(encoding="utf-8"))}
    allowed = {action for actions, _ in roles.statements("RunRole") for action in actions}

    assert len(tried) > 5
    assert {action for action in tried if not any(re.fullmatch(_any(action), known) for known in allowed)} == set()


def _any(action: str) -> str:
    """An action in whose name a part is filled in."""
    return re.sub(r"\{\w+\}", "[A-Za-z]+", action)
