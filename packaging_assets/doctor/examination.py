"""Runs checks at the same time, each no longer than it may take."""

import queue
import threading
import time
from collections.abc import Callable, Sequence

from packaging_assets.doctor.check import Check, Finding
from packaging_assets.settings import Settings


def examine(
    settings: Settings, checks: Sequence[Check], *, on_finding: Callable[[Finding], None] = lambda _: None
) -> list[Finding]:
    """What each check finds, in the order of the checks.

    Those that wait for no other part run at once; the others when the part they wait for is known to work.

    Args:
        settings: of the environment.
        checks: with parts that differ.
        on_finding: is told of each finding as soon as it is there.
    """
    found: dict[str, Finding] = {}
    held_back: set[str] = set()
    waiting = list(checks)
    while waiting:
        ready = [check for check in waiting if not check.after or check.after in found]
        ready = ready or waiting  # the part that is waited for is not looked at here
        waiting = [check for check in waiting if check not in ready]
        running: list[Check] = []
        for check in ready:
            before = found.get(check.after)
            is_in_order = before is None or (before.is_ok is not False and before.part not in held_back)
            kept = _not_looked_at(settings, check, is_in_order=is_in_order)
            if kept is None:
                running.append(check)
            else:
                held_back.add(check.part)
                found[check.part] = kept
                on_finding(kept)
        for finding in _at_once(running, on_finding):
            found[finding.part] = finding
    return [found[check.part] for check in checks]


def _not_looked_at(settings: Settings, check: Check, *, is_in_order: bool) -> Finding | None:
    missing = check.missing(settings)
    if missing:
        return Finding(check.part, is_ok=False, found=f"not looked at: {', '.join(missing)} is not set")
    if not is_in_order:
        return Finding(check.part, is_ok=None, found=f"not looked at: {check.after} must work first")
    return None


def _at_once(checks: Sequence[Check], on_finding: Callable[[Finding], None]) -> list[Finding]:
    """Threads that end with the process: one that hangs in a call cannot be ended, and must not keep anybody."""
    answers: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    begun = time.monotonic()
    for check in checks:
        threading.Thread(target=_answer, args=(check, answers), daemon=True).start()
    open_checks = {check.part: check for check in checks}
    found: list[Finding] = []
    while open_checks:
        next_end = min(begun + check.seconds for check in open_checks.values())
        try:
            arrived = [answers.get(timeout=max(0.0, next_end - time.monotonic()))]
        except queue.Empty:
            arrived = [_too_late(check) for check in open_checks.values() if begun + check.seconds <= next_end]
        for finding in arrived:
            if open_checks.pop(finding.part, None) is not None:
                found.append(finding)
                on_finding(finding)
    return found


def _answer(check: Check, answers: "queue.SimpleQueue[Finding]") -> None:
    answers.put(check.find())


def _too_late(check: Check) -> Finding:
    return Finding(
        check.part,
        is_ok=False,
        found=f"no answer within {check.seconds:g} s",
        remedy="Is the network open to the service: route, VPC endpoint, security group, proxy? If so, try again: it "
        "may be slow for once.",
    )
