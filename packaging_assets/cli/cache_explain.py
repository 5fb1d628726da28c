"""`packaging cache explain`: why a step would be run again."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from packaging_assets.cli.models_options import example
from packaging_assets.cli.options import home_option, json_option
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.artifacts.store import Artifact, ArtifactStore
    from packaging_assets.components.cache_explanation import CacheExplainer, Explanation

ANSWERS = {
    "hit": "from the cache",
    "miss": "would be run again",
    "unknown": "nothing that can be checked beforehand has changed",
}


@click.command(
    epilog=example(
        "packaging cache explain mailer/model 2025-01-13",
        "packaging cache explain mailer/model 2025-01-20 --against 2025-01-13",
    )
)
@click.argument("asset")
@click.argument("partition", required=False)
@click.option(
    "--against",
    metavar="FINGERPRINT|PARTITION",
    default=None,
    help="Compare the current artifact with this one of the same asset, not with what would be computed now.",
)
@json_option
@home_option
def explain(settings: Settings, asset: str, partition: str | None, against: str | None, *, as_json: bool) -> None:
    """Say what the cache would answer for ASSET and PARTITION now, and which part of the fingerprint differs.

    The parts are the code of each module, the version of each library, each param by its dotted path, and the content
    of each input. Nothing is run, so where inputs come from the warehouse only code and params are compared.
    """
    from packaging_assets.artifacts.fingerprint import FingerprintError
    from packaging_assets.artifacts.store import ArtifactError
    from packaging_assets.components.cache_explanation import ExplanationError
    from packaging_assets.components.model_set import ModelSetError

    try:
        explainer = _explainer(settings)
        if against is None:
            explanation = explainer.explain(asset, partition)
        else:
            explanation = explainer.compare(*_two(explainer, asset, partition, against))
    except (ArtifactError, ExplanationError, FingerprintError, ModelSetError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        from packaging_assets.cli.models_output import print_json

        print_json(_as_json(explanation))
    elif against is None:
        _print(explanation)
    else:
        _print_comparison(explanation)


def _explainer(settings: Settings) -> "CacheExplainer":
    from packaging_assets.components.cache_explanation import CacheExplainer
    from packaging_assets.components.model_files import load_models
    from packaging_assets.resources.environment import artifact_store_for, model_registry_for

    return CacheExplainer(artifact_store_for(settings), model_registry_for(settings), load_models())


def _two(explainer: "CacheExplainer", asset: str, partition: str | None, against: str) -> tuple["Artifact", "Artifact"]:
    """The partition's current artifact, and the one to compare it with."""
    from packaging_assets.components.cache_explanation import ExplanationError

    store = explainer.store
    current = store.current(asset, partition)
    if current is None:
        see = explainer.meant(asset) or ": packaging cache list."
        raise ExplanationError(f"{asset} has no current artifact for {partition or 'no partition'}{see}")
    same = [artifact for artifact in store.committed(asset, partition) if artifact.fingerprint.startswith(against)]
    other = same[0] if len(same) == 1 else _other_partition(store, asset, against)
    if other is None:
        raise ExplanationError(
            f"{against!r} is neither the beginning of one fingerprint of {asset} for {partition} nor another partition "
            "with a current artifact: packaging cache list."
        )
    return current, other


def _other_partition(store: "ArtifactStore", asset: str, partition: str) -> "Artifact | None":
    from packaging_assets.artifacts.store import ArtifactError

    try:
        return store.current(asset, partition)
    except ArtifactError:
        return None


def _print(explanation: "Explanation") -> None:
    artifact = explanation.artifact
    click.echo(f"{_name(explanation)}: {ANSWERS[explanation.answer]}")
    if artifact is not None:
        run = artifact.provenance.get("run_id")
        click.echo(f"  compared with {artifact.fingerprint[:12]}" + (f", computed by run {run}" if run else ""))
    if explanation.note:
        click.echo(f"  {explanation.note}")
    for difference in explanation.differences:
        click.echo(f"  - {difference.sentence}")
    if explanation.unchecked:
        click.echo(f"  not checked, since they are known only when it runs: {', '.join(explanation.unchecked)}")
    for upstream in explanation.upstream:
        click.echo(f"  before it {_name(upstream)} {ANSWERS['miss']}, so an input may change: explain it for why")


def _print_comparison(explanation: "Explanation") -> None:
    other = explanation.artifact.uri if explanation.artifact else "nothing"
    click.echo(f"{_name(explanation)}, compared with {other}:")
    for difference in explanation.differences:
        click.echo(f"  - {difference.sentence}")
    if not explanation.differences:
        click.echo("  the same code, libraries, params and inputs")


def _name(explanation: "Explanation") -> str:
    return f"{explanation.asset_key} {explanation.partition or ''}".strip()


def _as_json(explanation: "Explanation") -> dict[str, Any]:
    return {
        "asset": explanation.asset_key,
        "partition": explanation.partition,
        "answer": explanation.answer,
        "compared_with": explanation.artifact.uri if explanation.artifact else None,
        "differences": [
            {**asdict(difference), "sentence": difference.sentence} for difference in explanation.differences
        ],
        "not_checked": list(explanation.unchecked),
        "note": explanation.note,
        "upstream": [_as_json(upstream) for upstream in explanation.upstream],
    }
