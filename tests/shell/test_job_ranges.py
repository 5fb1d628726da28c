"""Ranges of days that a job is asked for."""

from pathlib import Path

import dagster as dg
import pytest

from packaging_assets.runner import JobRunner, UnknownPartitionError


def test_a_range_that_begins_after_it_ends_starts_no_run(
    definitions: dg.Definitions, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    runner = JobRunner(definitions, instance, tmp_path)
    with pytest.raises(UnknownPartitionError, match=r"^The range 2025-01-08\.\.2025-01-06 begins after it ends"):
        runner.run("warehouse", first="2025-01-08", last="2025-01-06")
    assert instance.get_runs_count() == 0
