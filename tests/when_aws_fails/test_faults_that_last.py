"""The jobs while a service of AWS fails until someone mends it, or a job, a load or an alert is lost.

What lasts ends the run as failed, tells of it, and the run after it goes on: it leaves what an undisturbed case does.
"""

import datetime as dt
import time
from typing import Any

import pytest
from aws_faults import (
    CALL_FAULTS,
    EXPECTED_WARNINGS,
    FOREVER,
    INSERTION,
    SERVICES,
    SLOW_SECONDS,
    Undisturbed,
    failed_runs,
    gist,
)
from small_cloud import DAY, MODEL, Case, Cloud

from packaging_assets.resources import aws_session, dbt_builder
from packaging_assets.runner import JobFailedError

pytestmark = EXPECTED_WARNINGS


@pytest.mark.parametrize(
    ("service", "job", "said"),
    [
        ("s3", "train", "InternalError"),
        ("redshift", "train", "could not be reached"),
        ("sagemaker", "train", "InternalFailure"),
        ("s3", "score", "InternalError"),
        ("redshift", "score", "could not be reached"),
        ("sagemaker", "score", "InternalFailure"),
    ],
)
def test_what_lasts_ends_the_run_and_the_next_one_goes_on(
    case: Case, undisturbed: Undisturbed, service: str, job: str, said: str
) -> None:
    if job == "score":
        case.train()
        assert gist(case.look()) == undisturbed.alerts[:1]
    SERVICES[service](case, "error", FOREVER, 0.0)

    failures = case.refused(job)

    assert failures  # of each step that was under way
    assert all(said in failure for failure in failures)
    case.aws.clear_faults()
    aws_session.forget()  # boto3's clients try less often after so many failures
    loaded = case.rows("select count(*) from ml.predictions")
    assert loaded == [(0,)]
    told = failed_runs(case.look())
    assert len(told) == len(failures)
    assert all(said in sentence for sentence in told)

    case.train()
    case.score()
    assert case.trained()["artifacts"] == undisturbed.trained["artifacts"]
    assert case.trained()["versions"] == undisturbed.trained["versions"]
    assert case.trained()["packages"] == undisturbed.trained["packages"]
    # No job is run again, also where S3 did not take the artifact that its result was to become.
    assert case.scored() == undisturbed.scored
    assert failed_runs(case.look()) == []


OLD_ROWS = f"""
insert into ml.prediction_loads (load_id, cadence, partition_start, content_hash, "rows", loaded_at)
values (1, 'daily', '{DAY}', 'old', 1, '{DAY}');
insert into ml.predictions (cadence, partition_start, product_id, package_type, score, damage_probability, is_suitable,
model, model_version, as_of, load_id) values ('daily', '{DAY}', 'old', '{MODEL}', 0.5, 0.5, true, '{MODEL}', 1,
'{DAY}', 1)
"""


def test_a_load_that_fails_keeps_the_rows_before_it_and_is_made_up_for(case: Case, undisturbed: Undisturbed) -> None:
    case.train()
    case.rows(OLD_ROWS)
    before = case.scored()
    for kind, times, error, said in (
        ("failed_statement", 1, "StatementError: ", "on purpose"),
        ("aborted", 1, "StatementError: ", "on purpose"),
        ("disconnected", 1, "StatementError: ", ""),
        ("conflict", FOREVER, "ConflictError: ", "1023"),
    ):
        case.aws.redshift.faults.inject(kind, matching="insert into ml.predictions", times=times, message="on purpose")

        (failure,) = case.refused("score")

        assert failure.startswith(error)
        assert said in failure
        after = case.scored()
        assert (after["rows"], after["loads"]) == (before["rows"], before["loads"])
        case.aws.clear_faults()
    case.score()
    assert [load[:2] for load in case.scored()["loads"]] == [(1, "daily"), (2, "daily")]
    assert _without_load(case.scored()["rows"]) == _without_load(undisturbed.scored["rows"])
    assert {row[-1] for row in case.scored()["rows"]} == {2}


def _without_load(rows: list[Any]) -> list[Any]:
    return [row[:-1] for row in rows]


@pytest.mark.parametrize(
    ("kind", "ended"), [("capacity", "Failed"), ("internal", "Failed"), ("lost_output", "Completed")]
)
def test_a_job_that_fails_through_no_fault_of_the_step_is_run_again(
    case: Case, undisturbed: Undisturbed, kind: str, ended: str
) -> None:
    for operation in ("CreateTrainingJob", "CreateProcessingJob"):
        case.aws.sagemaker.faults.inject(kind, operation)

    case.train()
    case.score()

    assert {**case.trained(), "jobs": None} == {**undisturbed.trained, "jobs": None}
    assert {**case.scored(), "jobs": None} == {**undisturbed.scored, "jobs": None}
    names = [job.rpartition(" ")[0] for job in undisturbed.scored["jobs"]]
    jobs = dict(job.rsplit(" ", 1) for job in case.scored()["jobs"])
    again = {name.rpartition("-")[0] for name in jobs if name.endswith("-1")}
    assert len(again) == 2
    assert sorted(jobs) == sorted([*names, *(f"{name}-1" for name in again)])
    assert [jobs[f"{name}-0"] for name in again] == [ended, ended]
    assert set(jobs.values()) == {"Completed", ended}


def test_a_killed_container_ends_the_run_and_the_next_one_trains_again(case: Case, undisturbed: Undisturbed) -> None:
    case.aws.sagemaker.faults.inject("killed", "CreateTrainingJob")

    (failure,) = case.refused("train")

    assert "exit code: 137" in failure
    assert case.trained()["versions"] == case.trained()["packages"] == []
    (told,) = failed_runs(case.look())
    assert "exit code: 137" in told
    case.train()
    jobs = case.trained()["jobs"]
    assert sorted(job.rpartition(" ")[2] for job in jobs) == ["Completed"] * 5 + ["Failed"]
    assert {**case.trained(), "jobs": None} == {**undisturbed.trained, "jobs": None}


def test_an_alert_arrives_whatever_sns_does(case: Case) -> None:
    keys: dict[str, list[str]] = {}
    for kind in CALL_FAULTS:
        case.refused("score")  # nothing is trained yet: no model is approved
        case.aws.moto.faults.inject(kind, "sns", matching="Action=Publish", times=1, seconds=SLOW_SECONDS)
        found = case.look()
        if kind == "slow":  # the call that the client gave up is done meanwhile
            time.sleep(SLOW_SECONDS)
        keys[kind] = [each["alert"] for each in (*found, *case.inbox.read())]
    # A standard topic passes on what it gets: a repeat is known by its key.
    counts = {kind: len(found) for kind, found in keys.items()}
    assert counts == {"slow": 2, "throttle": 1, "error": 1, "lost_answer": 2, "twice": 2}
    assert len({key for found in keys.values() for key in found}) == len(CALL_FAULTS)
    assert case.look() == []


def test_an_alert_that_sns_does_not_take_is_sent_once_when_it_does(case: Case) -> None:
    case.refused("score")
    case.aws.moto.faults.inject("error", "sns", matching="Action=Publish", times=FOREVER)
    assert case.look() == []
    case.aws.clear_faults()
    aws_session.forget()
    assert case.look() == []  # not yet: the route is left alone for a while
    (told,) = failed_runs(case.look(later=dt.timedelta(hours=1)))
    assert "NoApprovedModel" in told or "No approved version" in told
    assert case.look(later=dt.timedelta(hours=2)) == []


def test_what_lasts_while_dbt_builds_leaves_the_rows_as_they_were(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt_builder, "PAUSES_SECONDS", (0.01,))
    before = cloud.built()
    cloud.aws.redshift.faults.inject("failed_statement", matching=INSERTION, times=FOREVER, message="on purpose")

    with pytest.raises(JobFailedError, match="product_features"):
        cloud.build_day()

    after = cloud.built()
    assert after["marts.product_features"] == before["marts.product_features"]
    cloud.aws.clear_faults()
    cloud.build_day()
    assert cloud.built() == before
