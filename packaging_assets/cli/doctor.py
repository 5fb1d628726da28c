"""`packaging doctor`: every setting, and whether each part of the home works."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import click

from packaging_assets.cli.options import home_option, json_option
from packaging_assets.settings import Settings


class Finding(NamedTuple):
    """One part of the home: does it work, and what was found."""

    part: str
    is_ok: bool
    found: str


@click.command()
@home_option
@json_option
def doctor(settings: Settings, *, as_json: bool) -> None:
    """Show every setting and check that each part of the home works; exit code 1 if one does not."""
    findings = list(_examine(settings))
    shown = {name: str(getattr(settings, name)) for name in type(settings).model_fields}
    if as_json:
        click.echo(
            json.dumps({"settings": shown, "checks": [finding._asdict() for finding in findings]}, sort_keys=True)
        )
    else:
        _print(settings, findings)
    if not all(finding.is_ok for finding in findings):
        raise SystemExit(1)


def _examine(settings: Settings) -> Iterator[Finding]:
    parts: dict[str, Callable[[Settings], str]] = {
        "warehouse": _warehouse,
        "artifacts": _artifacts,
        "registry": _registry,
        "alerts": _alerts,
        "dbt project": _dbt_project,
    }
    for part, examine in parts.items():
        try:
            yield Finding(part, is_ok=True, found=examine(settings))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a part is what the doctor reports
            yield Finding(part, is_ok=False, found=f"{type(error).__name__}: {error}")


def _warehouse(settings: Settings) -> str:
    from packaging_assets.resources.environment import warehouse_for

    if not settings.warehouse_path.exists():
        return "none yet: `packaging ingest` or `packaging demo` creates it"
    warehouse = warehouse_for(settings)
    deliveries = warehouse.fetch("select count(*) as n from raw.deliveries", {})[0]["n"]
    days = warehouse.fetch("select count(*) as n, max(day) as last_day from ops.built_days", {})[0]
    return f"{deliveries} deliveries; {days['n']} days built, up to {days['last_day']}"


def _artifacts(settings: Settings) -> str:
    if not settings.artifacts_path.exists():
        return "none yet"
    manifests = list(settings.artifacts_path.rglob("manifest.json"))
    size = sum(path.stat().st_size for path in settings.artifacts_path.rglob("*") if path.is_file())
    return f"{len(manifests)} artifacts, {size / 1e6:,.0f} MB"


def _registry(settings: Settings) -> str:
    from packaging_assets.resources.environment import model_registry_for

    if not settings.registry_path.exists():
        return "none yet"
    registry = model_registry_for(settings)
    champions = {model: registry.champion(model) for model in registry.models()}
    serving = ", ".join(f"{name} v{version.version}" for name, version in champions.items() if version)
    return f"{len(registry.versions())} versions; serving: {serving or 'none approved'}"


def _alerts(settings: Settings) -> str:
    from packaging_assets.cli.alert_findings import alerts_in_order

    return alerts_in_order(settings)


def _dbt_project(settings: Settings) -> str:
    from packaging_assets.resources.dbt_project import dbt_manifest

    return f"manifest at {dbt_manifest(settings)}"


def _print(settings: Settings, findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table("setting", "value", "what it is", title="Settings", title_justify="left")
    for name, field in type(settings).model_fields.items():
        table.add_row(f"PACKAGING_{name.upper()}", escape(str(getattr(settings, name))), field.description)
    console.print(table)
    for finding in findings:
        mark = "[green]ok[/green]  " if finding.is_ok else "[red]FAIL[/red]"
        console.print(f"{mark} {finding.part}: {escape(finding.found)}", highlight=False)
