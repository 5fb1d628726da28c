"""Trigger files in S3: lost answers, killed processes, events of all sorts; and still each file launches once."""

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from aws_fixtures import REGION
from botocore.config import Config
from botocore.exceptions import ClientError
from trigger_homes import S3Home

from packaging_assets.defs.triggers.look import LAUNCH_PATIENCE, Outcome
from packaging_assets.domain.triggers import parse_trigger
from packaging_assets.resources.s3_trigger_names import LISTING_EVERY
from packaging_assets.resources.trigger_queue import SqsQueue, UnreadableEventError, objects_in

TRAIN = {"pipeline": "train", "partition": "2025-01-13", "models": ["mailer"]}
CONTENT = json.dumps(TRAIN).encode()
IDENTITY = parse_trigger(CONTENT).identity


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` catches it."""


@pytest.fixture
def client(aws: None, moto: Any) -> Iterator[Any]:
    """A client that tries each call once."""
    made = boto3.client("s3", region_name=REGION, config=Config(retries={"total_max_attempts": 1}))
    yield made
    made.close()


@pytest.fixture
def faults(moto: Any) -> Iterator[Any]:
    moto.faults.clear()
    yield moto.faults
    moto.faults.clear()


@pytest.fixture
def home(tmp_path: Path, client: Any, bucket: str) -> S3Home:
    return S3Home(tmp_path, client, bucket)


@pytest.fixture
def told(tmp_path: Path, client: Any, bucket: str, trigger_queue: SqsQueue) -> S3Home:
    """A home that S3 tells of new files."""
    return S3Home(tmp_path, client, bucket, queue=trigger_queue)


def launches_of(home: S3Home, *, looks: int) -> list[str]:
    """The partitions that several looks launch."""
    return [launch.run.partition for _ in range(looks) for launch in home.look().launches]


def dies_at(home: S3Home, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Let the next look end when it comes to a call of S3."""

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(home.client, method, die)
        with pytest.raises(Killed):
            home.look()


def test_a_sensor_killed_before_its_claim_leaves_the_file_to_the_next(home: S3Home, monkeypatch: pytest.MonkeyPatch):
    home.drop(TRAIN)
    dies_at(home, monkeypatch, "put_object")
    assert launches_of(home, looks=3) == ["2025-01-13"]


def test_a_sensor_killed_after_its_claim_launches_once_and_the_file_goes(home: S3Home, monkeypatch: pytest.MonkeyPatch):
    home.drop(TRAIN)
    dies_at(home, monkeypatch, "delete_object")

    assert launches_of(home, looks=2) == []
    assert home.files() == ["request.json"]
    home.later = 2 * LAUNCH_PATIENCE
    assert launches_of(home, looks=3) == ["2025-01-13"]

    assert (home.files(), home.files("taken"), home.files("rejected")) == ([], [], [])
    assert home.alerts == []


def test_a_sensor_killed_while_finishing_finishes_at_the_next_look(home: S3Home, monkeypatch: pytest.MonkeyPatch):
    home.drop(TRAIN)
    home.look()
    dies_at(home, monkeypatch, "delete_objects")

    outcome = home.look()

    assert outcome.done == {IDENTITY: {"2025-01-13": "run-2025-01-13"}}
    assert len(home.files("done")) == 2
    assert home.files("taken") == []


def test_a_sensor_killed_while_rejecting_rejects_to_the_same_place_and_tells_the_same(
    home: S3Home, monkeypatch: pytest.MonkeyPatch
):
    home.drop([])
    dies_at(home, monkeypatch, "delete_object")

    home.look()

    assert len(home.files("rejected")) == 2
    assert [alert.failures[0].sentence[-30:] for alert in home.alerts] == ["request.json launched nothing."]
    assert home.files() == []


def test_a_claim_whose_answer_was_lost_and_that_is_made_again_is_still_ours(tmp_path: Path, bucket: str, faults: Any):
    client = boto3.client("s3", region_name=REGION, config=Config(retries={"total_max_attempts": 2}))
    home = S3Home(tmp_path, client, bucket)
    home.drop(TRAIN)
    faults.inject("lost_answer", "s3", matching=f"PUT /{bucket}/prod/triggers/taken/")

    assert launches_of(home, looks=3) == ["2025-01-13"]
    assert len(faults.happened) == 1
    client.close()


def test_a_claim_whose_answer_was_lost_for_good_is_followed_up(home: S3Home, bucket: str, faults: Any):
    home.drop(TRAIN)
    faults.inject("lost_answer", "s3", matching=f"PUT /{bucket}/prod/triggers/taken/")

    (trouble,) = home.look().trouble
    assert trouble.startswith("'request.json': ConnectionClosedError")
    home.later = 2 * LAUNCH_PATIENCE

    assert launches_of(home, looks=3) == ["2025-01-13"]
    assert home.files() == home.files("taken") == home.files("rejected") == []


@pytest.mark.parametrize("kind", ["throttle", "error", "twice"])
@pytest.mark.parametrize("matching", ["GET", "PUT", "DELETE", "POST"])
def test_a_call_that_fails_or_is_done_twice_loses_nothing_and_launches_once(
    home: S3Home, bucket: str, faults: Any, kind: str, matching: str
):
    home.drop(TRAIN)
    faults.inject(kind, "s3", matching=f"{matching} /{bucket}")
    launches: list[str] = []
    for number in range(5):
        home.later = number * 2 * LAUNCH_PATIENCE
        with contextlib.suppress(ClientError):  # a look that cannot list the files fails whole
            launches += [launch.run.partition for launch in home.look().launches]

    assert launches == ["2025-01-13"]
    assert len(faults.happened) == 1
    assert (home.files(), home.files("taken"), home.files("rejected")) == ([], [], [])
    assert home.alerts == []


def test_who_comes_late_finds_the_file_gone_and_gives_its_claim_back(home: S3Home):
    class Late(type(home.new_store())):
        """Is held up just before its claim, while another takes, launches and finishes the file."""

        def _is_claimed_by(self, claim: Any, identity: str) -> bool:
            assert launches_of(home, looks=2) == ["2025-01-13"]
            return super()._is_claimed_by(claim, identity)

    home.drop(TRAIN)
    late = home.new_store()
    late.__class__ = Late

    assert late.take("request.json", IDENTITY, CONTENT) is False
    assert home.files("taken") == []
    assert len(home.files("done")) == 2


def test_a_file_that_changed_since_it_was_read_is_looked_at_again(home: S3Home):
    home.drop(TRAIN)
    home.drop({**TRAIN, "reason": "another"})
    assert home.store.take("request.json", IDENTITY, CONTENT) is False
    assert home.files("taken") == []
    ((launch),) = home.look().launches
    assert launch.run.tags["packaging/reason"] == "another"


def test_a_file_written_over_after_it_was_taken_is_a_request_of_its_own(home: S3Home, monkeypatch: pytest.MonkeyPatch):
    home.drop(TRAIN)
    delete = home.client.delete_object

    def write_first(**arguments: Any) -> Any:
        home.drop({**TRAIN, "reason": "another"})
        return delete(**arguments)

    with monkeypatch.context() as patched:
        patched.setattr(home.client, "delete_object", write_first)
        home.look()

    assert home.files() == ["request.json"]
    assert launches_of(home, looks=2) == ["2025-01-13"]
    assert len(home.runs) == 2


def test_a_listing_that_fails_changes_nothing(home: S3Home, bucket: str, faults: Any):
    home.drop(TRAIN)
    faults.inject("error", "s3", matching=f"GET /{bucket}")
    with pytest.raises(ClientError, match="InternalError"):
        home.look()
    assert launches_of(home, looks=1) == ["2025-01-13"]


def test_files_that_cannot_be_read_keep_none_waiting(home: S3Home):
    for number in range(5):
        home.drop(TRAIN, f"{number}.json")
    home.drop(TRAIN, "3.json.tmp")
    listings = [home.store.waiting(2) for _ in range(4)]
    assert listings == [["0.json", "1.json"], ["2.json", "3.json"], ["4.json", "0.json"], ["1.json", "2.json"]]
    assert home.store.waiting(10) == ["3.json", "4.json", "0.json", "1.json", "2.json"]


def test_hostile_names_are_read_and_put_away_under_plain_ones(told: S3Home):
    names = ["a b+c%2F.json", "é\t'\"$(x).json", "..json", "x" * 300 + ".json"]
    for number, name in enumerate(names):
        told.drop({**TRAIN, "reason": str(number)}, name)
    told.write("", b"a folder made in the console")
    told.write("folder/deep.json", CONTENT)

    launches = [launch.run.tags["packaging/reason"] for launch in told.look().launches]
    told.look()

    assert sorted(launches) == ["0", "1", "3"]  # a name that begins with a dot is left alone
    assert told.files() == ["", "..json"]
    runs = [name for name in told.files("done") if name.endswith(".run.json")]
    assert len(runs) == 3
    assert all(name.isascii() and len(name) < 120 and name.replace(".", "").replace("-", "").replace("_", "").isalnum()
               for name in runs)  # fmt: skip


def test_an_object_put_among_the_taken_by_hand_counts_from_when_it_was_written(home: S3Home):
    home.write(f"taken/{IDENTITY}.json", CONTENT)
    home.write("taken/junk.json", b"junk")
    outcome = home.look()
    assert outcome.launches == []
    assert list(outcome.rejected) == ["junk-junk.json"]
    home.later = 2 * LAUNCH_PATIENCE
    assert launches_of(home, looks=2) == ["2025-01-13"]
    assert home.files("taken") == []


def in_queue(home: S3Home) -> int:
    """Messages in the queue, those that somebody is dealing with included."""
    assert home.queue is not None
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = home.queue._client.get_queue_attributes(QueueUrl=home.queue._url, AttributeNames=names)["Attributes"]
    return sum(int(number) for number in found.values())


def send(home: S3Home, *bodies: object) -> None:
    assert home.queue is not None
    for body in bodies:
        text = body if isinstance(body, str) else json.dumps(body)
        home.queue._client.send_message(QueueUrl=home.queue._url, MessageBody=text)


def without_listing(home: S3Home) -> None:
    """Let the first listing be over."""
    home.look()
    assert in_queue(home) == 0


def s3_event(bucket: str, *names: str, kind: str = "ObjectCreated:Put") -> Mapping[str, Any]:
    records = [
        {"eventName": kind, "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(f"prod/triggers/{name}")}}}
        for name in names
    ]
    return {"Records": records}


def bridge_event(bucket: str, name: str) -> Mapping[str, Any]:
    detail = {"bucket": {"name": bucket}, "object": {"key": f"prod/triggers/{name}"}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def test_a_message_is_deleted_when_its_file_is_dealt_with_and_not_before(told: S3Home):
    without_listing(told)
    told.drop(b'{"pipeline":', "half.json")
    told.drop(TRAIN, "whole.json")
    told.drop([], "bad.json")

    outcome = told.look()

    assert (len(outcome.launches), outcome.unfinished, len(outcome.rejected)) == (1, ["half.json"], 1)
    # half.json's own; S3 tells of what was written to taken/ and rejected/, and then to done/, too
    assert in_queue(told) == 1 + 2
    told.look()
    assert in_queue(told) == 1 + 2
    told.look()
    assert in_queue(told) == 1


def test_a_lost_event_is_made_up_for_by_a_listing(told: S3Home, client: Any):
    without_listing(told)
    client.put_bucket_notification_configuration(Bucket=told.bucket, NotificationConfiguration={})
    told.drop(TRAIN)
    launches = [told.look().launches for _ in range(LISTING_EVERY)]
    assert [len(each) for each in launches] == [0] * (LISTING_EVERY - 1) + [1]


@pytest.mark.parametrize("event", [bridge_event, s3_event])
def test_events_come_from_s3_from_event_bridge_and_by_way_of_sns(told: S3Home, event: Callable[..., Any]):
    without_listing(told)
    quiet(told)
    name = "a b+c%20é.json"
    told.drop(TRAIN, name)
    send(told, {"Type": "Notification", "Message": json.dumps(event(told.bucket, name))})
    assert launches_of(told, looks=1) == ["2025-01-13"]
    assert in_queue(told) == 0


def quiet(home: S3Home) -> None:
    """Let S3 itself tell nothing."""
    home.client.put_bucket_notification_configuration(Bucket=home.bucket, NotificationConfiguration={})


def test_events_that_come_twice_or_too_late_launch_nothing_more(told: S3Home):
    without_listing(told)
    quiet(told)
    told.drop(TRAIN)
    send(told, *[s3_event(told.bucket, "request.json", "gone.json")] * 3)
    assert launches_of(told, looks=1) == ["2025-01-13"]
    send(told, s3_event(told.bucket, "request.json"))
    assert launches_of(told, looks=2) == []
    assert (in_queue(told), told.files("rejected")) == (0, [])


def test_messages_about_nothing_of_ours_are_deleted_and_those_nobody_understands_are_not(told: S3Home):
    without_listing(told)
    quiet(told)
    told.drop(TRAIN, ".hidden.json")
    send(
        told,
        {"Service": "Amazon S3", "Event": "s3:TestEvent"},
        s3_event(told.bucket, "done/x.json", ".hidden.json", "", "x.json.part"),
        s3_event(told.bucket, "request.json", kind="ObjectRemoved:Delete"),
        {"source": "aws.s3", "detail-type": "Object Deleted"},
    )
    assert told.look() == Outcome()
    assert in_queue(told) == 0
    send(told, "not JSON", [], 7, {"Records": [{}]}, s3_event("another-bucket", "request.json"), "[" * 100_000)
    assert told.look() == Outcome()
    assert in_queue(told) == 6


@pytest.mark.parametrize("kind", ["throttle", "error", "lost_answer"])
def test_a_queue_that_cannot_be_read_is_made_up_for_by_a_listing(
    told: S3Home, faults: Any, kind: str, caplog: pytest.LogCaptureFixture
):
    without_listing(told)
    told.drop(TRAIN)
    faults.inject(kind, "sqs", times=9)
    assert launches_of(told, looks=1) == ["2025-01-13"]
    assert "The queue of trigger files cannot be used, so they are listed" in caplog.text
    faults.clear()
    assert launches_of(told, looks=3) == []


def test_a_message_that_cannot_be_deleted_comes_again_and_launches_nothing(told: S3Home, faults: Any):
    without_listing(told)
    told.drop(TRAIN)
    faults.inject("error", "sqs", matching="Entries", times=9)
    outcome = told.look()
    assert len(outcome.launches) == 1
    assert outcome.trouble[0].startswith("'request.json': ClientError")
    faults.clear()
    again = told.new_store()
    assert told.look(store=again).launches == []


@pytest.mark.parametrize("body", ["", "null", "[]", "7", '"text"', "{}", '{"Records": 7}', '{"Type": "Notification"}'])
def test_what_is_no_event_is_refused_in_one_sentence(body: str):
    with pytest.raises(UnreadableEventError, match=r"is no event of S3: \w+"):
        objects_in(body)


def test_times_are_those_of_the_injected_clock(home: S3Home):
    home.later = dt.timedelta(days=400)
    home.drop(TRAIN)
    home.look(does_launch=False)
    (taken,) = home.store.taken()
    assert abs(taken.taken_at - home.now()) < dt.timedelta(minutes=5)
    assert (taken.identity, taken.content) == (IDENTITY, CONTENT)
