"""The Pipes client for SageMaker, through boto3 against moto and the stand-in."""

import ast
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import boto3
import dagster as dg
import pytest
from aws_fixtures import REGION, ROLE, TESTS
from botocore.exceptions import ClientError
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster_pipes import PIPES_PROTOCOL_VERSION_FIELD

from packaging_assets.resources import pipes_sagemaker
from packaging_assets.resources.pipes_sagemaker import (
    PipesSageMakerClient,
    PipesSageMakerContextFiles,
    PipesSageMakerJobError,
    PipesSageMakerLogReader,
)
from packaging_assets.resources.pipes_sagemaker.job_kinds import PROCESSING, TRAINING, TRANSFORM, kind_of
from packaging_assets.resources.pipes_sagemaker.job_log import JobLog

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/pipes:test"

# open_pipes_session uses what Dagster itself has deprecated, or calls a preview.
pytestmark = pytest.mark.filterwarnings(
    "ignore:AssetExecutionContext:DeprecationWarning", "ignore:.*PipesMessageReader.expected_writer_count"
)


@pytest.fixture
def aws_clients(sagemaker_stand_in):
    sagemaker_stand_in.operations._site.commands[IMAGE] = [sys.executable, str(TESTS / "standins" / "pipes_job.py")]
    found = SimpleNamespace(**{name: boto3.client(name, region_name=REGION) for name in ("sagemaker", "logs", "s3")})
    clients = list(vars(found).values())
    yield found
    for client in clients:
        client.close()


def params_of(kind, name, bucket):
    if kind == "training":
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "Environment": {"MINE": "1"},
        }
    if kind == "transform":
        return {
            "TransformJobName": name,
            "ModelName": name,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}
            },
            "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
    return {
        "ProcessingJobName": name,
        "AppSpecification": {"ImageUri": IMAGE},
        "RoleArn": ROLE,
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
    }


@pytest.fixture
def run(aws_clients, bucket):
    """Materialize an asset whose body is a job of that name."""

    def materialize(kind, name, *, sleep=lambda _: time.sleep(0.03), what="work", length=1, **options):
        options.setdefault("context_injector", PipesSageMakerContextFiles(aws_clients.s3, f"s3://{bucket}/pipes"))
        client = PipesSageMakerClient(aws_clients.sagemaker, aws_clients.logs, sleep=sleep, **options)

        @dg.asset(check_specs=[dg.AssetCheckSpec("is_whole", asset="scales")])
        def scales(context: dg.AssetExecutionContext):
            return client.run(
                context=context,
                create_params=params_of(kind, f"{bucket[-6:]}-{name}", bucket),
                extras={"what": what, "length": length},
            ).get_results()

        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize([scales], instance=instance)
            return result, [log.user_message for log in instance.all_logs(result.run_id)]

    return materialize


def objects_in(clients, bucket):
    return [entry["Key"] for entry in clients.s3.list_objects_v2(Bucket=bucket, Prefix="pipes").get("Contents", [])]


@pytest.mark.parametrize("kind", ["training", "processing"])
def test_what_a_job_reports_is_dagsters(run, kind, aws_clients, bucket):
    result, logs = run(kind, "reports", length=20_000)
    (event,) = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    assert (metadata["rows"], metadata["note"]) == (3, "ä" * 20_000)
    assert metadata["SageMaker job"] == f"{bucket[-6:]}-reports"
    assert metadata["SageMaker billable seconds"] >= 0
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert "beware" in logs
    text = "\n".join(logs)
    for line in ("before the session", "asked to work", "after the session"):
        assert text.count(line) == 1
    assert PIPES_PROTOCOL_VERSION_FIELD not in text
    assert objects_in(aws_clients, bucket) == []


def test_a_transform_job_reports_by_its_environment(run, aws_clients, bucket):
    name = f"{bucket[-6:]}-served"
    aws_clients.sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    for key in ("a", "b"):
        aws_clients.s3.put_object(Bucket=bucket, Key=f"in/{key}", Body=b"four")
    result, logs = run("transform", "served", what="serve", context_injector=None)
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["rows"].value == 3
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    text = "\n".join(logs)
    assert (text.count("asked about 4 bytes"), text.count("the job is over")) == (2, 1)
    with aws_clients.s3.get_object(Bucket=bucket, Key="out/a.out")["Body"] as body:
        assert body.read() == b"4"


class Flaky:
    """CloudWatch Logs, which does not answer so many of its calls."""

    def __init__(self, logs, failures):
        self._logs, self.failures = logs, failures

    def get_paginator(self, name):
        return self._logs.get_paginator(name)

    def get_log_events(self, **params):
        self.failures -= 1
        if self.failures >= 0:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "GetLogEvents")
        return self._logs.get_log_events(**params)


def test_a_log_that_cannot_be_read_for_a_while_loses_nothing(run, aws_clients):
    aws_clients.logs = Flaky(aws_clients.logs, 3)
    result, logs = run("training", "throttled")
    assert aws_clients.logs.failures < 0
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["rows"].value == 3
    assert "\n".join(logs).count("asked to work") == 1


def test_a_log_that_cannot_be_read_at_all_is_told_in_the_end(run, aws_clients):
    aws_clients.logs = Flaky(aws_clients.logs, 10_000)
    with pytest.raises(PipesSageMakerJobError, match=r"^TrainingJob .*-unread is Completed, but its log cannot be"):
        run("training", "unread")


def test_a_job_that_fails_is_told_with_reason_and_log(run):
    with pytest.raises(
        PipesSageMakerJobError, match=r"(?s)is Failed\. AlgorithmError.*exit code: 1.*scales are broken"
    ):
        run("training", "fails", what="fail")


def test_a_run_that_comes_again_takes_the_outcome_of_its_job(run, sagemaker_stand_in):
    first, _ = run("training", "again")
    second, logs = run("training", "again")
    assert sagemaker_stand_in.calls.count("CreateTrainingJob") == 2  # the second is refused
    versions = [
        event.materialization.metadata["rows"].value
        for result in (first, second)
        for event in result.get_asset_materialization_events()
    ]
    assert versions == [3, 3]
    assert any("is there already; its outcome is taken" in log for log in logs)


@pytest.mark.parametrize(("is_forwarded", "status"), [(True, {"Stopped", "Stopping"}), (False, {"InProgress"})])
def test_a_cancelled_run_stops_its_job_if_it_is_to(run, aws_clients, bucket, is_forwarded, status):
    looks = []

    def cancel(_):
        looks.append(1)
        time.sleep(0.05)
        if len(looks) > 3:
            raise DagsterExecutionInterruptedError

    with pytest.raises(DagsterExecutionInterruptedError):
        run("training", "cancelled", what="wait", sleep=cancel, forward_termination=is_forwarded)
    name = f"{bucket[-6:]}-cancelled"
    assert aws_clients.sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] in status
    if not is_forwarded:
        aws_clients.sagemaker.stop_training_job(TrainingJobName=name)


def test_a_context_that_does_not_fit_is_refused_before_a_job_is_started(run, sagemaker_stand_in):
    with pytest.raises(ValueError, match=r"characters and the environment of a ProcessingJob takes 256: give the"):
        run("processing", "long", context_injector=dg.PipesEnvContextInjector())
    assert "CreateProcessingJob" not in sagemaker_stand_in.calls


def test_the_client_needs_dagster_and_boto3_and_nothing_of_this_project():
    imported = set()
    for path in Path(pipes_sagemaker.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    foreign = {name for name in imported if not name.startswith(pipes_sagemaker.__name__)}
    libraries = {name.partition(".")[0] for name in foreign} - sys.stdlib_module_names
    assert libraries == {"botocore", "dagster", "dagster_pipes"}


class Handler:
    def __init__(self):
        self.messages = []

    def handle_message(self, message):
        self.messages.append(message)


def test_a_message_in_pieces_is_put_together_and_what_is_none_is_given_back():
    reader, handler = PipesSageMakerLogReader(), Handler()
    message = json.dumps({PIPES_PROTOCOL_VERSION_FIELD: "0.1", "method": "log", "params": {"message": "x" * 50}})
    with reader.read_messages(handler) as params:
        assert params == {"stdio": "stdout"}
        lines = ["one", message[:40], message[40:60], message[60:], '{"a": 1}', "two"]
        assert reader.take(lines) == ["one", '{"a": 1}', "two"]
        assert [found["params"]["message"] for found in handler.messages] == ["x" * 50]
        assert reader.take([message[:40], *["never"] * 254]) == []
        assert reader.take(["never", "three"]) == [message[:40], *["never"] * 255, "three"]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"TrainingJobName": "a"}, TRAINING),
        ({"ProcessingJobName": "a"}, PROCESSING),
        ({"TransformJobName": "a"}, TRANSFORM),
    ],
)
def test_the_kind_of_a_job_is_known_by_its_name(params, found):
    assert kind_of(params) == found


@pytest.mark.parametrize("params", [{}, {"TrainingJobName": "a", "ProcessingJobName": "b"}])
def test_parameters_of_no_job_are_refused(params):
    with pytest.raises(ValueError, match="must have exactly one of TrainingJobName"):
        kind_of(params)


def test_transform_jobs_have_no_channels(aws_clients):
    files = PipesSageMakerContextFiles(aws_clients.s3, "s3://bucket/pipes")
    with pytest.raises(ValueError, match="A TransformJob has no input channels"):
        files.for_job(TRANSFORM)
    with pytest.raises(ValueError, match="is not an S3 URI"):
        PipesSageMakerContextFiles(aws_clients.s3, "bucket/pipes")


def test_a_log_is_read_on_from_where_it_was_left(aws_clients, bucket):
    group, stream = f"/test/{bucket}", "job-1/algo-1"
    log = JobLog(aws_clients.logs, group, "job-1")
    assert log.new_lines() == []
    assert log.tail() == f"(nothing in the log {group}, job-1)"
    aws_clients.logs.create_log_group(logGroupName=group)
    for name in (stream, "job-11/algo-1"):
        aws_clients.logs.create_log_stream(logGroupName=group, logStreamName=name)

    def write(*lines, to=stream):
        now = int(time.time() * 1000)
        events = [{"timestamp": now + number, "message": line} for number, line in enumerate(lines)]
        aws_clients.logs.put_log_events(logGroupName=group, logStreamName=to, logEvents=events)

    write("another job's", to="job-11/algo-1")
    assert log.new_lines() == []
    write("one", "two")
    assert log.new_lines() == ["one", "two"]
    assert log.new_lines() == []
    write("three")
    assert log.new_lines() == ["three"]
    assert log.tail(2) == "two\nthree"


class TwoPages:
    """CloudWatch Logs with one stream of two pages, the second of which is not answered the first time."""

    def __init__(self):
        self.pages = {None: ("one", "t1"), "t1": ("two", "t2"), "t2": (None, "t2")}
        self.is_throttled = True

    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        return [{"logStreams": [{"logStreamName": "job/algo-1"}]}]

    def get_log_events(self, *, nextToken=None, **_):
        if nextToken == "t1" and self.is_throttled:
            self.is_throttled = False
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "GetLogEvents")
        line, following = self.pages[nextToken]
        return {"events": [{"message": line}] if line else [], "nextForwardToken": following}


def test_what_was_read_before_a_call_failed_is_not_lost():
    log = JobLog(TwoPages(), "/group", "job")
    with pytest.raises(ClientError, match="ThrottlingException"):
        log.new_lines()
    assert log.new_lines() == ["one", "two"]


def test_a_log_that_may_not_be_read_is_told_in_the_tail():
    class Refusing:
        def get_paginator(self, _):
            return self

        def paginate(self, **_):
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeLogStreams")

    log = JobLog(Refusing(), "/group", "job")
    assert log.tail().startswith("(the log /group, job cannot be read: An error occurred (AccessDeniedException)")
