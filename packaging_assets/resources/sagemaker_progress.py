"""What happens to a job while it is waited for, as lines for whoever drives the run."""

from __future__ import annotations

from packaging_assets.artifacts.job import JobResources
from packaging_assets.artifacts.step import Tell
from packaging_assets.resources.pipes_sagemaker.job_log import JobLog

MAX_LINES = 2000
"""So many lines of one job are passed on; a step that prints more is read in CloudWatch."""


class JobProgress:
    """Tells of one job: that it is there, and what its containers print, as it comes.

    Args:
        name: the job.
        job_log: what it prints.
        tell: takes lines; None for nobody, and then the log is not read either.
    """

    def __init__(self, name: str, job_log: JobLog, tell: Tell | None) -> None:
        self._name, self._log, self._tell = name, job_log, tell
        self._lines = 0

    def started(self, kind: str, machines: JobResources) -> None:
        """The job was created."""
        spot = " of spare capacity" if machines.use_spot else ""
        self._say(
            f"{kind.capitalize()} job {self._name} is started on {machines.instance_count} "
            f"{machines.instance_type}{spot}."
        )

    def found(self, kind: str, status: str) -> None:
        """An earlier run has created the job."""
        self._say(f"{kind.capitalize()} job {self._name} was started by an earlier run, and is {status}.")

    def look(self) -> None:
        """Pass on what was printed since; a log that cannot be read does not stop a run that goes well."""
        from botocore.exceptions import BotoCoreError, ClientError

        if self._tell is None or self._lines >= MAX_LINES:
            return
        try:
            lines = self._log.new_lines()
        except (BotoCoreError, ClientError):
            return
        kept = lines[: MAX_LINES - self._lines]
        self._lines += len(lines)
        if kept:
            self._say("\n".join([f"{self._name}:", *kept]))
        if self._lines >= MAX_LINES:
            self._say(f"{self._name} has printed {MAX_LINES} lines; the rest is in CloudWatch.")

    def _say(self, what: str) -> None:
        if self._tell is not None:
            self._tell(what)
