"""Two products, one that comes late, and a warehouse in which the real dbt project builds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse

PROJECT = Path(__file__).parents[2] / "dbt_project"

PRODUCT_COLUMNS = (
    "product_id, updated_at, created_at, title, category, subcategory, product_type, brand, "
    "length_cm, width_cm, height_cm, weight_kg, price_usd, is_liquid"
)
PRODUCTS = """
('lamp', '2025-01-06 08:00:00', '2025-01-06 08:00:00', 'lamp', 'home', 'light', 'lamp', 'a', 30, 20, 5, 2, 20, false),
('late', '2025-01-20 00:00:00', '2025-01-20 00:00:00', 'late', 'home', 'light', 'lamp', 'a', 30, 20, 5, 2, 20, false),
('mug', '2025-01-05 08:00:00', '2025-01-05 08:00:00', 'mug', 'home', 'cups', 'mug', 'b', 10, 10, 10, 2, 10, false),
('mug', '2025-01-08 08:00:00', '2025-01-05 08:00:00', 'mug', 'kitchen', 'cups', 'mug', 'b', 10, 10, 10, 1, 10, false)
"""
TESTS = """
('t1', 'mug', 'box', '2025-01-07 12:00:00', true, true),
('t2', 'mug', 'box', '2025-01-12 23:59:59', false, false),
('t3', 'mug', 'bag', '2025-01-13 00:00:00', true, false),
('t4', 'late', 'box', '2025-01-07 12:00:00', true, true)
"""
FEEDBACK = """
('f1', 'mug', 'bag', '2024-12-30 00:00:00', 30, 2),
('f2', 'lamp', 'mailer', '2025-01-06 00:00:00', 40, 0)
"""
FIRST_LOAD = """
('monthly', '2025-01-01', 'mug', 'bag', 0.9, 0.1, true, 3, '2025-02-01', 1, null),
('monthly', '2025-01-01', 'mug', 'box', 0.98, 0.02, true, 4, '2025-02-01', 1, null),
('monthly', '2025-01-01', 'lamp', 'mailer', 0.2, 0.8, false, 2, '2025-02-01', 1, null),
('monthly', '2025-01-01', 'lamp', 'box', 0.4, 0.6, false, 4, '2025-02-01', 1, null)
"""


@dataclass(frozen=True)
class Home:
    """A warehouse and the folder that dbt keeps its parse in."""

    folder: Path

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.folder / "warehouse.duckdb", "500MB", 2, attempts=2)

    def run(self, *statements: str) -> None:
        self.warehouse.load({}, [(statement, {}) for statement in statements])

    def dbt(self, command: str, *arguments: str, variables: Mapping[str, object] | None = None) -> dict[str, str]:
        """Run dbt in this process; the status of each node by its name ("error" alone if it did not come to any)."""
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PACKAGING_WAREHOUSE_PATH", str(self.folder / "warehouse.duckdb"))
            environment.setenv("PACKAGING_WAREHOUSE_MEMORY_LIMIT", "500MB")
            environment.setenv("DBT_TARGET_PATH", str(self.folder / "target"))
            given = [
                "--project-dir",
                str(PROJECT),
                "--profiles-dir",
                str(PROJECT),
                "--vars",
                str(dict(variables or {})),
            ]
            result = dbtRunner().invoke([command, "--quiet", "--log-level-file", "none", *arguments, *given])
        # In its own process dbt's connection would end with it.
        DuckDBConnectionManager.close_all_connections()
        if result.exception is not None:
            return {"error": str(result.exception)}
        return {node.node.name: str(node.status) for node in getattr(result.result, "results", [])}
