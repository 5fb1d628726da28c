"""Optuna's side of tuning: which values to try next, and what was tried, in `<home>/experiments/studies.db`.

Which values the n-th trial tries follows from the seed, n, and the trials before it, so a search that was killed goes
on as if it had not been. Optuna takes half a second to import, so it is imported where it is used.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging_assets.components.search_space import SearchRange, SearchSpace
from packaging_assets.experiments.errors import ExperimentError

if TYPE_CHECKING:
    import optuna

DATABASE = "studies.db"
REFUSED = "refused"
"""Attribute of a trial whose values the model refused: the reason. Trials that a kill ended have none."""

SIGNIFICANT_DIGITS = 4
"""Of numbers that are tried: enough for any parameter, and short enough to paste."""


@dataclass(frozen=True)
class Trial:
    """A finished trial, `number` from 1; `pr_auc` is None where the model refused the values, for `refused`."""

    number: int
    overrides: Mapping[str, Any]
    pr_auc: float | None
    refused: str = ""


@dataclass(frozen=True)
class Asked:
    """A trial that is to be run."""

    trial: optuna.Trial
    overrides: Mapping[str, Any]


class Study:
    """One search: a space, a seed, and the trials so far. Open it with `open_study`."""

    def __init__(self, study: optuna.Study, space: SearchSpace, seed: int) -> None:
        self._study = study
        self._space = {key: space[key] for key in sorted(space)}
        self._seed = seed

    def finished(self) -> list[Trial]:
        """The trials that have ended by themselves, in order."""
        return [self._finished(number, trial) for number, trial in enumerate(self._ended(), start=1)]

    def ask(self) -> Asked:
        """The next trial's values."""
        import optuna

        said = f"{self._seed} {len(self._ended())}"
        seed = int.from_bytes(hashlib.sha256(said.encode()).digest()[:4], "big")
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = self._study.ask()
        return Asked(trial, {key: _effective(_suggest(trial, key, r), r) for key, r in self._space.items()})

    def tell(self, asked: Asked, pr_auc: float) -> None:
        """What came of a trial."""
        self._study.tell(asked.trial, pr_auc)

    def refuse(self, asked: Asked, reason: str) -> None:
        """The model refused a trial's values."""
        import optuna

        asked.trial.set_user_attr(REFUSED, reason)
        self._study.tell(asked.trial, state=optuna.trial.TrialState.FAIL)

    def end_abandoned(self) -> None:
        """Mark trials as failed that a killed process left running; they are run again."""
        import optuna

        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _ended(self) -> list[optuna.trial.FrozenTrial]:
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.value is not None or REFUSED in trial.user_attrs
        ]

    def _finished(self, number: int, trial: optuna.trial.FrozenTrial) -> Trial:
        overrides = {key: _effective(trial.params[key], values) for key, values in self._space.items()}
        return Trial(number, overrides, trial.value, trial.user_attrs.get(REFUSED, ""))


@contextmanager
def open_study(folder: Path, name: str, space: SearchSpace, seed: int) -> Generator[Study]:
    """The study of that name, made if it is not there; nobody else can have it meanwhile.

    Raises:
        ExperimentError: another process has it, or what is kept of studies cannot be read or written.
    """
    import optuna
    from sqlalchemy.exc import DBAPIError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder / f".{name}.lock", name):
        try:
            with _opened(folder) as storage:
                found = optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
                study = Study(found, space, seed)
                study.end_abandoned()
                yield study
        except (DBAPIError, optuna.exceptions.StorageInternalError) as error:
            what = str(error).partition("\n")[0]
            raise ExperimentError(
                f"{folder / DATABASE} cannot be used ({what}): see that its disk has room. If it is damaged, delete it "
                "and search again: trials that were run are in the cache."
            ) from error


@contextmanager
def _opened(folder: Path) -> Generator[optuna.storages.RDBStorage]:
    """The database of studies. Its tables are made by one process at a time, to which Optuna does not see."""
    import optuna

    with (folder / f".{DATABASE}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / DATABASE}")
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def _held(path: Path, name: str) -> Generator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExperimentError(f"Another process is running the search {name}: wait until it has ended.") from None
        yield


def _suggest(trial: optuna.Trial, key: str, values: SearchRange) -> Any:
    if values.choice is not None:
        return trial.suggest_categorical(key, [json.dumps(value, sort_keys=True) for value in values.choice])
    if values.int is not None:
        return trial.suggest_int(key, *values.int, log=values.log)
    return trial.suggest_float(key, *values.bounds, log=values.log)


def _effective(suggested: Any, values: SearchRange) -> Any:
    """What is set when Optuna suggests a value: it keeps choices as JSON, and numbers to the last digit."""
    if values.choice is not None:
        return json.loads(suggested)
    if values.int is not None:
        return suggested
    low, high = values.bounds
    return min(max(float(f"{suggested:.{SIGNIFICANT_DIGITS}g}"), low), high)
