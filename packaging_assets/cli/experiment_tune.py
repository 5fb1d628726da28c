"""`packaging experiment tune`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.experiment_output import experiment_errors_told, print_tuned, tuned_json
from packaging_assets.cli.experiment_values import read_space
from packaging_assets.cli.models_options import example
from packaging_assets.cli.models_output import print_json
from packaging_assets.cli.options import NumberRange, home_option, json_option
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.experiments.tuning import Search, Tuned
    from packaging_assets.experiments.workbench import Workbench


@click.command(
    epilog=example(
        "packaging experiment tune mailer --space space.yaml --trials 40",
        "packaging experiment tune mailer --space space.yaml --week 2025-01-20 --timeout 600",
    )
)
@click.argument("model")
@click.option("--week", help="The week's Monday [default: the latest with labels and features].")
@click.option(
    "--space",
    "space_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML file with the search space [default: `search` in the model's YAML].",
)
@click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Trials, all runs together.")
@click.option("--timeout", type=NumberRange(min=0), metavar="SECONDS", help="Begin no trial after so long.")
@click.option(
    "--hold-out",
    type=NumberRange(min=0, max=1, min_open=True, max_open=True),
    default=0.25,
    show_default=True,
    help="Share of the training rows that judge the trials.",
)
@click.option("--seed", type=click.IntRange(min=0), default=20250106, show_default=True, help="Seed of the sampler.")
@json_option
@home_option
def tune(
    settings: Settings,
    model: str,
    week: str | None,
    space_file: Path | None,
    trials: int,
    timeout: float | None,
    hold_out: float,
    seed: int,
    as_json: bool,
) -> None:
    """Search the values with which a model does best; a search that was interrupted goes on with the same command.

    The space is `search` in the model's YAML, or a file of such lines:

    \b
      parameters.depth: {int: [3, 8]}
      parameters.learning_rate: {float: [0.01, 0.3], log: true}
      features: {choice: [default, tabular]}

    Trials are judged by training rows that are held out, never by the validation rows: those judge the best trial,
    once, at the end.
    """
    with experiment_errors_told():
        from packaging_assets.experiments.tuning import Search
        from packaging_assets.experiments.workbench import Workbench

        bench = Workbench.for_home(settings)
        space = bench.spec(model).search if space_file is None else read_space(space_file)
        tuned = _with_progress(
            bench,
            Search(model=model, space=space, week=week, trials=trials, seconds=timeout, hold_out=hold_out, seed=seed),
        )
    if as_json:
        print_json(tuned_json(tuned))
    else:
        print_tuned(tuned)


def _with_progress(bench: "Workbench", search: "Search") -> "Tuned":
    from rich.console import Console
    from rich.progress import Progress

    from packaging_assets.experiments.tuning import tune as run_trials

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("trials", total=search.trials)
        return run_trials(bench, search, on_trial=lambda finished: bar.update(task, completed=finished))
