"""Deliveries as Dagster sees them: the raw tables are materialized from outside, by `packaging ingest`."""

from collections.abc import Sequence

import dagster as dg

from packaging_assets.dagster_storage import open_instance
from packaging_assets.home import prepare_dagster_home
from packaging_assets.ingestion.report import DeliveryReport
from packaging_assets.settings import Settings


def announce_deliveries(settings: Settings, reports: Sequence[DeliveryReport]) -> None:
    """Record a materialization of the raw table of every delivery that added rows, so that the UI shows it."""
    added = [report for report in reports if report.accepted and not report.is_already_delivered]
    if not added:
        return
    prepare_dagster_home(settings)
    with open_instance(settings.dagster_home) as instance:
        for report in added:
            instance.report_runless_asset_event(_materialization(report))


def _materialization(report: DeliveryReport) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=dg.AssetKey(["raw", report.table]),
        metadata={
            "file": report.file_name,
            "delivery": report.delivery_id,
            "accepted_rows": report.accepted,
            "duplicate_rows": report.duplicates,
            "quarantined_rows": report.quarantined,
            "first_day": report.days[0].isoformat(),
            "last_day": report.days[-1].isoformat(),
        },
    )
