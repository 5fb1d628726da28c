"""What every model registry promises; a registry joins by a line in `registry`."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from registry_examples import BY_ADA, START, WEEKS, race, registration, ticking_clock

from packaging_assets.domain.registry import (
    Action,
    ConflictError,
    RegistryError,
    Status,
    TransitionError,
    UnknownVersionError,
)
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

EXAMPLES = {"sqlite": 10, "sagemaker": 2}
"""Of random decisions; one takes 0.1 s in a file and a second over HTTP."""


@pytest.fixture(params=["sqlite", "sagemaker"])
def kind(request):
    """Which registry is under test."""
    return request.param


@pytest.fixture
def new_registry(kind, request, tmp_path):
    """Makes a registry with nothing in it."""
    if kind == "sagemaker":
        return request.getfixturevalue("new_sagemaker_registry")
    numbers = itertools.count(1)
    return lambda: SqliteModelRegistry(
        tmp_path / "home" / "50% done?" / f"registry {next(numbers)}.db", clock=ticking_clock()
    )


@pytest.fixture
def registry(new_registry):
    """A registry with nothing in it."""
    return new_registry()


def test_an_empty_registry_answers_without_being_created(registry, tmp_path):
    assert (registry.models(), registry.versions(), registry.versions("bag"), registry.history("bag")) == (
        [],
        [],
        [],
        [],
    )
    assert (registry.champion("bag"), registry.champion_before("bag", WEEKS[1]), registry.pinned("bag")) == (None,) * 3
    with pytest.raises(UnknownVersionError, match="no registry yet"):
        registry.get("bag", 1)
    assert not (tmp_path / "home").exists()


def test_a_registered_version_comes_back_as_it_was_given(registry):
    given = registration(
        verdict="pending",
        metrics={"pr_auc": 0.25, "missing": float("nan"), "nested": {"deep": [1, float("inf")]}},
        reasons=("Drift of width_cm is 0.31, over 0.2.", "Volume is low."),
    )
    version = registry.register(given)
    assert registry.get("mailer", 1) == version
    assert (version.version, version.status, version.actor) == (1, Status.PENDING, "gates")
    assert version.created_at == version.updated_at == START
    assert version.metrics == {"pr_auc": 0.25, "missing": None, "nested": {"deep": [1, None]}}
    assert version.reasons == given.reasons
    for name in ("package_type", "training_week", "fingerprint", "verdict", "artifact_uri", "metrics_uri"):
        assert getattr(version, name) == getattr(given, name)
    (line,) = registry.history("mailer")
    assert (line.action, line.actor, line.from_status, line.to_status) == (
        Action.REGISTER,
        "gates",
        None,
        Status.PENDING,
    )
    assert line.reason == "Drift of width_cm is 0.31, over 0.2. Volume is low."


@pytest.mark.parametrize(
    ("verdict", "status", "is_champion"),
    [("approve", Status.APPROVED, True), ("reject", Status.REJECTED, False), ("pending", Status.PENDING, False)],
)
def test_the_verdict_decides_the_status_and_with_it_who_serves(registry, verdict, status, is_champion):
    version = registry.register(registration(verdict=verdict))
    assert (version.status, version.is_champion) == (status, is_champion)
    assert registry.champion("mailer") == (version if is_champion else None)


def test_versions_are_numbered_within_their_model_and_listed_by_model_and_number(registry):
    for model, week in [("mailer", WEEKS[1]), ("bag", WEEKS[0]), ("mailer", WEEKS[0])]:
        registry.register(registration(week, model=model))
    registry.register(registration(WEEKS[2], "reject"))
    assert registry.models() == ["bag", "mailer"]
    listed = [(v.model, v.version, v.training_week, v.is_champion) for v in registry.versions()]
    assert listed == [
        ("bag", 1, WEEKS[0], True),
        ("mailer", 1, WEEKS[1], True),
        ("mailer", 2, WEEKS[0], False),
        ("mailer", 3, WEEKS[2], False),
    ]
    assert [v.version for v in registry.versions("mailer", Status.APPROVED)] == [1, 2]
    assert [v.model for v in registry.versions(status=Status.REJECTED)] == ["mailer"]


def test_the_same_model_week_and_fingerprint_is_the_same_version(registry):
    first = registry.register(registration())
    assert registry.register(registration(content_hash="c2", reasons=("Again.",))) == first
    assert len(registry.history("mailer")) == 1
    assert registry.register(registration(WEEKS[1])).version == 2
    assert registry.register(registration(fingerprint="f2")).version == 3
    assert registry.register(registration(model="bag")).version == 1


def test_a_retry_never_turns_a_rejection_into_an_approval_nor_hides_one(registry):
    rejected = registry.register(registration(verdict="reject"))
    assert registry.register(registration(verdict="approve")) == rejected
    registry.register(registration(WEEKS[1]))
    with pytest.raises(ConflictError, match="Version 2 of mailer was registered with the verdict 'approve'"):
        registry.register(registration(WEEKS[1], "reject"))
    assert [v.status for v in registry.versions()] == [Status.REJECTED, Status.APPROVED]


def test_backfilling_old_weeks_does_not_demote_the_champion(registry):
    newest = registry.register(registration(WEEKS[2]))
    oldest = registry.register(registration(WEEKS[0]))
    middle = registry.register(registration(WEEKS[1]))
    assert registry.champion("mailer") == newest
    assert registry.champion_before("mailer", WEEKS[2]) == middle
    assert registry.champion_before("mailer", WEEKS[1]) == oldest
    assert registry.champion_before("mailer", WEEKS[0]) is None


def test_a_person_approves_with_a_name_and_a_reason_and_it_is_recorded(registry):
    registry.register(registration(WEEKS[0]))
    registry.register(registration(WEEKS[1], "reject"))
    approved = registry.approve("mailer", 2, **BY_ADA, expected_status=Status.REJECTED)
    assert (approved.status, approved.actor, approved.is_champion) == (Status.APPROVED, "ada", True)
    assert approved.updated_at > approved.created_at
    assert registry.get("mailer", 2) == approved
    line = registry.history("mailer")[-1]
    assert (line.action, line.version, line.actor, line.reason) == (Action.APPROVE, 2, "ada", "checked by hand")
    assert (line.from_status, line.to_status) == (Status.REJECTED, Status.APPROVED)
    assert (line.from_champion, line.to_champion) == (1, 2)


def test_rejecting_the_champion_brings_the_one_before_back(registry):
    registry.register(registration(WEEKS[0]))
    registry.register(registration(WEEKS[1]))
    rejected = registry.reject("mailer", 2, **BY_ADA)
    assert (rejected.status, rejected.is_champion) == (Status.REJECTED, False)
    assert registry.champion("mailer").version == 1
    assert registry.reject("mailer", 1, **BY_ADA).status is Status.REJECTED
    assert registry.champion("mailer") is None
    champions = [(line.from_champion, line.to_champion) for line in registry.history("mailer")]
    assert champions == [(None, 1), (1, 2), (2, 1), (1, None)]


def test_deciding_what_is_decided_changes_and_records_nothing(registry):
    approved = registry.register(registration(WEEKS[0]))
    rejected = registry.register(registration(WEEKS[1], "reject"))
    assert registry.approve("mailer", 1, **BY_ADA) == approved
    assert registry.reject("mailer", 2, **BY_ADA) == rejected
    pinned = registry.pin("mailer", 1, **BY_ADA)
    assert registry.pin("mailer", 1, actor="bob", reason="me too") == pinned
    assert registry.unpin("mailer", **BY_ADA) == approved
    assert registry.unpin("mailer", **BY_ADA) == approved
    assert [line.action for line in registry.history("mailer")] == ["register", "register", "pin", "unpin"]


@pytest.mark.parametrize(
    "given", [{"actor": "gates", "reason": "why"}, {"actor": "", "reason": "why"}, {"actor": "ada", "reason": ""}]
)
def test_a_refused_decision_changes_and_records_nothing(registry, given):
    before = registry.register(registration(verdict="reject"))
    for decide in (registry.approve, registry.pin):
        with pytest.raises(TransitionError):
            decide("mailer", 1, **given)
    assert registry.versions() == [before]
    assert registry.pinned("mailer") is None
    assert len(registry.history("mailer")) == 1


def test_the_later_of_two_people_is_told_who_was_first(registry):
    registry.register(registration(verdict="pending"))
    registry.approve("mailer", 1, **BY_ADA, expected_status=Status.PENDING)
    for decide in (registry.reject, registry.approve):
        with pytest.raises(
            ConflictError, match="no longer PendingManualApproval: ada made it Approved at 2025-02-03 09:"
        ):
            decide("mailer", 1, actor="bob", reason="drift", expected_status=Status.PENDING)
    assert registry.get("mailer", 1).status is Status.APPROVED


def test_a_pin_holds_until_it_is_taken_off(registry):
    for week in WEEKS[:2]:
        registry.register(registration(week))
    assert registry.pin("mailer", 1, **BY_ADA).is_champion
    registry.register(registration(WEEKS[2]))
    assert registry.champion("mailer").version == 1
    assert (registry.pinned("mailer").version, registry.pinned("mailer").actor) == (1, "ada")
    with pytest.raises(TransitionError, match=r"Version 1 of mailer is pinned by ada: unpin it before"):
        registry.reject("mailer", 1, **BY_ADA)
    registry.pin("mailer", 2, **BY_ADA)
    assert registry.champion("mailer").version == 2
    assert registry.unpin("mailer", **BY_ADA).version == 3
    assert registry.pinned("mailer") is None
    assert registry.reject("mailer", 1, **BY_ADA).status is Status.REJECTED


def test_rolling_back_pins_the_version_that_served_before_and_only_once(registry):
    for week in WEEKS:
        registry.register(registration(week))
    registry.reject("mailer", 2, **BY_ADA)
    assert registry.roll_back("mailer", 3, **BY_ADA).version == 1  # version 2 served before, and is rejected now
    assert (registry.pinned("mailer").version, registry.get("mailer", 3).status) == (1, Status.APPROVED)
    line = registry.history("mailer")[-1]
    assert (line.action, line.version, line.from_champion, line.to_champion) == (Action.ROLL_BACK, 1, 3, 1)
    assert registry.roll_back("mailer", 3, actor="bob", reason="me too").version == 1
    assert len(registry.history("mailer")) == 5
    registry.unpin("mailer", **BY_ADA)
    registry.reject("mailer", 3, **BY_ADA)
    with pytest.raises(TransitionError, match="No approved version of mailer served before version 1"):
        registry.roll_back("mailer", 1, **BY_ADA)


def test_undo_restores_a_status_once(registry):
    registry.register(registration(WEEKS[0]))
    registry.register(registration(WEEKS[1], "pending"))
    registry.approve("mailer", 2, **BY_ADA)
    registry.register(registration(WEEKS[2], "reject"))  # what comes in between stays
    assert registry.undo("mailer", actor="bob", reason="wrong version").version == 1
    assert [v.status for v in registry.versions("mailer")] == [Status.APPROVED, Status.PENDING, Status.REJECTED]
    line = registry.history("mailer")[-1]
    assert (line.action, line.version, line.actor, line.reason) == (Action.UNDO, 2, "bob", "wrong version")
    assert (line.from_status, line.to_status) == (Status.APPROVED, Status.PENDING)
    assert (line.from_champion, line.to_champion) == (2, 1)
    assert registry.undo("mailer", actor="bob", reason="again").version == 1
    assert len(registry.history("mailer")) == 5


def test_undo_restores_the_pin_that_was_there(registry):
    for week in WEEKS:
        registry.register(registration(week))
    registry.pin("mailer", 1, **BY_ADA)
    registry.pin("mailer", 2, actor="bob", reason="two is better")
    assert registry.undo("mailer", actor="cyd", reason="it is not").version == 1
    assert (registry.pinned("mailer").actor, registry.pinned("mailer").reason) == ("ada", "checked by hand")
    registry.unpin("mailer", **BY_ADA)
    assert registry.undo("mailer", actor="cyd", reason="not yet").version == 1
    assert registry.pinned("mailer").version == 1
    registry.unpin("mailer", **BY_ADA)
    registry.pin("mailer", 2, **BY_ADA)
    assert registry.undo("mailer", actor="cyd", reason="nobody was pinned").version == 3
    assert registry.pinned("mailer") is None


def test_there_is_nothing_to_undo_before_the_first_decision_and_the_platform_undoes_nothing(registry):
    registry.register(registration())
    assert registry.undo("mailer", **BY_ADA).version == 1
    assert len(registry.history("mailer")) == 1
    for decide in (registry.undo, lambda model, **why: registry.roll_back(model, 1, **why)):
        with pytest.raises(TransitionError, match="'schedule' cannot"):
            decide("mailer", actor="schedule", reason="x")


def test_whoever_pins_or_undoes_what_they_have_not_seen_is_told(registry):
    for week in WEEKS[:2]:
        registry.register(registration(week))
    registry.pin("mailer", 1, **BY_ADA, expected_decisions=0)
    late = {"actor": "bob", "reason": "mine", "expected_decisions": 0}
    for decide in (
        lambda: registry.pin("mailer", 2, **late),
        lambda: registry.unpin("mailer", **late),
        lambda: registry.undo("mailer", **late),
    ):
        with pytest.raises(ConflictError, match=r"ada decided first: pin of mailer version 1 at 2025-02-03 09:"):
            decide()
    assert registry.pinned("mailer").actor == "ada"
    assert len(registry.history("mailer")) == 3


def test_the_same_persons_same_decision_sent_twice_is_one(registry):
    registry.register(registration(verdict="pending"))
    for _ in range(2):
        approved = registry.approve("mailer", 1, **BY_ADA, expected_status=Status.PENDING)
    assert approved.status is Status.APPROVED
    assert len(registry.history("mailer")) == 2


def test_only_an_approved_version_can_be_pinned(registry):
    registry.register(registration(verdict="pending"))
    with pytest.raises(TransitionError, match="only an Approved version can be pinned"):
        registry.pin("mailer", 1, **BY_ADA)


def test_what_is_not_there_is_told_with_what_is(registry):
    registry.register(registration())
    registry.register(registration(model="bag"))
    for ask in (registry.get, lambda *key: registry.approve(*key, **BY_ADA), lambda *key: registry.pin(*key, **BY_ADA)):
        with pytest.raises(UnknownVersionError, match="no model 'sack' in the registry; known models: bag, mailer"):
            ask("sack", 1)
        with pytest.raises(UnknownVersionError, match="mailer has no version 2: it has 1 to 1"):
            ask("mailer", 2)
    with pytest.raises(UnknownVersionError, match="no model 'sack'"):
        registry.unpin("sack", **BY_ADA)


def test_a_shadow_that_passed_waits_and_says_why_and_nothing_of_it_serves(registry):
    waiting = registry.register(registration(stage="shadow", reasons=("Every gate passed.",)))
    rejected = registry.register(registration(WEEKS[1], "reject", stage="shadow"))
    assert [(v.stage, v.verdict, v.status) for v in (waiting, rejected)] == [
        ("shadow", "approve", Status.PENDING),
        ("shadow", "reject", Status.REJECTED),
    ]
    assert registry.champion("mailer") is None
    assert registry.champion_before("mailer", WEEKS[2]) is None
    line = registry.history("mailer")[0]
    assert line.reason.startswith("Every gate passed, but a shadow is never approved")
    assert registry.get("mailer", 1) == waiting


def test_nobody_approves_or_pins_a_shadow_but_a_person_may_reject_it_and_take_that_back(registry):
    registry.register(registration(stage="shadow"))
    before = registry.versions()
    for decide in (registry.approve, registry.pin):
        with pytest.raises(TransitionError, match=r"judged as a shadow .* run its week again .*--partition 2025-01-06"):
            decide("mailer", 1, **BY_ADA)
    assert registry.versions() == before
    assert registry.reject("mailer", 1, **BY_ADA).status is Status.REJECTED
    with pytest.raises(TransitionError, match="judged as a shadow"):
        registry.approve("mailer", 1, **BY_ADA)
    assert registry.undo("mailer", **BY_ADA) is None
    assert registry.get("mailer", 1).status is Status.PENDING


def test_going_live_is_a_version_of_its_own_and_stepping_back_leaves_what_was_approved(registry):
    registry.register(registration(stage="shadow", fingerprint="as shadow"))
    live = registry.register(registration(fingerprint="as live"))
    assert (live.version, live.stage, live.status) == (2, "live", Status.APPROVED)
    registry.register(registration(WEEKS[1], stage="shadow", fingerprint="as shadow again"))
    assert registry.champion("mailer") == live
    assert [v.stage for v in registry.versions()] == ["shadow", "live", "shadow"]


def test_threads_registering_at_once_get_one_version_or_one_each(registry):
    same = race([lambda: registry.register(registration())] * 6)
    assert {version.version for version in same} == {1}
    others = race([lambda n=n: registry.register(registration(fingerprint=f"g{n}")) for n in range(6)])
    assert sorted(version.version for version in others) == [2, 3, 4, 5, 6, 7]
    assert len(registry.history("mailer")) == 7


def test_of_people_deciding_at_once_one_wins_and_the_others_are_told(registry):
    registry.register(registration(verdict="pending"))
    results = race(
        [
            lambda n=n: (registry.approve if n % 2 else registry.reject)(
                "mailer", 1, actor=f"person {n}", reason="mine", expected_status=Status.PENDING
            )
            for n in range(6)
        ]
    )
    winners = [result for result in results if not isinstance(result, Exception)]
    assert len(winners) == 1
    assert all(isinstance(result, ConflictError) for result in results if result is not winners[0])
    assert registry.get("mailer", 1) == winners[0]
    assert len(registry.history("mailer")) == 2


class RegistryMachine(RuleBasedStateMachine):
    """Random decisions against a plain model: who was allowed to make each version what it is."""

    numbers = st.integers(1, 6)
    actors = st.sampled_from(["ada", "bob", "gates", "Sensor ", ""])
    reasons = st.sampled_from(["checked by hand", ""])

    def __init__(self, registry):
        super().__init__()
        self.registry = registry
        self.known = []  # [week, fingerprint, verdict, status], in the order of their numbers
        self.pin_number = None
        self.lines = 0

    @rule(
        week=st.sampled_from(WEEKS),
        fingerprint=st.sampled_from("xyz"),
        verdict=st.sampled_from(["approve", "reject", "pending"]),
    )
    def register(self, week, fingerprint, verdict):
        existing = [entry for entry in self.known if entry[:2] == [week, fingerprint]]
        stage = "shadow" if fingerprint == "z" else "live"  # as what it is judged is part of a fingerprint
        given = registration(week, verdict, fingerprint=fingerprint, stage=stage)
        if existing and existing[0][2] == "approve" and verdict != "approve":
            with pytest.raises(ConflictError):
                self.registry.register(given)
            return
        version = self.registry.register(given)
        if not existing:
            status = {"approve": Status.APPROVED, "reject": Status.REJECTED, "pending": Status.PENDING}[verdict]
            if stage == "shadow" and status is Status.APPROVED:
                status = Status.PENDING
            self.known.append([week, fingerprint, verdict, status])
            self.lines += 1
        assert self.known[version.version - 1][:2] == [week, fingerprint]

    def attempt(self, is_allowed, call):
        if is_allowed:
            return call()
        with pytest.raises(RegistryError):
            call()
        return None

    @precondition(lambda self: self.known)
    @rule(number=numbers, actor=actors, reason=reasons)
    def approve(self, number, actor, reason):
        exists = number <= len(self.known)
        is_approved = exists and self.known[number - 1][3] is Status.APPROVED
        is_live = exists and self.known[number - 1][1] != "z"
        is_allowed = is_live and reason != "" and (actor in {"ada", "bob"} or (is_approved and actor != ""))
        self.attempt(is_allowed, lambda: self.registry.approve("mailer", number, actor=actor, reason=reason))
        if is_allowed and not is_approved:
            self.known[number - 1][3] = Status.APPROVED
            self.lines += 1

    @precondition(lambda self: self.known)
    @rule(number=numbers, actor=actors, reason=reasons)
    def reject(self, number, actor, reason):
        exists = number <= len(self.known)
        is_allowed = exists and reason != "" and actor != "" and number != self.pin_number
        self.attempt(is_allowed, lambda: self.registry.reject("mailer", number, actor=actor, reason=reason))
        if is_allowed and self.known[number - 1][3] is not Status.REJECTED:
            self.known[number - 1][3] = Status.REJECTED
            self.lines += 1

    @precondition(lambda self: self.known)
    @rule(number=numbers, actor=actors, reason=reasons)
    def pin(self, number, actor, reason):
        is_approved = number <= len(self.known) and self.known[number - 1][3] is Status.APPROVED
        is_allowed = is_approved and reason != "" and actor in {"ada", "bob"}
        self.attempt(is_allowed, lambda: self.registry.pin("mailer", number, actor=actor, reason=reason))
        if is_allowed and self.pin_number != number:
            self.pin_number = number
            self.lines += 1

    @precondition(lambda self: self.known)
    @rule()
    def unpin(self):
        self.registry.unpin("mailer", **BY_ADA)
        self.lines += self.pin_number is not None
        self.pin_number = None

    @invariant()
    def no_shadow_is_ever_approved(self):
        versions = self.registry.versions()
        assert not [version for version in versions if (version.stage, version.status) == ("shadow", Status.APPROVED)]

    @invariant()
    def what_serves_passed_or_was_approved_by_a_person(self):
        champion = self.registry.champion("mailer")
        approved = [
            (week, number)
            for number, (week, _, _, status) in enumerate(self.known, start=1)
            if status is Status.APPROVED
        ]
        expected = self.pin_number or max(approved, default=(None, None))[1]
        assert (champion and champion.version) == expected
        history = self.registry.history("mailer")
        assert len(history) == self.lines
        if champion is not None and champion.verdict != "approve":
            approvals = [line for line in history if (line.version, line.action) == (champion.version, Action.APPROVE)]
            assert approvals[-1].actor in {"ada", "bob"}
            assert approvals[-1].reason == "checked by hand"


def test_random_decisions(kind, new_registry):
    run_state_machine_as_test(
        lambda: RegistryMachine(new_registry()),
        settings=settings(max_examples=EXAMPLES[kind], stateful_step_count=15, deadline=None),
    )
