"""`packaging doctor` in the environment `aws`: what it finds when all is well, and for each thing that is not."""

import datetime as dt
import json
from email.utils import format_datetime

import pytest
from aws_fixtures import REGION
from click.testing import CliRunner
from cloud_in_order import ACCOUNT, Cloud

from packaging_assets.cli.main import main
from packaging_assets.doctor.aws_identity import role_arn_of
from packaging_assets.doctor.check import Finding

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
ROLES = "deploy/cloudformation/roles.yaml"
DATA = "deploy/cloudformation/data.yaml"


class Answered:
    """Of an HTTP response, what boto3 looks at."""

    status_code = 200


def test_a_complete_environment_is_found_in_order(cloud: Cloud, monkeypatch):
    for name, value in cloud.given.items():
        monkeypatch.setenv(f"PACKAGING_{name.upper()}", str(value))
    monkeypatch.setattr("packaging_assets.doctor.dbt_connection._project", lambda _: "not looked at: it takes long")

    result = CliRunner().invoke(main, ["doctor", "--json"])

    checks = {check["part"]: check for check in json.loads(result.stdout)["checks"]}
    assert {part: check["found"] for part, check in checks.items() if check["is_ok"] is not True} == {
        # moto does not have it.
        "job permissions": "not known: iam:SimulatePrincipalPolicy was answered with something that is not AWS's"
    }
    assert result.exit_code == 0
    assert list(checks) == [
        *("versions", "environment", "home", "settings", "credentials", "clock", "bucket", "objects", "encryption key"),
        *("warehouse state", "warehouse", "warehouse privileges", "warehouse files", "dbt connection"),
        *("jobs", "job role", "job permissions", "image", "model registry"),
        *("error topic", "warning topic", "trigger queue", "figures"),
        *("dbt project", "Dagster storage", "state database", "alerts"),
    ]
    place = f"s3://{cloud.bucket}/live"
    found = {part: check["found"] for part, check in checks.items()}
    assert found["credentials"] == f"arn:aws:sts::{ACCOUNT}:user/moto"
    assert found["bucket"] == f"s3://{cloud.bucket} in us-east-1"
    assert found["objects"] == f"written once, read and deleted below {place}/exchange/doctor/"
    assert found["warehouse"] == f"packaging in {cloud.database}"
    assert found["warehouse privileges"] == "none of the schemas there; packaging may create the others"
    assert found["warehouse files"].startswith(f"a row went to {place}/exchange/doctor-")
    assert found["dbt connection"] == f"dbt signs in at 127.0.0.1:{cloud.given['redshift_port']} by iam"
    assert found["image"].startswith(f"{cloud.image} (0 MB, pushed 2")
    assert found["model registry"] == f"1 model package group: {cloud.groups}-mailer"
    assert found["trigger queue"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{cloud.groups}, messages that wait: 0"
    assert found["figures"] == "DoctorLooked = 1 was put into PackagingAssets"


def test_it_leaves_nothing_in_bucket_and_warehouse(cloud: Cloud, redshift):
    cloud.look("objects", "warehouse files")
    assert "Contents" not in cloud.clients["s3"].list_objects_v2(Bucket=cloud.bucket)
    tables = "select count(*) from pg_class where relname like 'doctor%'"
    assert redshift.run(tables, cloud.database) == [(0,)]


def test_settings_that_are_missing_are_named_and_what_needs_them_is_not_looked_at(cloud: Cloud):
    bare = cloud.settings(s3_bucket="", redshift_workgroup="", redshift_host="", sagemaker_role_arn="")
    found = cloud.look("settings", "bucket", "objects", "job role", settings=bare)
    assert found["settings"] == Finding(
        "settings",
        is_ok=False,
        found="not set: PACKAGING_S3_BUCKET, PACKAGING_SAGEMAKER_ROLE_ARN, PACKAGING_REDSHIFT_HOST, "
        "PACKAGING_REDSHIFT_WORKGROUP (or PACKAGING_REDSHIFT_CLUSTER)",
        remedy=f"Set each in the environment, or without PACKAGING_ and in lower case in {cloud.home}/settings.toml.",
    )
    assert found["bucket"].found == found["objects"].found == "not looked at: PACKAGING_S3_BUCKET is not set"
    assert found["job role"].found == "not looked at: PACKAGING_SAGEMAKER_ROLE_ARN is not set"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (
            {"redshift_method": "database"},
            "not set: PACKAGING_REDSHIFT_USER, PACKAGING_REDSHIFT_PASSWORD, PACKAGING_REDSHIFT_SECRET_ARN",
        ),
        ({"redshift_workgroup": "", "redshift_cluster": "c"}, "not set: PACKAGING_REDSHIFT_USER"),
        ({"redshift_cluster": "c", "redshift_user": "u"}, "both PACKAGING_REDSHIFT_WORKGROUP and "),
        ({"redshift_user": "u"}, "PACKAGING_REDSHIFT_USER is set, but with a workgroup and IAM the user follows"),
    ],
)
def test_settings_that_depend_on_others(cloud: Cloud, given, missing):
    assert cloud.one("settings", settings=cloud.settings(**given)).found.startswith(missing)


def test_without_credentials_the_rest_is_not_looked_at(cloud: Cloud):
    cloud.answer("sts", "GetCallerIdentity", "ExpiredToken", "The security token is expired")
    found = cloud.look("bucket", "objects", "jobs")
    assert (found["credentials"].is_ok, found["credentials"].found, found["credentials"].remedy) == (
        False,
        "AWS does not believe who asks (ExpiredToken)",
        "Sign in again; if that changes nothing, see `clock`.",
    )
    assert (found["bucket"].is_ok, found["bucket"].found) == (None, "not looked at: credentials must work first")
    assert found["objects"].found == "not looked at: bucket must work first"


@pytest.mark.parametrize(
    ("seconds", "is_ok", "told"),
    [
        (0, True, "0 s behind AWS's (to the second)"),
        (200, True, "200 s ahead of AWS's (to the second)"),
        (301, False, "this machine's clock is 301 s ahead of AWS's; AWS refuses requests from 300 s on"),
        (-900, False, "this machine's clock is 900 s behind AWS's; AWS refuses requests from 300 s on"),
    ],
)
def test_the_clock_is_held_against_aws_even_where_it_refuses(cloud: Cloud, seconds, is_ok, told):
    header = {"date": format_datetime(NOW, usegmt=True)}
    cloud.answer("sts", "GetCallerIdentity", "SignatureDoesNotMatch", "Signature expired", headers=header)
    found = cloud.one("clock", now=lambda: NOW + dt.timedelta(seconds=seconds))
    assert (found.is_ok, found.found) == (is_ok, told)
    assert (found.remedy == "") is is_ok


def test_a_bucket_that_is_not_there_or_elsewhere(cloud: Cloud):
    gone = cloud.one("bucket", settings=cloud.settings(s3_bucket="packaging-nobodys"))
    assert (gone.found, gone.remedy) == (
        "there is no bucket packaging-nobodys",
        f"Deploy {DATA}, or correct PACKAGING_S3_BUCKET.",
    )
    cloud.answer("s3", "HeadBucket", "301", headers={"x-amz-bucket-region": "eu-west-1"})
    assert cloud.one("bucket").found == (f"bucket {cloud.bucket} is in eu-west-1, PACKAGING_AWS_REGION is us-east-1")


DENIED = {
    "objects": ("s3", "PutObject", "AccessDenied", "s3:PutObject", "RunRole"),
    "warehouse": ("redshift-data", "ExecuteStatement", "AccessDeniedException", "redshift-data:ExecuteStatement", None),
    "jobs": ("sagemaker", "DescribeProcessingJob", "AccessDeniedException", "sagemaker:DescribeProcessingJob", None),
    "model registry": (
        *("sagemaker", "ListModelPackageGroups", "AccessDeniedException"),
        *("sagemaker:ListModelPackageGroups", None),
    ),
    "figures": ("cloudwatch", "PutMetricData", "AccessDenied", "cloudwatch:PutMetricData", None),
}


@pytest.mark.parametrize("part", DENIED)
def test_what_a_duty_needs_and_may_not_is_a_failure_that_names_the_action_and_the_role(cloud: Cloud, part):
    service, operation, code, action, _ = DENIED[part]
    cloud.answer(service, operation, code, "User is not authorized")
    found = cloud.one(part)
    assert found == Finding(
        part,
        is_ok=False,
        found=f"{action} is not allowed",
        remedy=f"Allow {action}: RunRole in {ROLES} has it. Deploy that template, and run as that role.",
    )


@pytest.mark.parametrize(
    ("part", "service", "operation", "code", "action"),
    [
        ("encryption key", "kms", "DescribeKey", "AccessDeniedException", "kms:DescribeKey"),
        ("warehouse state", "redshift-serverless", "GetWorkgroup", "AccessDeniedException", None),
        ("job role", "iam", "GetRole", "AccessDenied", "iam:GetRole"),
        ("job permissions", "iam", "SimulatePrincipalPolicy", "AccessDenied", "iam:SimulatePrincipalPolicy"),
        ("image", "ecr", "DescribeImages", "AccessDeniedException", "ecr:DescribeImages"),
        ("error topic", "sns", "GetTopicAttributes", "AuthorizationError", "sns:GetTopicAttributes"),
        ("trigger queue", "sqs", "GetQueueAttributes", "AccessDenied", "sqs:GetQueueAttributes"),
    ],
)
def test_what_only_the_doctor_needs_and_may_not_is_unknown(cloud: Cloud, part, service, operation, code, action):
    cloud.answer(service, operation, code, "User is not authorized")
    found = cloud.one(part)
    told = action or "redshift-serverless:GetWorkgroup"
    assert (found.is_ok, found.found) == (
        None,
        f"not known: {told} is not allowed to this identity, and only the doctor needs it",
    )


def test_a_key_that_is_gone_or_disabled(cloud: Cloud):
    missing = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    gone = cloud.one("encryption key", settings=cloud.settings(kms_key=missing))
    assert (gone.is_ok, gone.found) == (False, f"there is no key {missing}")
    kms = cloud.clients["kms"]
    other = kms.create_key()["KeyMetadata"]
    kms.disable_key(KeyId=other["KeyId"])
    disabled = cloud.one("encryption key", settings=cloud.settings(kms_key=other["Arn"]))
    assert (disabled.found, disabled.remedy) == (
        f"key {other['Arn']} is Disabled: what it has encrypted cannot be read",
        "Enable it again (aws kms enable-key), or cancel its deletion first.",
    )
    cloud.answer("s3", "PutObject", "KMS.DisabledException", "is disabled")
    assert cloud.one("objects").found == f"key {cloud.key} is disabled: what it has encrypted cannot be read"
    assert cloud.one("encryption key", settings=cloud.settings(kms_key=None)).found == "S3's own keys"


def test_a_store_that_ignores_conditions_is_told(cloud: Cloud):
    def forget_condition(params, **_):
        params["headers"].pop("If-None-Match", None)

    cloud.intervene("s3", "PutObject", forget_condition)
    found = cloud.one("objects")
    assert found.found == (
        f"s3://{cloud.bucket}/live/exchange/doctor/ takes a second object of a name under If-None-Match: two runs "
        "could both commit one artifact"
    )
    assert "Contents" not in cloud.clients["s3"].list_objects_v2(Bucket=cloud.bucket)


def test_a_job_role_that_is_gone_or_another_services(cloud: Cloud):
    gone = cloud.one("job role", settings=cloud.settings(sagemaker_role_arn=f"arn:aws:iam::{ACCOUNT}:role/nobodys"))
    assert gone.found == f"there is no role arn:aws:iam::{ACCOUNT}:role/nobodys"
    assert gone.remedy == (
        f"Deploy {ROLES}, and set PACKAGING_SAGEMAKER_ROLE_ARN to its export packaging-<environment>-job-role."
    )
    other = cloud._role(f"{cloud.groups}-ecs", "ecs-tasks.amazonaws.com")
    found = cloud.one("job role", settings=cloud.settings(sagemaker_role_arn=other))
    assert found.found == f"SageMaker may not become {other}: its trust policy does not name sagemaker.amazonaws.com"


NEEDED_FOR_JOBS = ("sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob", "iam:PassRole")


def test_who_may_hand_jobs_their_role(cloud: Cloud):
    allowed = {"EvaluationResults": [{"EvalDecision": "allowed"}]}
    cloud.intervene("iam", "SimulatePrincipalPolicy", lambda **_: (Answered, allowed))
    found = cloud.one("job permissions")
    told = f"arn:aws:sts::{ACCOUNT}:user/moto may create jobs and hand them {cloud.role}"
    assert (found.is_ok, found.found) == (True, told)


@pytest.mark.parametrize(
    ("caller", "role"),
    [
        ("arn:aws:sts::1:assumed-role/packaging-live-run/task", "arn:aws:iam::1:role/packaging-live-run"),
        ("arn:aws-cn:sts::1:assumed-role/r/s", "arn:aws-cn:iam::1:role/r"),
        ("arn:aws:iam::1:user/ada", "arn:aws:iam::1:user/ada"),
    ],
)
def test_a_session_is_known_to_iam_by_its_role(caller, role):
    assert role_arn_of(caller) == role


def test_who_may_not_hand_jobs_their_role_is_told_by_iams_simulation(cloud: Cloud):
    asked, resources = [], []

    def simulate(params, **_):
        asked.append(params["body"]["ActionNames.member.1"])
        resources.append(params["body"]["ResourceArns.member.1"])
        decision = "implicitDeny" if asked[-1] == "iam:PassRole" else "allowed"
        return Answered, {"EvaluationResults": [{"EvalDecision": decision}]}

    cloud.intervene("iam", "SimulatePrincipalPolicy", simulate)
    found = cloud.one("job permissions")
    assert asked == list(NEEDED_FOR_JOBS)
    # Under names as jobs have them, see job_name().
    assert resources[1].endswith(f":training-job/packaging-{cloud.groups}-doctor")
    assert (found.is_ok, found.found) == (False, f"arn:aws:sts::{ACCOUNT}:user/moto may not iam:PassRole")
    assert found.remedy == (
        f"Run as the role of a run: RunRole in {ROLES} may (statements Jobs and JobsBecomeTheJobRole)."
    )


@pytest.mark.parametrize(
    ("image", "is_ok", "told"),
    [
        ("{registry}/nobodys:1", False, "there is no image {registry}/nobodys:1"),
        ("{image}.9", False, "there is no image {image}.9"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/packaging:1",
            False,
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/packaging:1 is in eu-west-1, and jobs run in us-east-1",
        ),
        ("docker.io/packaging:1", None, "not known: docker.io/packaging:1 is not an image of ECR"),
    ],
)
def test_images_that_jobs_could_not_run(cloud: Cloud, image, is_ok, told):
    names = {"registry": cloud.image.partition("/")[0], "image": cloud.image}
    found = cloud.one("image", settings=cloud.settings(sagemaker_image=image.format(**names)))
    assert (found.is_ok, found.found) == (is_ok, told.format(**names))
