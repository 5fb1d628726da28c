"""Alerts: what people are told when something needs them, and which tellings are the same.

Here belong the message and its keys. What happened is found out in `defs.alerts`, what was told already is kept by
`resources.alert_store`, and how a message travels is a matter of `resources.notifier`.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from packaging_assets.domain.plain_text import one_line

Severity = Literal["error", "warning"]
Kind = Literal["run", "model", "check", "data", "trigger", "trouble", "sample"]

KINDS: tuple[Kind, ...] = ("run", "model", "check", "data", "trigger", "trouble", "sample")
"""The order in which a title tells them."""

MOST_FAILURES_SHOWN = 30


class Failure(BaseModel):
    """One thing that went wrong.

    `key` says which: two failures with one key are the same one, told once. `headline` is its share of a message's
    title, `sentence` all of it; `value` and `limit` are the number that failed and what it was held against.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    kind: Kind
    severity: Severity
    headline: str
    sentence: str
    subject: str | None = None
    model: str | None = None
    partition: str | None = None
    value: float | None = None
    limit: float | None = None
    reasons: tuple[str, ...] = ()
    remedy: str | None = None
    owners: tuple[str, ...] = ()
    model_card: str | None = None


class Alert(BaseModel):
    """One message: everything that went wrong in one run, or at one look at something else.

    `subject` is what it is about (`weekly_training 2025-01-06`); `failures` is not empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    failures: tuple[Failure, ...]
    run_url: str | None = None

    @property
    def key(self) -> str:
        """The message's own name: 16 hexadecimal digits that follow from its failures' keys."""
        return hashlib.sha256("\n".join(sorted(self.failure_keys)).encode()).hexdigest()[:16]

    @property
    def failure_keys(self) -> tuple[str, ...]:
        """The keys of its failures."""
        return tuple(failure.key for failure in self.failures)

    @property
    def severity(self) -> Severity:
        """That of its gravest failure."""
        return "error" if any(failure.severity == "error" for failure in self.failures) else "warning"

    @property
    def owners(self) -> tuple[str, ...]:
        """Who answers for any of it, sorted."""
        return tuple(sorted({owner for failure in self.failures for owner in failure.owners}))

    @property
    def model_cards(self) -> tuple[str, ...]:
        """Where the cards of the models it is about lie."""
        return tuple(failure.model_card for failure in self.failures if failure.model_card)

    @property
    def title(self) -> str:
        """The message in one line: `weekly_training 2025-01-06: bag, box rejected; 2 checks failed`."""
        return f"{self.subject}: {'; '.join(_headlines(self.failures))}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The message without its title: a line for each failure, then owner, run and key."""
        told = _of_one_cause(self.failures)
        gravest = sorted(told, key=lambda failure: (failure.kind == "check", failure.severity == "warning"))
        shown = sorted(gravest[:MOST_FAILURES_SHOWN], key=_place)
        has_several_owners = len(self.owners) > 1
        left_out = len(told) - len(shown)
        return (
            *(line for failure in shown for line in _lines(failure, has_several_owners)),
            *([f"- and {left_out} more: see the run"] if left_out > 0 else []),
            f"Owner: {', '.join(self.owners) or 'nobody'}",
            *([f"Run: {self.run_url}"] if self.run_url else []),
            f"Alert: {self.key}",
        )

    @property
    def body(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def with_owner(self, owner: str) -> "Alert":
        """The same message, with somebody who answers for what nobody else does."""
        owned = tuple(
            failure if failure.owners else failure.model_copy(update={"owners": (owner,)}) for failure in self.failures
        )
        return self.model_copy(update={"failures": owned})

    def without(self, known_keys: Collection[str]) -> "Alert | None":
        """The same message about what is not known yet, or none if everything is."""
        left = tuple(failure for failure in self.failures if failure.key not in known_keys)
        return self.model_copy(update={"failures": left}) if left else None


def run_key(run_id: str, *parts: str) -> str:
    """The key of something that went wrong in a run."""
    return ":".join(("run", run_id, *parts))


def check_key(run_id: str, asset: str, check: str, partition: str | None) -> str:
    """The key of a check that failed in a run, for a partition."""
    return run_key(run_id, "check", asset, check, partition or "-")


def without_told_reasons(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Leave out the reasons of a model's verdict that a failed check in the same message tells already."""
    found = tuple(failures)
    told = {(failure.model, failure.headline) for failure in found if failure.kind == "check"}
    return tuple(
        failure.model_copy(
            update={"reasons": tuple(r for r in failure.reasons if (failure.model, r.partition(":")[0]) not in told)}
        )
        for failure in found
    )


def sample_alert(owner: str, severity: Severity, sent_at: str) -> Alert:
    """What `packaging alerts test` sends; `sent_at` makes each one a message of its own."""
    return Alert(
        subject="packaging alerts test",
        failures=(
            Failure(
                key=f"sample:{sent_at}:{owner}:{severity}",
                kind="sample",
                severity=severity,
                headline="a sample",
                sentence=f"Nothing is wrong: somebody tried out this route at {sent_at}.",
                value=0.0,
                limit=1.0,
                owners=(owner,),
            ),
        ),
    )


def _of_one_cause(failures: Iterable[Failure]) -> list[Failure]:
    """The same, but steps of one run that failed alike are one: all those, say, that need days that are not built."""
    causes: dict[Failure, list[Failure]] = {}
    for failure in failures:
        is_step = failure.kind == "run" and failure.subject
        cause = failure.model_copy(update={"key": "", "subject": None}) if is_step else failure
        causes.setdefault(cause, []).append(failure)
    return [
        alike[0].model_copy(update={"subject": ", ".join(str(failure.subject) for failure in alike)})
        if len(alike) > 1
        else alike[0]
        for alike in causes.values()
    ]


def _place(failure: Failure) -> tuple[int, str, int]:
    """How the run ended, then model by model its decision and its checks, then the rest."""
    kind = KINDS.index(failure.kind)
    if failure.kind == "run":
        return 0, "", kind
    return (1, failure.model, kind) if failure.model else (2, "", kind)


def _headlines(failures: Sequence[Failure]) -> list[str]:
    """What happened, each kind once: `the run failed`, `bag, box rejected`, `3 checks failed`, ..."""
    found: list[str] = []
    for kind in KINDS:
        of_kind = [failure for failure in failures if failure.kind == kind]
        if kind == "model":
            found += _model_headlines(of_kind)
        elif kind == "check" and len(of_kind) > 1:
            found.append(_check_headline(of_kind))
        elif kind == "check":
            found += [f"{failure.headline} failed for {failure.subject}" for failure in of_kind]
        else:
            found += dict.fromkeys(failure.headline for failure in of_kind)
    return found


def _model_headlines(failures: Sequence[Failure]) -> list[str]:
    by_headline: dict[str, list[str]] = {}
    for failure in failures:
        by_headline.setdefault(failure.headline, []).append(str(failure.model))
    return [f"{', '.join(sorted(models))} {headline}" for headline, models in by_headline.items()]


def _check_headline(failures: Sequence[Failure]) -> str:
    warnings = sum(failure.severity == "warning" for failure in failures)
    if not warnings or warnings == len(failures):
        return f"{len(failures)} checks failed{' with a warning' if warnings else ''}"
    return f"{len(failures)} checks failed, {warnings} of them with a warning"


def _lines(failure: Failure, has_several_owners: bool) -> list[str]:  # noqa: FBT001 - private, one caller
    about = ", ".join(part for part in (failure.subject, failure.partition) if part)
    owner = f" Owner: {', '.join(failure.owners)}." if has_several_owners and failure.owners else ""
    sentence = f"{about + ': ' if about else ''}{one_line(failure.sentence)}"
    return [
        f"- [{failure.severity}] {sentence}{_figures(failure)}{owner}",
        *(f"  - {one_line(reason)}" for reason in failure.reasons),
        *([f"  remedy: {failure.remedy}"] if failure.remedy else []),
        *([f"  model card: {failure.model_card}"] if failure.model_card else []),
    ]


def _figures(failure: Failure) -> str:
    figures = {"value": failure.value, "limit": failure.limit}
    shown = ", ".join(f"{name} {_number(figure)}" for name, figure in figures.items() if figure is not None)
    return f" ({shown})" if shown else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
