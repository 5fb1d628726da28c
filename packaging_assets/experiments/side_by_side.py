"""An experiment held against another one, against the model as its YAML has it, or against the champion before it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging_assets.experiments.comparison import (
    CANDIDATE,
    CHAMPION,
    MeanDifference,
    ScoredWeek,
    WeekDifference,
    compare_week,
    mean_difference,
    plot_both,
)
from packaging_assets.experiments.errors import ExperimentError
from packaging_assets.experiments.experiment import read_evaluation_scores
from packaging_assets.experiments.records import Evaluation, ExperimentRecord, WeekRecord
from packaging_assets.experiments.workbench import Workbench, refusals_told

AGAINST_BASELINE, AGAINST_CHAMPION = "baseline", "champion"


@dataclass(frozen=True)
class Contender:
    """One side in one week. Champions have no verdict and no seconds here: they were judged in their own week."""

    scores: ScoredWeek
    training_seconds: float | None
    verdict: str | None


@dataclass(frozen=True)
class Comparison:
    """Everything is the first minus the second; `contenders` has both sides of each week.

    `warning` says why the difference may not be that of what was set alone, or which weeks it is not of; "" where
    nothing speaks against it.
    """

    names: tuple[str, str]
    overrides: tuple[Mapping[str, Any], Mapping[str, Any]]
    weeks: tuple[WeekDifference, ...]
    contenders: tuple[tuple[Contender, Contender], ...]
    mean: MeanDifference | None
    warning: str = ""

    def plot(self, path: Path) -> None:
        """Draw both precision-recall curves of the latest week to the PNG file `path`."""
        first, second = self.contenders[-1]
        plot_both(path, first.scores, second.scores, self.names)


def compare(bench: Workbench, identifier: str, other: str = AGAINST_BASELINE) -> Comparison:
    """Hold an experiment against `other`: an id, "baseline", or "champion" in the weeks that had one before them.

    Raises:
        ExperimentError: there is no such experiment, the two have no week in common or decide on different package
            types, they share too few rows, no week had a champion, or their artifacts were pruned.
    """
    record = bench.records.get(identifier)
    with refusals_told("Run the experiment again: "):
        if other in {AGAINST_BASELINE, AGAINST_CHAMPION}:
            name = f"{record.model} as in its YAML" if other == AGAINST_BASELINE else "champion"
            weeks = _weeks_with(record, other)
            pairs = [_against_itself(bench, week, other) for week in weeks]
            left_out = ", ".join(week.week for week in record.weeks if week not in weeks)
            found = _comparison((record.id, name), (record.overrides, {}), pairs)
            return replace(found, warning=f"Left out, since there was no champion before: {left_out}." * bool(left_out))
        second = bench.records.get(other)
        _check_comparable(record, second)
        shared = [(week, second.week(week.week)) for week in record.weeks]
        pairs = [
            (_contender(bench, mine.week, mine.candidate), _contender(bench, mine.week, theirs.candidate))
            for mine, theirs in shared
            if theirs is not None
        ]
        found = _comparison((record.id, second.id), (record.overrides, second.overrides), pairs)
        return replace(found, warning=_changed_between(record, second))


def _check_comparable(first: ExperimentRecord, second: ExperimentRecord) -> None:
    if first.id == second.id:
        raise ExperimentError(f"{first.id} was named twice: name two experiments, or baseline, or champion.")
    if first.package_type != second.package_type:
        raise ExperimentError(
            f"{first.id} decides on {first.package_type} and {second.id} on {second.package_type}: compare experiments "
            "of one package type."
        )
    if not any(second.week(week.week) for week in first.weeks):
        weeks = [", ".join(week.week for week in record.weeks) for record in (first, second)]
        raise ExperimentError(
            f"{first.id} is of {weeks[0]} and {second.id} of {weeks[1]}: run both for one week to compare them."
        )


def _changed_between(first: ExperimentRecord, second: ExperimentRecord) -> str:
    """A warning where the model that both changed was not the same when they were run; of two models nothing is said.

    Each recorded the model as its YAML had it, with the fingerprints of its steps. How it was judged does not matter.
    """
    shared = [(week, second.week(week.week)) for week in first.weeks] if first.model == second.model else []
    learned = {f"{first.model}/split", f"{first.model}/model"}
    changed = [
        mine.week
        for mine, theirs in shared
        if theirs is not None and _unchanged(mine, learned) != _unchanged(theirs, learned)
    ]
    if not changed:
        return ""
    return (
        f"{first.model} as in its YAML was not the same for {', '.join(changed)} when the two were run: its YAML, code "
        "or data have changed in between, so the difference is not that of the values set alone. Run both again, which "
        "keeps their ids."
    )


def _unchanged(week: WeekRecord, asset_keys: Collection[str]) -> dict[str, str]:
    """The fingerprints of these steps of the unchanged model; they cover what it was fed with."""
    return {step.asset_key: step.fingerprint for step in week.baseline.steps if step.asset_key in asset_keys}


def _comparison(
    names: tuple[str, str],
    overrides: tuple[Mapping[str, Any], Mapping[str, Any]],
    pairs: list[tuple[Contender, Contender]],
) -> Comparison:
    scores = [(first.scores, second.scores) for first, second in pairs]
    mean = mean_difference(scores) if len(scores) > 1 else None
    return Comparison(names, overrides, tuple(compare_week(*pair) for pair in scores), tuple(pairs), mean)


def _weeks_with(record: ExperimentRecord, other: str) -> Sequence[WeekRecord]:
    """Its weeks with the baseline or the champion; all if none has one, so that the first is told."""
    has_other = [week for week in record.weeks if other == AGAINST_BASELINE or week.champion is not None]
    return has_other or record.weeks


def _against_itself(bench: Workbench, week: WeekRecord, other: str) -> tuple[Contender, Contender]:
    mine = _contender(bench, week.week, week.candidate)
    if other == AGAINST_BASELINE:
        return mine, _contender(bench, week.week, week.baseline)
    return mine, Contender(read_evaluation_scores(bench, week.week, week.candidate, CHAMPION), None, None)


def _contender(bench: Workbench, week: str, side: Evaluation) -> Contender:
    return Contender(read_evaluation_scores(bench, week, side, CANDIDATE), side.training_seconds, side.verdict)
