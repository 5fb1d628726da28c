"""Going on with a run: which run is meant, and what is still to be done for it."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.plan.objects import StepSuccessData

from packaging_assets.abandoned_runs import run_lock, settle_abandoned_runs, tags_of_lock
from packaging_assets.dagster_storage import open_instance
from packaging_assets.home import prepare_dagster_home
from packaging_assets.run_records import RunRecordError
from packaging_assets.runner import JobFailedError, JobRunner, UnknownPartitionError
from packaging_assets.settings import load_settings
from packaging_assets.threads.executor import threaded_executor

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


def test_a_run_that_is_killed_while_another_waits_for_its_place_in_the_pool_frees_it(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    @dg.asset(partitions_def=WEEKLY, pool="warehouse")
    def rows() -> None: ...

    jobs: list[Any] = [dg.define_asset_job("weekly_training")]
    project = dg.Definitions(assets=[rows], jobs=jobs, executor=threaded_executor)
    runner = JobRunner(project, instance, tmp_path / "dagster")
    beside = put(runner, tags=tags_of_lock())
    instance.event_log_storage.initialize_concurrency_limit_to_default("warehouse")
    with ThreadPoolExecutor() as threads:
        with run_lock(runner.locks, beside):
            assert instance.event_log_storage.claim_concurrency_slot("warehouse", beside, "rows").is_claimed
            waiting = threads.submit(runner.run, "weekly", first=WEEK)
            wait_until(lambda: claims(instance) == (1, 1))
        try:
            run_id = waiting.result(timeout=60).run_id
        finally:
            settle_abandoned_runs(instance, runner.locks)  # or the thread would never end
    assert claims(instance) == (0, 0)
    assert statuses(instance) == {beside: dg.DagsterRunStatus.FAILURE, run_id: dg.DagsterRunStatus.SUCCESS}


def claims(instance: dg.DagsterInstance) -> tuple[int, int]:
    """How many places in the pool are taken, and how many steps wait for one."""
    pool = instance.event_log_storage.get_concurrency_info("warehouse")
    return pool.active_slot_count, pool.pending_step_count


def statuses(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRunStatus]:
    return {run.run_id: run.status for run in instance.get_runs()}


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_several_failed_by_is_told_once_with_their_names(project: Any) -> None:
    with pytest.raises(JobFailedError, match=r"^weekly for 2025-01-06 failed: bag/model, mailer/model: no rows \(run "):
        project(*(model(name, is_good=False) for name in ("bag", "mailer"))).run("weekly", first=WEEK)


def put(runner: JobRunner, *, tags: dict[str, str] | None = None, **options: Any) -> str:
    """A run of the week in Dagster's record, which nothing works at; the latest one."""
    definition = runner.definitions.resolve_job_def("weekly_training")
    options = {"status": dg.DagsterRunStatus.STARTED, **options}
    return runner.instance.create_run_for_job(
        definition, tags={"dagster/partition": WEEK, **(tags or {})}, **options
    ).run_id


def test_a_run_of_which_nothing_is_known_is_gone_on_with_by_force_only(
    project: Any, instance: dg.DagsterInstance
) -> None:
    runner = project(model("mailer"))
    run = put(runner)
    sentence = f"Dagster counts run {run} as STARTED, and nothing tells whether a process works at it or will: look at"
    with pytest.raises(RunRecordError, match=sentence):
        runner.retry(run)
    assert [found.run_id for found in instance.get_runs()] == [run]
    runner.retry(run, force=True)
    child, parent = instance.get_runs()
    assert (parent.status, child.status) == (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS)


def test_a_run_frees_first_what_killed_ones_held(project: Any, instance: dg.DagsterInstance) -> None:
    runner = project(model("mailer"))
    killed, events = put(runner, tags=tags_of_lock()), instance.event_log_storage
    events.set_concurrency_slots("warehouse", 1)
    assert events.claim_concurrency_slot("warehouse", killed, "labels").is_claimed
    runner.run("weekly", first=WEEK)
    found = instance.get_run_by_id(killed)
    assert found is not None
    assert found.status == dg.DagsterRunStatus.FAILURE
    assert events.get_concurrency_info("warehouse").active_slot_count == 0


def test_a_retry_of_a_retry_names_both_the_one_before_and_the_first(project: Any, instance: dg.DagsterInstance) -> None:
    first = failed(project(model("mailer", is_good=False)))
    with pytest.raises(JobFailedError):
        project(model("mailer", is_good=False)).retry(first)
    second = instance.get_runs(limit=1)[0].run_id
    project(model("mailer")).retry("last")
    last = instance.get_runs(limit=1)[0]
    assert (last.parent_run_id, last.root_run_id, last.status) == (second, first, dg.DagsterRunStatus.SUCCESS)


def test_a_retry_has_the_config_of_the_run_before(project: Any, instance: dg.DagsterInstance) -> None:
    runner = project(model("mailer"))
    config = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    runner.retry(put(runner, run_config=config, status=dg.DagsterRunStatus.FAILURE))
    assert instance.get_runs(limit=1)[0].run_config == config


def test_of_a_run_whose_steps_had_all_finished_nothing_is_missing(project: Any, instance: dg.DagsterInstance) -> None:
    runner = project(model("mailer"))
    run = put(runner, tags=tags_of_lock())
    success = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.STEP_SUCCESS.value,
        job_name="weekly_training",
        step_key="mailer__model",
        event_specific_data=StepSuccessData(1.0),
    )
    instance.report_dagster_event(success, run_id=run)
    with pytest.raises(RunRecordError, match=f"Every step of run {run} had finished before it ended"):
        runner.retry(run)


@dg.job
def idle() -> None: ...


def test_a_run_that_was_to_make_no_asset_or_whose_job_is_gone_is_not_retried(
    project: Any, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.FAILURE).run_id
    with pytest.raises(RunRecordError, match=f"Run {run} was of job 'idle', which there is not any more: run another"):
        project(model("mailer")).retry(run)
    with_idle = JobRunner(dg.Definitions(jobs=[idle]), instance, tmp_path / "dagster")
    with pytest.raises(RunRecordError, match=f"Run {run} of idle was not to materialize anything: launch the job"):
        with_idle.retry(run)


def test_what_steps_print_is_in_the_runs_log_and_not_on_the_terminal(
    project: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @dg.asset(key=["mailer", "model"], partitions_def=WEEKLY)
    def talkative() -> None:
        print("12 of 12 OK")  # noqa: T201 - as dbt does

    outcome = project(talkative).run("weekly", first=WEEK)
    assert (tmp_path / "dagster" / "logs" / f"{outcome.run_id}.log").read_text() == "12 of 12 OK\n"
    assert "12 of 12 OK" not in capsys.readouterr().out


@pytest.mark.parametrize(("first", "last"), [("2025-01-07", None), (WEEK, "2025-01-14"), ("2025-01-07", "2025-01-13")])
def test_both_ends_of_what_is_asked_for_must_be_partitions(project: Any, first: str, last: str | None) -> None:
    runner = project(model("mailer"))
    with pytest.raises(UnknownPartitionError, match="is not a partition of the weekly job: weeks are named by their"):
        runner.run("weekly", first=first, last=last)
    assert runner.instance.get_runs_count() == 0


def test_a_range_may_be_of_one_partition(project: Any) -> None:
    runner = project(model("mailer"))
    assert runner.check("weekly", first=WEEK, last=WEEK).name == "weekly_training"


def test_the_job_of_shadow_models_has_no_partitions_where_there_are_none(project: Any) -> None:
    with pytest.raises(UnknownPartitionError, match="The daily_shadow job has no partitions, since the project has no"):
        project(model("mailer")).run("daily_shadow", first="2025-01-06")
