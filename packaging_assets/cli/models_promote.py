"""`packaging models promote`: an approved version, from one home to another."""

import shlex
from pathlib import Path

import click

from packaging_assets.cli.models_decisions import show_in_graph
from packaging_assets.cli.models_options import actor_option, decider, example, find_version, reason_option
from packaging_assets.cli.models_output import print_json, version_json
from packaging_assets.cli.options import NamedFolder, json_option, told_in_one_sentence
from packaging_assets.domain.registry import RegistryError, Status
from packaging_assets.settings import Settings, SettingsError, load_settings

home = NamedFolder()


@click.command(
    epilog=example(
        "packaging models promote mailer champion --from homes/test --to homes/live "
        '--reason "Four good weeks in the test environment"'
    )
)
@click.argument("model")
@click.argument("version", metavar="VERSION|champion")
@click.option("--from", "source", type=home, required=True, help="The home where the version was approved.")
@click.option("--to", "target", type=home, required=True, help="The home where it is to serve.")
@reason_option
@actor_option
@json_option
@told_in_one_sentence
def promote(
    model: str, version: str, source: Path, target: Path, reason: str, actor: str | None, as_json: bool
) -> None:
    """Copy an approved version to another environment: its files, its card and where it comes from.

    What arrives is held against a signature of the content hashes. It is pending there, or, with promotions =
    "approved" in the target's settings.toml, approved in your name. With PACKAGING_PROMOTION_KEY set (or promotion_key
    in both settings.toml), the signature also proves who made it. Doing it again changes nothing.
    """
    from packaging_assets.artifacts.store import ArtifactError
    from packaging_assets.domain.signatures import SignatureError
    from packaging_assets.promotion import Environment, PromotionError
    from packaging_assets.promotion import promote as copy_version
    from packaging_assets.resources.environment import artifact_store_for, model_registry_for

    def environment(settings: Settings) -> Environment:
        key = settings.promotion_key.get_secret_value() if settings.promotion_key else ""
        return Environment(settings.environment_name, artifact_store_for(settings), model_registry_for(settings), key)

    try:
        ours, theirs = _settings(source), _settings(target)
        known = environment(ours)
        done = copy_version(
            known,
            environment(theirs),
            find_version(known.registry, model, version, ours),
            actor=decider(actor),
            reason=reason,
            approve=theirs.promotions == "approved",
        )
    except (ArtifactError, PromotionError, RegistryError, SettingsError, SignatureError) as error:
        raise click.ClickException(str(error)) from None
    if done.version.status is Status.APPROVED:
        show_promoted(theirs, model)
    if as_json:
        print_json({**version_json(done.version), "artifacts": done.artifacts, "signature": done.signature})
        return
    click.echo(
        f"{model} is version {done.version.version} in {theirs.environment_name}: {done.version.status} "
        f"({len(done.artifacts)} artifacts, {done.copied_bytes:,} bytes, {done.signature[:24]}...)."
    )
    if done.version.status is Status.PENDING:
        there = f"--home {shlex.quote(str(target))} --reason ..."
        click.echo(f"Approve it there: packaging models approve {model} {done.version.version} {there}")


def _settings(home: Path) -> Settings:
    if not home.is_dir():
        raise click.ClickException(f"{home} is no home: give the folder of an environment that has been used before.")
    return load_settings(home)


def show_promoted(settings: Settings, model: str) -> None:
    """Show in the target's graph which version serves now, if its Dagster storage is in its home.

    Only a home on this machine is prepared: on AWS a sensor shows the version, and who promotes has no warehouse.
    """
    from packaging_assets.home import prepare_dagster_home
    from packaging_assets.resources.environment import model_registry_for

    if settings.env == "local":
        prepare_dagster_home(settings)  # the first version may arrive before anything else is there
    show_in_graph(settings, model_registry_for(settings), model)
