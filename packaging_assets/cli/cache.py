"""`packaging cache`: what has been computed, why it would be computed again, and what may go."""

import fnmatch
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli.cache_explain import explain
from packaging_assets.cli.cache_prune import prune
from packaging_assets.cli.models_options import example
from packaging_assets.cli.options import CommandGroup, home_option, json_option
from packaging_assets.cli.sizes_and_times import age_of, size
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.artifacts.store import Artifact, PrunableStore

SHORT = 12
"""Characters of a fingerprint that are shown."""


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example(
        "packaging cache list --asset 'mailer/*'",
        "packaging cache explain mailer/model 2025-01-13",
        "packaging cache prune --older-than 30 --dry-run",
    ),
)
def cache() -> None:
    """List what has been computed, explain why it would be computed again, and remove what nothing needs.

    A step is run again only if its code, its params or the content of its inputs changed since, if its result is older
    than the setting cache_max_age_days, or with packaging run --no-cache.
    """


cache.add_command(explain)
cache.add_command(prune)


@cache.command("list", epilog=example("packaging cache list --asset '*/model' --partition 2025-01-13"))
@click.option("--asset", "pattern", metavar="PATTERN", default="*", help="Only these assets; * stands for anything.")
@click.option("--partition", metavar="P", default=None, help="Only this partition.")
@json_option
@home_option
def list_artifacts(settings: Settings, pattern: str, partition: str | None, *, as_json: bool) -> None:
    """List artifacts, by asset and partition; * marks the current ones."""
    from packaging_assets.artifacts.prune import Listing
    from packaging_assets.artifacts.store import ArtifactError
    from packaging_assets.resources.artifact_references import registry_references
    from packaging_assets.resources.environment import artifact_store_for, model_registry_for

    store = artifact_store_for(settings)
    listing = Listing.of(store)
    references = registry_references(model_registry_for(settings), store)
    found: list[dict[str, Any]] = []
    problems = list(listing.damaged.values())
    for uri, artifact in listing.artifacts.items():
        if fnmatch.fnmatchcase(artifact.asset_key, pattern) and partition in (None, artifact.partition):
            try:
                found.append(_described(store, artifact, references.get(uri, [])))
            except ArtifactError as error:
                problems.append(str(error))
    if as_json:
        from packaging_assets.cli.models_output import print_json

        print_json(found)
    elif found:
        _print_table(found)
    else:
        click.echo(f"No such artifacts in {store.location}.")
    for problem in problems:
        click.echo(problem, err=True)


def _described(store: "PrunableStore", artifact: "Artifact", referenced_by: list[str]) -> dict[str, Any]:
    return {
        "asset": artifact.asset_key,
        "partition": artifact.partition,
        "fingerprint": artifact.fingerprint,
        "rows": artifact.total_rows,
        "bytes": artifact.total_bytes,
        "computed_at": store.computed_at(artifact).isoformat(),
        "computed_by_run": artifact.provenance.get("run_id"),
        "is_current": store.pointed(artifact.uri),
        "referenced_by": referenced_by,
        "uri": artifact.uri,
    }


def _print_table(found: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from packaging_assets.cli.models_output import light_table, print_whole

    table = light_table()
    for heading in ("asset", "partition", "", "fingerprint", "rows", "size", "computed (UTC)", "by run", "needed by"):
        is_number = heading in {"rows", "size"}
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading != "needed by")
    for line in found:
        table.add_row(
            Text(line["asset"]),
            line["partition"] or "-",
            "*" if line["is_current"] else "",
            line["fingerprint"][:SHORT],
            f"{line['rows']:,}" if line["rows"] else "",
            size(line["bytes"]),
            age_of(line["computed_at"]),
            (line["computed_by_run"] or "-")[:8],
            Text(", ".join(line["referenced_by"])),
        )
    print_whole(table)
    click.echo(f"{len(found):,} artifacts, {size(sum(line['bytes'] for line in found))}")
