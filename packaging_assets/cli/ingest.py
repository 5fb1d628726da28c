"""`packaging ingest`: validate deliveries of raw data and append them to the warehouse."""

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

from packaging_assets.cli.options import home_option, json_option
from packaging_assets.delivery_events import announce_deliveries
from packaging_assets.ingestion.delivery import ingest_files
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.report import DeliveryRefusedError, DeliveryReport
from packaging_assets.resources.clock import SystemClock
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.resources.warehouse import WarehouseError
from packaging_assets.settings import Settings, SettingsError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--products", type=_FILE, help="Products, new or changed: a version per product and updated_at.")
@click.option("--tests", type=_FILE, help="Package tests.")
@click.option("--feedback", type=_FILE, help="Customer feedback: shipments and damage reports.")
@click.option(
    "--max-bad-rows",
    type=click.FloatRange(0, 1),
    help="Refuse a file when more than this share of its rows is bad [default: the setting max_bad_row_share, 0.01].",
)
@json_option
@home_option
def ingest(
    settings: Settings,
    *,
    products: Path | None,
    tests: Path | None,
    feedback: Path | None,
    max_bad_rows: float | None,
    as_json: bool,
) -> None:
    """Validate files of raw data, CSV or Parquet, and append their rows to the warehouse.

    A row that breaks the contract (docs/data-contract.md) goes to the table raw.quarantine with its line, field, value
    and reason; a file with too many of them is refused whole. The same file or row a second time changes nothing.

    \b
    Try it:
      packaging ingest --products samples/products.csv --tests samples/package_tests.csv \
                       --feedback samples/customer_feedback.csv
    """
    given = {"products": products, "package_tests": tests, "customer_feedback": feedback}
    files = {table: path for table, path in given.items() if path is not None}
    if not files:
        raise click.UsageError(
            "Nothing to ingest: give at least one of --products FILE, --tests FILE, --feedback FILE (CSV or Parquet), "
            "for example --products samples/products.csv."
        )
    share = settings.max_bad_row_share if max_bad_rows is None else max_bad_rows
    reports: list[DeliveryReport] = []
    refused: DeliveryReport | None = None
    failure: Exception | None = None
    try:
        warehouse = warehouse_for(settings)
        for report in ingest_files(warehouse, files, max_bad_row_share=share, clock=SystemClock()):
            reports.append(report)  # noqa: PERF402 - what came before a failure is kept
    except DeliveryRefusedError as error:
        refused, failure = error.report, error
    except (IngestionError, WarehouseError, SettingsError) as error:
        failure = error
    announce_deliveries(settings, reports)
    if as_json:
        click.echo(json.dumps(_as_json(reports, refused, failure), indent=2))
    else:
        _print(Console(), reports, refused)
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
    if not days:
        console.print("No row was added: the warehouse is as it was.")
        return
    span = f"{days[0]}" if len(days) == 1 else f"{len(days)} days from {days[0]} to {days[-1]}"
    # What is dated before the first partition belongs to it.
    first, last = (max(day, settings.first_week) for day in (days[0], days[-1]))
    console.print(
        f"Rows were added for {span}. Next: packaging run warehouse --from {first} --to {last}", soft_wrap=True
    )


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
