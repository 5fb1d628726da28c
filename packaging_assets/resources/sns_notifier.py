"""Alerts to a topic of Amazon SNS: as a text for people's mail, as JSON for programs' queues, to be filtered by both.

SNS passes a message on at least once, and a call whose answer is lost is made again. A subscriber of a FIFO topic gets
each alert once all the same, since SNS drops what it has had with the same id within five minutes; subscribers of other
topics know a repeat by the attribute `alert_key`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from packaging_assets.domain.alerts import Alert, Failure
from packaging_assets.resources.notifier import REPEAT, NotifierError

SUBJECT_CHARACTERS = 99
"""SNS takes less than 100, in ASCII."""

MESSAGE_BYTES = 250 * 1024
"""SNS takes 256 KB, attributes included: they have at most `ATTRIBUTE_BYTES` of it."""

TEXT_CHARACTERS = 16 * 1024
FIELD_CHARACTERS = 500
LISTED_VALUES = 10
ATTRIBUTE_BYTES = 5 * 1024
"""Of which a list of values takes a fifth at most: the others are short."""

FAILURES_TOLD = (100, 30, 10, 3, 1, 0)
"""A message that is too long tells of fewer failures, until it fits."""

_SHORTENED = "... (shortened: see the run)"
_GREATEST_ASCII, _FIRST_PRINTABLE, _FIRST_SURROGATE, _FIRST_PRIVATE, _NO_CHARACTERS = 126, 32, 0xD800, 0xE000, 0xFFFE


class SnsNotifier:
    """Publishes to a topic.

    Args:
        client: a boto3 SNS client for the topic's region.
        topic_arn: standard, or FIFO if its name ends in `.fifo`.
        environment: what the platform is called in messages, such as "prod".
    """

    def __init__(self, client: Any, topic_arn: str, *, environment: str) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._environment = environment

    def check(self) -> None:
        """Whether the topic is there and its attributes may be read; nothing is sent.

        Raises:
            NotifierError: it is not, or SNS cannot be reached.
        """
        self._call(self._client.get_topic_attributes)

    def send(self, alert: Alert, *, may_be_repeat: bool) -> None:
        """Publish the alert."""
        message = compose(alert, environment=self._environment, may_be_repeat=may_be_repeat)
        self._call(
            self._client.publish,
            Subject=subject(alert, self._environment),
            Message=message,
            MessageStructure="json",
            MessageAttributes=attributes(alert, environment=self._environment, may_be_repeat=may_be_repeat),
            **self._order(alert),
        )

    def _order(self, alert: Alert) -> dict[str, str]:
        if not self._topic_arn.endswith(".fifo"):
            return {}
        identity = hashlib.sha256(f"{self._environment}\n{alert.key}".encode()).hexdigest()
        return {"MessageGroupId": "alerts", "MessageDeduplicationId": identity}

    def _call(self, action: Any, **values: Any) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            action(TopicArn=self._topic_arn, **values)
        except (ClientError, BotoCoreError) as error:
            said = str(error).splitlines()[0][:FIELD_CHARACTERS]
            raise NotifierError(f"SNS topic {self._topic_arn}: {said}") from None


def subject(alert: Alert, environment: str) -> str:
    """The first line of a mail: severity, environment and title, as much as SNS takes, in ASCII."""
    line = f"[{alert.severity}] {environment}: {alert.title}"
    shown = "".join(each if _FIRST_PRINTABLE <= ord(each) <= _GREATEST_ASCII else "?" for each in line)
    return shown if len(shown) <= SUBJECT_CHARACTERS else f"{shown[: SUBJECT_CHARACTERS - 3]}..."


def attributes(alert: Alert, *, environment: str, may_be_repeat: bool) -> dict[str, dict[str, str]]:
    """What a subscription's filter policy can ask for."""
    models = sorted({failure.model for failure in alert.failures if failure.model})
    kinds = sorted({failure.kind for failure in alert.failures})
    texts = {
        "severity": alert.severity,
        "environment": _printable(environment)[:FIELD_CHARACTERS] or "-",
        "alert_key": alert.key,
        "is_repeat": "true" if may_be_repeat else "false",
    }
    lists = {"owners": alert.owners, "models": models, "kinds": kinds}
    return {
        **{name: {"DataType": "String", "StringValue": text} for name, text in texts.items()},
        **{name: {"DataType": "String.Array", "StringValue": _listed(values)} for name, values in lists.items()},
    }


def compose(alert: Alert, *, environment: str, may_be_repeat: bool) -> str:
    """The message in SNS's own JSON: a text for people (`default`), a document for queues, functions and web hooks.

    A message that SNS would refuse for its length tells of fewer failures, the gravest, and says how many are left out.
    """
    text = _text(alert, environment, may_be_repeat=may_be_repeat)
    for told in FAILURES_TOLD:
        document = json.dumps(_document(alert, environment, told, may_be_repeat=may_be_repeat), sort_keys=True)
        parts = {"default": text, **dict.fromkeys(("sqs", "lambda", "https"), document)}
        message = json.dumps(parts, ensure_ascii=False)
        if len(message.encode()) <= MESSAGE_BYTES:
            break
    else:
        message = json.dumps({"default": text})
    return message


def _text(alert: Alert, environment: str, *, may_be_repeat: bool) -> str:
    lines = [f"{environment}: {alert.title}", "", alert.body]
    text = _printable("\n".join([*lines, REPEAT] if may_be_repeat else lines))
    if len(text) <= TEXT_CHARACTERS:
        return text
    end = f"\nRun: {alert.run_url}\nAlert: {alert.key}" if alert.run_url else f"\nAlert: {alert.key}"
    return f"{text[:TEXT_CHARACTERS]}{_SHORTENED}{end}"


def _document(alert: Alert, environment: str, told: int, *, may_be_repeat: bool) -> dict[str, Any]:
    gravest = sorted(alert.failures, key=lambda failure: failure.severity == "warning")[:told]
    return {
        "alert": alert.key,
        "environment": environment,
        "severity": alert.severity,
        "title": _short(alert.title),
        "owners": [_short(owner) for owner in alert.owners[:LISTED_VALUES]],
        "run_url": alert.run_url,
        "may_be_repeat": may_be_repeat,
        "failures": [_failure(failure) for failure in gravest],
        "failures_left_out": len(alert.failures) - len(gravest),
    }


def _failure(failure: Failure) -> Mapping[str, Any]:
    fields = failure.model_dump(mode="json")
    return {name: _shortened(value) for name, value in fields.items() if value is not None and value != []}


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return _short(value)
    return [_short(str(each)) for each in value[:LISTED_VALUES]] if isinstance(value, list) else value


def _short(text: str) -> str:
    return text if len(text) <= FIELD_CHARACTERS else f"{text[:FIELD_CHARACTERS]}{_SHORTENED}"


def _listed(values: Iterable[str]) -> str:
    """As many of the values as fit, as SNS reads a list: JSON in ASCII."""
    shown: list[str] = []
    for value in values:
        if len(json.dumps([*shown, value])) > ATTRIBUTE_BYTES // 5:
            break
        shown.append(value)
    return json.dumps(shown)


def _printable(text: str) -> str:
    """The text without what XML, and so SNS, does not take."""
    return "".join(each for each in text if each in "\n\t" or _is_in_xml(ord(each)))


def _is_in_xml(code: int) -> bool:
    is_low = _FIRST_PRINTABLE <= code < _FIRST_SURROGATE
    return is_low or (code >= _FIRST_PRIVATE and code & 0xFFFF < _NO_CHARACTERS)
