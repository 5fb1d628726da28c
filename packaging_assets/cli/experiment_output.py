"""How `packaging experiment` prints experiments, comparisons and searches; rich is loaded where a table is drawn."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli.experiment_values import set_lines, yaml_snippet
from packaging_assets.cli.models_output import console, light_table, print_whole

if TYPE_CHECKING:
    from packaging_assets.experiments.comparison import Figures
    from packaging_assets.experiments.records import Evaluation, ExperimentRecord, MeasuredDifference
    from packaging_assets.experiments.side_by_side import Comparison
    from packaging_assets.experiments.tuning import Tuned

TRIALS_SHOWN = 10


@contextmanager
def experiment_errors_told() -> Generator[None]:
    """Turn what experiments refuse into a message on the terminal, with exit code 1."""
    from packaging_assets.experiments.errors import ExperimentError
    from packaging_assets.settings import SettingsError

    try:
        yield
    except (ExperimentError, SettingsError) as error:
        raise click.ClickException(str(error)) from None


def set_text(overrides: Mapping[str, Any]) -> str:
    """The overrides in one line."""
    return ", ".join(f"{key}={_value(value)}" for key, value in overrides.items()) or "nothing set"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def difference_text(found: "MeasuredDifference | None") -> str:
    """A difference with its standard error, `-` for none."""
    return "-" if found is None else f"{found.difference:+.4f} ± {found.standard_error:.4f}"


def print_records(records: "Sequence[ExperimentRecord]") -> None:
    """One line per week of each experiment."""
    from rich.text import Text

    table = light_table()
    for heading in ("id", "model", "week", "PR-AUC", "to unchanged", "to champion", "verdict", "set", "label"):
        is_number = heading in {"PR-AUC", "to unchanged", "to champion"}
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading not in {"set", "label"})
    for record in records:
        for week in record.weeks:
            table.add_row(
                record.id,
                record.model,
                week.week,
                f"{week.candidate.pr_auc:.4f}",
                difference_text(week.to_baseline),
                difference_text(week.champion.difference if week.champion else None),
                week.candidate.verdict,
                Text(set_text(record.overrides)),
                Text(record.label),
            )
    print_whole(table)


def print_run(record: "ExperimentRecord") -> None:
    """What came of an experiment."""
    from rich.text import Text

    screen = console()
    print_records([record])
    for week in record.weeks:
        for reason in week.candidate.reasons:
            screen.print(Text(f"  {week.week}: {reason}"), soft_wrap=True)
        note = week.to_baseline.note if week.to_baseline else "they share too few rows for a difference"
        screen.print(Text(f"  {week.week}: against the model as its YAML has it: {note}."), soft_wrap=True)
    if record.overrides and all(_fingerprints(week.candidate) == _fingerprints(week.baseline) for week in record.weeks):
        screen.print("Nothing that was set changes how the model is trained or judged.")
    hits = f"{record.cache_hits} of {record.steps} steps from the cache"
    screen.print(f"{record.id}: {record.seconds:.1f} s, {hits}; nothing was registered.", highlight=False)


def _fingerprints(side: "Evaluation") -> list[str]:
    return [step.fingerprint for step in side.steps]


def comparison_json(found: "Comparison") -> dict[str, Any]:
    """A comparison as JSON."""
    weeks = [
        {
            **vars(week),
            "first": _side_json(week.first, first.training_seconds, first.verdict),
            "second": _side_json(week.second, second.training_seconds, second.verdict),
        }
        for week, (first, second) in zip(found.weeks, found.contenders, strict=True)
    ]
    return {
        "first": found.names[0],
        "second": found.names[1],
        "set": [dict(overrides) for overrides in found.overrides],
        "weeks": weeks,
        "mean": None if found.mean is None else vars(found.mean),
        "warning": found.warning or None,
    }


def _side_json(figures: "Figures", training_seconds: float | None, verdict: str | None) -> dict[str, Any]:
    return {**vars(figures), "training_seconds": training_seconds, "verdict": verdict}


def print_comparison(found: "Comparison") -> None:
    """A table per week, and the mean where there are several."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    for week, (first, second) in zip(found.weeks, found.contenders, strict=True):
        table = Table(title=week.week, title_justify="left")
        table.add_column("")
        for name in found.names:
            table.add_column(Text(name), justify="right")
        for name, one, other in _figure_rows(week.first, week.second):
            table.add_row(name, one, other)
        table.add_row("training seconds", _number(first.training_seconds), _number(second.training_seconds))
        table.add_row("verdict", first.verdict or "-", second.verdict or "-")
        table.add_row("set", *(Text(set_text(overrides)) for overrides in found.overrides))
        screen.print(table)
        screen.print(
            f"PR-AUC, {found.names[0]} minus {found.names[1]}: {week.difference:+.4f} "
            f"(standard error {week.standard_error:.4f}), on {week.note}.",
            highlight=False,
            soft_wrap=True,
        )
    if found.mean is not None:
        screen.print(
            f"Mean of {found.mean.weeks} weeks: {found.mean.difference:+.4f} "
            f"(standard error {found.mean.standard_error:.4f}).",
            highlight=False,
        )
    if found.warning:
        screen.print(Text(found.warning, style="yellow"), soft_wrap=True)


def _figure_rows(first: "Figures", second: "Figures") -> list[tuple[str, str, str]]:
    names = {"pr_auc": "PR-AUC", "log_loss": "log loss", "recall_at_95_precision": "recall at 95% precision"}
    return [(text, f"{vars(first)[name]:.4f}", f"{vars(second)[name]:.4f}") for name, text in names.items()]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def tuned_json(tuned: "Tuned") -> dict[str, Any]:
    """A search as JSON."""
    return {
        "study": tuned.study,
        "week": tuned.week,
        "trials": [{**vars(trial), "overrides": dict(trial.overrides)} for trial in tuned.trials],
        "unchanged": vars(tuned.unchanged),
        "best": {**vars(tuned.best), "overrides": dict(tuned.best.overrides)},
        "experiment": tuned.record.model_dump(mode="json"),
        "set": set_lines(dict(tuned.best.overrides)),
        "yaml": yaml_snippet(dict(tuned.in_yaml)),
    }


def print_tuned(tuned: "Tuned") -> None:
    """The best trials, what the best comes to on the validation rows, and how to have it for good."""
    from rich.text import Text

    screen = console()
    screen.print(_trials_table(tuned))
    unchanged = tuned.unchanged
    rows = f"{unchanged.rows:,} held-out training rows ({unchanged.minority_rows:,} of the rarer label)"
    screen.print(
        Text(
            f"Trials are judged by {rows}; the model as its YAML has it: PR-AUC {_measured(unchanged.pr_auc)} "
            f"(standard error {unchanged.standard_error:.4f})"
        ),
        soft_wrap=True,
    )
    if (tuned.best.pr_auc or 0.0) <= unchanged.pr_auc:
        screen.print("No trial was better than the model as its YAML has it.")
    screen.print("The best trial on the validation rows, which judge it for the first time:")
    print_run(tuned.record)
    overrides = dict(tuned.best.overrides)
    line = f"packaging experiment run {tuned.record.model} --week {tuned.week} {set_lines(overrides)}"
    screen.print(Text(f"To see it again: {line}"), soft_wrap=True)
    screen.print("To have it for good, in the model's YAML:")
    screen.print(Text(yaml_snippet(dict(tuned.in_yaml))), soft_wrap=True)


def _trials_table(tuned: "Tuned") -> Any:
    from rich.table import Table
    from rich.text import Text

    best = sorted(tuned.trials, key=lambda trial: (-(trial.pr_auc or 0.0), trial.number))[:TRIALS_SHOWN]
    table = Table(title=f"{len(best)} best of {len(tuned.trials)} trials", title_justify="left")
    table.add_column("trial", justify="right")
    table.add_column("PR-AUC", justify="right")
    table.add_column("set")
    for trial in best:
        table.add_row(str(trial.number), _measured(trial.pr_auc), Text(set_text(trial.overrides) + _why(trial.refused)))
    return table


def _why(refused: str) -> str:
    return f": refused, {refused}" if refused else ""


def _measured(pr_auc: float | None) -> str:
    return "-" if pr_auc is None else f"{pr_auc:.4f}"
