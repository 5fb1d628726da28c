"""The SageMaker stand-in by itself, through boto3: what it says is what it did."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import pytest
from aws_fixtures import IMAGE, ROLE, TESTS
from botocore.exceptions import ClientError, ConnectionClosedError
from example_steps import (
    CountParams,
    WaitParams,
    compute_without_pause,
    count_words,
    die,
    refuse,
    tell_environment,
    wait,
)

from packaging_assets.container.step_request import StepRequest

SECONDS = 30


def end_of(describe, key):
    """The description of a job that has ended."""
    deadline = time.monotonic() + SECONDS
    while (found := describe())[key] in {"InProgress", "Stopping"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@pytest.fixture
def train(clients, bucket):
    def start(name, step, params, *, runtime=60, hyperparameters=None, image=IMAGE, **changes):
        clients.s3.put_object(Bucket=bucket, Key="text/a.txt", Body=b"one two three")
        clients.sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
            HyperParameters=hyperparameters or StepRequest.of(step, params, {"text": "text"}).as_hyperparameters(),
            InputDataConfig=[
                {
                    "ChannelName": "text",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/text/"}},
                }
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{bucket}/jobs"},
            ResourceConfig={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            StoppingCondition={"MaxRuntimeInSeconds": runtime},
            **changes,
        )
        return lambda: clients.sagemaker.describe_training_job(TrainingJobName=name)

    return start


def log_of(clients, group, job):
    streams = clients.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in clients.logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    ]


def wait_for_log(clients, job, line):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if any(line in message for message in log_of(clients, "/aws/sagemaker/TrainingJobs", job)):
                return
        except ClientError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{line!r} never came into the log")


def test_a_training_job_really_runs_and_leaves_its_model_in_s3(train, clients, bucket):
    described = end_of(train("count-1", count_words, CountParams(factor=2)), "TrainingJobStatus")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Completed", "Completed")
    statuses = [entry["Status"] for entry in described["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    uri = described["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{bucket}/jobs/count-1/output/model.tar.gz"
    body = clients.s3.get_object(Bucket=bucket, Key=uri.removeprefix(f"s3://{bucket}/"))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert {member.name for member in archive if member.isfile()} == {
            "model/count.txt",
            "names.txt",
            "step_output.json",
        }
        assert archive.extractfile("model/count.txt").read() == b"6"
    assert "3 words were counted" in log_of(clients, "/aws/sagemaker/TrainingJobs", "count-1")


def test_a_name_is_taken_for_ever(train):
    train("taken", count_words, CountParams())
    with pytest.raises(ClientError) as raised:
        train("taken", count_words, CountParams())
    assert raised.value.response["Error"]["Code"] == "ResourceInUse"


def test_what_is_not_there_is_not_found_as_the_service_says_it(clients):
    with pytest.raises(ClientError) as raised:
        clients.sagemaker.describe_training_job(TrainingJobName="nobody")
    assert raised.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "Requested resource not found.",
    }


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("under_score", {}, "trainingJobName|TrainingJobName"),
        ("x" * 64, {}, "less than or equal to 63"),
        ("tags", {"Tags": [{"Key": "model", "Value": "a|b"}]}, "regular expression pattern"),
    ],
)
def test_the_services_own_checks_are_made(train, name, changes, said):
    with pytest.raises(ClientError, match=said):
        train(name, count_words, CountParams(), **changes)


def test_hyperparameters_that_are_too_long_are_refused(train):
    with pytest.raises(ClientError, match="2500"):
        train("long", count_words, CountParams(), hyperparameters={"a": "x" * 2501})


def test_a_step_that_raises_fails_the_job_with_its_reason_and_exit_code(train, clients):
    described = end_of(train("refuse-1", refuse, CountParams()), "TrainingJobStatus")
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: RuntimeError: the scales are broken, exit code: 1"
    assert "ModelArtifacts" not in described
    log = log_of(clients, "/aws/sagemaker/TrainingJobs", "refuse-1")
    assert "RuntimeError: the scales are broken" in log
    assert any("raise RuntimeError" in line for line in log)


def test_a_container_that_is_killed_has_no_reason_but_an_exit_code(train):
    described = end_of(train("die-1", die, CountParams()), "TrainingJobStatus")
    assert described["FailureReason"] == "AlgorithmError: , exit code: 137"


def test_no_image_is_a_client_error(train):
    described = end_of(train("image-1", count_words, CountParams(), image="elsewhere:1"), "TrainingJobStatus")
    assert described["FailureReason"] == "ClientError: Cannot pull image elsewhere:1: it does not exist"


def test_stopping_ends_the_container_at_once_even_inside_one_long_call(train, clients):
    describe = train("stop-1", compute_without_pause, CountParams())
    wait_for_log(clients, "stop-1", "computing")
    started = time.monotonic()
    clients.sagemaker.stop_training_job(TrainingJobName="stop-1")
    described = end_of(describe, "TrainingJobStatus")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert time.monotonic() - started < 2.5  # less than the 3 s after which SIGKILL comes
    log = log_of(clients, "/aws/sagemaker/TrainingJobs", "stop-1")
    assert any("Stopped by SIGTERM before the step was finished." in line for line in log)
    with pytest.raises(ClientError, match="is in status Stopped"):
        clients.sagemaker.stop_training_job(TrainingJobName="stop-1")


def test_a_job_that_takes_too_long_is_stopped(train):
    described = end_of(train("late-1", wait, WaitParams(seconds=60), runtime=1), "TrainingJobStatus")
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_container_gets_no_credentials_and_no_endpoints(train, clients, bucket):
    end_of(train("variables-1", tell_environment, CountParams()), "TrainingJobStatus")
    body = clients.s3.get_object(Bucket=bucket, Key="jobs/variables-1/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        variables = archive.extractfile("variables.txt").read().decode().split()
        modules = archive.extractfile("modules.txt").read().decode().split()
    assert not [name for name in variables if name.startswith("AWS_")]
    assert not {"dagster", "boto3", "pandas", "sagemaker", "duckdb"}.intersection(modules)


@pytest.fixture
def process(clients, bucket):
    def start(name, step, params, *, instances=1, part_input=None, **changes):
        request = StepRequest.of(step, params, {"text": "text"}, part_input=part_input)
        clients.s3.put_object(Bucket=bucket, Key="given/request.json", Body=request.model_dump_json().encode())
        inputs = [("given", "FullyReplicated"), ("text", "ShardedByS3Key" if part_input else "FullyReplicated")]
        clients.sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=ROLE,
            AppSpecification={"ImageUri": IMAGE, "ContainerArguments": ["process"]},
            ProcessingInputs=[
                {
                    "InputName": channel,
                    "S3Input": {
                        "S3Uri": f"s3://{bucket}/{channel}/",
                        "LocalPath": f"/opt/ml/processing/input/{channel}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        "S3DataDistributionType": distribution,
                    },
                }
                for channel, distribution in inputs
            ],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": "output",
                        "S3Output": {
                            "S3Uri": f"s3://{bucket}/out/{name}/",
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": instances, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
            },
            **changes,
        )
        return lambda: clients.sagemaker.describe_processing_job(ProcessingJobName=name)

    return start


def put_texts(clients, bucket, **texts):
    for name, text in texts.items():
        clients.s3.put_object(Bucket=bucket, Key=f"text/{name}.txt", Body=text.encode())


def keys_below(clients, bucket, prefix):
    found = clients.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return sorted(entry["Key"].removeprefix(prefix) for entry in found)


def test_a_processing_job_reads_and_writes_folders_of_s3(process, clients, bucket):
    put_texts(clients, bucket, a="one two", b="three")
    described = end_of(process("process-1", count_words, CountParams()), "ProcessingJobStatus")
    assert described["ProcessingJobStatus"] == "Completed"
    assert keys_below(clients, bucket, "out/process-1/") == ["model/count.txt", "names.txt", "step_output.json"]
    assert clients.s3.get_object(Bucket=bucket, Key="out/process-1/names.txt")["Body"].read() == b"a.txt,b.txt"


def test_objects_are_dealt_out_among_instances_and_each_runs_the_step_on_its_own(process, clients, bucket):
    put_texts(clients, bucket, a="one", b="one two", c="one two three")
    describe = process("shards-1", count_words, CountParams(), instances=2, part_input="text")
    assert end_of(describe, "ProcessingJobStatus")["ProcessingJobStatus"] == "Completed"
    counts = {
        name: clients.s3.get_object(Bucket=bucket, Key=f"out/shards-1/{name}.txt/model/count.txt")["Body"].read()
        for name in "abc"
    }
    assert counts == {"a": b"1", "b": b"2", "c": b"3"}
    streams = clients.logs.describe_log_streams(
        logGroupName="/aws/sagemaker/ProcessingJobs", logStreamNamePrefix="shards-1/"
    )["logStreams"]
    assert sorted(entry["logStreamName"].split("/")[1][:6] for entry in streams) == ["algo-1", "algo-2"]


def test_a_processing_job_that_fails_says_why_in_its_exit_message(process, clients, bucket):
    put_texts(clients, bucket, a="one")
    described = end_of(process("process-2", refuse, CountParams()), "ProcessingJobStatus")
    assert described["ProcessingJobStatus"] == "Failed"
    assert described["ExitMessage"] == "RuntimeError: the scales are broken"
    assert described["FailureReason"].endswith("exit code: 1")
    assert keys_below(clients, bucket, "out/process-2/") == []


def test_nothing_below_a_prefix_is_a_client_error(process, clients, bucket):
    described = end_of(process("process-3", count_words, CountParams()), "ProcessingJobStatus")
    assert described["FailureReason"].startswith("ClientError: Data download failed:No S3 objects found")


@pytest.fixture
def transform(clients, bucket):
    def start(name, step, params, *, part_input="text", **changes):
        request = StepRequest.of(step, params, {"text": "inputs/text"}, part_input=part_input)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            content = request.model_dump_json().encode()
            entry = tarfile.TarInfo("request.json")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        clients.s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=buffer.getvalue())
        clients.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"},
        )
        clients.sagemaker.create_transform_job(
            **{
                "TransformJobName": name,
                "ModelName": name,
                "TransformInput": {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/text/"}}
                },
                "TransformOutput": {"S3OutputPath": f"s3://{bucket}/answers"},
                "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
                "MaxPayloadInMB": 1,
                "MaxConcurrentTransforms": 2,
                **changes,
            }
        )
        return lambda: clients.sagemaker.describe_transform_job(TransformJobName=name)

    return start


def test_a_transform_job_asks_the_server_about_each_object(transform, clients, bucket):
    put_texts(clients, bucket, a="one", b="one two")
    described = end_of(transform("transform-1", count_words, CountParams(factor=10)), "TransformJobStatus")
    assert described["TransformJobStatus"] == "Completed", described
    assert keys_below(clients, bucket, "answers/") == ["a.txt.out", "b.txt.out"]
    for name, count in (("a", b"10"), ("b", b"20")):
        body = clients.s3.get_object(Bucket=bucket, Key=f"answers/{name}.txt.out")["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            assert archive.extractfile("model/count.txt").read() == count


def test_an_object_above_the_payload_limit_fails_the_transform_job(transform, clients, bucket):
    put_texts(clients, bucket, a="x" * (1024 * 1024 + 1))
    described = end_of(transform("transform-2", count_words, CountParams()), "TransformJobStatus")
    assert described["TransformJobStatus"] == "Failed"
    assert "1048577 bytes and MaxPayloadInMB allows 1048576" in described["FailureReason"]


def test_a_step_that_raises_on_a_request_fails_the_transform_job(transform, clients, bucket):
    put_texts(clients, bucket, a="one")
    described = end_of(transform("transform-3", refuse, CountParams()), "TransformJobStatus")
    assert "HTTP 500 on text/a.txt: RuntimeError: the scales are broken" in described["FailureReason"]


def test_a_server_that_cannot_start_fails_the_transform_job(transform, clients, bucket):
    put_texts(clients, bucket, a="one")
    described = end_of(transform("transform-4", count_words, CountParams(), part_input=None), "TransformJobStatus")
    assert "does not say which input comes in the requests., exit code: 2" in described["FailureReason"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [("throttle", "ThrottlingException"), ("limit", "ResourceLimitExceeded"), ("error", "InternalFailure")],
)
def test_a_call_can_be_refused_once_with_nothing_done(train, sagemaker_stand_in, fault, code):
    sagemaker_stand_in.faults.inject(fault, "CreateTrainingJob")
    with pytest.raises(ClientError) as raised:
        train(f"fault-{fault}", count_words, CountParams())
    assert raised.value.response["Error"]["Code"] == code
    train(f"fault-{fault}", count_words, CountParams())


def test_a_call_can_be_done_and_its_answer_lost(train, sagemaker_stand_in):
    sagemaker_stand_in.faults.inject("lost_answer", "CreateTrainingJob")
    with pytest.raises(ConnectionClosedError):
        train("lost-1", count_words, CountParams())
    with pytest.raises(ClientError, match="already exists"):
        train("lost-1", count_words, CountParams())


def test_a_call_can_be_done_twice(train, sagemaker_stand_in):
    sagemaker_stand_in.faults.inject("twice", "CreateTrainingJob")
    with pytest.raises(ClientError, match="already exists"):
        train("twice-1", count_words, CountParams())


def test_a_call_can_be_slow(clients, sagemaker_stand_in):
    sagemaker_stand_in.faults.inject("slow", "ListTrainingJobs", seconds=0.3)
    started = time.monotonic()
    clients.sagemaker.list_training_jobs()
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("capacity", "CapacityError: Unable to provision requested ML compute capacity."),
        ("internal", "InternalServerError: We encountered an internal error."),
        ("killed", "AlgorithmError: , exit code: 137"),
    ],
)
def test_a_job_can_fail_as_jobs_do(train, sagemaker_stand_in, fault, reason):
    sagemaker_stand_in.faults.inject(fault)
    described = end_of(train(f"job-{fault}", wait, WaitParams(seconds=60)), "TrainingJobStatus")
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"].startswith(reason)


def test_a_completed_job_can_have_lost_its_output(train, sagemaker_stand_in, clients, bucket):
    sagemaker_stand_in.faults.inject("lost_output")
    described = end_of(train("lost-2", count_words, CountParams()), "TrainingJobStatus")
    assert described["TrainingJobStatus"] == "Completed"
    assert keys_below(clients, bucket, "jobs/lost-2/") == []


def test_tags_of_jobs_and_of_what_moto_keeps_can_be_listed(train, clients):
    train("tags-1", count_words, CountParams(), Tags=[{"Key": "packaging:model", "Value": "mailer"}])
    arn = clients.sagemaker.describe_training_job(TrainingJobName="tags-1")["TrainingJobArn"]
    clients.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    clients.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert clients.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "b", "Value": "2"},
        {"Key": "packaging:model", "Value": "mailer"},
    ]
    group = clients.sagemaker.create_model_package_group(
        ModelPackageGroupName="tagged", Tags=[{"Key": "owner", "Value": "science"}]
    )["ModelPackageGroupArn"]
    assert clients.sagemaker.list_tags(ResourceArn=group)["Tags"] == [{"Key": "owner", "Value": "science"}]


def test_the_registry_is_motos_and_an_update_keeps_what_it_does_not_name(clients):
    clients.sagemaker.create_model_package_group(ModelPackageGroupName="mailer")
    arn = clients.sagemaker.create_model_package(
        ModelPackageGroupName="mailer",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE}],
            "SupportedContentTypes": ["application/x-parquet"],
            "SupportedResponseMIMETypes": ["application/x-tar"],
        },
        CustomerMetadataProperties={"week": "2025-01-06", "actor": "gates"},
    )["ModelPackageArn"]
    clients.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    clients.sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"actor": "ann"})
    found = clients.sagemaker.describe_model_package(ModelPackageName=arn)
    assert found["ModelApprovalStatus"] == "Approved"
    assert found["CustomerMetadataProperties"] == {"week": "2025-01-06", "actor": "ann"}
    clients.sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["week"])
    found = clients.sagemaker.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["CustomerMetadataProperties"]) == ("Approved", {"actor": "ann"})


def test_it_runs_as_a_process_of_its_own_and_takes_faults_by_http(moto_url):
    import boto3

    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "sagemaker_standin", "--moto", moto_url, "--image", IMAGE],
        env={**os.environ, "PYTHONPATH": str(TESTS / "standins" / "sagemaker")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = process.stdout.readline().strip()
        client = boto3.client(
            "sagemaker",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
        )
        assert client.list_training_jobs()["TrainingJobSummaries"] == []
        client.close()
        import urllib.request

        fault = urllib.request.Request(  # noqa: S310
            f"{url}/standin/faults", json.dumps({"kind": "throttle", "operation": "ListTrainingJobs"}).encode()
        )
        urllib.request.urlopen(fault).close()  # noqa: S310
        with urllib.request.urlopen(f"{url}/standin/faults") as answer:  # noqa: S310
            assert json.load(answer) == [
                {"kind": "throttle", "operation": "ListTrainingJobs", "times": 1, "seconds": 0.0}
            ]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()
