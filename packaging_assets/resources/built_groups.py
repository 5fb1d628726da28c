"""Which groups of the warehouse's models without days are built, and from what, so that nothing is built twice."""

import hashlib
from typing import NamedTuple

from packaging_assets.resources.warehouse import Warehouse

REFERENCE_GROUP = "reference_models"
"""The seed and the views that the other models read, and Dagster's step that builds them."""


class BuiltGroup(NamedTuple):
    """What a group was built from: hashes that stand for the rows it read and for its SQL."""

    rows: str
    sql: str

    @property
    def is_finished(self) -> bool:
        """Whether its last build ended well: rows of one that did not have nobody's word for them."""
        return self.rows != _UNFINISHED

    def begun_again(self, sql: str) -> "BuiltGroup":
        """What the group counts as while it is built by this SQL, and for good if that fails: as built from nothing.

        Its rows are replaced, or some of them. If those are of other SQL, the SQL before must not add to them.
        """
        return BuiltGroup(rows=_UNFINISHED, sql=sql if sql == self.sql else _UNFINISHED)


_UNFINISHED = "unfinished"
"""No hash."""


def predictions_version(warehouse: Warehouse) -> str:
    """One hash that stands for what recommendations are made from: the loaded predictions and the product features."""
    loads = warehouse.fetch("select max(load_id) as last, count(*) as n from ml.prediction_loads", {})[0]
    days = warehouse.fetch("select day, fingerprint from ops.built_days order by day", {})
    built = "\n".join(f"{row['day']} {row['fingerprint']}" for row in days)
    return hashlib.sha256(f"{loads['last']} {loads['n']}\n{built}".encode()).hexdigest()


def built_group(warehouse: Warehouse, name: str) -> BuiltGroup | None:
    """What the group was last built from, or None if it was not."""
    found = warehouse.fetch("select rows_hash, sql_hash from ops.built_groups where group_name = $name", {"name": name})
    return BuiltGroup(found[0]["rows_hash"], found[0]["sql_hash"]) if found else None


def sql_in_force(warehouse: Warehouse, project_hash: str) -> str:
    """What stands for the SQL of models that read the reference tables: theirs, and that of these tables as they are.

    The reference tables are built by the job `warehouse` alone. What another job builds from those of an earlier
    project is not what this one would have made of it, and has to be built again once they are.
    """
    reference = built_group(warehouse, REFERENCE_GROUP)
    if reference is None or reference == BuiltGroup(rows="", sql=project_hash):
        return project_hash
    return hashlib.sha256(f"{project_hash} on {reference.rows} {reference.sql}".encode()).hexdigest()


def record_built_group(warehouse: Warehouse, name: str, built: BuiltGroup) -> None:
    """Replace what the group was built from."""
    key = {"name": name}
    warehouse.load(
        {},
        [
            ("delete from ops.built_groups where group_name = $name", key),
            (
                "insert into ops.built_groups (group_name, rows_hash, sql_hash) values ($name, $rows_hash, $sql_hash)",
                {**key, "rows_hash": built.rows, "sql_hash": built.sql},
            ),
        ],
    )
