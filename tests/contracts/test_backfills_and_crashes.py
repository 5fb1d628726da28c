"""Random sequences of training, decisions, backfills and crashes against what the registry promises."""

import datetime as dt
import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packaging_assets.domain.registry import (
    Action,
    Registration,
    RegistryError,
    Status,
    decisions_of,
    is_person,
    pin_in_force,
    weeks_to_judge_again,
)
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry

WEEKS = ("2025-01-06", "2025-01-13", "2025-01-20", "2025-01-27")
VERDICTS = ("approve", "reject", "pending")
START = dt.datetime(2025, 2, 3, 9, 0, tzinfo=dt.UTC)
DIE_AT = st.sampled_from((None, None, None, 0, 1, 2))
"""At which reading of the clock within a write the process dies; it reads it once or twice."""


class CrashError(Exception):
    """The process dies."""


class Clock:
    """A minute passes with every reading; `die_at` more readings, and the process dies."""

    def __init__(self) -> None:
        self._minutes = itertools.count()
        self.die_at: int | None = None

    def __call__(self) -> dt.datetime:
        if self.die_at is not None:
            self.die_at -= 1
            if self.die_at < 0:
                self.die_at = None
                raise CrashError
        return START + dt.timedelta(minutes=next(self._minutes))


class Trainer:
    """Trains and judges weeks as the pipeline does: against the champion before the week, always alike.

    `verdicts` gives the verdict of a week's model, by the content of the model that it is held against ("" for none).
    """

    def __init__(self, registry: SqliteModelRegistry, verdicts: dict[tuple[str, str], str]) -> None:
        self.registry = registry
        self.verdicts = verdicts

    def prepare(self, week: str, variant: str = "a") -> Registration:
        champion = self.registry.champion_before("mailer", week)
        content = f"{week}/{variant}"
        against = champion.content_hash if champion else ""
        number = champion and champion.version
        return Registration(
            model="mailer",
            package_type="mailer",
            training_week=week,
            fingerprint=f"{content} against {number} {against}",
            verdict=self.verdicts.get((content, against), VERDICTS[hash_of(content, against) % 3]),
            artifact_uri=f"mailer/model/{content}",
            metrics_uri=f"mailer/metrics/{content}",
            content_hash=content,
            code_version="1",
            metrics={"champion": number and {"version": number}},
        )

    def run(self, week: str, variant: str = "a"):
        return self.registry.register(self.prepare(week, variant))


def hash_of(*texts: str) -> int:
    return sum((position + 1) * ord(letter) for position, letter in enumerate("|".join(texts)))


def outcome(registry: SqliteModelRegistry) -> str | None:
    champion = registry.champion("mailer")
    return champion and champion.content_hash


verdict_tables = st.fixed_dictionaries(
    {
        (f"{week}/a", f"{earlier}/a" if earlier else ""): st.sampled_from(VERDICTS)
        for number, week in enumerate(WEEKS)
        for earlier in ("", *WEEKS[:number])
    }
)


@settings(max_examples=60, deadline=None)
@given(
    verdicts=verdict_tables,
    order=st.lists(st.sampled_from(WEEKS), max_size=6).flatmap(lambda extra: st.permutations([*WEEKS, *extra])),
    choice=st.randoms(use_true_random=False),
)
def test_backfilling_in_any_order_ends_with_the_champion_of_running_in_order(verdicts, order, choice):
    with tempfile.TemporaryDirectory() as folder:
        in_order = Trainer(SqliteModelRegistry(Path(folder) / "in_order.db"), verdicts)
        for week in WEEKS:
            in_order.run(week)
        assert weeks_to_judge_again(in_order.registry.versions("mailer")) == []

        backfilled = Trainer(SqliteModelRegistry(Path(folder) / "backfilled.db"), verdicts)
        for week in order:
            backfilled.run(week)
        for _ in range(2 ** len(WEEKS)):  # each run of the oldest such week settles it for good
            again = weeks_to_judge_again(backfilled.registry.versions("mailer"))
            if not again:
                break
            backfilled.run(choice.choice(again))
        assert again == []
        assert outcome(backfilled.registry) == outcome(in_order.registry)


@settings(max_examples=40, deadline=None)
@given(verdicts=verdict_tables, old=st.lists(st.sampled_from(WEEKS), max_size=8))
def test_running_old_weeks_again_with_the_same_inputs_changes_nothing(verdicts, old):
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(SqliteModelRegistry(Path(folder) / "registry.db"), verdicts)
        for week in WEEKS:
            trainer.run(week)
        before = trainer.registry.versions("mailer")
        for week in old:
            trainer.run(week)
        assert trainer.registry.versions("mailer") == before


class PipelineMachine(RuleBasedStateMachine):
    """Everything that can happen to a model, with deaths in between."""

    weeks = st.sampled_from(WEEKS)
    variants = st.sampled_from("ab")
    numbers = st.integers(1, 8)
    actors = st.sampled_from(["ada", "bob", "gates"])

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.registry = SqliteModelRegistry(self.folder / "registry.db", clock=self.clock)
        self.trainer = Trainer(self.registry, {})

    @initialize(verdicts=verdict_tables)
    def judge_by(self, verdicts):
        self.trainer.verdicts = verdicts

    def teardown(self):
        shutil.rmtree(self.folder)

    def state(self):
        return self.registry.versions("mailer"), self.registry.history("mailer"), self.registry.pinned("mailer")

    def attempt(self, die_at, write):
        """Do a write that may be refused or die; a refused or dead one leaves everything as it was."""
        before = self.state()
        self.clock.die_at = die_at
        try:
            result = write()
        except (CrashError, RegistryError):
            assert self.state() == before
            result = None
        self.clock.die_at = None
        self.registry = SqliteModelRegistry(self.folder / "registry.db", clock=self.clock)  # the next process
        self.trainer.registry = self.registry
        return result

    @rule(week=weeks, variant=variants, die_at=DIE_AT)
    def train(self, week, variant, die_at):
        self.attempt(die_at, lambda: self.trainer.run(week, variant))

    @rule(weeks=st.permutations(WEEKS), die_at=DIE_AT)
    def backfill(self, weeks, die_at):
        for week in weeks:
            self.attempt(die_at, lambda week=week: self.trainer.run(week))

    @rule(week=weeks, variant=variants)
    def retry(self, week, variant):
        """The same inputs give the same version, as it is: a rejected week stays rejected."""
        given_twice = self.trainer.prepare(week, variant)
        first = self.registry.register(given_twice)
        before = self.state()
        assert self.registry.register(given_twice).status is first.status
        assert self.state() == before

    @rule(number=numbers, actor=actors, die_at=DIE_AT, is_approval=st.booleans())
    def decide(self, number, actor, die_at, is_approval):
        act = self.registry.approve if is_approval else self.registry.reject
        self.attempt(die_at, lambda: act("mailer", number, actor=actor, reason="looked"))

    @rule(number=numbers, actor=actors, die_at=DIE_AT)
    def pin(self, number, actor, die_at):
        self.attempt(die_at, lambda: self.registry.pin("mailer", number, actor=actor, reason="looked"))

    @rule(die_at=DIE_AT)
    def unpin(self, die_at):
        self.attempt(die_at, lambda: self.registry.unpin("mailer", actor="ada", reason="looked"))

    @rule(number=numbers, actor=actors, die_at=DIE_AT)
    def roll_back(self, number, actor, die_at):
        self.attempt(die_at, lambda: self.registry.roll_back("mailer", number, actor=actor, reason="looked"))
        if is_person(actor) and die_at is None:
            once = self.state()
            self.attempt(None, lambda: self.registry.roll_back("mailer", number, actor=actor, reason="looked"))
            assert self.state() == once

    @precondition(lambda self: self.registry.versions("mailer"))
    @rule(die_at=DIE_AT)
    def undo(self, die_at):
        statuses = {version.version: version.status for version in self.registry.versions("mailer")}
        decisions = decisions_of(self.registry.history("mailer"))
        self.attempt(die_at, lambda: self.registry.undo("mailer", actor="ada", reason="mistaken"))
        made = decisions_of(self.registry.history("mailer"))[len(decisions) :]
        if made:
            undone = decisions[-1]
            assert undone.action is not Action.UNDO
            expected = {**statuses, undone.version: undone.from_status}
            assert {version.version: version.status for version in self.registry.versions("mailer")} == expected
        elif die_at is None:
            assert not decisions or decisions[-1].action is Action.UNDO

    @invariant()
    def nothing_serves_that_did_not_pass_or_was_not_approved_by_a_person(self):
        champion = self.registry.champion("mailer")
        if champion is None:
            return
        assert champion.status is Status.APPROVED
        lines = [line for line in self.registry.history("mailer") if line.version == champion.version]
        approvals = [line for line in lines if line.action is Action.APPROVE]
        assert all(is_person(line.actor) and line.reason for line in approvals)
        passed = champion.verdict == "approve" and lines[0].to_status is Status.APPROVED
        assert passed or approvals

    @invariant()
    def the_record_tells_every_status_the_pin_and_the_champion(self):
        history = self.registry.history("mailer")
        told = {line.version: line.to_status for line in history}
        assert {version.version: version.status for version in self.registry.versions("mailer")} == told
        pin, expected = self.registry.pinned("mailer"), pin_in_force(history)
        assert (pin and (pin.version, pin.actor)) == (expected and (expected.version, expected.actor))
        champion = self.registry.champion("mailer")
        assert (champion and champion.version) == (history[-1].to_champion if history else None)
        for earlier, later in itertools.pairwise(history):
            assert later.from_champion == earlier.to_champion

    @invariant()
    def a_person_who_rejected_a_model_does_not_see_it_come_back_by_itself(self):
        versions = self.registry.versions("mailer")
        for rejected in versions:
            if rejected.status is Status.REJECTED and is_person(rejected.actor):
                later = [v for v in versions if v.content_hash == rejected.content_hash]
                assert not [
                    v
                    for v in later
                    if v.status is Status.APPROVED and v.created_at > rejected.updated_at and not is_person(v.actor)
                ]


PipelineMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestPipelines = PipelineMachine.TestCase


@pytest.fixture
def trainer(tmp_path):
    first, second, third = (f"{week}/a" for week in WEEKS[:3])
    approved = dict.fromkeys([(first, ""), (second, ""), (third, ""), (third, first)], "approve")
    verdicts = {**approved, (second, first): "reject"}
    return Trainer(SqliteModelRegistry(tmp_path / "registry.db"), verdicts)


def test_a_backfilled_older_week_demotes_nobody_until_the_later_one_is_judged_against_it(trainer):
    trainer.run(WEEKS[1])
    trainer.run(WEEKS[0])
    assert outcome(trainer.registry) == f"{WEEKS[1]}/a"
    assert weeks_to_judge_again(trainer.registry.versions("mailer")) == [WEEKS[1]]
    assert trainer.run(WEEKS[1]).status is Status.REJECTED
    assert outcome(trainer.registry) == f"{WEEKS[0]}/a"
    assert weeks_to_judge_again(trainer.registry.versions("mailer")) == []


def test_what_a_person_approved_stands_whatever_the_gates_find_later(trainer):
    trainer.run(WEEKS[1])
    trainer.registry.reject("mailer", 1, actor="ann", reason="looks odd")
    trainer.registry.approve("mailer", 1, actor="ann", reason="it was the scales")
    trainer.run(WEEKS[0])
    trainer.run(WEEKS[1])
    assert trainer.registry.champion("mailer").version == 1


def test_a_model_that_a_person_rejected_waits_for_a_person_when_it_comes_again(trainer):
    trainer.run(WEEKS[2])
    trainer.registry.reject("mailer", 1, actor="ann", reason="the scales were off")
    trainer.run(WEEKS[0])
    again = trainer.run(WEEKS[2])
    assert (again.version, again.verdict, again.status) == (3, "approve", Status.PENDING)
    assert "ann rejected this very model as version 1" in trainer.registry.history("mailer")[-1].reason
