"""The queue in which S3 tells of trigger files that were dropped, so that nobody has to list them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote_plus

MESSAGES_AT_ONCE = 10
"""SQS gives and takes no more."""


class UnreadableEventError(ValueError):
    """A message is no event of S3; the message says what it is."""


@dataclass(frozen=True)
class QueueMessage:
    """A message's text, and the receipt by which it can be deleted."""

    body: str
    receipt: str


class EventQueue(Protocol):
    """Messages that come again until they are deleted, sometimes twice."""

    def receive(self, most: int) -> list[QueueMessage]:
        """Up to `most` messages, at most 10; none if there are none at the moment."""
        ...

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages; one that cannot be deleted comes again."""
        ...


class SqsQueue:
    """A queue of Amazon SQS.

    Args:
        client: a boto3 SQS client.
        url: the queue's URL.
        wait_seconds: how long to wait for a first message. With 0 SQS asks some of its machines only and may miss one.
    """

    def __init__(self, client: Any, url: str, *, wait_seconds: int = 1) -> None:
        self._client = client
        self._url = url
        self._wait_seconds = wait_seconds

    def receive(self, most: int) -> list[QueueMessage]:
        """Up to `most` messages, at most 10."""
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=max(1, min(most, MESSAGES_AT_ONCE)),
            WaitTimeSeconds=self._wait_seconds,
        )
        return [QueueMessage(message["Body"], message["ReceiptHandle"]) for message in answer.get("Messages", [])]

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages."""
        for start in range(0, len(receipts), MESSAGES_AT_ONCE):
            some = receipts[start : start + MESSAGES_AT_ONCE]
            entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)]
            self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)


def objects_in(body: str) -> list[tuple[str, str]]:
    """Bucket and key of each object that a message says was created.

    Messages come from S3 itself, from S3 by way of an SNS topic, or from an EventBridge rule. S3's test message and
    events of other kinds name none.

    Raises:
        UnreadableEventError: it is none of these.
    """
    try:
        return list(_objects(_envelope(json.loads(body))))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnreadableEventError(f"{body[:200]!a} is no event of S3: {type(error).__name__}: {error}") from None


def _envelope(event: Any) -> Mapping[str, Any]:
    """What is inside SNS's envelope, if there is one."""
    return json.loads(event["Message"]) if event.get("Type") == "Notification" and "Message" in event else event


def _objects(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if event.get("source") == "aws.s3":
        if event["detail-type"] == "Object Created":
            yield str(event["detail"]["bucket"]["name"]), str(event["detail"]["object"]["key"])
        return
    if event.get("Event") == "s3:TestEvent":
        return
    for record in event["Records"]:
        if str(record["eventName"]).startswith("ObjectCreated:"):
            # In S3's own events, and in these only, keys are written as in a URL.
            yield str(record["s3"]["bucket"]["name"]), unquote_plus(str(record["s3"]["object"]["key"]))
