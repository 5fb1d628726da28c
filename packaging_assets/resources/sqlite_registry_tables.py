"""The tables of the SQLite registry, how its file comes to be, and how rows and versions become one another."""

import contextlib
import datetime as dt
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from packaging_assets.domain.registry import Action, ModelVersion, Pin, Status, Transition

LAYOUT = 2
"""Number of the tables' layout, kept in the file as `user_version`. 2: versions have a stage."""

OLD_LAYOUTS = (1,)
"""Layouts that `migrate_registry` brings to `LAYOUT`."""

METADATA = sa.MetaData()

_IS_STAGE = "stage in ('live', 'shadow')"
_ADD_STAGE = f"ALTER TABLE versions ADD COLUMN stage VARCHAR DEFAULT 'live' NOT NULL CHECK ({_IS_STAGE})"

VERSIONS = sa.Table(
    "versions",
    METADATA,
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("package_type", sa.String, nullable=False),
    sa.Column("status", sa.String, sa.CheckConstraint(f"status in {tuple(map(str, Status))}"), nullable=False),
    sa.Column("verdict", sa.String, nullable=False),
    sa.Column("training_week", sa.String, nullable=False),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.Column("artifact_uri", sa.String, nullable=False),
    sa.Column("metrics_uri", sa.String, nullable=False),
    sa.Column("content_hash", sa.String, nullable=False),
    sa.Column("code_version", sa.String, nullable=False),
    sa.Column("metrics", sa.String, nullable=False),
    sa.Column("reasons", sa.String, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("updated_at", sa.String, nullable=False),
    sa.Column("stage", sa.String, sa.CheckConstraint(_IS_STAGE), nullable=False, server_default="live"),
    sa.UniqueConstraint("model", "training_week", "fingerprint"),
)

TRANSITIONS = sa.Table(
    "transitions",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("model", sa.String, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("from_status", sa.String),
    sa.Column("to_status", sa.String, nullable=False),
    sa.Column("from_champion", sa.Integer),
    sa.Column("to_champion", sa.Integer),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("at", sa.String, nullable=False),
)

PINS = sa.Table(
    "pins",
    METADATA,
    sa.Column("model", sa.String, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("actor", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("pinned_at", sa.String, nullable=False),
)


def create_registry(path: Path) -> None:
    """Put an empty registry at `path`, whole or not at all; where another process was first, leave its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(draft)), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            METADATA.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {LAYOUT}")
            connection.commit()
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def layout_of(connection: sa.Connection) -> int:
    """Number of the layout of a file's tables; 0 for a file that is no registry."""
    return connection.exec_driver_sql("PRAGMA user_version").scalar_one()


def migrate_registry(connection: sa.Connection) -> None:
    """Bring the tables to the present layout, within the caller's transaction; versions that were there are live.

    The caller must hold the write lock: of several processes at once the first migrates, and the others find it done.
    """
    if layout_of(connection) in OLD_LAYOUTS:
        connection.exec_driver_sql(_ADD_STAGE)
        connection.exec_driver_sql(f"PRAGMA user_version = {LAYOUT}")


def to_row(version: ModelVersion) -> dict[str, Any]:
    """A version as a row of `versions`."""
    row = {item.name: getattr(version, item.name) for item in fields(version) if item.name != "is_champion"}
    return {
        **row,
        "metrics": json.dumps(version.metrics, sort_keys=True, allow_nan=False),
        "reasons": json.dumps(version.reasons),
        "created_at": version.created_at.isoformat(),
        "updated_at": version.updated_at.isoformat(),
    }


def to_version(row: Mapping[str, Any]) -> ModelVersion:
    """A row of `versions` as a version that is not the champion, as far as the row knows."""
    given: dict[str, Any] = {
        **row,
        "status": Status(row["status"]),
        "metrics": json.loads(row["metrics"]),
        "reasons": tuple(json.loads(row["reasons"])),
        "created_at": dt.datetime.fromisoformat(row["created_at"]),
        "updated_at": dt.datetime.fromisoformat(row["updated_at"]),
    }
    return ModelVersion(**given)


def to_transition(row: Mapping[str, Any]) -> Transition:
    """A row of `transitions`."""
    given: dict[str, Any] = {
        **{name: value for name, value in row.items() if name != "number"},
        "action": Action(row["action"]),
        "from_status": None if row["from_status"] is None else Status(row["from_status"]),
        "to_status": Status(row["to_status"]),
        "at": dt.datetime.fromisoformat(row["at"]),
    }
    return Transition(**given)


def to_pin(row: Mapping[str, Any]) -> Pin:
    """A row of `pins`."""
    given: dict[str, Any] = {**row, "pinned_at": dt.datetime.fromisoformat(row["pinned_at"])}
    return Pin(**given)
