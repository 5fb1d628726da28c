"""A model's record: what each decision makes of it, and which leave it the very same."""

import datetime as dt

import pytest

from packaging_assets.domain.registry import (
    Action,
    ConflictError,
    Registration,
    Status,
    TransitionError,
    UnknownVersionError,
)
from packaging_assets.domain.registry_record import Decision, ModelRecord, unknown_model

WEEKS = ("2025-01-06", "2025-01-13", "2025-01-20")
START = dt.datetime(2025, 2, 3, 9, 0, tzinfo=dt.UTC)


def by(actor="ada", reason="checked by hand"):
    return Decision(actor, reason, START + dt.timedelta(hours=1))


def given(week=WEEKS[0], verdict="approve", *, fingerprint="f1", **fields):
    return Registration(
        **{
            "model": "mailer",
            "package_type": "mailer",
            "training_week": week,
            "fingerprint": fingerprint,
            "verdict": verdict,
            "artifact_uri": "a",
            "metrics_uri": "m",
            "content_hash": f"c-{fingerprint}",
            "code_version": "1",
            **fields,
        }
    )


def record_of(*registrations):
    record = ModelRecord(model="mailer")
    for number, registration in enumerate(registrations):
        record = record.with_version(registration, at=START + dt.timedelta(minutes=number))
    return record


def lines(record):
    return [(line.action, line.version, line.from_champion, line.to_champion) for line in record.history]


def test_versions_are_numbered_and_the_newest_approved_week_serves():
    record = record_of(given(WEEKS[1]), given(WEEKS[0], metrics={"pr_auc": float("nan")}), given(WEEKS[2], "reject"))
    assert [(v.version, v.is_champion) for v in record.marked] == [(1, True), (2, False), (3, False)]
    assert record.get(2).metrics == {"pr_auc": None}
    assert lines(record) == [(Action.REGISTER, 1, None, 1), (Action.REGISTER, 2, 1, 1), (Action.REGISTER, 3, 1, 1)]
    assert record.champion == record.find(given(WEEKS[1]))


def test_the_same_registration_again_changes_nothing_or_is_refused():
    record = record_of(given())
    assert record.with_version(given(), at=START) is record
    with pytest.raises(ConflictError, match="comes with 'reject'"):
        record.with_version(given(verdict="reject"), at=START)


def test_what_is_not_there_is_told():
    with pytest.raises(UnknownVersionError, match="mailer has no version 2: it has 1 to 1"):
        record_of(given()).get(2)
    with pytest.raises(UnknownVersionError, match="it has 1 to 0"):
        ModelRecord(model="mailer").get(1)
    assert str(unknown_model("sack", ["bag", "box"])).endswith("known models: bag, box.")
    assert str(unknown_model("bags", ["box", "bag"])) == (
        "There is no model 'bags' in the registry; did you mean 'bag'?"
    )
    assert str(unknown_model("sack", [])).endswith("known models: none so far.")
    assert str(unknown_model("sack", ["bag"], "/home")) == "There is no model 'sack' in /home; known models: bag."


def test_a_status_changes_once_with_who_and_when_and_the_champion_follows():
    record = record_of(given(), given(WEEKS[1], "pending"))
    approved = record.with_status(2, Status.APPROVED, by(), Status.PENDING)
    version = approved.get(2)
    assert (version.status, version.actor, version.updated_at) == (Status.APPROVED, "ada", by().at)
    assert (version.is_champion, approved.get(1), record.get(2).status) == (
        True,
        record_of(given(), given(WEEKS[1])).get(1),
        Status.PENDING,
    )
    assert lines(approved)[-1] == (Action.APPROVE, 2, 1, 2)
    assert approved.with_status(2, Status.APPROVED, by(), Status.PENDING) is approved
    assert approved.with_status(2, Status.APPROVED, by("bob")) is approved
    rejected = approved.with_status(2, Status.REJECTED, by("bob"))
    assert lines(rejected)[-1] == (Action.REJECT, 2, 2, 1)
    with pytest.raises(ConflictError, match="no longer PendingManualApproval: ada made it Approved"):
        approved.with_status(2, Status.REJECTED, by("bob"), Status.PENDING)


def test_the_rules_hold_for_a_change_of_status():
    record = record_of(given(stage="shadow"), given(WEEKS[1])).with_pin(2, by())
    with pytest.raises(TransitionError, match="judged as a shadow"):
        record.with_status(1, Status.APPROVED, by())
    with pytest.raises(TransitionError, match="Version 2 of mailer is pinned by ada"):
        record.with_status(2, Status.REJECTED, by("bob"))
    with pytest.raises(TransitionError, match="'sensor' cannot approve"):
        record.with_status(1, Status.APPROVED, by("sensor"))
    assert record.with_status(1, Status.REJECTED, by()).get(1).status is Status.REJECTED


def test_a_pin_holds_until_it_is_taken_off():
    record = record_of(given(), given(WEEKS[1]))
    assert record.without_pin(by()) is record
    with pytest.raises(TransitionError, match="needs a written reason"):
        record.without_pin(by(reason=" "))
    pinned = record.with_pin(1, by(), expected_decisions=0)
    assert (pinned.champion.version, pinned.pin.actor, pinned.pin.pinned_at) == (1, "ada", by().at)
    assert pinned.with_pin(1, by("bob")) is pinned
    for decide in (pinned.with_pin, lambda _, why, seen: pinned.without_pin(why, seen)):
        with pytest.raises(ConflictError, match="ada decided first"):
            decide(2, by("bob"), 0)
    unpinned = pinned.without_pin(by(), expected_decisions=1)
    assert (unpinned.pin, unpinned.champion.version) == (None, 2)
    assert lines(unpinned)[2:] == [(Action.PIN, 1, 2, 1), (Action.UNPIN, 1, 1, 2)]


def test_more_decisions_than_there_have_been_cannot_have_been_seen():
    record = record_of(given(), given(WEEKS[1]))
    with pytest.raises(ConflictError, match="Of mailer 2 decisions cannot have been seen: it has 0"):
        record.with_pin(1, by(), expected_decisions=2)
    with pytest.raises(ConflictError, match="Of mailer 2 decisions cannot have been seen: it has 1"):
        record.with_pin(1, by()).without_pin(by(), expected_decisions=2)


def test_rolling_back_pins_what_served_before_and_only_from_the_champion():
    record = record_of(given(), given(WEEKS[1]))
    back = record.rolled_back(2, by())
    assert (back.champion.version, lines(back)[-1]) == (1, (Action.ROLL_BACK, 1, 2, 1))
    assert back.rolled_back(2, by("bob")) is back
    with pytest.raises(TransitionError, match="'system' cannot roll back"):
        record.rolled_back(2, by("system"))


def test_rolling_back_again_goes_further_back_and_not_to_what_was_rolled_back():
    record = record_of(given(), given(WEEKS[1]), given(WEEKS[2]))
    twice = record.rolled_back(3, by()).rolled_back(2, by())
    assert (twice.champion.version, lines(twice)[-1]) == (1, (Action.ROLL_BACK, 1, 2, 1))
    with pytest.raises(TransitionError, match="No approved version of mailer served before version 1"):
        twice.rolled_back(1, by())
    assert twice.undone(by("bob")).rolled_back(2, by()).champion.version == 1


def test_what_was_rolled_back_counts_again_once_it_served_again():
    record = record_of(given(), given(WEEKS[1]), given(WEEKS[2])).rolled_back(3, by())
    again = record.without_pin(by()).with_pin(1, by())
    assert again.rolled_back(1, by()).champion.version == 3
    assert record.undone(by()).rolled_back(3, by()).champion.version == 2


def test_undo_takes_back_a_status_or_a_pin_once():
    record = record_of(given(), given(WEEKS[1], "pending"))
    assert record.undone(by()) is record
    approved = record.with_status(2, Status.APPROVED, by())
    undone = approved.undone(by("bob"), expected_decisions=1)
    assert (undone.get(2).status, undone.champion.version) == (Status.PENDING, 1)
    assert undone.undone(by("bob")) is undone
    again = approved.with_pin(1, by()).with_pin(2, by("bob")).undone(by("cyd"))
    assert (again.pin.version, again.pin.actor) == (1, "ada")
    with pytest.raises(ConflictError, match="ada decided first"):
        approved.undone(by("bob"), expected_decisions=0)


def test_of_two_pins_alike_the_last_is_taken_back():
    record = record_of(given(), given(WEEKS[1]))
    twice = record.with_pin(1, by()).without_pin(by()).with_pin(1, by())
    assert twice.undone(by("bob")).pin is None
    with_another_between = record.with_pin(1, by()).with_pin(2, by()).with_pin(1, by())
    assert with_another_between.undone(by("bob")).pin.version == 2


def test_a_model_that_a_person_rejected_waits_for_a_person_when_it_comes_back():
    rejected = record_of(given(content_hash="same")).with_status(1, Status.REJECTED, by())
    back = rejected.with_version(given(fingerprint="f2", content_hash="same"), at=START)
    assert back.get(2).status is Status.PENDING
    assert back.history[-1].reason.startswith("ada rejected this very model as version 1.")


def test_only_a_persons_rejection_of_the_very_model_holds_up_an_approval():
    by_gates = record_of(given(verdict="reject", content_hash="same"))
    assert (
        by_gates.with_version(given(fingerprint="f2", content_hash="same"), at=START).get(2).status is Status.APPROVED
    )
    by_ada = record_of(given(content_hash="same")).with_status(1, Status.REJECTED, by())
    another = by_ada.with_version(given(fingerprint="f2", content_hash="other"), at=START)
    assert another.get(2).status is Status.APPROVED
    worse = by_ada.with_version(given(verdict="reject", fingerprint="f2", content_hash="same"), at=START)
    assert worse.get(2).status is Status.REJECTED


def test_whoever_undoes_an_approval_has_not_rejected_the_model():
    rejected = record_of(given(verdict="reject", content_hash="same"))
    undone = rejected.with_status(1, Status.APPROVED, by()).undone(by("bob"))
    assert (undone.get(1).status, undone.get(1).actor, undone.history[-1].actor) == (Status.REJECTED, "gates", "bob")
    back = undone.with_version(given(fingerprint="f2", content_hash="same"), at=START)
    assert back.get(2).status is Status.APPROVED
    twice = undone.with_status(1, Status.APPROVED, by()).undone(by("bob"))
    assert twice.get(1).actor == "gates"


def test_an_undone_decision_about_a_persons_status_leaves_it_to_that_person():
    both = record_of(given(), given(WEEKS[1])).with_status(1, Status.REJECTED, by())
    record = both.with_pin(2, by("dan")).with_status(1, Status.APPROVED, by("bob")).undone(by("cyd"))
    assert (record.get(1).status, record.get(1).actor) == (Status.REJECTED, "ada")


def test_the_gates_approval_is_no_persons_when_its_rejection_was_undone():
    held_against_none = given(WEEKS[1], content_hash="same")
    record = record_of(held_against_none).with_status(1, Status.REJECTED, by()).undone(by("bob"))
    record = record.with_version(given(WEEKS[0], fingerprint="f2"), at=START)
    champion = {"champion": {"model": "mailer", "version": 2}}
    rightly = given(WEEKS[1], "reject", fingerprint="f3", content_hash="same", metrics=champion)
    assert record.with_version(rightly, at=START).champion.version == 2


def test_who_has_nothing_to_roll_back_to_is_told():
    with pytest.raises(TransitionError, match="No approved version of mailer served before version 1"):
        record_of(given()).rolled_back(1, by())
    alone = record_of(given(), given(WEEKS[1])).with_status(1, Status.REJECTED, by())
    with pytest.raises(TransitionError, match="served before version 2"):
        alone.rolled_back(2, by())


def test_an_undone_unpinning_brings_the_pin_back():
    record = record_of(given(), given(WEEKS[1])).with_pin(1, by()).without_pin(by("bob")).undone(by("cyd"))
    assert (record.pin.actor, record.champion.version) == ("ada", 1)
    assert record.with_pin(2, by()).undone(by("cyd")).pin == record.pin


def test_an_undone_pin_brings_the_one_before_back_also_over_other_decisions():
    pinned = record_of(given(), given(WEEKS[1], "pending")).with_pin(1, by())
    assert pinned.with_status(2, Status.APPROVED, by()).with_pin(2, by()).undone(by("bob")).pin == pinned.pin
