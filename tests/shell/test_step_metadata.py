"""What the UI shows of a step: hit or miss, the run that computed it, and whether computing it again agreed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import BaseModel

from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.components.step_asset import NO_CACHE_TAG, StepRunner, materialized
from packaging_assets.resources.compute import InProcessCompute

WEEK = "2025-01-06"
WRITTEN: list[str] = []


class NumberParams(BaseModel):
    is_steady: bool


def write_number(inputs: Mapping[str, Path], params: NumberParams, output: Path) -> None:
    WRITTEN.append("")
    (output / "number.txt").write_text("1" if params.is_steady else str(len(WRITTEN)))


@pytest.fixture
def run(tmp_path: Path, instance: dg.DagsterInstance) -> Any:
    store = LocalArtifactStore(tmp_path / "artifacts")

    def run_number(*, is_steady: bool = True, **tags: str) -> tuple[dict[str, Any], list[str], str]:
        @dg.asset(partitions_def=dg.StaticPartitionsDefinition([WEEK]))
        def number(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            runner = StepRunner(context, store, InProcessCompute())
            result = runner.run(write_number, inputs={}, params=NumberParams(is_steady=is_steady))
            return materialized(result, metadata={"number": 1})

        result = dg.materialize([number], partition_key=WEEK, instance=instance, tags=tags)
        (event,) = result.get_asset_materialization_events()
        shown = event.materialization.metadata
        assert isinstance(shown["computed_by"], dg.DagsterRunMetadataValue)  # a link in the UI, and no mere text
        metadata = {name: value.value for name, value in shown.items()}
        logs = instance.all_logs(result.run_id)
        return metadata, [log.user_message for log in logs if log.level == 30], result.run_id

    return run_number


def test_a_hit_links_to_the_run_that_computed_it(run: Any) -> None:
    first, _, computed_by = run()
    again, _, _ = run()
    assert (first["cache"], first["computed_by"]) == ("miss", computed_by)
    assert (again["cache"], again["computed_by"], again["artifact"]) == ("hit", computed_by, first["artifact"])
    assert "computed_again" not in again


def test_what_the_asset_says_of_itself_comes_before_how_it_was_made(run: Any) -> None:
    metadata, _, _ = run()
    assert list(metadata)[:3] == ["number", "cache", "artifact"]


def test_without_the_cache_the_same_bytes_are_said_to_be_the_same(run: Any) -> None:
    _, _, computed_by = run()
    again, warnings, _ = run(**NO_CACHE_TAG)
    assert (again["cache"], again["computed_by"]) == ("miss", computed_by)
    assert again["computed_again"] == "gave the same bytes"
    assert warnings == []


def test_a_step_that_is_not_deterministic_is_told_in_the_log_and_the_metadata(run: Any) -> None:
    first, _, _ = run(is_steady=False)
    again, warnings, _ = run(is_steady=False, **NO_CACHE_TAG)
    assert again["differing_files"] == ["number.txt"]
    (warning,) = warnings
    assert warning == again["computed_again"]
    assert warning.startswith(
        f"number for {WEEK} was computed again from the same code, params and inputs, and differs in number.txt: "
        "the step is not deterministic"
    )
    assert again["artifact"] == first["artifact"]
