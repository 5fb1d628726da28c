"""What a SageMaker job's containers print, which CloudWatch Logs has."""

from __future__ import annotations

from typing import Any

TAIL_LINES = 30


class JobLog:
    """The log of one job, read on from where it was left.

    Args:
        logs: a boto3 CloudWatch Logs client.
        group: the log group of the job's kind, such as /aws/sagemaker/TrainingJobs.
        job: its name; the streams of its containers begin with it and a slash.
    """

    def __init__(self, logs: Any, group: str, job: str) -> None:
        self._logs, self._group, self._job = logs, group, job
        self._tokens: dict[str, str] = {}
        self._read: list[str] = []

    def new_lines(self) -> list[str]:
        """What has come since this was last asked, container by container; nothing where there is no log yet.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: CloudWatch cannot be asked; no line is lost by that.
        """
        for stream in self._streams():
            self._read_on(stream)
        lines, self._read = self._read, []
        return lines

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of each container, or a sentence saying why there are none."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            tails = [self._last(stream, lines) for stream in self._streams()]
        except (BotoCoreError, ClientError) as error:
            return f"(the log {self._group}, {self._job} cannot be read: {error})"
        return "\n".join(line for tail in tails for line in tail) or f"(nothing in the log {self._group}, {self._job})"

    def _streams(self) -> list[str]:
        from botocore.exceptions import ClientError

        pages = self._logs.get_paginator("describe_log_streams").paginate(
            logGroupName=self._group, logStreamNamePrefix=f"{self._job}/"
        )
        try:
            return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return []  # the first job of an account makes the group
            raise

    def _read_on(self, stream: str) -> None:
        while True:
            token = self._tokens.get(stream)
            answer = self._logs.get_log_events(
                logGroupName=self._group,
                logStreamName=stream,
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            self._read += [event["message"] for event in answer["events"]]
            self._tokens[stream] = answer["nextForwardToken"]
            # A page may be empty and not the last; the last gives the token back that it was asked with.
            if answer["nextForwardToken"] == token:
                return

    def _last(self, stream: str, lines: int) -> list[str]:
        answer = self._logs.get_log_events(
            logGroupName=self._group, logStreamName=stream, limit=lines, startFromHead=False
        )
        return [event["message"] for event in answer["events"]]
