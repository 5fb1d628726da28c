"""`packaging models check`: whether the models' YAML files say what can be trained."""

import click

from packaging_assets.cli.models_options import example


@click.command(epilog=example("packaging models check"))
def check() -> None:
    """Read all models' YAML files and say everything that is wrong with them, with file, line and field.

    Names, types, bounds, features, architectures and what models say of one another; then each learner is asked about
    its parameters and about what `search` would try, for which it is imported. Nothing is run or written.
    """
    from packaging_assets.components.learner_problems import learner_problems, search_problems
    from packaging_assets.components.model_files import load_models
    from packaging_assets.components.model_set import ModelSetError
    from packaging_assets.domain.feature_sets import FeatureSetError

    try:
        models = load_models()
    except (FeatureSetError, ModelSetError) as error:
        raise click.ClickException(str(error)) from None
    specs = models.specs
    problems = list(learner_problems(specs.values())) or list(search_problems(specs.values()))
    if problems:
        raise click.ClickException("\n".join(problems))
    click.echo(f"Nothing is wrong with the YAML of {', '.join(specs)}.")
    live = {spec.package_type for spec in models.live().values()}
    for package_type in sorted({spec.package_type for spec in specs.values()} - live):
        click.echo(f"No model is live for {package_type}, which is left out of predictions and recommendations.")
