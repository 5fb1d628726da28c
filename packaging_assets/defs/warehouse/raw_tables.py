"""The raw tables as assets from outside: `packaging ingest` fills them and reports each delivery."""

import dagster as dg

TABLES = {
    "products": "Versions of products, only ever appended.\n\nOne row per product and time of change.",
    "package_tests": "Results of package tests in the laboratory.\n\nOne row per test.",
    "customer_feedback": "Shipments and the damage that customers reported.\n\n"
    "One row per product, package type and shipping period.",
}
DELIVERED = "Filled by `packaging ingest`; rows that break the data contract are in `raw.quarantine` instead."


@dg.definitions
def raw_tables() -> dg.Definitions:
    """Build the assets, which nothing here can materialize."""
    return dg.Definitions(
        assets=[
            dg.AssetSpec(["raw", name], description=f"{text} {DELIVERED}", group_name="warehouse")
            for name, text in TABLES.items()
        ]
    )
