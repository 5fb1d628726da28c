"""`packaging experiment compare`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.experiment_output import comparison_json, experiment_errors_told, print_comparison
from packaging_assets.cli.models_options import example
from packaging_assets.cli.models_output import print_json
from packaging_assets.cli.options import home_option, json_option
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.experiments.side_by_side import Comparison


@click.command(
    epilog=example(
        "packaging experiment compare 3f0c9a12de",
        "packaging experiment compare 3f0c9a12de champion --plot curves.png",
        "packaging experiment compare 3f0c9a12de 81b2c47a90 --json",
    )
)
@click.argument("identifier", metavar="ID")
@click.argument("other", metavar="[ID|baseline|champion]", default="baseline")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Draw both precision-recall curves of the latest week to this PNG file.",
)
@json_option
@home_option
def compare(settings: Settings, identifier: str, other: str, plot: Path | None, as_json: bool) -> None:
    """Hold an experiment against another, against the model as its YAML has it, or against the champion before it.

    The difference in PR-AUC is the first minus the second, on rows that both have scored and neither was trained on,
    with its standard error. Over several weeks there is also the mean, whose error allows for the same products
    validating in every week.
    """
    with experiment_errors_told():
        from packaging_assets.experiments.side_by_side import compare as hold_against
        from packaging_assets.experiments.workbench import Workbench

        found = hold_against(Workbench.for_home(settings), identifier, other)
    if plot is not None:
        _draw(found, plot)
    if as_json:
        print_json(comparison_json(found))
        return
    print_comparison(found)
    if plot is not None:
        click.echo(f"Written to {plot}.")


def _draw(found: "Comparison", path: Path) -> None:
    try:
        found.plot(path)
    except OSError as error:
        raise click.ClickException(
            f"{path} cannot be written: {error.strerror}; name a file in a folder that is there."
        ) from None
