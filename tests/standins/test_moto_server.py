"""moto with faults: what each of them looks like to boto3."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.s3.models import S3Backend


@pytest.fixture
def faulty(moto):
    moto.faults.clear()
    yield moto.faults
    moto.faults.clear()


@pytest.fixture
def one_try(moto):
    def client(service):
        made.append(
            boto3.Session("test", "test", region_name="us-east-1").client(
                service, endpoint_url=moto.url, config=Config(retries={"total_max_attempts": 1})
            )
        )
        return made[-1]

    made = []
    yield client
    for client in made:
        client.close()


@pytest.mark.parametrize(
    ("kind", "service", "code", "status"),
    [
        ("throttle", "s3", "SlowDown", 503),
        ("error", "s3", "InternalError", 500),
        ("throttle", "sns", "Throttling", 400),
        ("error", "sns", "InternalError", 500),
    ],
)
def test_a_refused_call_does_nothing(faulty, one_try, bucket, kind, service, code, status):
    s3, sns = one_try("s3"), one_try("sns")
    calls = {
        "s3": lambda: s3.put_object(Bucket=bucket, Key="a", Body=b"1"),
        "sns": lambda: sns.create_topic(Name=f"{bucket}-topic"),
    }
    faulty.inject(kind, service)
    with pytest.raises(ClientError) as raised:
        calls[service]()
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert not [topic for topic in sns.list_topics()["Topics"] if bucket in topic["TopicArn"]]


def test_a_lost_answer_is_a_closed_connection_and_a_done_deed(faulty, one_try, bucket):
    s3 = one_try("s3")
    faulty.inject("lost_answer", "s3", matching="PUT")
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"
    assert faulty.happened == [f"lost_answer s3 PUT /{bucket}/a"]


def test_what_is_done_twice_meets_its_own_condition(faulty, one_try, bucket):
    s3 = one_try("s3")
    faulty.inject("twice", "s3", matching="/once")
    s3.put_object(Bucket=bucket, Key="other", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="once", Body=b"1", IfNoneMatch="*")
    assert raised.value.response["Error"]["Code"] == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="once")["Body"].read() == b"1"


def test_a_slow_call_is_done_in_the_end(faulty, one_try, bucket):
    s3 = one_try("s3")
    faulty.inject("slow", "s3", seconds=0.3)
    started = time.monotonic()
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    assert time.monotonic() - started >= 0.3
    assert faulty.waiting() == []


@pytest.fixture
def looks_take_time(monkeypatch):
    """moto looks whether a condition holds, and writes then: others have time to come in between."""

    def get_object(*given, **more):
        found = look(*given, **more)
        time.sleep(0.02)
        return found

    look = S3Backend.get_object
    monkeypatch.setattr(S3Backend, "get_object", get_object)


@pytest.mark.usefixtures("looks_take_time")
@pytest.mark.parametrize("condition", ["IfNoneMatch", "IfMatch"])
def test_of_conditional_writes_at_once_one_is_done(s3, bucket, condition):
    writers = 6
    started = threading.Barrier(writers)

    def write(content):
        started.wait()
        try:
            s3.put_object(Bucket=bucket, Key="a", Body=content, **{condition: tag})
        except ClientError as error:
            return error.response["Error"]["Code"]
        return content

    tag = "*" if condition == "IfNoneMatch" else s3.put_object(Bucket=bucket, Key="a", Body=b"")["ETag"]
    with ThreadPoolExecutor(writers) as pool:
        answers = list(pool.map(write, [b"%d" % number for number in range(writers)]))
    done = [answer for answer in answers if answer != "PreconditionFailed"]
    assert done == [s3.get_object(Bucket=bucket, Key="a")["Body"].read()]


def test_an_unknown_fault_is_refused(faulty):
    with pytest.raises(ValueError, match="'flood' is none of throttle"):
        faulty.inject("flood", "s3")
