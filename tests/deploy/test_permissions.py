"""What the platform asks AWS for, read off its code, and what its roles may do: the one is the other."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from iam_policies import Roles
from stacks import TEMPLATES

PACKAGE = TEMPLATES.parents[1] / "packaging_assets"

SERVICES = {
    "cloudwatch": "cloudwatch",
    "logs": "logs",
    "redshift-data": "redshift-data",
    "s3": "s3",
    "sagemaker": "sagemaker",
    "sns": "sns",
    "sqs": "sqs",
}
"""boto3's name and IAM's."""

ASKED_BY_DOCTOR_ALONE = ("doctor",)
"""What a person's credentials may try besides, and says so where they may not."""

NEEDS = {
    # Objects: heads are reads, a listing is a right on the bucket, and a large upload comes in parts.
    "s3:HeadObject": {"s3:GetObject"},
    "s3:DownloadFile": {"s3:GetObject"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:DeleteObjects": {"s3:DeleteObject"},
    "s3:UploadFile": {"s3:PutObject", "s3:AbortMultipartUpload"},
    # Whatever is made with tags needs the right to tag.
    "sagemaker:CreateModel": {"sagemaker:CreateModel", "sagemaker:AddTags"},
    "sqs:DeleteMessageBatch": {"sqs:DeleteMessage"},
}
"""Calls whose right has another name, or that need more than one."""

OTHERS = {
    "sagemaker:ListModelPackageGroups",  # the doctor's
    "sqs:GetQueueAttributes",  # the doctor's
    "logs:CreateLogGroup",  # SageMaker's and ECS's own, as the role of a job or a task
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:GetBucketLocation",  # Redshift's
}
"""What roles may do, and code of the platform's does not ask for."""

NOT_THE_RUNS = {"sns:Publish", "sns:GetTopicAttributes", "sqs:ReceiveMessage", "sqs:DeleteMessage"}
"""Sensors tell people and take trigger files; runs do not."""


@pytest.fixture(scope="module")
def roles() -> Roles:
    exports = ("bucket", "key", "errors", "warnings", "trigger-queue")
    parameters = {"Environment": "live", "RedshiftWorkgroupArn": "workgroup", "TrainingAccountBucket": "bucket"}
    return Roles(TEMPLATES / "roles.yaml", parameters, {f"packaging-live-{name}": name for name in exports})


@functools.cache
def operations() -> dict[str, str]:
    """Methods of boto3's clients that mean one call of one service, and the call as `service:Operation`."""
    found: dict[str, set[str]] = {"upload_file": {"s3:UploadFile"}, "download_file": {"s3:DownloadFile"}}
    session = botocore.session.get_session()
    for name, service in SERVICES.items():
        for operation in session.get_service_model(name).operation_names:
            found.setdefault(xform_name(operation), set()).add(f"{service}:{operation}")
    # Words of everyday code, which no call of ours has.
    return {method: next(iter(calls)) for method, calls in found.items() if len(calls) == 1 and "_" in method} | {
        "publish": "sns:Publish"
    }


def calls_in(path: Path) -> Iterator[str]:
    """Calls of clients by their methods, of paginators by names, and of the SageMaker SDK by its resources."""
    known = operations()
    verbs = {"create": "Create", "get": "Describe"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = node.attr if isinstance(node, ast.Attribute) else node.value if isinstance(node, ast.Constant) else None
        if isinstance(name, str) and name in known:
            yield known[name]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id.endswith("Job"):
            yield f"sagemaker:{verbs[node.attr]}{node.value.id}"
            yield f"sagemaker:Stop{node.value.id}"  # of what was got, see `Jobs.stop`


@functools.cache
def asked_for() -> set[str]:
    """The rights that the code needs."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in ASKED_BY_DOCTOR_ALONE]
    calls = {call for path in paths for call in calls_in(path)}
    return {right for call in calls for right in NEEDS.get(call, {call})}


def allowed(roles: Roles, names: list[str]) -> set[str]:
    services = set(SERVICES.values())
    rights = {action for name in names for actions, _ in roles.statements(name) for action in actions}
    return {right for right in rights if right.partition(":")[0] in services}


def test_the_calls_are_found():
    assert {"sagemaker:StopTransformJob", "redshift-data:CancelStatement", "sqs:DeleteMessage"} <= asked_for()
    assert len(asked_for()) > 30


def test_no_role_may_do_what_nobody_asks_for(roles: Roles):
    assert allowed(roles, roles.names()) - asked_for() - OTHERS == set()


def test_what_is_asked_for_runs_and_sensors_may_do(roles: Roles):
    assert asked_for() - allowed(roles, ["RunRole", "CodeServerRole"]) == set()
    assert asked_for() - NOT_THE_RUNS - allowed(roles, ["RunRole"]) == set()


def test_a_condition_on_grants_stands_at_rights_about_grants_alone(roles: Roles):
    statements = [
        statement
        for role in roles.names()
        for statement in roles.documents(role)
        if "kms:GrantIsForAWSResource" in str(statement.get("Condition"))
    ]

    assert [statement["Action"] for statement in statements] == [["kms:CreateGrant"]]
