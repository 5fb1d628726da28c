"""Which trigger files wait in S3: a queue of S3's events says so, or a listing.

With a queue the files are listed only now and then, for events that were lost. A message is deleted once its file is
dealt with; until then it comes again, to this process or another.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.resources.trigger_queue import MESSAGES_AT_ONCE, EventQueue, UnreadableEventError, objects_in
from packaging_assets.resources.triggers import may_be_trigger

LISTING_EVERY = 20
"""With a queue, every so many looks the files are listed as well, beginning with a process's first: 5 minutes."""

LOG = logging.getLogger(__name__)


class TriggerNames:
    """The names of the objects directly below the prefix of `objects`; `queue` tells of new ones, if there is one."""

    def __init__(self, objects: S3Objects, queue: EventQueue | None) -> None:
        self._objects = objects
        self._queue = queue
        self._looks_since_listing = LISTING_EVERY
        self._listed_up_to = ""
        self._names_by_receipt: dict[str, set[str]] = {}

    def waiting(self, most: int) -> list[str]:
        """Up to `most` names, of which those that S3 told of come first."""
        if self._queue is None:
            return self._listed(most)
        names = self._told(self._queue, most)[:most]
        self._looks_since_listing += 1
        if self._looks_since_listing > LISTING_EVERY and len(names) < most:
            self._looks_since_listing = 1
            names += self._listed(most - len(names))
        return list(dict.fromkeys(names))

    def settle(self, name: str) -> None:
        """Delete the messages that told of it, and of nothing else that is still to be dealt with."""
        for names in self._names_by_receipt.values():
            names.discard(name)
        if self._queue is not None:
            self._delete_settled(self._queue)

    def _delete_settled(self, queue: EventQueue) -> None:
        over = [receipt for receipt, names in self._names_by_receipt.items() if not names]
        for receipt in over:
            del self._names_by_receipt[receipt]
        if over:
            queue.delete(over)

    def _told(self, queue: EventQueue, most: int) -> list[str]:
        """Names that the queue gives; if it cannot be asked, those of a listing."""
        from botocore.exceptions import BotoCoreError, ClientError

        self._names_by_receipt = {}  # what was not dealt with comes again, under another receipt
        try:
            self._receive(queue, most)
            self._delete_settled(queue)  # messages about nothing of ours, such as what we write to `taken/`
        except (BotoCoreError, ClientError) as error:
            LOG.warning("The queue of trigger files cannot be used, so they are listed: %s", error)
            self._looks_since_listing = LISTING_EVERY
        return list(itertools.chain.from_iterable(sorted(names) for names in self._names_by_receipt.values()))

    def _receive(self, queue: EventQueue, most: int) -> None:
        for _ in range(0, most, MESSAGES_AT_ONCE):
            messages = queue.receive(MESSAGES_AT_ONCE)
            if not messages:
                return
            for message in messages:
                try:
                    self._names_by_receipt[message.receipt] = set(self._names_in(message.body))
                except UnreadableEventError as error:
                    # Left alone, it goes to the queue's dead letters.
                    LOG.warning("A message in the queue of trigger files is not understood: %s", error)

    def _names_in(self, body: str) -> Iterator[str]:
        prefix = f"{self._objects.prefix}/" if self._objects.prefix else ""
        for bucket, key in objects_in(body):
            if bucket != self._objects.bucket:
                raise UnreadableEventError(f"It tells of the bucket {bucket!a}, not of {self._objects.bucket}.")
            name = key.removeprefix(prefix)
            if key.startswith(prefix) and "/" not in name and may_be_trigger(name):
                yield name

    def _listed(self, most: int) -> list[str]:
        """The next names from where the last listing ended, so that files that cannot be read keep none waiting."""
        names = self._listed_after(self._listed_up_to, most)
        if len(names) < most and self._listed_up_to:
            names += self._listed_after("", most - len(names))
        self._listed_up_to = names[-1] if len(names) == most else ""
        return list(dict.fromkeys(names))

    def _listed_after(self, name: str, most: int) -> list[str]:
        entries = self._objects.directly_below(after=name)
        return list(itertools.islice((entry.key for entry in entries if may_be_trigger(entry.key)), most))
