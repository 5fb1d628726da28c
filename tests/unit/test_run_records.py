"""What a retry takes over from the run before."""

from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest

from packaging_assets.abandoned_runs import run_lock, tags_of_lock
from packaging_assets.components.model_set import OVERRIDES_TAG
from packaging_assets.run_records import RunRecordError, find_run, partition_of, tags_of_retry


@dg.job
def idle() -> None: ...


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_partition_and_overrides_are_kept_and_what_happened_to_the_run_is_not(instance: dg.DagsterInstance) -> None:
    asked = {
        "dagster/partition": "2025-01-06",
        OVERRIDES_TAG: '{"mailer": {"parameters.depth": 8}}',
        "dagster/run_key": "trigger-1",
    }
    happened = {
        "dagster/backfill": "abcdefgh",
        "dagster/parent_run_id": "0",
        "dagster/root_run_id": "0",
        "dagster/retry_number": "1",
        "dagster/will_retry": "false",
        ".dagster/grpc_info": "{}",
    }
    run = instance.create_run_for_job(idle, tags={**asked, **happened})
    assert tags_of_retry(run) == {**asked, "dagster/is_resume_retry": "true"}


def test_a_run_names_its_partition_or_its_range_or_none(instance: dg.DagsterInstance) -> None:
    days = {"dagster/asset_partition_range_start": "2025-01-06", "dagster/asset_partition_range_end": "2025-01-12"}
    for tags, said in (
        ({"dagster/partition": "2025-01-06"}, "2025-01-06"),
        (days, "2025-01-06..2025-01-12"),
        ({}, "-"),
    ):
        assert partition_of(instance.create_run_for_job(idle, tags=tags)) == said


def test_a_run_is_found_by_the_beginning_of_its_id_or_as_the_last_that_did_not_succeed(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    def find(name: str) -> dg.DagsterRun:
        return find_run(instance, name, locks=tmp_path)

    with pytest.raises(RunRecordError, match="No run has failed: there is nothing to retry"):
        find("last")
    first, second, third = (f"{start}-0000-4000-8000-000000000000" for start in ("aaaa0001", "aaaa0002", "bbbb0000"))
    for run_id, status in ((first, "FAILURE"), (second, "CANCELED"), (third, "SUCCESS")):
        instance.create_run_for_job(idle, run_id=run_id, status=dg.DagsterRunStatus[status])
    assert find("last").run_id == second
    assert find(first).run_id == first
    assert find("bbbb").run_id == third
    with pytest.raises(RunRecordError, match="2 runs' ids begin with 'aaaa'"):
        find("aaaa")
    with pytest.raises(RunRecordError, match="No run's id begins with 'cccc'"):
        find("cccc")
    with pytest.raises(RunRecordError, match="give at least 4 characters"):
        find("bbb")


def test_the_last_run_is_none_that_may_yet_succeed(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    def put(status: str, **tags: str) -> str:
        return instance.create_run_for_job(idle, status=dg.DagsterRunStatus[status], tags=tags).run_id

    failed = put("FAILURE")
    under_way, _ = put("STARTED", **tags_of_lock()), put("NOT_STARTED")
    with run_lock(tmp_path, under_way):
        assert find_run(instance, "last", locks=tmp_path).run_id == failed
    assert find_run(instance, "last", locks=tmp_path).run_id == under_way  # its process is gone
    unknown = put("STARTED")  # launched by the UI: whether anything works at it has to be looked up there
    assert find_run(instance, "last", locks=tmp_path).run_id == unknown
