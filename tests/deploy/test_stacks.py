"""What holds for every stack: nothing is open, in the clear, kept for ever or lost with its stack."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from stacks import ORDER, TEMPLATES, of_type, resources, template, texts, uses

from packaging_assets.resources.sagemaker_registry_authors import PEOPLE_ROLES


def test_every_template_is_deployed_in_a_known_order():
    assert sorted(ORDER) == sorted(path.stem for path in TEMPLATES.glob("*.yaml"))


def test_every_import_is_an_export_of_a_stack_deployed_before():
    exported: set[str] = set()
    for name in ORDER:
        for given in uses({"Resources": resources(name)}, "Fn::ImportValue"):
            assert given["Fn::Sub"] in exported, (name, given)
        exported |= {
            text["Fn::Sub"] if isinstance(text := output["Export"]["Name"], dict) else text
            for output in template(name).get("Outputs", {}).values()
            if "Export" in output
        }


def test_names_of_environments_cannot_begin_with_one_another_and_a_hyphen():
    patterns = {
        name: template(name)["Parameters"]["Environment"]["AllowedPattern"] for name in ORDER if name != "images"
    }

    assert set(patterns.values()) == {"[a-z][a-z0-9]{1,15}"}


def test_nobody_is_let_in_from_an_address():
    groups = list(of_type("AWS::EC2::SecurityGroup"))
    rules = list(of_type("AWS::EC2::SecurityGroupIngress"))

    assert [logical for _, logical, given in groups if "SecurityGroupIngress" in given] == []
    assert all("SourceSecurityGroupId" in given and not {"CidrIp", "CidrIpv6"} & set(given) for _, _, given in rules)
    assert {(given["GroupId"]["Ref"], given["FromPort"], given["ToPort"]) for _, _, given in rules} == {
        ("CodeServer", 4266, 4266),
        ("Database", 5432, 5432),
        ("Warehouse", 5439, 5439),
    }


def test_nothing_has_a_public_address_or_a_load_balancer():
    services = [given["NetworkConfiguration"]["AwsvpcConfiguration"] for _, _, given in of_type("AWS::ECS::Service")]
    (database,) = [given for _, _, given in of_type("AWS::RDS::DBInstance")]
    (workgroup,) = [given for _, _, given in of_type("AWS::RedshiftServerless::Workgroup")]
    kinds = {given["Type"] for name in ORDER for given in resources(name).values()}

    assert [given["AssignPublicIp"] for given in services] == ["DISABLED"] * 3
    assert (database["PubliclyAccessible"], workgroup["PubliclyAccessible"]) == (False, False)
    assert not [kind for kind in kinds if "LoadBalancing" in kind or "ApiGateway" in kind]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("AWS::S3::Bucket", "BucketEncryption"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::SQS::Queue", "SqsManagedSseEnabled"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::ECR::Repository", "EncryptionConfiguration"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
        ("AWS::RDS::DBInstance", "KmsKeyId"),
        ("AWS::RDS::DBInstance", "StorageEncrypted"),
        ("AWS::RedshiftServerless::Namespace", "KmsKeyId"),
        ("AWS::KMS::Key", "EnableKeyRotation"),
    ],
)
def test_everything_at_rest_is_encrypted(kind: str, field: str):
    found = list(of_type(kind))

    assert found
    assert [logical for _, logical, given in found if not given.get(field)] == []


def test_everything_on_the_way_is_encrypted():
    (policy,) = [given["PolicyDocument"] for _, _, given in of_type("AWS::S3::BucketPolicy")]
    (parameters,) = [given["Parameters"] for _, _, given in of_type("AWS::RDS::DBParameterGroup")]
    (workgroup,) = [given["ConfigParameters"] for _, _, given in of_type("AWS::RedshiftServerless::Workgroup")]

    assert policy["Statement"][0]["Effect"] == "Deny"
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert parameters["rds.force_ssl"] == "1"
    assert {"ParameterKey": "require_ssl", "ParameterValue": "true"} in workgroup


def test_logs_queues_and_images_are_not_kept_for_ever():
    assert all("RetentionInDays" in given for _, _, given in of_type("AWS::Logs::LogGroup"))
    assert all("MessageRetentionPeriod" in given for _, _, given in of_type("AWS::SQS::Queue"))
    assert all("LifecyclePolicy" in given for _, _, given in of_type("AWS::ECR::Repository"))


def test_the_bucket_forgets_what_has_been_used():
    (bucket,) = [given for _, _, given in of_type("AWS::S3::Bucket")]
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}

    assert {name: rule.get("Prefix") for name, rule in rules.items()} == {
        "former-versions": None,
        "exchange": "exchange/",
        "jobs": "jobs/",
        "work": "artifacts/.work/",
        "compute-logs": "compute-logs/",
    }
    assert "ExpirationInDays" not in rules["former-versions"], "what is current in the bucket stays"
    assert "ExpirationInDays" not in rules["work"], "a long run is at work still"


def test_what_has_been_used_up_and_deleted_is_not_kept_as_a_former_version():
    (bucket,) = [given for _, _, given in of_type("AWS::S3::Bucket")]
    kept = {
        rule["Id"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in bucket["LifecycleConfiguration"]["Rules"]
        if "NoncurrentVersionExpiration" in rule
    }

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert kept == {"former-versions": {"Ref": "ArtifactRetentionDays"}, "exchange": 1, "jobs": 1, "work": 1}


def test_nothing_is_left_of_what_was_deleted_in_the_end():
    (bucket,) = [given for _, _, given in of_type("AWS::S3::Bucket")]
    everywhere = [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "Prefix" not in rule]

    # The last former version goes, and what marks the object as deleted after it.
    assert [rule.get("ExpiredObjectDeleteMarker") for rule in everywhere] == [True]


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("AWS::S3::Bucket", "Retain"),
        ("AWS::KMS::Key", "Retain"),
        ("AWS::ECR::Repository", "Retain"),
        ("AWS::Logs::LogGroup", "Retain"),
        ("AWS::SageMaker::ModelPackageGroup", "Retain"),
        ("AWS::SecretsManager::Secret", "Retain"),
        ("AWS::RedshiftServerless::Namespace", "Retain"),
        ("AWS::RDS::DBInstance", "Snapshot"),
    ],
)
def test_what_cannot_be_made_again_outlives_its_stack(kind: str, policy: str):
    found = [given for name in ORDER for given in resources(name).values() if given["Type"] == kind]

    assert found
    assert {(given.get("DeletionPolicy"), given.get("UpdateReplacePolicy")) for given in found} == {(policy, policy)}


def test_the_database_is_backed_up_and_cannot_be_deleted_by_mistake():
    ((_, _, database),) = of_type("AWS::RDS::DBInstance")

    assert database["BackupRetentionPeriod"] == 14
    assert database["DeletionProtection"] is True
    assert "resolve:secretsmanager" in database["MasterUserPassword"]["Fn::Sub"]


def test_no_template_has_a_secret_in_it():
    parameters = [name for stack in ORDER for name in template(stack)["Parameters"]]

    assert [name for name in parameters if "password" in name.lower()] == []
    assert [text for name in ORDER for text in texts(resources(name)) if "AKIA" in text or "BEGIN" in text] == []


def test_who_may_list_is_told_404_for_what_is_not_there():
    roles = resources("roles")
    platform = ("RunRole", "CodeServerRole", "WebserverRole", "ReviewerRole", "PromoterRole", "PrunerRole")
    listing = {name: _listing(roles[name]) for name in platform}

    assert all(listing.values())
    for name, statements in listing.items():
        for statement in statements:
            assert "StringLike" not in statement.get("Condition", {}), name


def _listing(role: Any) -> list[Any]:
    statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return [given for given in statements if "s3:ListBucket" in given.get("Action", [])]


def test_people_need_a_second_factor():
    people = ("ReviewerRole", "PromoterRole", "PrunerRole", "OperatorRole")
    roles = resources("roles")

    for name in people:
        (trust,) = roles[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"]["Bool"] == {"aws:MultiFactorAuthPresent": "true"}, name


def test_sessions_whose_names_count_as_persons_are_called_after_them():
    roles = resources("roles")
    names = {
        logical: given["Properties"]["RoleName"]["Fn::Sub"].replace("${Environment}", "prod")
        for logical, given in roles.items()
        if given["Type"] == "AWS::IAM::Role"
    }
    counted = [logical for logical, name in names.items() if any(fnmatchcase(name, role) for role in PEOPLE_ROLES)]
    conditions = {
        logical: statement["Condition"].get("StringEquals")
        for logical in counted
        for statement in roles[logical]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    }

    own_name = {"sts:RoleSessionName": "${aws:username}"}
    assert conditions == {"ReviewerRole": own_name, "PromoterRole": own_name}


def test_other_accounts_read_models_and_change_nothing():
    groups = [given["ModelPackageGroupPolicy"] for _, _, given in of_type("AWS::SageMaker::ModelPackageGroup")]
    actions = {action for given in groups for action in given["Fn::If"][1]["Statement"][0]["Action"]}
    (bucket,) = [given["PolicyDocument"]["Statement"] for _, _, given in of_type("AWS::S3::BucketPolicy")]
    readers = [given["Fn::If"][1] for given in bucket if "Fn::If" in given]

    assert len(groups) == 4
    assert actions == {
        "sagemaker:DescribeModelPackage",
        "sagemaker:DescribeModelPackageGroup",
        "sagemaker:ListModelPackages",
    }
    assert {action for given in readers for action in given["Action"]} == {"s3:GetObject", "s3:ListBucket"}


def test_every_alarm_tells_somebody_and_says_where_the_runbook_helps():
    runbook = (TEMPLATES.parents[1] / "docs" / "runbook.md").read_text(encoding="utf-8")
    headings = {line.removeprefix("### ") for line in runbook.splitlines() if line.startswith("### ")}
    alarms = list(of_type("AWS::CloudWatch::Alarm"))

    assert len(alarms) == 24
    for _, logical, given in alarms:
        description = given["AlarmDescription"]
        told = description["Fn::Sub"] if isinstance(description, dict) else description
        assert told.partition("Runbook: ")[2].rstrip(".") in headings, logical
        assert given["AlarmActions"], logical
        assert given["TreatMissingData"] in {"breaching", "notBreaching"}, logical


def test_a_day_without_predictions_is_an_error_even_if_nothing_is_reported_at_all():
    alarm = resources("observability")["NoPredictions"]["Properties"]

    assert (alarm["Period"] * alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (26 * 3600, "breaching")
    assert alarm["AlarmActions"] == [{"Fn::ImportValue": {"Fn::Sub": "packaging-${Environment}-errors"}}]


def test_no_alarm_searches_which_cloudwatch_refuses():
    assert not [logical for _, logical, given in of_type("AWS::CloudWatch::Alarm") if "SEARCH" in str(given)]


def test_trigger_files_are_told_to_the_queue_that_the_platform_reads():
    (bucket,) = [given for _, _, given in of_type("AWS::S3::Bucket")]
    (told,) = bucket["NotificationConfiguration"]["QueueConfigurations"]
    queue = resources("data")["TriggerQueue"]["Properties"]

    assert told["Queue"] == {"Fn::GetAtt": ["TriggerQueue", "Arn"]}
    assert told["Filter"]["S3Key"]["Rules"] == [
        {"Name": "prefix", "Value": "triggers/"},
        {"Name": "suffix", "Value": ".json"},
    ]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 10
