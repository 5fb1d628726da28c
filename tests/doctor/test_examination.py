"""Checks: side by side, in order, each with its time, and whatever they raise."""

import threading
import time

import pytest

from packaging_assets.doctor.check import Advice, Check, Finding, ProblemError, UnknownError
from packaging_assets.doctor.examination import examine
from packaging_assets.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def raises(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("run", "finding"),
    [
        (lambda: "fine", Finding("x", is_ok=True, found="fine")),
        (lambda: Advice("fine", "Do more."), Finding("x", is_ok=True, found="fine", remedy="Do more.")),
        (
            raises(ProblemError("it is off", "Turn it on.")),
            Finding("x", is_ok=False, found="it is off", remedy="Turn it on."),
        ),
        (raises(UnknownError("not known: a wall")), Finding("x", is_ok=None, found="not known: a wall")),
        (raises(OSError("the disk is gone")), Finding("x", is_ok=False, found="OSError: the disk is gone")),
    ],
)
def test_whatever_a_check_says_or_raises_is_its_finding(settings, run, finding):
    assert examine(settings, [Check("x", run)]) == [finding]


def test_checks_run_at_the_same_time_and_are_told_in_their_order(settings):
    both = threading.Barrier(2, timeout=60)
    told = []

    def first():
        both.wait()
        time.sleep(0.05)
        return "1"

    def second():
        both.wait()
        return "2"

    found = examine(settings, [Check("a", first, 60), Check("b", second, 60)], on_finding=told.append)
    assert [finding.part for finding in found] == ["a", "b"]
    assert {finding.part for finding in told} == {"a", "b"}


def test_a_check_that_hangs_is_given_up_and_the_others_are_not(settings):
    hung = threading.Event()
    slow = Check("slow", lambda: str(hung.wait(60)), seconds=0.05)
    found = examine(settings, [slow, Check("quick", lambda: "here", seconds=60)])
    hung.set()
    assert (found[0].is_ok, found[0].found) == (False, "no answer within 0.05 s")
    assert found[0].remedy.startswith("Is the network open to the service")
    assert found[1] == Finding("quick", is_ok=True, found="here")


def test_what_waits_for_a_part_is_looked_at_after_it_and_only_if_it_works(settings):
    order = []

    def look(part, error=None):
        def run():
            order.append(part)
            if error:
                raise error
            return part

        return run

    checks = [
        Check("c", look("c"), after="b"),
        Check("b", look("b"), after="a"),
        Check("a", look("a")),
        Check("broken", look("broken", ProblemError("no", "Yes."))),
        Check("d", look("d"), after="broken"),
        Check("e", look("e"), after="d"),
        Check("alone", look("alone"), after="nobody looks"),
    ]
    found = examine(settings, checks)
    assert [finding.part for finding in found] == ["c", "b", "a", "broken", "d", "e", "alone"]
    assert [part for part in order if part in "abc"] == ["a", "b", "c"]
    assert "alone" in order
    assert (found[4].is_ok, found[4].found) == (None, "not looked at: broken must work first")
    assert (found[5].is_ok, found[5].found) == (None, "not looked at: d must work first")


def test_what_is_only_unknown_keeps_nobody_from_looking_further(settings):
    checks = [Check("a", raises(UnknownError("not known"))), Check("b", lambda: "fine", after="a")]
    assert [finding.is_ok for finding in examine(settings, checks)] == [None, True]


def test_a_setting_that_is_not_set_is_named(settings):
    (found,) = examine(settings, [Check("bucket", lambda: "fine", needs=("s3_bucket", "kms_key"))])
    assert found == Finding(
        "bucket", is_ok=False, found="not looked at: PACKAGING_S3_BUCKET, PACKAGING_KMS_KEY is not set"
    )
