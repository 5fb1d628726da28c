"""`packaging spec`: what a model's YAML can say, and the features it can name."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.options import CommandGroup, json_option

if TYPE_CHECKING:
    from packaging_assets.domain.feature_sets import FeatureCatalogue


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
def spec() -> None:
    """What a model's YAML can say.

    \b
    Example:
      packaging spec docs
      packaging spec features
    """


@spec.command()
@json_option
def docs(as_json: bool) -> None:
    """Print every field with its type, default, bounds and meaning; docs/model-spec.md is this."""
    from packaging_assets.components.spec_reference import spec_markdown, spec_sections

    if as_json:
        click.echo(json.dumps([asdict(section) for section in spec_sections()], indent=2))
    else:
        click.echo(spec_markdown(), nl=False)


@spec.command()
@click.option("--model", "name", metavar="MODEL", help="Only what this model sees.")
@json_option
def features(name: str | None, as_json: bool) -> None:
    """List the groups of features that dbt provides, and the named sets; or what one model sees."""
    from packaging_assets.components.model_set import ModelSetError
    from packaging_assets.components.project_features import project_features
    from packaging_assets.domain.feature_sets import FeatureSetError

    try:
        catalogue = project_features()
        if name is not None:
            print_features_of(name, as_json)
            return
    except (FeatureSetError, ModelSetError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        found = {"groups": catalogue.groups, "sets": catalogue.sets, "defaults": catalogue.defaults}
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"Groups, from {catalogue.features_file}:")
    for group, columns in catalogue.groups.items():
        click.echo(f"  {group} ({catalogue.features[columns[0]].kind}, {len(columns)}): {_shown(columns)}")
    click.echo(f"Sets, from {catalogue.sets_file}:")
    for name_of_set, columns in catalogue.sets.items():
        click.echo(f"  {name_of_set} ({len(columns)}): {_parts(catalogue, columns) or 'no columns'}")


def print_features_of(name: str, as_json: bool) -> None:
    """What a model sees, by kind: columns, and names of the models whose scores it sees.

    Raises:
        ModelSetError: the project's models contradict one another.
    """
    from packaging_assets.components.model_files import load_models
    from packaging_assets.domain.spelling import meant_or_all

    specs = load_models().specs
    if name not in specs:
        raise click.ClickException(f"There is no model {name!r}{meant_or_all(name, specs)}")
    seen = specs[name].features.model_copy(update={"scores": specs[name].feeds_from})
    if as_json:
        click.echo(seen.model_dump_json(indent=2))
        return
    for kind in seen.kinds:
        columns: tuple[str, ...] = getattr(seen, kind)
        click.echo(f"{kind} ({len(columns)}): {_shown(columns)}")


def _shown(columns: Sequence[str]) -> str:
    """The columns; of many the first and the last."""
    many = 20
    return ", ".join(columns) if len(columns) < many else f"{columns[0]} to {columns[-1]}"


def _parts(catalogue: "FeatureCatalogue", columns: Sequence[str]) -> str:
    """Groups that are in it whole, and the other columns one by one."""
    whole = {group: names for group, names in catalogue.groups.items() if set(names) <= set(columns)}
    in_groups = {name for names in whole.values() for name in names}
    return ", ".join([*whole, *(name for name in columns if name not in in_groups)])
