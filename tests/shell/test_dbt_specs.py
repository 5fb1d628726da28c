"""What is remembered of dbt is what dagster-dbt says of it now, and is asked anew when the project changes."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from packaging_assets.components import dbt_specs as module
from packaging_assets.components.dbt_specs import SPECS_FILE, DbtSelection, dbt_specs
from packaging_assets.defs.warehouse.dbt_models import GROUPS
from packaging_assets.resources.dbt_project import dbt_manifest
from packaging_assets.settings import Settings

OF_THE_PROCESS = {"dagster_dbt/manifest", "dagster_dbt/dagster_dbt_translator"}


@pytest.mark.usefixtures("definitions")  # which have remembered the specs
def test_what_is_remembered_is_what_dagster_dbt_says(settings: Settings) -> None:
    from dagster_dbt import dbt_assets

    for name, kept in dbt_specs(settings, GROUPS).items():

        @dbt_assets(
            manifest=settings.dbt_target_path / "manifest.json",
            select=GROUPS[name].select,
            exclude=GROUPS[name].exclude,
        )
        def said(): ...

        by_key = {spec.key: spec for spec in said.specs}
        assert {spec.key for spec in kept.assets} == set(by_key)
        for spec in kept.assets:
            other = by_key[spec.key]
            assert set(other.metadata) >= OF_THE_PROCESS
            assert dict(spec.metadata) == {
                key: value for key, value in other.metadata.items() if key not in OF_THE_PROCESS
            }
            for field in ("description", "code_version", "skippable", "kinds", "tags"):
                assert getattr(spec, field) == getattr(other, field), field
            assert {dep.asset_key for dep in spec.deps} == {dep.asset_key for dep in other.deps}
        assert {check.key: (check.blocking, check.metadata) for check in kept.checks} == {
            check.key: (check.blocking, check.metadata) for check in said.check_specs
        }
        assert said.op.tags == GROUPS[name].op_tags


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[DbtSelection]:
    """The selections of which dagster-dbt is asked."""
    asked: list[DbtSelection] = []
    derive = module._derive

    def remember(manifest: Path, selection: DbtSelection) -> module.DbtSpecs:
        asked.append(selection)
        return derive(manifest, selection)

    monkeypatch.setattr(module, "_derive", remember)
    return asked


@pytest.mark.usefixtures("definitions")
def test_dagster_dbt_is_asked_once_per_state_of_the_project(
    settings: Settings, derived: list[DbtSelection], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {"daily_models": GROUPS["daily_models"]}
    file = settings.dbt_target_path / SPECS_FILE
    before = file.read_text()
    try:
        first = dbt_specs(settings, group)
        assert derived == [GROUPS["daily_models"]]
        assert dbt_specs(settings, group) == first
        assert len(derived) == 1
        file.write_text("{")  # as a full disk would leave it
        assert dbt_specs(settings, group) == first
        assert len(derived) == 2
        assert json.loads(file.read_text())["specs"]
        monkeypatch.setattr(module, "dbt_project_hash", lambda _project: "of a changed project")
        assert dbt_specs(settings, group) == first
        assert len(derived) == 3
    finally:
        file.write_text(before)


def test_the_specs_of_a_group_are_those_of_its_step(definitions: dg.Definitions) -> None:
    (asset,) = [
        a for a in definitions.assets or [] if isinstance(a, dg.AssetsDefinition) and a.op.name == "daily_models"
    ]
    assert {key.to_user_string() for key in asset.keys} == {"product_features", "package_evidence"}
    assert asset.op.pool == "warehouse"


def test_a_manifest_that_a_kill_cut_off_is_written_again(home: Settings) -> None:
    manifest = dbt_manifest(home)
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[: len(whole) // 2])
    assert dbt_manifest(home) == manifest
    assert json.loads(manifest.read_text())["nodes"].keys() == json.loads(whole)["nodes"].keys()


def test_a_source_that_is_deleted_or_comes_with_an_old_time_is_noticed(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    shutil.copytree(home.dbt_project_path, project, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(Settings, "dbt_project_path", property(lambda _: project))
    assert "model.packaging.latest_predictions" in nodes_of(dbt_manifest(home))

    for source in (project / "models").rglob("latest_predictions.*"):
        source.unlink()
    staging = project / "models" / "staging" / "stg_products.yml"
    staging.write_text(staging.read_text().replace("Versions of products as delivered", "Brought by rsync"))
    os.utime(staging, (0, 0))

    nodes = nodes_of(dbt_manifest(home))
    assert "model.packaging.latest_predictions" not in nodes
    assert nodes["model.packaging.stg_products"]["description"].startswith("Brought by rsync; ")


def test_an_unchanged_project_is_parsed_once(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    dbt_manifest(home)
    monkeypatch.setattr("packaging_assets.resources.dbt_project.parse", None)
    assert nodes_of(dbt_manifest(home))


def nodes_of(manifest: Path) -> dict[str, Any]:
    return json.loads(manifest.read_text())["nodes"]
