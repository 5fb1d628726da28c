"""The asset and check specs of the dbt project, as dagster-dbt derives them from the manifest, kept beside it.

Importing dagster-dbt imports dbt: 2 CPU seconds, more than the rest of the definitions together, spent in every process
that loads them although most never run dbt. What it says of a manifest is a function of the manifest, so it is asked
once per state of the project and remembered in `asset_specs.json`; dagster-dbt itself is imported when the file is
stale, and when dbt is run.
"""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._serdes import deserialize_value, serialize_value

from packaging_assets.artifacts.flushing import write_whole
from packaging_assets.resources.built_days import dbt_project_hash
from packaging_assets.resources.dbt_project import TARGETS, dbt_manifest, log_handlers_kept
from packaging_assets.settings import Settings

SPECS_FILE = "asset_specs.json"
LAYOUT = 1
"""Raised when what this module keeps of a spec changes."""

_OF_THE_PROCESS = frozenset({"dagster_dbt/manifest", "dagster_dbt/dagster_dbt_translator", "dagster_dbt/project"})
"""Metadata with which dagster-dbt finds its own objects again: whoever runs dbt has these at hand."""


@dataclass(frozen=True)
class DbtSelection:
    """What dbt calls a selection: names of models, and of those to leave out, each separated by spaces."""

    select: str = "fqn:*"
    exclude: str = ""

    @property
    def op_tags(self) -> dict[str, str]:
        """The tags by which dagster-dbt knows what a step builds."""
        tags = {"dagster_dbt/select": self.select, "dagster_dbt/exclude": self.exclude}
        return {name: value for name, value in tags.items() if value}


@dataclass(frozen=True)
class DbtSpecs:
    """The assets and checks of one selection."""

    assets: Sequence[dg.AssetSpec]
    checks: Sequence[dg.AssetCheckSpec]


def dbt_specs(settings: Settings, selections: Mapping[str, DbtSelection]) -> dict[str, DbtSpecs]:
    """The specs of each selection, by its name.

    Args:
        settings: which home's manifest.
        selections: by name.

    Raises:
        DbtProjectError: the project does not parse.
    """
    manifest = dbt_manifest(settings)
    key = _key(settings, selections)
    file = manifest.with_name(SPECS_FILE)
    kept = _read(file, key)
    if kept is not None:
        return kept
    specs = {name: _derive(manifest, selection) for name, selection in selections.items()}
    write_whole(file, json.dumps({"key": key, "specs": serialize_value(_as_values(specs))}))
    # As they are read back, so that the first loading and the others give the same definitions.
    return _from_values(_as_values(specs))


def _key(settings: Settings, selections: Mapping[str, DbtSelection]) -> str:
    """What the specs are a function of; not the manifest's bytes, since dbt writes times and compiled SQL into it."""
    parts = {
        "layout": LAYOUT,
        "versions": {name: importlib.metadata.version(name) for name in ("dagster", "dagster-dbt", "dbt-core")},
        "project": dbt_project_hash(settings.dbt_project_path),
        "target": [TARGETS[settings.env], settings.redshift_database],
        "selections": {name: [chosen.select, chosen.exclude] for name, chosen in selections.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _read(file: Path, key: str) -> dict[str, DbtSpecs] | None:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.get("key") != key:
        return None
    return _from_values(deserialize_value(kept["specs"], dict))


def _derive(manifest: Path, selection: DbtSelection) -> DbtSpecs:
    with log_handlers_kept():
        from dagster_dbt import dbt_assets

    @dbt_assets(manifest=manifest, select=selection.select, exclude=selection.exclude)
    def derived() -> Iterator[Any]:
        yield from ()

    return DbtSpecs(list(derived.specs), list(derived.check_specs))


def _as_values(specs: Mapping[str, DbtSpecs]) -> dict[str, Any]:
    """The same in what Dagster can write down."""
    return {
        name: {
            "assets": [
                {
                    "key": spec.key,
                    "deps": [dep.asset_key for dep in spec.deps],
                    "description": spec.description,
                    "metadata": {
                        name: value for name, value in sorted(spec.metadata.items()) if name not in _OF_THE_PROCESS
                    },
                    "skippable": spec.skippable,
                    "code_version": spec.code_version,
                    "tags": dict(spec.tags),
                }
                for spec in sorted(group.assets, key=lambda spec: spec.key)
            ],
            "checks": [
                {
                    "name": check.name,
                    "asset": check.asset_key,
                    "description": check.description,
                    "blocking": check.blocking,
                    "additional_deps": [dep.asset_key for dep in check.additional_deps],
                    "metadata": dict(check.metadata or {}),
                }
                for check in sorted(group.checks, key=lambda check: check.key)
            ],
        }
        for name, group in specs.items()
    }


def _from_values(values: Mapping[str, Any]) -> dict[str, DbtSpecs]:
    return {
        name: DbtSpecs(
            assets=[dg.AssetSpec(**spec) for spec in group["assets"]],
            checks=[dg.AssetCheckSpec(**check) for check in group["checks"]],
        )
        for name, group in values.items()
    }
