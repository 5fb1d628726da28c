"""`packaging ingest`: validate deliveries of raw data and append them to the warehouse."""

from pathlib import Path

import click

from packaging_assets.cli.options import NumberRange, home_option, json_option
from packaging_assets.settings import Settings

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--products", type=_FILE, help="Products, new or changed: a version per product and updated_at.")
@click.option("--tests", type=_FILE, help="Package tests.")
@click.option("--feedback", type=_FILE, help="Customer feedback: shipments and damage reports.")
@click.option(
    "--max-bad-rows",
    type=NumberRange(0, 1),
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
      packaging ingest --products samples/products.csv --tests samples/package_tests.csv \\
                       --feedback samples/customer_feedback.csv
    """
    given = {"products": products, "package_tests": tests, "customer_feedback": feedback}
    files = {table: path for table, path in given.items() if path is not None}
    if not files:
        raise click.UsageError(
            "Nothing to ingest: give at least one of --products FILE, --tests FILE, --feedback FILE (CSV or Parquet), "
            "for example --products samples/products.csv."
        )
    from packaging_assets.cli.ingest_report import ingest_and_report  # pyarrow, DuckDB and Dagster take two seconds

    share = settings.max_bad_row_share if max_bad_rows is None else max_bad_rows
    ingest_and_report(settings, files, max_bad_row_share=share, as_json=as_json)
