"""`packaging models new`: a new model's YAML file, every field commented."""

import click

from packaging_assets.cli.models_options import example
from packaging_assets.cli.options import told_in_one_sentence


@click.command(
    epilog=example(
        "packaging models new mailer_words --like mailer --architecture catboost_multimodal --shadow",
        "packaging models new bag_two --package-type bag",
    )
)
@click.argument("name")
@click.option("--like", default="", metavar="MODEL", help="Begin with what this model's YAML sets.")
@click.option("--package-type", default="", metavar="TYPE", help="[default: as --like, or the type it is named after]")
@click.option("--architecture", default="", metavar="NAME", help="A shipped one, or package.module:Class.")
@click.option("--shadow", is_flag=True, help="Try it beside the live model, without serving.")
@told_in_one_sentence
def new(name: str, like: str, package_type: str, architecture: str, shadow: bool) -> None:
    """Write the YAML file of a new model, and nothing else.

    It takes the place of the package type's live model once one of its versions is approved; with --shadow it is
    trained and compared every week, and never serves.
    """
    from packaging_assets.components.model_files import DEFS, load_models
    from packaging_assets.components.model_set import ModelSetError
    from packaging_assets.components.new_model import NewModel, NewModelError, write_new_model
    from packaging_assets.settings import PROJECT_ROOT

    asked = NewModel(like=like, package_type=package_type, architecture=architecture, shadow=shadow)
    try:
        path = write_new_model(DEFS / name, name, asked, load_models(), DEFS)
    except (NewModelError, ModelSetError) as error:
        raise click.ClickException(str(error)) from None
    folder = path.parent.relative_to(PROJECT_ROOT)
    click.echo(f"Wrote {folder / path.name}. Next:")
    click.echo("  packaging models check")
    click.echo("  packaging run weekly --partition MONDAY   train and judge it on a week that there is")
    click.echo(f"  packaging models list --model {name}")
