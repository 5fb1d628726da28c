"""`packaging models compare`: two versions that decide on one package type, side by side."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli import models_options
from packaging_assets.cli.models_options import example, find_version
from packaging_assets.cli.models_output import console, print_json
from packaging_assets.cli.options import home_option, json_option
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.domain.model_comparison import ComparedVersion, Difference, SharedScores


@click.command(
    epilog=example(
        "packaging models compare mailer:5 mailer:champion",
        "packaging models compare mailer:5 mailer:6 --html comparison.html",
        "packaging models compare mailer:champion mailer_text:2",
    )
)
@click.argument("first", metavar="MODEL:VERSION")
@click.argument("second", metavar="MODEL:VERSION")
@click.option(
    "--html", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write it as a page, with curves."
)
@json_option
@home_option
def compare(settings: Settings, first: str, second: str, html: Path | None, as_json: bool) -> None:
    """Compare two versions of one model, or of two models for one package type; VERSION is a number or "champion".

    Figures stand side by side, each from its own week's evaluation. Where both versions have scored the same rows, and
    neither was trained on them, the difference (second minus first) comes with its standard error.
    """
    from packaging_assets.artifacts.store import ArtifactError
    from packaging_assets.domain.model_comparison import (
        ComparisonError,
        check_comparable,
        comparison_page,
        differences,
        differences_in_making,
        shared_scores,
        side_by_side,
    )

    one, other = _versions(settings, (first, second))
    try:
        check_comparable(one, other)
        with fetched_versions(settings, (one, other)) as (left, right):
            shared = shared_scores(left, right)
            found = [] if shared is None else differences(shared)
            making = differences_in_making(left.model, right.model)
            if html is not None:
                html.write_text(comparison_page(left, right), encoding="utf-8")
    except (ComparisonError, ArtifactError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or html}: cannot be written ({error.strerror}).") from None
    rows = side_by_side(one, other)
    if as_json:
        print_json(_as_json(one, other, rows, shared, found, making))
    else:
        _print(one, other, rows, shared, found, making)
        if html is not None:
            click.echo(f"Written to {html}.")


def _versions(settings: Settings, names: Sequence[str]) -> list[ModelVersion]:
    registry = models_options.open_registry(settings)
    found: list[ModelVersion] = []
    for name in names:
        model, colon, version = name.partition(":")
        if not colon or not version:
            raise click.BadParameter(
                f"{name!r} does not name a version: write model and version like mailer:6 or mailer:champion.",
                param_hint="MODEL:VERSION",
            )
        found.append(find_version(registry, model, version, settings))
    return found


@contextmanager
def fetched_versions(settings: Settings, versions: Sequence[ModelVersion]) -> Generator[list["ComparedVersion"]]:
    """The versions with their files on this machine; nothing is written into the store."""
    import tempfile

    from packaging_assets.artifacts.damage import damage_told
    from packaging_assets.artifacts.store import Artifact
    from packaging_assets.domain.model_comparison import ComparedVersion
    from packaging_assets.resources.environment import artifact_store_for

    store = artifact_store_for(settings)
    opened: list[Artifact] = []
    with ExitStack() as stack, damage_told(store, opened):

        def open_folder(uri: str) -> Path:
            # A scratch folder of the store would be noted in its bucket, where reviewers may only read.
            opened.append(store.get(uri))
            return store.local_path(opened[-1], Path(stack.enter_context(tempfile.TemporaryDirectory())))

        yield [
            ComparedVersion(version, open_folder(version.artifact_uri), open_folder(version.metrics_uri))
            for version in versions
        ]


def _as_json(
    first: ModelVersion,
    second: ModelVersion,
    rows: Sequence[tuple[str, str, str]],
    shared: "SharedScores | None",
    found: Sequence["Difference"],
    making: Sequence[tuple[str, str, str]],
) -> dict[str, Any]:
    return {
        "model": first.model,
        "models": [first.model, second.model],
        "versions": [first.version, second.version],
        "figures": {name: [one, other] for name, one, other in rows},
        "shared_rows": 0 if shared is None else len(shared.y),
        "shared_note": None if shared is None else shared.note,
        "differences": [asdict(each) for each in found],
        "made_differently": {name: [one, other] for name, one, other in making},
    }


def _print(
    first: ModelVersion,
    second: ModelVersion,
    rows: Sequence[tuple[str, str, str]],
    shared: "SharedScores | None",
    found: Sequence["Difference"],
    making: Sequence[tuple[str, str, str]],
) -> None:
    from rich.table import Table
    from rich.text import Text

    screen = console()
    table = Table()
    subject, *names = _headings(first, second)
    table.add_column(subject)
    for name in names:
        table.add_column(name, justify="right")
    for row in [*rows, *making]:
        table.add_row(*(Text(cell) for cell in row))
    screen.print(table)
    if shared is None:
        screen.print(Text("They share no rows on which both were judged: there is no difference with an error."))
        return
    screen.print(Text(f"On {shared.note}"))
    for each in found:
        line = f"  {each.name}: {each.first:.4f} and {each.second:.4f}, difference {each.difference:+.4f}"
        screen.print(Text(f"{line} (standard error {each.standard_error:.4f})"))


def _headings(first: ModelVersion, second: ModelVersion) -> tuple[str, str, str]:
    """What both have in common, then what tells them apart."""
    from packaging_assets.domain.model_comparison import names_apart, subject_of

    return subject_of(first, second), *names_apart(first, second)
