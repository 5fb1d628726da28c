"""`packaging experiment`: models with other values, tried beside the main area."""

import click

from packaging_assets.cli.experiment_compare import compare
from packaging_assets.cli.experiment_output import experiment_errors_told, print_records, print_run
from packaging_assets.cli.experiment_tune import tune
from packaging_assets.cli.experiment_values import parse_settings
from packaging_assets.cli.models_options import example
from packaging_assets.cli.models_output import print_json
from packaging_assets.cli.options import CommandGroup, Utf8Text, home_option, json_option
from packaging_assets.settings import Settings


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example(
        "packaging experiment run mailer --set parameters.depth=8",
        "packaging experiment list",
        "packaging experiment compare 3f0c9a12de champion",
        "packaging experiment tune mailer --space space.yaml --trials 40",
    ),
)
def experiment() -> None:
    """Train and judge a model with other values, without registering it.

    Experiments read what the home has and write beside it: registry, champions, predictions and the UI's assets take
    no notice of them.
    """


experiment.add_command(compare)
experiment.add_command(tune)


@experiment.command(
    epilog=example(
        "packaging experiment run mailer --set parameters.depth=8 --set split.validation_fraction=0.3",
        "packaging experiment run mailer --set features=tabular --week 2025-01-13 --week 2025-01-20 --name tabular",
    )
)
@click.argument("model")
@click.option(
    "--set",
    "given",
    type=Utf8Text(),
    metavar="FIELD=VALUE",
    multiple=True,
    help="A field of the model's YAML, dotted; repeatable.",
)
@click.option("--week", "weeks", multiple=True, help="A week's Monday, repeatable [default: the latest with data].")
@click.option("--name", "label", type=Utf8Text(), default="", help="What to call it in lists.")
@json_option
@home_option
def run(
    settings: Settings, model: str, given: tuple[str, ...], weeks: tuple[str, ...], label: str, as_json: bool
) -> None:
    """Train and judge a model with other values, beside the same weeks' model as its YAML has it.

    Values are JSON or YAML: 8, 0.3, true, catboost, "[box, bag]". Steps whose code, values and inputs did not change
    are not run again, whoever ran them first. The same experiment again is the same id.
    """
    overrides = parse_settings(given)
    with experiment_errors_told():
        from rich.console import Console

        with Console(stderr=True).status(f"{model}: loading") as status:
            from packaging_assets.experiments.experiment import run_experiment
            from packaging_assets.experiments.workbench import Workbench

            bench = Workbench.for_home(settings, on_step=lambda step: status.update(f"{model}: {step}"))
            record = run_experiment(bench, model, overrides, weeks, label=label)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        print_run(record)


@experiment.command("list", epilog=example("packaging experiment list --model mailer"))
@click.option("--model", metavar="MODEL", default=None, help="Only the experiments with this model.")
@json_option
@home_option
def list_experiments(settings: Settings, model: str | None, as_json: bool) -> None:
    """List experiments, oldest first, a line for each of their weeks."""
    from packaging_assets.experiments.records import ExperimentRecords

    with experiment_errors_told():
        records = ExperimentRecords(settings.home).all()
    found = [record for record in records if model is None or record.model == model]
    if as_json:
        print_json([record.model_dump(mode="json") for record in found])
    elif found:
        print_records(found)
    else:
        click.echo(
            f"No such experiments in {settings.home}. Make one: packaging experiment run MODEL --set FIELD=VALUE."
        )
