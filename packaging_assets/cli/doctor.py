"""`packaging doctor`: every setting, and whether each part of the environment works."""

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from packaging_assets.cli.options import home_option, json_option
from packaging_assets.settings import Settings

if TYPE_CHECKING:
    from packaging_assets.doctor.check import Check, Finding


@click.command()
@home_option
@json_option
def doctor(settings: Settings, *, as_json: bool) -> None:
    """Show every setting and check that each part of the environment works; exit code 1 if one does not.

    A part that does not work is told with what to do about it: see docs/doctor.md. Small objects that are written to
    try a permission are deleted again.
    """
    checks = _checks(settings)
    findings = _findings(settings, checks, is_shown=not as_json)
    if as_json:
        shown = {name: str(getattr(settings, name)) for name in type(settings).model_fields}
        found = [dataclasses.asdict(finding) for finding in findings]
        click.echo(json.dumps({"settings": shown, "checks": found}, sort_keys=True))
    else:
        _print(settings, findings)
    if any(finding.is_ok is False for finding in findings):
        raise SystemExit(1)


def _checks(settings: Settings) -> "list[Check]":
    from packaging_assets.doctor.check import Check
    from packaging_assets.doctor.parts import checks_for

    return [*checks_for(settings), Check("alerts", lambda: _alerts(settings), seconds=60.0)]


def _alerts(settings: Settings) -> str:
    from packaging_assets.cli.alert_findings import AlertsInTroubleError, alerts_in_order
    from packaging_assets.doctor.check import ProblemError

    try:
        return alerts_in_order(settings)
    except AlertsInTroubleError as error:
        remedy = "Correct alert_routes and try them: packaging alerts test. What waits: packaging alerts list --unsent."
        raise ProblemError(str(error), remedy) from error


def _findings(settings: Settings, checks: "Sequence[Check]", *, is_shown: bool) -> "list[Finding]":
    """What the checks find; a terminal shows how many are still out."""
    from rich.console import Console

    from packaging_assets.doctor.examination import examine

    console = Console(stderr=True)
    if not (is_shown and console.is_terminal):
        return examine(settings, checks)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("looking", total=len(checks))

        def tell(finding: "Finding") -> None:
            progress.update(task, advance=1, description=finding.part)

        return examine(settings, checks, on_finding=tell)


def _print(settings: Settings, findings: "Sequence[Finding]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    names = _shown_settings(settings)
    table = Table(title="Settings", title_justify="left")
    table.add_column("setting", no_wrap=True, min_width=max(len(name) for name in names))
    table.add_column("value", overflow="fold")
    table.add_column("what it is")
    for name, (value, description) in names.items():
        table.add_row(name, escape(value), escape(description))
    console.print(table)
    marks = {True: "[green]ok[/green]  ", False: "[red]FAIL[/red]", None: "[yellow]?[/yellow]   "}
    for finding in findings:
        lines = [f"{marks[finding.is_ok]} {finding.part}: {escape(finding.found)}"]
        lines += [f"     -> {escape(finding.remedy)}"] if finding.remedy else []
        console.print("\n".join(lines), highlight=False, soft_wrap=True)


def _shown_settings(settings: Settings) -> dict[str, tuple[str, str]]:
    """The settings that concern the environment, with value and description: `local` reads none of those of AWS."""
    from packaging_assets.aws_settings import AwsSettings

    return {
        f"PACKAGING_{name.upper()}": (str(getattr(settings, name)), field.description or "")
        for name, field in type(settings).model_fields.items()
        if settings.env == "aws" or name not in AwsSettings.model_fields or name in settings.model_fields_set
    }
