import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.domain.registry import (
    AUTOMATIC_ACTORS,
    ConflictError,
    ModelVersion,
    Pin,
    Registration,
    RegistryError,
    Status,
    TransitionError,
    check_decision,
    check_may_serve,
    check_pin,
    check_retry,
    check_transition,
    check_week,
    choose_champion,
    choose_champion_before,
    choose_shadow,
    is_person,
    standing,
    status_at_registration,
    status_of,
    weeks_to_judge_again,
)

NOON = dt.datetime(2025, 1, 13, 12, tzinfo=dt.UTC)
WEEKS = ("2025-01-06", "2025-01-13", "2025-01-20")


def version(number: int, week: str = WEEKS[0], status: Status = Status.APPROVED) -> ModelVersion:
    return ModelVersion(
        model="mailer",
        package_type="mailer",
        version=number,
        training_week=week,
        fingerprint=f"{number:064x}",
        verdict="approve",
        status=status,
        artifact_uri=f"mailer/model/{week}/{number:064x}",
        metrics_uri=f"mailer/metrics/{week}/{number:064x}",
        content_hash="c" * 64,
        code_version="0.1.0",
        actor="gates",
        created_at=NOON,
        updated_at=NOON,
    )


def pin_of(number: int) -> Pin:
    return Pin(model="mailer", version=number, actor="ada", reason="scales", pinned_at=NOON)


versions = st.lists(
    st.builds(version, st.integers(1, 20), st.sampled_from(WEEKS), st.sampled_from(list(Status))),
    unique_by=lambda v: v.version,
)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("approve", "Approved"), ("reject", "Rejected"), ("pending", "PendingManualApproval")],
)
def test_a_verdict_gives_the_status(outcome, status):
    assert status_of(outcome) == status


@pytest.mark.parametrize("week", ["2025-01-07", "2025-01-6", "20250106", "2025-W02-1", "soon", ""])
def test_a_week_that_is_not_a_mondays_iso_date_is_refused(week):
    with pytest.raises(RegistryError, match="not a Monday's ISO date: write it like 2025-01-06"):
        check_week(week)


@pytest.mark.parametrize("name", ["model", "package_type", "fingerprint", "artifact_uri", "content_hash"])
def test_a_blank_name_is_refused(name):
    with pytest.raises(RegistryError, match=f"blank {name}"):
        replace(version(1), **{name: " "})


@pytest.mark.parametrize(
    ("actor", "reason", "said"),
    [
        ("ana", " ", "needs a written reason"),
        ("", "why", "needs the name of whoever takes it"),
        ("ana", "bad \udcff", "The reason is not UTF-8"),
        ("an\udcff", "why", "The actor is not UTF-8"),
    ],
)
def test_a_decision_that_cannot_be_recorded_is_refused(actor, reason, said):
    with pytest.raises(TransitionError, match=said):
        check_decision(actor, reason)


def test_a_registration_checks_its_week():
    with pytest.raises(RegistryError, match="'2025-01-08'"):
        Registration(
            model="bag",
            package_type="bag",
            training_week="2025-01-08",
            fingerprint="f",
            verdict="approve",
            artifact_uri="a",
            metrics_uri="m",
            content_hash="c",
            code_version="1",
        )


# From, to, and whether a person (with a reason) and the platform may do it.
TRUTH_TABLE = [
    (Status.PENDING, Status.APPROVED, True, False),
    (Status.PENDING, Status.REJECTED, True, True),
    (Status.PENDING, Status.PENDING, True, True),
    (Status.REJECTED, Status.APPROVED, True, False),
    (Status.REJECTED, Status.REJECTED, True, True),
    (Status.REJECTED, Status.PENDING, False, False),
    (Status.APPROVED, Status.APPROVED, True, True),
    (Status.APPROVED, Status.REJECTED, True, True),
    (Status.APPROVED, Status.PENDING, False, False),
]


@pytest.mark.parametrize(("from_status", "to_status", "by_person", "by_platform"), TRUTH_TABLE)
def test_who_may_change_a_status(from_status, to_status, by_person, by_platform):
    for actor, is_allowed in (("ada", by_person), ("gates", by_platform)):
        if is_allowed:
            check_transition(from_status, to_status, actor, "checked by hand")
        else:
            with pytest.raises(TransitionError):
                check_transition(from_status, to_status, actor, "checked by hand")


@pytest.mark.parametrize("from_status", list(Status))
@pytest.mark.parametrize("to_status", list(Status))
@pytest.mark.parametrize(
    ("actor", "reason", "named"), [("", "why", "actor"), (" \t", "why", "actor"), ("ada", " ", "reason")]
)
def test_no_decision_without_a_name_and_a_reason(from_status, to_status, actor, reason, named):
    with pytest.raises(TransitionError, match=named):
        check_transition(from_status, to_status, actor, reason)


@pytest.mark.parametrize("actor", sorted(AUTOMATIC_ACTORS))
def test_no_spelling_of_the_platforms_own_names_is_a_person(actor):
    assert not is_person(actor)
    assert not is_person(f" {actor.upper()} ")
    assert is_person(f"{actor}-on-call")


def test_only_an_approved_version_can_be_pinned_and_only_by_a_person():
    check_pin(version(1), "ada", "scales")
    for status in (Status.PENDING, Status.REJECTED):
        with pytest.raises(TransitionError, match="only an Approved version can be pinned"):
            check_pin(version(1, status=status), "ada", "scales")
    with pytest.raises(TransitionError, match="'sensor' cannot pin"):
        check_pin(version(1), "sensor", "scales")
    with pytest.raises(TransitionError, match="reason"):
        check_pin(version(1), "ada", "")


def test_a_retry_may_not_contradict_the_approval_of_the_gates():
    check_retry(version(1), "approve")
    check_retry(replace(version(1), verdict="reject"), "approve")
    check_retry(replace(version(1), verdict="pending"), "reject")
    for verdict in ("reject", "pending"):
        with pytest.raises(ConflictError, match="not deterministic"):
            check_retry(version(1), verdict)


def test_the_champion_is_the_approved_version_of_the_latest_week_then_of_the_highest_number():
    latest = version(2, WEEKS[2])
    assert choose_champion([version(1), latest, version(3, WEEKS[1])], None) == latest
    assert choose_champion([version(1), version(2)], None) == version(2)
    assert choose_champion([version(1), version(2, WEEKS[1], Status.REJECTED)], None) == version(1)
    assert choose_champion([], None) is None
    assert choose_champion([version(1, status=Status.PENDING)], None) is None


def test_a_pin_goes_before_the_weeks_but_never_before_approval():
    older, newer = version(1), version(2, WEEKS[1])
    assert choose_champion([older, newer], pin_of(1)) == older
    assert choose_champion([replace(older, status=Status.REJECTED), newer], pin_of(1)) == newer
    assert choose_champion([older, newer], pin_of(7)) == newer


def test_a_candidate_is_compared_with_the_approved_version_before_its_week():
    candidates = [version(1), version(2, WEEKS[1]), version(3, WEEKS[2]), version(4, WEEKS[1], Status.REJECTED)]
    assert choose_champion_before(candidates, WEEKS[2]) == candidates[1]
    assert choose_champion_before(candidates, WEEKS[1]) == candidates[0]
    assert choose_champion_before(candidates, WEEKS[0]) is None
    with pytest.raises(RegistryError, match="Monday"):
        choose_champion_before(candidates, "2025-01-14")


@given(versions, st.none() | st.integers(1, 20).map(pin_of))
def test_whatever_there_is_the_champion_is_approved_and_nothing_approved_is_left_idle(found, pin):
    champion = choose_champion(found, pin)
    approved = [v for v in found if v.status is Status.APPROVED]
    assert (champion is None) == (not approved)
    assert champion is None or champion in approved


@given(versions.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))), st.sampled_from(WEEKS))
def test_the_order_in_which_weeks_were_trained_does_not_matter(both, week):
    found, shuffled = both
    assert choose_champion(found, None) == choose_champion(shuffled, None)
    assert choose_champion_before(found, week) == choose_champion_before(shuffled, week)


def judged(number: int, week: str, status: Status, against: tuple[str, int] | None, **fields) -> ModelVersion:
    champion = against and {"model": against[0], "version": against[1]}
    content = fields.pop("content_hash", f"c-{week}")
    return replace(version(number, week, status), metrics={"champion": champion}, content_hash=content, **fields)


def test_what_a_version_was_held_against_names_the_model():
    own = replace(version(2), metrics={"champion": {"version": 1, "difference": 0.1}})
    assert own.held_against == ("mailer", 1)
    assert replace(version(2), metrics={"champion": {"model": None, "version": 1}}).held_against == ("mailer", 1)
    assert judged(2, WEEKS[1], Status.APPROVED, ("other", 3)).held_against == ("other", 3)
    assert version(1).held_against is None
    assert judged(1, WEEKS[0], Status.APPROVED, None).held_against is None


def test_a_model_without_a_champion_is_rightly_held_against_the_one_it_replaces():
    first = judged(1, WEEKS[0], Status.PENDING, ("old", 7))
    second = judged(2, WEEKS[1], Status.APPROVED, ("old", 8))
    assert weeks_to_judge_again([first, second]) == []
    assert standing([first, second]) == [second]
    # Once the earlier week has an approved version of the model's own, the later one is to be judged against that.
    approved = judged(3, WEEKS[0], Status.APPROVED, ("old", 7), actor="ada")
    assert weeks_to_judge_again([first, second, approved]) == [WEEKS[1]]
    again = judged(4, WEEKS[1], Status.REJECTED, ("mailer", 3))
    assert weeks_to_judge_again([first, second, approved, again]) == []
    assert choose_champion([first, second, approved, again], None) == approved


def test_it_is_the_newest_model_of_a_week_that_must_have_been_judged_rightly():
    first = judged(1, WEEKS[0], Status.APPROVED, None)
    rightly, wrongly = ("mailer", 1), None
    for against, again in (((rightly, wrongly), [WEEKS[1]]), ((wrongly, rightly), [])):
        older, newer = (
            judged(number, WEEKS[1], Status.APPROVED, held, content_hash=f"c{number}")
            for number, held in enumerate(against, start=2)
        )
        assert weeks_to_judge_again([first, older, newer]) == again


def test_an_approval_is_overruled_by_a_right_judgement_of_the_very_same_model_only():
    first = judged(1, WEEKS[0], Status.APPROVED, None)
    approved = judged(2, WEEKS[1], Status.APPROVED, None, content_hash="a")
    for content_hash, stands in (("a", [first]), ("b", [first, approved])):
        rightly = judged(3, WEEKS[1], Status.REJECTED, ("mailer", 1), content_hash=content_hash)
        assert standing([first, approved, rightly]) == stands


def test_a_number_of_another_models_version_is_not_taken_for_ones_own():
    first = judged(1, WEEKS[0], Status.APPROVED, None)
    second = judged(2, WEEKS[1], Status.APPROVED, ("old", 1))
    assert weeks_to_judge_again([first, second]) == [WEEKS[1]]


def test_what_was_judged_as_shadow_asks_for_nothing_and_overrules_nothing():
    live = judged(1, WEEKS[0], Status.APPROVED, None)
    shadow = judged(2, WEEKS[0], Status.PENDING, None, stage="shadow")
    later = judged(3, WEEKS[1], Status.PENDING, ("old", 7), stage="shadow")
    assert weeks_to_judge_again([live, shadow, later]) == []
    assert weeks_to_judge_again([shadow, later]) == []
    assert standing([live, shadow, later]) == [live]
    assert choose_champion([live, shadow, later], None) == live


def test_the_newest_version_that_was_not_rejected_predicts_beside():
    assert choose_shadow([]) is None
    first, second = version(1, WEEKS[0], Status.PENDING), version(2, WEEKS[1], Status.REJECTED)
    assert choose_shadow([first, second]) == first
    third, fourth = version(3, WEEKS[1], Status.PENDING), version(4, WEEKS[0], Status.APPROVED)
    assert choose_shadow([first, second, third, fourth]) == third
    assert choose_shadow([second]) is None


@pytest.mark.parametrize(
    ("verdict", "status", "said"),
    [
        ("approve", Status.PENDING, "Every gate passed, but a shadow is never approved"),
        ("pending", Status.PENDING, "The verdict is 'pending'."),
        ("reject", Status.REJECTED, "The verdict is 'reject'."),
    ],
)
def test_a_shadow_gets_the_status_of_its_verdict_save_approval(verdict, status, said):
    given = replace(version(1), verdict=verdict, stage="shadow")
    found, reason = status_at_registration(given, [])
    assert found is status
    assert reason.startswith(said)


def test_only_what_was_judged_as_live_may_serve():
    check_may_serve(version(1))
    with pytest.raises(TransitionError, match="set `stage: live` in the YAML of mailer"):
        check_may_serve(replace(version(1), stage="shadow"))
    with pytest.raises(TransitionError, match="judged as a shadow"):
        check_pin(replace(version(1), stage="shadow"), "ada", "scales")
