"""What `packaging ingest` does and shows; apart from the command, so that its `--help` is quick."""

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from packaging_assets.cli.options import typed_home
from packaging_assets.delivery_events import announce_deliveries
from packaging_assets.domain.plain_text import first_line
from packaging_assets.ingestion.delivery import ingest_files
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.report import DeliveryRefusedError, DeliveryReport
from packaging_assets.partitions import daily_partitions
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.resources.warehouse import WarehouseError
from packaging_assets.settings import Settings, SettingsError


def ingest_and_report(
    settings: Settings, files: Mapping[str, Path], *, max_bad_row_share: float, as_json: bool
) -> None:
    """Take in the files by table name, print what became of them, and what to do next.

    Raises:
        click.ClickException: a file was refused; what came before it was taken in.
    """
    reports: list[DeliveryReport] = []
    refused: DeliveryReport | None = None
    failure: Exception | None = None
    try:
        warehouse = warehouse_for(settings)
        taken_in = ingest_files(
            warehouse,
            files,
            max_bad_row_share=max_bad_row_share,
            clock=SystemClock(),
            staging=settings.staging_path,
        )
        for report in taken_in:
            reports.append(report)  # noqa: PERF402 - what came before a failure is kept
    except DeliveryRefusedError as error:
        refused, failure = error.report, error
    except (IngestionError, WarehouseError, SettingsError) as error:
        failure = error
    if as_json:
        click.echo(json.dumps(_as_json(reports, refused, failure), indent=2))
    else:
        _print(Console(), reports, refused)
    try:
        announce_deliveries(settings, reports)
    except Exception as error:  # noqa: BLE001 - the rows are in, and what they are for goes on without the graph
        click.echo(f"The rows are in, but Dagster's graph does not show it: {first_line(error)}", err=True)
    if failure is not None:
        raise click.ClickException(_with_rest(str(failure), reports, files))
    if not as_json:
        _print_next(Console(), settings, reports)


def _print(console: Console, reports: Sequence[DeliveryReport], refused: DeliveryReport | None) -> None:
    shown = [*reports, *([refused] if refused else [])]
    if not shown:
        return
    table = Table(title="Deliveries", title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("table", no_wrap=True)
    table.add_column("file", overflow="fold")
    for name in ("accepted", "duplicates", "bad rows"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in shown:
        accepted = "came before" if report.is_already_delivered else f"{report.accepted:,}"
        accepted = "[red]refused[/red]" if report is refused else accepted
        table.add_row(
            report.table, escape(report.file_name), accepted, f"{report.duplicates:,}", f"{report.quarantined:,}"
        )
    console.print(table)
    for report in shown:
        for warning in report.warnings:
            console.print(f"{escape(report.file_name)}: {escape(warning)}", soft_wrap=True)
    _print_bad_rows(console, shown)


def _print_bad_rows(console: Console, reports: Sequence[DeliveryReport]) -> None:
    if not any(report.bad_rows for report in reports):
        return
    table = Table(title="Bad rows, the first of each file", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in ("file", "line", "field", "value", "reason"):
        table.add_column(name, justify="right" if name == "line" else "left", overflow="fold")
    for report in reports:
        for row in report.bad_rows:
            value = "" if row.value is None else row.value
            cells = (report.file_name, str(row.line), row.field or "", value, row.reason)
            table.add_row(*(escape(cell) for cell in cells))
    console.print(table)


def _print_next(console: Console, settings: Settings, reports: Sequence[DeliveryReport]) -> None:
    if any(report.quarantined and not report.is_already_delivered for report in reports):
        console.print("The bad rows are in the table raw.quarantine; deliver them again when corrected.")
    days = _days(reports)
    if days:
        console.print(
            f"Rows were added for {_span(days)}.{_build(settings, days, ' Next:')}", soft_wrap=True, markup=False
        )
    else:
        console.print("No row was added: the warehouse is as it was.")
    # Whoever delivers again may have seen nothing of the first time, such as after a kill.
    before = sorted({day for report in reports if report.is_already_delivered for day in report.days}.difference(days))
    if before:
        build = _build(settings, before, " If they were not built since:")
        console.print(f"What came before has rows of {_span(before)}.{build}", soft_wrap=True, markup=False)


def _span(days: Sequence[dt.date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days from {days[0]} to {days[-1]}"


def _build(settings: Settings, days: Sequence[dt.date], when: str) -> str:
    """The command that builds the days, after `when`, and from when on those can be built that are not over."""
    # What is dated before the first partition belongs to it; a day has a partition once it is over.
    first, last = (max(day, settings.first_week) for day in (days[0], days[-1]))
    latest = _latest_day(settings)
    build = f"{when} packaging run warehouse --from {first} --to {min(last, latest)}{typed_home(settings)}"
    later = "" if last <= latest else f"\nDays after {latest} can be built once they are over."
    return (build if first <= latest else "") + later


def _latest_day(settings: Settings) -> dt.date:
    """The last day that can be built; one before the first, if none can."""
    key = daily_partitions(settings).get_last_partition_key()
    return dt.date.fromisoformat(key) if key else settings.first_week - dt.timedelta(days=1)


def _days(reports: Sequence[DeliveryReport]) -> list[dt.date]:
    return sorted({day for report in reports if not report.is_already_delivered for day in report.days})


def _as_json(
    reports: Sequence[DeliveryReport], refused: DeliveryReport | None, failure: Exception | None
) -> dict[str, Any]:
    return {
        "deliveries": [_report_as_json(report) for report in reports],
        "refused": None if refused is None else _report_as_json(refused),
        "days": [day.isoformat() for day in _days(reports)],
        "error": None if failure is None else str(failure),
    }


def _report_as_json(report: DeliveryReport) -> dict[str, Any]:
    return {**dataclasses.asdict(report), "days": [day.isoformat() for day in report.days]}


def _with_rest(message: str, reports: Sequence[DeliveryReport], files: Mapping[str, Path]) -> str:
    """Add which of the other files were taken in and which were not looked at."""
    done = [report.table for report in reports]
    untouched = [table for table in files if table not in done][1:]
    kept = f" Taken in before: {', '.join(done)}." if done else ""
    left = f" Not looked at: {', '.join(untouched)}." if untouched else ""
    return f"{message}{kept}{left}"
