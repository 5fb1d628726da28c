"""One look at the trigger files: what is new is validated and launched, what was launched is put away.

Each file is dealt with by itself: whatever is wrong with one does not keep the others waiting.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging_assets.defs.triggers.plan import PlannedRun
from packaging_assets.domain.alerts import Alert, Failure
from packaging_assets.domain.triggers import Trigger, TriggerError, UnfinishedTriggerError, parse_trigger
from packaging_assets.resources.triggers import Taken, TriggerStore, UnreadableTriggerError

SETTLE = dt.timedelta(seconds=10)
"""How long a file that is not JSON may go on being written before it counts as wrong."""

LAUNCH_PATIENCE = dt.timedelta(minutes=2)
"""How long a taken trigger may be without its runs before they are asked for again."""

FILES_PER_LOOK = 50


@dataclass(frozen=True)
class Launch:
    """A run to be launched now, for the trigger of that identity."""

    trigger: str
    run: PlannedRun


@dataclass
class Outcome:
    """What a look came to: runs to launch, triggers put away with their runs, files refused and why."""

    launches: list[Launch] = field(default_factory=list[Launch])
    done: dict[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    rejected: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    unfinished: list[str] = field(default_factory=list[str])
    trouble: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class TriggerLook:
    """What a look needs: `plan` makes runs of a trigger, `launched` tells a trigger's runs by partition."""

    store: TriggerStore
    plan: Callable[[Trigger], list[PlannedRun]]
    launched: Callable[[str], Mapping[str, str]]
    alert: Callable[[Alert], None]
    now: Callable[[], dt.datetime]

    def take(self) -> Outcome:
        """Put away what was launched, launch again what was lost, take what is new."""
        outcome = Outcome()
        # If either cannot be listed the look fails here, before it has changed anything.
        taken, waiting = self.store.taken(), self.store.waiting(FILES_PER_LOOK)
        for each in taken:
            self._guarded(each.identity, outcome, lambda each=each: self._follow(each, outcome))
        for name in waiting:
            is_over = self._guarded(name, outcome, lambda name=name: self._consider(name, outcome))
            if is_over and name not in outcome.unfinished:
                self._guarded(name, outcome, lambda name=name: self.store.settle(name))
        return outcome

    def is_launched(self, launch: Launch) -> bool:
        """Whether there is a run for it by now."""
        return launch.run.partition in self.launched(launch.trigger)

    def _guarded(self, name: str, outcome: Outcome, step: Callable[[], None]) -> bool:
        """Take a step with a file; False if that failed, and it is to be looked at again."""
        try:
            step()
        except FileNotFoundError:
            return True  # another sensor has moved it
        except Exception as error:  # noqa: BLE001 - a full disk or a forbidden folder must not end the sensor
            outcome.trouble.append(f"{name!a:.80}: {type(error).__name__}: {error}")
            return False
        return True

    def _follow(self, taken: Taken, outcome: Outcome) -> None:
        runs = self.launched(taken.identity)
        try:
            planned = self.plan(parse_trigger(taken.content))
        except TriggerError as error:  # the models changed since it was taken
            if runs:
                self._finish(taken.identity, runs, outcome)
            else:
                place = self.store.reject_taken(taken.identity, error.problems)
                self._tell(place, taken.identity, error.problems, outcome)
            return
        missing = [run for run in planned if run.partition not in runs]
        if not missing:
            self._finish(taken.identity, runs, outcome)
        elif self.now() - taken.taken_at > LAUNCH_PATIENCE:
            self.store.renew(taken)
            outcome.launches += [Launch(taken.identity, run) for run in missing]

    def _finish(self, identity: str, runs: Mapping[str, str], outcome: Outcome) -> None:
        self.store.finish(identity, runs)
        outcome.done[identity] = runs

    def _consider(self, name: str, outcome: Outcome) -> None:
        try:
            content = self.store.read(name)
            trigger = parse_trigger(content)
            planned = self.plan(trigger)
            self._refuse_repeat(trigger)
            is_ours = self.store.take(name, trigger.identity, content)
        except UnfinishedTriggerError as error:
            if self.now() - self.store.modified_at(name) < SETTLE:
                outcome.unfinished.append(name)
            else:
                self._reject(name, error.problems, outcome)
        except TriggerError as error:
            self._reject(name, error.problems, outcome)
        except UnreadableTriggerError as error:
            self._reject(name, [str(error)], outcome)
        except FileExistsError:
            self._reject(name, ["The same is being launched already, for another file."], outcome)
        else:
            if is_ours:
                outcome.launches += [Launch(trigger.identity, run) for run in planned]

    def _refuse_repeat(self, trigger: Trigger) -> None:
        runs = self.store.runs_of(trigger.identity)
        if runs is not None:
            raise TriggerError(
                f"The same was launched before, as {_listed(runs)}. To run it again on purpose, say so in `reason`."
            )

    def _reject(self, name: str, problems: Sequence[str], outcome: Outcome) -> None:
        modified_at = self.store.modified_at(name)
        place = self.store.reject(name, problems)
        key = name.encode("unicode_escape").decode()  # no database stumbles over what a name may hold
        self._tell(place, f"{key}:{modified_at.timestamp()}", problems, outcome)

    def _tell(self, place: str, key: str, problems: Sequence[str], outcome: Outcome) -> None:
        outcome.rejected[place] = problems
        failure = Failure(
            key=f"trigger:{key}",
            kind="trigger",
            severity="error",
            headline="a trigger file was rejected",
            sentence=f"The trigger file {place} launched nothing.",
            reasons=tuple(problems),
            remedy=f"Correct triggers/rejected/{place} and drop it again.",
        )
        self.alert(Alert(subject="triggers", failures=(failure,)))


def _listed(runs: Mapping[str, str]) -> str:
    return ", ".join(f"run {run} ({partition})" for partition, run in sorted(runs.items()))
