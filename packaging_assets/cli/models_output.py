"""How `packaging models` prints versions, for people and as JSON; rich is loaded where a table is drawn."""

import json
import textwrap
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from packaging_assets.domain.plain_text import one_line
from packaging_assets.domain.registry import ModelVersion, Status, Transition

if TYPE_CHECKING:
    from rich.console import Console

    from packaging_assets.resources.model_cards import CardPage

PR_AUC = "pr_auc"
CHAMPION_DIFFERENCE = "champion.difference"

STATUS_STYLES = {Status.APPROVED: "green", Status.REJECTED: "red", Status.PENDING: "yellow"}
SHORT_STATUSES = {Status.APPROVED: "Approved", Status.REJECTED: "Rejected", Status.PENDING: "Pending"}
"""Statuses as a table shows them, in 80 columns."""

PIPED_WIDTH = 160

_OF_EACH_FEATURE = "drift."
"""The beginning of the names of the metrics that there are for each feature: hundreds."""


def version_json(version: ModelVersion) -> dict[str, Any]:
    """A version as JSON."""
    return {
        "model": version.model,
        "version": version.version,
        "package_type": version.package_type,
        "stage": version.stage,
        "status": version.status,
        "is_champion": version.is_champion,
        "training_week": version.training_week,
        "verdict": version.verdict,
        "metrics": version.metrics,
        "reasons": list(version.reasons),
        "fingerprint": version.fingerprint,
        "content_hash": version.content_hash,
        "artifact_uri": version.artifact_uri,
        "metrics_uri": version.metrics_uri,
        "code_version": version.code_version,
        "actor": version.actor,
        "created_at": version.created_at.isoformat(),
        "updated_at": version.updated_at.isoformat(),
    }


def transition_json(line: Transition) -> dict[str, Any]:
    """A line of a version's record as JSON."""
    return {
        "at": line.at.isoformat(),
        "action": line.action,
        "actor": line.actor,
        "reason": line.reason,
        "from_status": line.from_status,
        "to_status": line.to_status,
        "from_champion": line.from_champion,
        "to_champion": line.to_champion,
    }


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    click.echo(json.dumps(value, indent=2, sort_keys=True))


def print_decision(before: ModelVersion, after: ModelVersion, *, as_json: bool) -> None:
    """What a decision made of a version."""
    if as_json:
        print_json(version_json(after))
        return
    name = f"{after.model} version {after.version}"
    if before.updated_at == after.updated_at and before.is_champion == after.is_champion:
        click.echo(f"{name} stays {after.status}.")
    else:
        click.echo(f"{name} is {after.status}{', and is the champion' if after.is_champion else ''}.")


def print_table(found: Sequence[ModelVersion]) -> None:
    """One line per version, and below the table why versions are not approved.

    The package type has a column where a model has a name of its own, the stage where a version is not live. All of it
    fits 80 columns; a model's name of more than 13 characters may then take two lines.
    """
    from rich.text import Text

    screen = console()
    table = light_table()
    rows = [_columns(version) for version in found]
    telling = {
        "type": any(version.package_type != version.model for version in found),
        "stage": any(version.stage != "live" for version in found),
    }
    headings = [heading for heading in rows[0] if telling.get(heading, True)]
    for heading in headings:
        is_number, is_name = heading in {"version", "PR-AUC", "to\nchampion"}, heading == "model"
        table.add_column(
            heading if "\n" in heading else f"\n{heading}",
            justify="right" if is_number else "left",
            no_wrap=not is_name,
            overflow="fold" if is_name else "ellipsis",
        )
    for version, row in zip(found, rows, strict=True):
        styles = {"status": STATUS_STYLES[version.status]}
        table.add_row(*(Text(row[heading], style=styles.get(heading, "")) for heading in headings))
    screen.print(table)
    for line in _why_not_approved(found, screen.width):
        screen.print(line)


def _columns(version: ModelVersion) -> dict[str, str]:
    """What the table can show of a version, by heading."""
    return {
        "model": version.model,
        "type": version.package_type,
        "version": str(version.version),
        "week": version.training_week,
        "stage": version.stage,
        "status": SHORT_STATUSES[version.status] + (" *" if version.is_champion else ""),
        "PR-AUC": figure(version, PR_AUC, ".3f"),
        "to\nchampion": figure(version, CHAMPION_DIFFERENCE, "+.3f"),
    }


def _why_not_approved(found: Sequence[ModelVersion], width: int) -> Generator[Any]:
    """The first reason of each version that is not approved, in lines of at most `width`; where the others are."""
    from rich.text import Text

    told = [version for version in found if version.reasons and version.status is not Status.APPROVED]
    if told:
        yield Text("\nWhy not approved", style="bold")
    for version in told:
        name, (first, *others) = f"{version.model} {version.version}", version.reasons
        reason = f"{name}: {first}" + (f" (+{len(others)} more)" if others else "")
        text = Text(textwrap.fill(one_line(reason), width, subsequent_indent="  ", break_on_hyphens=False))
        text.stylize(STATUS_STYLES[version.status], 0, len(name))
        yield text
    if any(len(version.reasons) > 1 for version in told):
        yield Text("All reasons of a version: packaging models show MODEL VERSION")


def print_version(version: ModelVersion, history: Sequence[Transition], *, is_whole: bool = False) -> None:
    """What a version is, why it has its status, its metrics and its record; the drift of each feature if `is_whole`."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    _print_pairs(screen, _described(version))
    for reason in version.reasons:
        screen.print(Text(f"  - {one_line(reason)}"))
    metrics = [(name, _formatted(value, ".4g")) for name, value in _figures(version.metrics)]
    shown = [(name, value) for name, value in metrics if is_whole or not name.startswith(_OF_EACH_FEATURE)]
    screen.print()
    _print_pairs(screen, shown)
    if len(shown) < len(metrics):
        screen.print(f"and {len(metrics) - len(shown)} figures of the drift of each feature: add --all", style="dim")
    screen.print()
    table = Table(title="record", title_justify="left")
    for heading in ("at (UTC)", "who", "did", "status", "champion", "why"):
        table.add_column(heading, no_wrap=heading == "at (UTC)")
    for line in history:
        table.add_row(
            f"{line.at:%Y-%m-%d %H:%M}",
            Text(one_line(line.actor)),
            line.action,
            line.to_status if line.from_status is None else f"{line.from_status} -> {line.to_status}",
            f"{line.from_champion or '-'} -> {line.to_champion or '-'}",
            Text(one_line(line.reason)),
        )
    screen.print(table)


def place_of_card(card: "CardPage") -> str:
    """Where a version's model card can be opened, and where it was fetched from."""
    return str(card.path) + (f" (from {card.location})" if str(card.path) != card.location else "")


def card_json(card: "CardPage | None") -> dict[str, str | None]:
    """A version's model card as JSON."""
    return {
        "model_card": None if card is None else str(card.path),
        "model_card_location": None if card is None else card.location,
    }


def _print_pairs(screen: "Console", pairs: Sequence[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in pairs:
        grid.add_row(Text(name, style="bold"), Text(value))
    screen.print(grid)


def _described(version: ModelVersion) -> list[tuple[str, str]]:
    return [
        ("version", f"{version.model} {version.version}{' (champion)' if version.is_champion else ''}"),
        ("package type", version.package_type),
        ("stage", version.stage),
        ("week", version.training_week),
        ("status", f"{version.status}, by {version.actor} at {version.updated_at:%Y-%m-%d %H:%M} UTC"),
        ("artifact", version.artifact_uri),
        ("metrics", version.metrics_uri),
        ("content hash", version.content_hash),
        ("code version", version.code_version),
        ("verdict", version.verdict),
    ]


def console() -> Any:
    """A rich console, wide where nobody looks at it."""
    from rich.console import Console

    screen = Console()
    return screen if screen.is_terminal else Console(width=PIPED_WIDTH)


def light_table() -> Any:
    """An empty rich table whose columns have a space between them and nothing else."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)


def print_whole(table: Any) -> None:
    """Print a table with no cell cut short: on a narrower terminal its lines run over, as they do where it is piped."""
    from rich.measure import Measurement

    screen = console()
    natural = Measurement.get(screen, screen.options.update(width=PIPED_WIDTH), table).maximum
    screen.width = max(screen.width, natural)
    screen.print(table)


def _figures(metrics: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """The single figures in nested metrics by dotted name; lists are for the model card."""
    figures: list[tuple[str, Any]] = []
    for name, value in sorted(metrics.items()):
        if isinstance(value, Mapping):
            figures += _figures(cast("Mapping[str, Any]", value), f"{prefix}{name}.")
        elif not isinstance(value, list):
            figures.append((f"{prefix}{name}", value))
    return figures


def figure(version: ModelVersion, dotted_name: str, form: str) -> str:
    """A figure of the version's metrics as text, "-" if it has none."""
    value: Any = version.metrics
    for name in dotted_name.split("."):
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return _formatted(value, form)


def _formatted(value: Any, form: str) -> str:
    return format(value, form) if isinstance(value, int | float) else str("-" if value is None else value)
