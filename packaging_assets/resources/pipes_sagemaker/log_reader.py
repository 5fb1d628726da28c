"""Reads what a job reports from its log: Pipes messages are lines of JSON among all the others."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

import dagster as dg
from dagster_pipes import (
    PIPES_PROTOCOL_VERSION_FIELD,
    PipesDefaultMessageWriter,
    PipesMessage,
    PipesParams,
)

MESSAGE_BEGIN = f'{{"{PIPES_PROTOCOL_VERSION_FIELD}"'
MAX_PIECES = 256
"""A line in so many pieces (of 16 KB each, as containers' log drivers cut them) is 4 MB: longer ones are not waited
for."""


class PipesSageMakerLogReader(dg.PipesMessageReader):
    """Takes the lines of a job's log: hands messages to Pipes, and gives the others back.

    The job reports with Pipes' default message writer, to its standard output.
    """

    def __init__(self) -> None:
        self._handler: dg.PipesMessageHandler | None = None
        self._pieces: list[str] = []

    @contextmanager
    def read_messages(self, handler: dg.PipesMessageHandler) -> Generator[PipesParams]:
        """Tell the job to write to its standard output."""
        self._handler, self._pieces = handler, []
        yield {PipesDefaultMessageWriter.STDIO_KEY: PipesDefaultMessageWriter.STDOUT}
        self._handler = None

    def no_messages_debug_text(self) -> str:
        """Where messages were looked for."""
        return (
            "Attempted to read messages from the job's log in CloudWatch. The job must print them to standard output, "
            "as open_dagster_pipes() does by default, and the driver's role must allow logs:DescribeLogStreams and "
            "logs:GetLogEvents."
        )

    def take(self, lines: Iterable[str]) -> list[str]:
        """Hand over the messages among the lines; what is none is returned."""
        others: list[str] = []
        for line in lines:
            others += self._take(line)
        return others

    def _take(self, line: str) -> list[str]:
        if not self._pieces and not line.startswith(MESSAGE_BEGIN):
            return [line]
        self._pieces.append(line)
        message = _parsed("".join(self._pieces))
        if message is None and len(self._pieces) < MAX_PIECES:
            return []
        pieces, self._pieces = self._pieces, []
        if message is None:
            return pieces
        if self._handler is not None:
            self._handler.handle_message(cast("PipesMessage", message))
        return []


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
