"""Going on with a run: which run is meant, and what is still to be done for it."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from packaging_assets.abandoned_runs import run_lock, tags_of_lock
from packaging_assets.dagster_storage import open_instance
from packaging_assets.home import prepare_dagster_home
from packaging_assets.run_records import RunRecordError
from packaging_assets.runner import JobFailedError, JobRunner
from packaging_assets.settings import load_settings

WEEK = "2025-01-06"
WEEKLY = dg.WeeklyPartitionsDefinition(start_date=WEEK, day_offset=1)


def model(name: str, *, is_good: bool = True) -> dg.AssetsDefinition:
    @dg.asset(key=[name, "model"], partitions_def=WEEKLY)
    def trained() -> None:
        if not is_good:
            raise ValueError("no rows")

    return trained


def definitions(*assets: dg.AssetsDefinition) -> dg.Definitions:
    jobs: list[Any] = [dg.define_asset_job("weekly_training")]
    return dg.Definitions(assets=assets, jobs=jobs, executor=dg.in_process_executor)


@pytest.fixture
def instance(tmp_path: Path) -> Generator[dg.DagsterInstance]:
    settings = load_settings(tmp_path)
    prepare_dagster_home(settings)
    with open_instance(settings.dagster_home) as found:
        yield found


@pytest.fixture
def project(instance: dg.DagsterInstance, tmp_path: Path) -> Any:
    """Makes the runner of a project with these assets, over one home."""
    return lambda *assets: JobRunner(definitions(*assets), instance, tmp_path / "dagster")


def failed(runner: JobRunner) -> str:
    with pytest.raises(JobFailedError):
        runner.run("weekly", first=WEEK)
    return runner.instance.get_runs(limit=1)[0].run_id


def test_what_a_deleted_model_left_undone_does_not_keep_the_rest_from_going_on(
    project: Any, instance: dg.DagsterInstance
) -> None:
    run = failed(project(model("mailer"), model("bag", is_good=False), model("box", is_good=False)))
    project(model("mailer"), model("box")).retry(run)
    retried = instance.get_runs(limit=1)[0]
    assert (retried.parent_run_id, retried.status) == (run, dg.DagsterRunStatus.SUCCESS)
    assert retried.asset_selection == {dg.AssetKey(["box", "model"])}
    with pytest.raises(RunRecordError, match=f"Run {retried.run_id} has since done all that run {run} left"):
        project(model("mailer"), model("box")).retry(run)


def test_of_a_run_that_left_only_what_a_deleted_model_was_to_do_nothing_can_be_retried(project: Any) -> None:
    run = failed(project(model("mailer"), model("bag", is_good=False)))
    sentence = rf"What run {run} left is not in the project any more \(bag/model\): run the job again"
    with pytest.raises(RunRecordError, match=sentence):
        project(model("mailer")).retry(run)


def test_what_a_run_under_way_is_to_do_is_not_begun_a_second_time(project: Any, instance: dg.DagsterInstance) -> None:
    runner = project(model("mailer", is_good=False))
    run = failed(runner)
    definition = runner.definitions.resolve_job_def("weekly_training")
    tags = {"dagster/partition": WEEK, **tags_of_lock()}
    again = instance.create_run_for_job(definition, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id
    with (
        run_lock(runner.locks, again),
        pytest.raises(RunRecordError, match=f"Run {again} is to do all that run {run} left, and has not ended"),
    ):
        runner.retry("last")
    with pytest.raises(JobFailedError):
        runner.retry(run)  # once the other was killed


def test_what_failed_is_called_by_the_name_of_its_asset_whatever_its_model_is_called(project: Any) -> None:
    begun: list[str] = []
    with pytest.raises(JobFailedError, match="weekly for 2025-01-06 failed: mailer__two/model: no rows"):
        project(model("mailer__two", is_good=False)).run("weekly", first=WEEK, on_step=begun.append)
    assert begun == ["mailer__two/model"]
