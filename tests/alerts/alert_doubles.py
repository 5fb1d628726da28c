"""What tests of alerts share: messages, notifiers that note or refuse them, a clock that is moved by hand."""

import datetime as dt

from packaging_assets.domain.alerts import Alert, Failure
from packaging_assets.resources.notifier import NotifierError

NOON = dt.datetime(2025, 2, 10, 12, 0, tzinfo=dt.UTC)


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` catches it."""


class MovableClock:
    def __init__(self, moment: dt.datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> dt.datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += dt.timedelta(seconds=seconds)


class Inbox:
    """Takes what is sent, or raises `error` instead; `dies` is raised after the alert was taken."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.dies: BaseException | None = None
        self.received: list[tuple[str, bool]] = []
        self.tries = 0

    def send(self, alert: Alert, *, may_be_repeat: bool) -> None:
        self.tries += 1
        if self.error is not None:
            raise self.error
        self.received.append((alert.title, may_be_repeat))
        if self.dies is not None:
            raise self.dies

    @property
    def titles(self) -> list[str]:
        return [title for title, _ in self.received]


UNREACHABLE = NotifierError("connection refused")


def make_alert(
    *keys: str, subject: str = "weekly", severity: str = "error", owners: tuple[str, ...] = ("team:science",)
) -> Alert:
    return Alert(
        subject=subject,
        failures=tuple(
            Failure.model_validate(
                {"key": key, "kind": "check", "severity": severity, "headline": key, "sentence": key, "owners": owners}
            )
            for key in keys
        ),
        run_url="http://ui/runs/1",
    )
