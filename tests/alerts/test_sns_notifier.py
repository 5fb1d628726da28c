"""SNS: who subscribed gets what the filter asks for, once where SNS can see to it, and nothing is lost meanwhile."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from alert_doubles import NOON, MovableClock, make_alert
from aws_fixtures import REGION
from botocore.config import Config

from packaging_assets.domain.alerts import Alert, Failure
from packaging_assets.resources.alert_delivery import Round, deliver
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.notifier import NotifierError, Route
from packaging_assets.resources.sns_notifier import MESSAGE_BYTES, SnsNotifier, attributes, compose, subject

REJECTED = Alert(
    subject="weekly_training 2025-02-03",
    failures=(
        Failure(
            key="run:1:model:bag",
            kind="model",
            severity="error",
            headline="rejected",
            sentence="version 5 is Rejected.",
            subject="bag",
            model="bag",
            partition="2025-02-03",
            reasons=("density_is_stable: 0.47 is above 0.21.",),
            owners=("team:packaging-science",),
        ),
    ),
    run_url="http://ui/runs/1",
)


class Topic:
    """A topic, its notifier and the queues that subscribed."""

    def __init__(self, *, is_fifo: bool = False) -> None:
        config = Config(retries={"total_max_attempts": 1})
        self.sns = boto3.client("sns", region_name=REGION, config=config)
        self.sqs = boto3.client("sqs", region_name=REGION)
        self.suffix, self.kind = (".fifo", {"FifoTopic": "true"}) if is_fifo else ("", {})
        name = f"alerts-{uuid.uuid4().hex[:12]}{self.suffix}"
        self.arn = self.sns.create_topic(Name=name, Attributes=self.kind)["TopicArn"]
        self.notifier = SnsNotifier(self.sns, self.arn, environment="prod")

    def subscribe(self, filter_policy: dict[str, Any] | None = None) -> str:
        """The URL of a queue that gets what passes the filter."""
        kind = {"FifoQueue": "true"} if self.suffix else {}
        url = self.sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:12]}{self.suffix}", Attributes=kind)["QueueUrl"]
        queue = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {"FilterPolicy": json.dumps(filter_policy)} if filter_policy else {}
        self.sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=queue, Attributes=policy)
        return url

    def received(self, url: str) -> list[dict[str, Any]]:
        """The envelopes that SNS put into a queue."""
        messages = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


@pytest.fixture
def topic_of(aws: None) -> Iterator[Callable[..., Topic]]:
    made: list[Topic] = []

    def make(**kind: bool) -> Topic:
        made.append(Topic(**kind))
        return made[-1]

    yield make
    for topic in made:
        topic.sns.close()
        topic.sqs.close()


@pytest.fixture
def faults(moto: Any) -> Iterator[Any]:
    moto.faults.clear()
    yield moto.faults
    moto.faults.clear()


def test_a_queue_gets_exactly_what_its_filter_asks_for(topic_of: Callable[..., Topic]) -> None:
    topic = topic_of()
    policies: dict[str, dict[str, Any]] = {
        "everything": {},
        "errors of bag": {"severity": ["error"], "models": ["bag"]},
        "checks": {"kinds": ["check"]},
        "science": {"owners": ["team:packaging-science"], "environment": ["prod"]},
        "nothing sent twice": {"is_repeat": ["true"]},
    }
    queues = {name: topic.subscribe(policy) for name, policy in policies.items()}

    topic.notifier.send(REJECTED, may_be_repeat=False)
    topic.notifier.send(make_alert("a", severity="warning"), may_be_repeat=True)

    seen = {name: [envelope["MessageAttributes"]["alert_key"]["Value"] for envelope in topic.received(url)]
            for name, url in queues.items()}  # fmt: skip
    rejected, checked = REJECTED.key, make_alert("a").key
    assert seen == {
        "everything": [rejected, checked],
        "errors of bag": [rejected],
        "checks": [checked],
        "science": [rejected],
        "nothing sent twice": [checked],
    }


def test_what_a_queue_gets_is_a_document(topic_of: Callable[..., Topic]) -> None:
    topic = topic_of()
    queue = topic.subscribe()

    topic.notifier.send(REJECTED, may_be_repeat=False)

    (envelope,) = topic.received(queue)
    assert envelope["Subject"] == "[error] prod: weekly_training 2025-02-03: bag rejected"
    assert {name: each["Value"] for name, each in envelope["MessageAttributes"].items()} == {
        "severity": "error",
        "environment": "prod",
        "alert_key": REJECTED.key,
        "is_repeat": "false",
        "owners": '["team:packaging-science"]',
        "models": '["bag"]',
        "kinds": '["model"]',
    }
    assert json.loads(envelope["Message"]) == {
        "alert": REJECTED.key,
        "environment": "prod",
        "severity": "error",
        "title": "weekly_training 2025-02-03: bag rejected",
        "owners": ["team:packaging-science"],
        "run_url": "http://ui/runs/1",
        "may_be_repeat": False,
        "failures_left_out": 0,
        "failures": [
            {
                "key": "run:1:model:bag",
                "kind": "model",
                "severity": "error",
                "headline": "rejected",
                "sentence": "version 5 is Rejected.",
                "subject": "bag",
                "model": "bag",
                "partition": "2025-02-03",
                "reasons": ["density_is_stable: 0.47 is above 0.21."],
                "owners": ["team:packaging-science"],
            }
        ],
    }


def test_people_get_the_alerts_own_text() -> None:
    parts = json.loads(compose(REJECTED, environment="prod", may_be_repeat=True))
    assert sorted(parts) == ["default", "https", "lambda", "sqs"]
    assert parts["default"] == "\n".join(
        [
            "prod: weekly_training 2025-02-03: bag rejected",
            "",
            *REJECTED.lines,
            "(This may be a repeat: the sender was ended while it was sending.)",
        ]
    )


def test_a_fifo_topic_drops_what_it_has_had_and_nothing_else(topic_of: Callable[..., Topic]) -> None:
    topic = topic_of(is_fifo=True)
    queue = topic.subscribe()

    for alert, is_repeat in ((REJECTED, False), (REJECTED, True), (make_alert("a"), False)):
        topic.notifier.send(alert, may_be_repeat=is_repeat)
    elsewhere = SnsNotifier(topic.sns, topic.arn, environment="test")
    elsewhere.send(REJECTED, may_be_repeat=False)

    keys: list[tuple[str, str]] = []
    for _ in range(3):  # a FIFO queue hands out one group at a time
        keys += [
            (said["environment"], said["alert"]) for e in topic.received(queue) for said in [json.loads(e["Message"])]
        ]
    assert keys == [("prod", REJECTED.key), ("prod", make_alert("a").key), ("test", REJECTED.key)]


@pytest.mark.parametrize(("kind", "code"), [("throttle", "Throttling"), ("error", "InternalError")])
def test_a_topic_that_refuses_gets_the_alert_once_when_it_is_back(
    topic_of: Callable[..., Topic], faults: Any, tmp_path: Path, kind: str, code: str
) -> None:
    topic, clock, store = topic_of(), MovableClock(), AlertStore(tmp_path / "alerts.db")
    queue, route = topic.subscribe(), Route("sns errors", topic.notifier, severity="error", is_exact=True)
    store.add(REJECTED, [route], now=NOON.timestamp())
    faults.inject(kind, "sns", matching="Publish", times=3)

    first = deliver(store, [route], now=clock.now, sleep=lambda _: None)
    waiting = store.unsent()
    clock.advance(30)
    second = deliver(store, [route], now=clock.now, sleep=lambda _: None)

    assert first.sent == []
    assert first.failed["sns errors"].startswith(f"SNS topic {topic.arn}: An error occurred ({code})")
    assert [(delivery.attempts, delivery.error) for delivery in waiting] == [(1, first.failed["sns errors"])]
    assert second == Round(sent=[("sns errors", REJECTED.key)])
    assert len(topic.received(queue)) == 1
    assert store.unsent() == []


def test_an_answer_that_is_lost_makes_a_repeat_with_the_same_key(topic_of: Callable[..., Topic], faults: Any) -> None:
    topic = topic_of()
    queue = topic.subscribe()
    faults.inject("lost_answer", "sns", matching="Publish")

    with pytest.raises(NotifierError, match="Connection was closed"):
        topic.notifier.send(REJECTED, may_be_repeat=False)
    topic.notifier.send(REJECTED, may_be_repeat=False)

    keys = [envelope["MessageAttributes"]["alert_key"]["Value"] for envelope in topic.received(queue)]
    assert keys == [REJECTED.key] * 2


def test_a_topic_that_is_not_there_is_named(topic_of: Callable[..., Topic]) -> None:
    topic = topic_of()
    topic.notifier.check()
    gone = SnsNotifier(topic.sns, f"{topic.arn}-gone", environment="prod")
    for call in (gone.check, lambda: gone.send(REJECTED, may_be_repeat=False)):
        with pytest.raises(NotifierError, match=f"SNS topic {topic.arn}-gone: .*(NotFound|NotExist)"):
            call()


def test_nobody_listening_is_an_error_that_holds_no_secret(aws: None) -> None:
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client("sns", region_name=REGION, endpoint_url="http://127.0.0.1:9", config=config)
    notifier = SnsNotifier(client, f"arn:aws:sns:{REGION}:123456789012:alerts", environment="prod")
    with pytest.raises(NotifierError, match="Could not connect to the endpoint URL") as caught:
        notifier.send(REJECTED, may_be_repeat=False)
    assert "Authorization" not in str(caught.value)
    client.close()


def test_a_subject_is_short_and_plain_whatever_the_title() -> None:
    alert = make_alert("a", subject="wöchentlich\n" + "x" * 200)
    line = subject(alert, "prod")
    assert (len(line), line[:27], line[-3:]) == (99, "[error] prod: w?chentlich?x", "...")
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("text", ["x" * 3000, "é\x00\U0001f4e6" * 1000, '"\\' * 3000])
def test_a_message_is_never_too_long_and_says_what_it_leaves_out(text: str) -> None:
    failures = tuple(
        Failure(
            key=f"{number}",
            kind="check",
            severity="error" if number == 150 else "warning",
            headline="h",
            sentence=text,
            reasons=(text,) * 20,
            owners=(f"team:{number}",),
            model=f"model-{number}",
        )
        for number in range(151)
    )
    alert = Alert(subject="weekly", failures=failures)

    message = compose(alert, environment="prod", may_be_repeat=False)

    assert len(message.encode()) <= MESSAGE_BYTES
    document = json.loads(json.loads(message)["sqs"])
    told = len(document["failures"])
    assert (document["failures"][0]["key"], told + document["failures_left_out"]) == ("150", 151)
    assert told >= 1
    assert json.loads(message)["default"].endswith(f"(shortened: see the run)\nAlert: {alert.key}")
    sizes = [len(each["StringValue"]) for each in attributes(alert, environment="prod", may_be_repeat=False).values()]
    assert sum(sizes) < 5 * 1024
    assert all(sizes)


def test_routes_take_one_severity_each_where_each_has_a_topic() -> None:
    warning, error = make_alert("w", severity="warning"), make_alert("e")
    notifier = SnsNotifier(None, "arn", environment="prod")
    exact = [Route(name, notifier, severity=name, is_exact=True) for name in ("error", "warning")]
    assert [[route.takes(alert) for route in exact] for alert in (error, warning)] == [[True, False], [False, True]]
    assert Route("all", notifier).takes(error)
