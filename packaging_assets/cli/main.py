"""The top-level group. Commands are named here and imported only when they run, so `--help` stays quick."""

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo:demo", "Simulate a retailer and run the whole job, from raw tables to recommendations."),
    "ingest": ("ingest:ingest", "Validate deliveries of raw data and append them to the warehouse."),
    "run": ("run:run", "Run the weekly, daily or monthly job for a partition, through Dagster."),
    "runs": ("runs:runs", "List runs, and go on with one that failed or was killed."),
    "cache": ("cache:cache", "List what was computed, explain why it would be again, remove what nothing needs."),
    "models": (
        "models:models",
        "Add and check models; list, show, compare, review, approve, reject, pin and roll back versions.",
    ),
    "experiment": ("experiment:experiment", "Try a model with other values, compare and tune, registering nothing."),
    "spec": ("spec:spec", "Explain what a model's YAML can say, and list the features it can name."),
    "alerts": ("alerts:alerts", "List alerts that were sent, and try out the routes by which they are sent."),
    "triggers": ("triggers:triggers", "Launch runs by dropping a file; list and check such files."),
    "gates": ("gates:gates", "Find out how often the gates are wrong, on simulated weeks."),
    "simulate": ("simulate:simulate", "Write a synthetic retailer's deliveries to files."),
    "ui": ("ui:ui", "Open the Dagster UI over the home."),
    "doctor": ("doctor:doctor", "Show every setting and check that each part of the home works."),
}


class LazyGroup(click.Group):
    """A click group that knows its commands' names and help without importing them.

    Of a disk that is full, whatever was to be printed, it tells in a sentence.
    """

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the group's own options, of which `--help` prints at once."""
        with _told_of_files():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _told_of_files():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Command names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module and return the command, or nothing if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return getattr(importlib.import_module(f"packaging_assets.cli.{module_name}"), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@contextmanager
def _told_of_files() -> Generator[None]:
    try:
        yield
    except OSError as error:
        from packaging_assets.cli.options import in_one_sentence  # `--help` would wait for it

        sentence = in_one_sentence(error)
        if sentence is None:
            raise
        raise click.ClickException(sentence) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="packaging-assets", prog_name="packaging")
def main() -> None:
    """Decide which package types suit each product of a catalogue.

    Everything lives under one home folder: --home, on the commands that use one, else PACKAGING_HOME, else .packaging/
    in the project.

    \b
    Start here:
      packaging demo               the whole job on a simulated retailer, about two minutes
      packaging models list        what was trained, approved, rejected, and what serves now
      make ui                      the same home in the Dagster UI
    """
