"""Search a space of values for those with which a model does best on held-out training rows."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from packaging_assets.components.model_spec import ModelSpec, as_in_yaml
from packaging_assets.components.search_space import SearchSpace
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.experiment import run_experiment
from packaging_assets.experiments.records import ExperimentRecord
from packaging_assets.experiments.studies import Study, Trial, open_study
from packaging_assets.experiments.trials import Bench, Measure, check_space
from packaging_assets.experiments.workbench import REFUSALS, VALUE_REFUSALS, Workbench, refusals_told
from packaging_assets.resources.sagemaker_errors import JobCapacityError, JobServiceError, JobStoppedError

LABEL = "tuned"

NOT_THE_VALUES = (
    *REFUSALS,
    ExperimentError,
    JobCapacityError,
    JobServiceError,
    JobStoppedError,
    pa.ArrowException,
)
"""What ends a search, since another trial would fare no better: what is wrong with data, home or machines."""

LEARNERS_ERRORS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a learner raises, one of one's own above all, of which values are too much: at a high learning rate its scores
may be no numbers any more, and so many trees may not fit in memory. The same code trained the model as its YAML has it
before the first trial. A search that ended here would end here whenever it is taken up again, since the same values
come next."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is searched for, and how long: at most `trials` trials, none begun after `seconds`."""

    model: str
    space: SearchSpace
    week: str | None = None
    trials: int = 20
    seconds: float | None = None
    hold_out: float = 0.25
    seed: int = 20250106


@dataclass(frozen=True)
class Tuned:
    """What a search found. `unchanged` is the model as its YAML has it, measured like the trials.

    `record` is the best trial as an experiment: trained on all training rows, judged by the validation rows, once.
    `in_yaml` are its values as the model's YAML would have them.
    """

    study: str
    week: str
    trials: tuple[Trial, ...]
    unchanged: Measure
    best: Trial
    record: ExperimentRecord
    in_yaml: Mapping[str, Any]


def tune(
    bench: Workbench,
    search: Search,
    *,
    on_trial: Callable[[int], None] = lambda _: None,
    seconds_now: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Run the trials that are missing, and judge the best of all by the validation rows.

    The same search again does not run a trial twice: it goes on after a kill, and with more `trials` after its end. A
    search is another one if its space, seed or share of held-out rows, or the model's code, fields or data are others.

    Args:
        bench: where.
        search: what is searched for.
        on_trial: is told the number of finished trials whenever it changes, at the start too.
        seconds_now: tells the seconds that `search.seconds` limits.

    Raises:
        ExperimentError: model, week or space is not possible, the model refused the values of every trial (an
            error of its learner is a refusal, too), or another process runs the same search.
    """
    started = seconds_now()
    spec = bench.spec(search.model)
    check_space(spec, search.space)
    (week,) = bench.check_weeks(spec, [search.week] if search.week else [])
    trials = Bench(bench, week, search.hold_out, f"tuning {spec.name}")
    with refusals_told(f"{spec.name} for {week}: "):
        unchanged = trials.measure(spec, {})
    name = f"{spec.name}-{week}-{_digest(search, unchanged)}"
    with open_study(bench.records.folder, name, search.space, search.seed) as study:
        while _is_going_on(search, len(study.finished()), started, seconds_now):
            on_trial(len(study.finished()))
            with refusals_told(f"{spec.name} for {week}: "):  # all but refused values, which end a trial
                _run_trial(trials, spec, study)
        finished = study.finished()
        on_trial(len(finished))
    best = _best(finished, spec)
    record = run_experiment(bench, spec.name, best.overrides, [week], label=LABEL)
    return Tuned(name, week, tuple(finished), unchanged, best, record, as_in_yaml(spec, best.overrides))


def _digest(search: Search, unchanged: Measure) -> str:
    """Of everything that a trial's figures depend on besides its values."""
    space = {key: values.model_dump(mode="json") for key, values in search.space.items()}
    said = json.dumps([space, search.seed, unchanged.fingerprint], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:10]


def _is_going_on(search: Search, finished: int, started: float, seconds_now: Callable[[], float]) -> bool:
    """At least one trial is run, however short the time."""
    is_in_time = finished == 0 or search.seconds is None or seconds_now() - started < search.seconds
    return finished < search.trials and is_in_time


def _run_trial(trials: Bench, spec: ModelSpec, study: Study) -> None:
    asked = study.ask()
    try:
        measured = trials.measure(spec, asked.overrides)
    except VALUE_REFUSALS as error:
        study.refuse(asked, str(error))
    except NOT_THE_VALUES:
        raise
    except LEARNERS_ERRORS as error:
        first_line = str(error).partition("\n")[0]
        study.refuse(asked, f"{type(error).__name__}: {first_line}")
    else:
        study.tell(asked, measured.pr_auc)


def _best(finished: list[Trial], spec: ModelSpec) -> Trial:
    """The trial with the highest PR-AUC, the first of equals."""
    measured = [trial for trial in finished if trial.pr_auc is not None]
    if not measured:
        raise ExperimentError(
            f"{spec.name} refused the values of all {len(finished)} trials, the first time because: "
            f"{finished[0].refused} Correct the search space."
        )
    return max(measured, key=lambda trial: (trial.pr_auc or 0.0, -trial.number))
