"""SageMaker as compute, through boto3 and the SageMaker SDK against moto and the stand-in."""

import dataclasses
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aws_fixtures import IMAGE, REGION, ROLE, TESTS
from botocore.exceptions import ClientError
from dagster._core.errors import DagsterExecutionInterruptedError
from example_steps import (
    CountParams,
    WaitParams,
    _private,
    count_words,
    die,
    not_a_step,
    refuse,
    wait,
    wait_where_it_begins,
    write_note,
)

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.job import JobResources
from packaging_assets.artifacts.run_step import run_step
from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.artifacts.s3_store import S3ArtifactStore
from packaging_assets.artifacts.step import Origin
from packaging_assets.artifacts.store import ArtifactInput
from packaging_assets.container.step_request import RequestError, StepRequest
from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.models import TrainParams, train
from packaging_assets.domain.predictions import PredictModel, PredictParams, predict
from packaging_assets.resources.backoff import Backoff
from packaging_assets.resources.pipes_sagemaker.job_log import JobLog
from packaging_assets.resources.sagemaker_compute import SageMakerCompute
from packaging_assets.resources.sagemaker_data import JobData
from packaging_assets.resources.sagemaker_errors import (
    JobCapacityError,
    JobFailedError,
    JobServiceError,
    JobStoppedError,
    RetryPolicy,
    is_beyond_reach,
    kind_of_job_failure,
)
from packaging_assets.resources.sagemaker_jobs import JobSettings
from packaging_assets.resources.sagemaker_names import job_name, tag_value
from packaging_assets.resources.sagemaker_work import PartedStep

COUNT = "example_steps:count_words"
SLOW_MACHINE_SECONDS = 120
PRINT = "f" * 64
QUICK = RetryPolicy(
    calls={kind: Backoff(3, 0.0, 0.0) for kind in ("throttling", "service", "capacity")},
    jobs={kind: Backoff(2, 0.0, 0.0) for kind in ("service", "capacity")},
)
SETTINGS = JobSettings(role_arn=ROLE, image=IMAGE, region=REGION)


class Folder:
    """A local folder as input, or one of which a copy is in S3; it counts how often it is opened."""

    def __init__(self, path, origin=None):
        self.path, self._origin, self.opened = path, origin, 0
        self.content_hash = str(path)

    def open(self, scratch):  # noqa: ARG002 - it is at hand
        self.opened += 1
        return self.path

    def origin(self):
        return self._origin


class OverFolders(SageMakerCompute):
    """Takes local folders for inputs; `run` keeps the output, as an artifact store does, and `compute` does not."""

    def run(self, *arguments, **options):
        facts = self.compute(*arguments, **options)
        if facts is not None:
            self.release(facts)
        return facts

    def compute(self, step, inputs, params, output, *, fingerprint, scratch=None, extra_modules=()):
        given = {name: Folder(path) if isinstance(path, Path) else path for name, path in inputs.items()}
        with tempfile.TemporaryDirectory() as folder:
            return super().run(
                step,
                given,
                params,
                output,
                scratch=scratch or Path(folder),
                fingerprint=fingerprint,
                extra_modules=extra_modules,
            )


class Naps:
    """Sleeps a little, and keeps how long was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, seconds):
        self.asked.append(seconds)
        time.sleep(0.03)


@pytest.fixture
def naps():
    return Naps()


@pytest.fixture(scope="module")
def session(moto_url):
    """One for all tests: the SDK makes six clients for each, which takes longer than most jobs here."""
    import boto3

    return boto3.Session("test", "test", region_name=REGION)


@pytest.fixture
def compute(sagemaker_stand_in, bucket, naps, session):
    def make(*, kind=None, instances=1, **changes):
        chosen = JobResources(run_as=kind, instance_count=instances)
        # Fingerprints are the same in all tests, and SageMaker keeps names: each test is an environment of its own.
        given = {"environment": bucket[-6:], "default": chosen, "retries": QUICK, "sleep": naps}
        given |= {"session": session, **changes}
        return OverFolders(SETTINGS, bucket=bucket, prefix="work/jobs", **given)

    return make


@pytest.fixture
def folders(tmp_path):
    text, output = tmp_path / "text", tmp_path / "output"
    text.mkdir()
    output.mkdir()
    (text / "a.txt").write_text("one two three")
    return {"text": text}, output


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def names_of(stand_in, kind="Training"):
    """Names of the jobs that there have been, in the order of their creation."""
    return [name for job_kind, name in stand_in.operations._jobs if job_kind == kind]


def left_in(clients, bucket):
    return [entry.key for entry in S3Objects(clients.s3, bucket).entries()]


@pytest.mark.parametrize("kind", ["training", "processing"])
def test_a_step_reads_its_inputs_and_params_and_writes_its_output(compute, folders, kind, clients, bucket):
    inputs, output = folders
    (inputs["text"] / "below").mkdir()
    (inputs["text"] / "below" / "b.txt").write_text("four")
    compute(kind=kind).run(count_words, inputs, CountParams(factor=2), output, fingerprint=PRINT)
    assert files_of(output) == {"model/count.txt": b"8", "names.txt": b"a.txt,b.txt"}
    assert left_in(clients, bucket) == []


@pytest.mark.parametrize("kind", ["training", "processing"])
def test_what_a_step_raises_is_told_with_exit_code_and_log(compute, folders, kind, clients, bucket):
    inputs, output = folders
    with pytest.raises(RuntimeError, match=r"(?s)exit code: 1\b.*the scales are broken") as raised:
        compute(kind=kind).run(refuse, inputs, CountParams(), output, fingerprint=PRINT)
    assert type(raised.value) is JobFailedError
    assert f"job packaging-{bucket[-6:]}-refuse-{PRINT[:32]}-0 failed" in str(raised.value)
    assert 'raise RuntimeError("the scales are broken")' in str(raised.value)
    assert files_of(output) == {}


def test_a_step_that_is_killed_is_told_by_its_exit_code(compute, folders):
    inputs, output = folders
    with pytest.raises(JobFailedError, match="exit code: 137"):
        compute(kind="training").run(die, inputs, CountParams(), output, fingerprint=PRINT)


def test_params_of_any_length_arrive_whole(compute, folders):
    inputs, output = folders
    note = "ÄÖÜ €\n\"quoted\" \\ 'so' " * 800
    compute(kind="training").run(write_note, inputs, CountParams(note=note), output, fingerprint=PRINT)
    assert files_of(output) == {"note.txt": note.encode()}
    with pytest.raises(RequestError, match="a training job takes 250000: run it as a processing job"):
        compute(kind="training").run(write_note, inputs, CountParams(note="x" * 250_001), output, fingerprint="e" * 64)


def test_an_input_without_files_is_an_empty_folder(compute, folders):
    inputs, output = folders
    (inputs["text"] / "a.txt").unlink()
    compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output)["model/count.txt"] == b"0"


def test_an_input_that_is_in_s3_already_is_read_there(compute, folders, clients, bucket, sagemaker_stand_in):
    _, output = folders
    for kind, fingerprint in (("training", "a" * 64), ("processing", "b" * 64)):
        clients.s3.put_object(Bucket=bucket, Key="artifacts/text/b.txt", Body=b"five words are in there")
        text = Folder(None, Origin(uri=f"s3://{bucket}/artifacts/text/", files={"b.txt": 23}))
        compute(kind=kind).run(count_words, {"text": text}, CountParams(), output, fingerprint=fingerprint)
        assert files_of(output) == {"model/count.txt": b"5", "names.txt": b"b.txt"}
        assert text.opened == 0
        shutil.rmtree(output)
        output.mkdir()
    assert left_in(clients, bucket) == ["artifacts/text/b.txt"]


def write_train_inputs(folder):
    rows = 200
    random = np.random.default_rng(0)
    weight = random.normal(size=rows)
    table = pa.table(
        {
            "product_id": [f"p{i:04d}" for i in range(rows)],
            "updated_at": pa.array(np.full(rows, np.datetime64("2025-01-06")), pa.timestamp("us")),
            "length_cm": random.normal(size=rows),
            "weight_kg": weight,
            "category": random.choice(["toys", "tools"], rows).tolist(),
            "fits_box": [i % 7 != 0 for i in range(rows)],
        }
    )
    split = pa.table(
        {
            "product_id": table["product_id"],
            "label": pa.array((weight < 0).astype(np.int8)),
            "weight": np.ones(rows),
            "is_random_test": np.zeros(rows, dtype=bool),
        }
    )
    for name in ("features", "split"):
        (folder / name).mkdir(parents=True)
    for number in range(2):
        pq.write_table(table.slice(number * 100, 100), folder / "features" / f"part-{number:05d}.parquet")
    pq.write_table(split, folder / "split" / "train.parquet")
    return {"features": folder / "features", "split": folder / "split"}


def in_process(step, inputs, params, output):
    output.mkdir()
    step(inputs, params, output)
    return output


def test_training_and_predicting_on_sagemaker_give_the_bytes_that_they_give_here(compute, tmp_path, sagemaker_stand_in):
    inputs = write_train_inputs(tmp_path)
    params = TrainParams(
        package_type="box",
        parameters={"iterations": 5},
        features=FeatureSet(numeric=("weight_kg", "length_cm"), categorical=("category",)),
        seed=5,
    )
    here = in_process(train, inputs, params, tmp_path / "here")
    there = tmp_path / "there"
    there.mkdir()
    compute().run(train, inputs, params, there, fingerprint=PRINT)
    assert files_of(there) == files_of(here)
    assert "model/model.cbm" in files_of(here)
    assert sagemaker_stand_in.calls.count("CreateTrainingJob") == 1  # training is what a training step runs as

    chosen = PredictModel(package_type="box", model="box", version=1, threshold=0.5, input_name="box")
    predicting = PredictParams(models=(chosen,), as_of="2025-01-13T00:00:00")
    inventory = {"inventory": inputs["features"], "box": here}
    whole = files_of(in_process(predict, inventory, predicting, tmp_path / "predicted"))
    assert list(whole) == ["part-00000.parquet", "part-00001.parquet", "predictions.json"]
    for kind in ("processing", "transform"):
        output = tmp_path / kind
        output.mkdir()
        by_parts = compute().using(JobResources(run_as=kind, instance_count=2))
        by_parts.run(predict, inventory, predicting, output, fingerprint=PRINT)
        assert files_of(output) == whole


def count_into(store, text, compute):
    """Count words as an artifact of the store."""
    return run_step(
        store,
        count_words,
        asset_key="count",
        partition="2025-01-06",
        inputs={"text": text},
        params=CountParams(),
        provenance={"run_id": "r1"},
        compute=compute,
    )


def test_a_step_of_artifacts_in_s3_reads_them_there_and_its_result_is_an_artifact_in_s3(
    compute, tmp_path, bucket, s3, sagemaker_stand_in
):
    store = S3ArtifactStore(bucket, "artifacts", client=s3)
    with store.scratch() as scratch:
        (scratch / "a.txt").write_text("one two")
        parts = FingerprintParts(step="m:f", modules={}, libraries={}, params={}, inputs={})
        text = store.commit("text", None, scratch, parts=parts, provenance={})

    first, second = [count_into(store, ArtifactInput(store, text), compute(kind="training")) for _ in range(2)]
    assert (first.is_cache_hit, second.is_cache_hit) == (False, True)
    assert second.artifact == first.artifact == store.current("count", "2025-01-06")
    with store.scratch() as scratch:
        assert files_of(store.local_path(first.artifact, scratch)) == {"model/count.txt": b"2", "names.txt": b"a.txt"}
    [channel] = list(sagemaker_stand_in.operations._jobs.values())[-1].request["InputDataConfig"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"].startswith(f"s3://{bucket}/artifacts/{text.uri}/")


def test_parts_are_merged_in_their_order(compute, folders):
    inputs, output = folders
    for number in range(5):
        (inputs["text"] / f"b{number}.txt").write_text("word " * number)
    for kind in ("processing", "transform"):
        made = compute(
            kind=kind, instances=2, parted_steps={COUNT: PartedStep("text", "test_compute_sagemaker:merge_counts")}
        )
        made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
        assert files_of(output) == {"counts.txt": b"3,0,1,2,3,4"}


def merge_counts(shards, params, output):
    counts = [(shard / "model" / "count.txt").read_text() for shard in shards]
    (output / "counts.txt").write_text(",".join(counts))


def test_a_step_that_takes_no_parts_runs_on_one_machine_and_not_as_a_transform_job(compute, folders):
    inputs, output = folders
    compute(kind="processing", instances=4).run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output)["model/count.txt"] == b"3"
    with pytest.raises(ValueError, match="takes no input part by part"):
        compute(kind="transform").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)


def test_a_part_above_the_payload_limit_is_refused_before_anything_is_paid(
    compute, folders, sagemaker_stand_in, clients, bucket
):
    inputs, output = folders
    with (inputs["text"] / "b.txt").open("wb") as file:
        file.truncate(100 * 1024 * 1024 + 1)
    made = compute(kind="transform", parted_steps={COUNT: PartedStep("text", "nowhere:merge")})
    with pytest.raises(ValueError, match=r"b\.txt has 104857601 bytes and a transform job takes 100 MB a request"):
        made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert left_in(clients, bucket) == []
    assert "CreateTransformJob" not in sagemaker_stand_in.calls


class KilledError(Exception):
    """Stands for the death of the process: nothing of ours runs any more."""


def killed_at(poll):
    polls = []

    def sleep(seconds):
        polls.append(seconds)
        if len(polls) >= poll:
            raise KilledError
        time.sleep(0.03)

    return sleep


def test_a_run_that_was_killed_finds_its_job_running(compute, folders, sagemaker_stand_in):
    inputs, output = folders
    with pytest.raises(KilledError):
        compute(kind="training", sleep=killed_at(1)).run(wait, inputs, WaitParams(seconds=1), output, fingerprint=PRINT)
    compute(kind="training").run(wait, inputs, WaitParams(seconds=1), output, fingerprint=PRINT)
    assert files_of(output) == {"waited.txt": b"waited"}
    assert sagemaker_stand_in.calls.count("CreateTrainingJob") == 1


def test_a_run_that_was_killed_finds_its_job_completed(compute, folders, sagemaker_stand_in, clients):
    inputs, output = folders
    made = compute(kind="processing", sleep=killed_at(1))
    with pytest.raises(KilledError):
        made.run(wait, inputs, WaitParams(seconds=0), output, fingerprint=PRINT)
    name = names_of(sagemaker_stand_in, "Processing")[-1]
    while clients.sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "InProgress":
        time.sleep(0.05)
    compute(kind="processing").run(wait, inputs, WaitParams(seconds=0), output, fingerprint=PRINT)
    assert files_of(output) == {"waited.txt": b"waited"}
    assert sagemaker_stand_in.calls.count("CreateProcessingJob") == 1


def damage(clients, bucket, how):
    """Change what a completed job left in S3, and return how many objects were changed."""
    objects = S3Objects(clients.s3, bucket)
    left = [entry.key for entry in objects.entries() if "/output/" in entry.key]
    for key in left:
        body = objects.get(key).body
        if how == "gone":
            objects.delete([key])
        elif how == "cut off":
            objects.put(key, body[: len(body) // 8])  # of a tar archive the most is padding
        else:
            objects.put(key, bytes(each ^ 0xFF for each in body))
    return len(left)


@pytest.mark.parametrize("kind", ["training", "processing", "transform"])
def test_a_result_that_was_fetched_and_not_kept_is_fetched_again_and_not_paid_again(
    compute, folders, sagemaker_stand_in, clients, bucket, kind, tmp_path
):
    inputs, output = folders
    killed, retried = (compute(kind=kind, parted_steps=PARTED) for _ in range(2))
    first = killed.compute(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    again = tmp_path / "again"
    again.mkdir()
    second = retried.run(count_words, inputs, CountParams(), again, fingerprint=PRINT)
    assert second == first
    assert files_of(again) == files_of(output) != {}
    assert sagemaker_stand_in.calls.count(f"Create{kind.capitalize()}Job") == 1
    assert left_in(clients, bucket) == []


@pytest.mark.parametrize("kind", ["training", "processing", "transform"])
def test_a_job_is_told_its_output_as_the_service_documents_it(compute, folders, clients, bucket, kind):
    # How the service joins names to a path that ends at a slash is written nowhere: a result elsewhere would be lost.
    inputs, output = folders
    made = compute(kind=kind, parted_steps=PARTED)
    name = made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT).name
    said = getattr(clients.sagemaker, f"describe_{kind}_job")(**{f"{kind.capitalize()}JobName": name})
    place = {
        "training": lambda: said["OutputDataConfig"]["S3OutputPath"],
        "processing": lambda: said["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"],
        "transform": lambda: said["TransformOutput"]["S3OutputPath"],
    }[kind]()
    assert place == f"s3://{bucket}/work/jobs" + ("" if kind == "training" else f"/{name}/output")


@pytest.mark.parametrize("how", ["gone", "cut off", "other bytes"])
@pytest.mark.parametrize("kind", ["training", "processing", "transform"])
def test_a_result_that_is_not_whole_any_more_is_computed_by_a_further_job(
    compute, folders, sagemaker_stand_in, clients, bucket, kind, how, tmp_path
):
    inputs, output = folders
    killed, retried = (compute(kind=kind, parted_steps=PARTED) for _ in range(2))
    first = killed.compute(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert damage(clients, bucket, how) > 0
    again = tmp_path / "again"
    again.mkdir()
    second = retried.run(count_words, inputs, CountParams(), again, fingerprint=PRINT)
    assert (first.name[-2:], second.name[-2:]) == ("-0", "-1")
    assert files_of(again) == files_of(output) != {}


def test_a_fetch_that_fails_leaves_the_result_for_the_next_run(compute, folders, bucket, sagemaker_stand_in, moto):
    inputs, output = folders
    archive = f"{job_name(bucket[-6:], count_words, PRINT, 0)}/output/model.tar.gz"
    moto.faults.inject("error", "s3", matching=f"HEAD /{bucket}/work/jobs/{archive}")
    with pytest.raises(ClientError, match="500"):
        compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output)["model/count.txt"] == b"3"
    assert sagemaker_stand_in.calls.count(CREATE) == 1


def test_a_run_that_is_killed_before_its_result_is_an_artifact_finds_the_result(
    compute, bucket, s3, sagemaker_stand_in, clients, monkeypatch, folders
):
    inputs, _ = folders
    store = S3ArtifactStore(bucket, "artifacts", client=s3)

    def run():
        on_sagemaker = SageMakerCompute(
            SETTINGS,
            bucket=bucket,
            environment=bucket[-6:],
            default=JobResources(run_as="training"),
            session=compute()._session,
            sleep=Naps(),
        )
        return count_into(store, Folder(inputs["text"]), on_sagemaker)

    def die_instead(*_, **__):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(S3ArtifactStore, "commit", die_instead)
        with pytest.raises(KilledError):
            run()
    result = run()
    assert sagemaker_stand_in.calls.count(CREATE) == 1
    assert result.artifact == store.current("count", "2025-01-06")
    assert [key for key in left_in(clients, bucket) if key.startswith("jobs/")] == []


def test_a_step_that_is_asked_for_again_is_run_again(compute, folders, sagemaker_stand_in):
    inputs, output = folders
    for _ in range(3):
        compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
        assert files_of(output)["model/count.txt"] == b"3"
    assert sagemaker_stand_in.calls.count("CreateTrainingJob") == 3


def test_a_job_that_failed_is_followed_by_one_of_the_next_number(compute, folders, sagemaker_stand_in, bucket):
    inputs, output = folders
    for number in range(2):
        name = f"packaging-{bucket[-6:]}-refuse-{'f' * 32}-{number}"
        with pytest.raises(JobFailedError, match=f"^Training job {name} failed"):
            compute(kind="training").run(refuse, inputs, CountParams(), output, fingerprint=PRINT)


def test_two_runs_at_once_share_one_job(compute, folders, sagemaker_stand_in, tmp_path):
    inputs, _ = folders
    outputs = [tmp_path / "one", tmp_path / "two"]
    errors = []

    def run(output):
        output.mkdir()
        try:
            compute(kind="training").run(wait, inputs, WaitParams(seconds=1), output, fingerprint=PRINT)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run, args=(output,)) for output in outputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [files_of(output) for output in outputs] == [{"waited.txt": b"waited"}] * 2


@pytest.mark.parametrize("cancelled_by", [KeyboardInterrupt, DagsterExecutionInterruptedError])
@pytest.mark.parametrize("kind", ["training", "processing"])
def test_a_run_that_is_cancelled_stops_its_job(compute, folders, sagemaker_stand_in, clients, kind, cancelled_by):
    inputs, output = folders

    def cancel(_):
        time.sleep(0.1)
        raise cancelled_by

    with pytest.raises(cancelled_by) as raised:
        compute(kind=kind, sleep=cancel).run(wait, inputs, WaitParams(seconds=60), output, fingerprint=PRINT)
    name = names_of(sagemaker_stand_in, kind.capitalize())[-1]
    sagemaker_stand_in.operations._jobs[kind.capitalize(), name].join(SLOW_MACHINE_SECONDS)
    described = getattr(clients.sagemaker, f"describe_{kind}_job")(**{f"{kind.capitalize()}JobName": name})
    assert described[f"{kind.capitalize()}JobStatus"] == "Stopped"
    assert raised.value.__notes__ == [f"Job {name} was stopped."]


def models_left(clients, bucket):
    names = [model["ModelName"] for model in clients.sagemaker.list_models()["Models"]]
    return [name for name in names if name.startswith(f"packaging-{bucket[-6:]}-")]


PARTED = {
    f"example_steps:{step}": PartedStep("text", "test_compute_sagemaker:merge_counts") for step in ("wait", "refuse")
}
PARTED[COUNT] = PartedStep("text", "test_compute_sagemaker:merge_counts")


def test_a_transform_job_that_fails_leaves_no_model(compute, folders, sagemaker_stand_in, clients, bucket):
    inputs, output = folders
    with pytest.raises(JobFailedError):
        compute(kind="transform", parted_steps=PARTED).run(refuse, inputs, CountParams(), output, fingerprint=PRINT)
    assert "CreateTransformJob" in sagemaker_stand_in.calls
    assert models_left(clients, bucket) == []


def test_a_transform_job_that_is_cancelled_leaves_no_model(compute, folders, clients, bucket):
    inputs, output = folders
    standing = []

    def cancel(_):
        standing.extend(models_left(clients, bucket))
        raise KeyboardInterrupt

    made = compute(kind="transform", parted_steps=PARTED, sleep=cancel)
    with pytest.raises(KeyboardInterrupt):
        made.run(wait, inputs, WaitParams(seconds=60), output, fingerprint=PRINT)
    assert (len(standing), models_left(clients, bucket)) == (1, [])


def test_a_transform_job_whose_data_cannot_be_deleted_leaves_no_model(compute, folders, clients, bucket, monkeypatch):
    inputs, output = folders

    def refuse_to_delete(*_):
        raise PermissionError("AccessDenied")

    monkeypatch.setattr(JobData, "clean", refuse_to_delete)
    made = compute(kind="transform", parted_steps=PARTED)
    made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output) == {"counts.txt": b"3"}
    assert models_left(clients, bucket) == []


def test_a_cancelled_run_whose_job_cannot_be_stopped_says_so_and_is_cancelled(compute, folders, sagemaker_stand_in):
    inputs, output = folders

    def cancel(_):
        if not sagemaker_stand_in.faults.waiting():
            sagemaker_stand_in.faults.inject("error", "StopTrainingJob", times=10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        compute(kind="training", sleep=cancel).run(wait, inputs, WaitParams(seconds=1), output, fingerprint=PRINT)
    assert "could not be stopped, and may be running still" in raised.value.__notes__[0]


def test_a_job_that_somebody_stops_is_told(compute, folders, sagemaker_stand_in, clients):
    inputs, output = folders

    def stop(_):
        time.sleep(0.1)
        for kind, name in sagemaker_stand_in.operations._jobs:
            job = sagemaker_stand_in.operations._jobs[kind, name]
            if job.status == "InProgress":
                clients.sagemaker.stop_training_job(TrainingJobName=name)

    with pytest.raises(JobStoppedError, match="was stopped: by somebody"):
        compute(kind="training", sleep=stop).run(wait, inputs, WaitParams(seconds=60), output, fingerprint=PRINT)


def test_a_job_that_takes_too_long_is_told(compute, folders):
    inputs, output = folders
    short = JobResources(run_as="training", max_runtime_seconds=1)
    with pytest.raises(JobStoppedError, match="after the 1 s that it may run"):
        compute().using(short).run(wait, inputs, WaitParams(seconds=60), output, fingerprint=PRINT)


def test_a_job_that_never_ends_is_given_up_and_stopped(compute, folders, sagemaker_stand_in):
    inputs, output = folders
    times = iter(range(0, 10**9, 10**5))
    with pytest.raises(JobStoppedError, match="did not end in time, and was stopped"):
        compute(kind="training", clock=lambda: next(times)).run(
            wait, inputs, WaitParams(seconds=60), output, fingerprint=PRINT
        )
    assert "StopTrainingJob" in sagemaker_stand_in.calls


CREATE, DESCRIBE = "CreateTrainingJob", "DescribeTrainingJob"


@pytest.mark.parametrize(
    ("fault", "operation"),
    [
        ("throttle", CREATE),
        ("throttle", DESCRIBE),
        ("error", CREATE),
        ("error", DESCRIBE),
        ("limit", CREATE),
        ("lost_answer", CREATE),
        ("lost_answer", DESCRIBE),
        ("twice", CREATE),
    ],
)
def test_a_call_that_goes_wrong_is_tried_again_and_nothing_is_paid_twice(
    compute, folders, sagemaker_stand_in, fault, operation
):
    inputs, output = folders
    before = len(names_of(sagemaker_stand_in))
    sagemaker_stand_in.faults.inject(fault, operation, times=2 if fault != "twice" else 1)
    compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output)["model/count.txt"] == b"3"
    assert len(names_of(sagemaker_stand_in)) == before + 1


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [("throttle", JobServiceError), ("error", JobServiceError), ("limit", JobCapacityError)],
)
def test_a_call_that_goes_wrong_for_ever_is_an_error_of_its_kind(
    compute, folders, sagemaker_stand_in, fault, error_class
):
    inputs, output = folders
    sagemaker_stand_in.faults.inject(fault, CREATE, times=100)
    with pytest.raises(error_class, match="3 times, the last time with"):
        compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)


def test_machines_that_the_account_may_not_have_are_not_waited_for(compute, folders, sagemaker_stand_in, naps):
    inputs, output = folders
    sagemaker_stand_in.faults.inject("no_quota", CREATE, times=100)
    with pytest.raises(JobCapacityError, match=r"however long it is waited for.*is 0 Instances.*Service Quotas"):
        compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert sagemaker_stand_in.calls.count(CREATE) == 1
    assert naps.asked == []


@pytest.mark.parametrize(
    ("said", "is_so"),
    [
        ("limit 'x' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances.", True),
        ("limit 'x' is 4 Instances, with current utilization of 0 Instances and a request delta of 11 Instances", True),
        ("limit 'x' is 4 Instances, with current utilization of 4 Instances and a request delta of 4 Instances", False),
        ("The requested resource training-job/ml.p2.xlarge is not available in this region", True),
        ("another text about limits", False),
    ],
)
def test_a_limit_below_what_is_asked_for_is_told_from_one_that_is_used_up(said, is_so):
    error = ClientError({"Error": {"Code": "ResourceLimitExceeded", "Message": said}}, CREATE)
    assert is_beyond_reach(error) is is_so


@pytest.mark.parametrize("fault", ["capacity", "internal", "lost_output"])
@pytest.mark.parametrize("kind", ["training", "processing"])
def test_a_job_that_fails_through_no_fault_of_the_step_is_started_again(
    compute, folders, sagemaker_stand_in, fault, kind
):
    inputs, output = folders
    sagemaker_stand_in.faults.inject(fault)
    compute(kind=kind).run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output)["model/count.txt"] == b"3"
    assert sagemaker_stand_in.calls.count(f"Create{kind.capitalize()}Job") == 2


@pytest.mark.parametrize(
    ("fault", "error_class", "said"),
    [
        ("capacity", JobCapacityError, "Unable to provision requested ML compute capacity"),
        ("internal", JobServiceError, "We encountered an internal error"),
        ("lost_output", JobServiceError, "is completed, but its output is not whole"),
    ],
)
def test_jobs_that_fail_for_ever_are_an_error_of_their_kind(
    compute, folders, sagemaker_stand_in, fault, error_class, said
):
    inputs, output = folders
    sagemaker_stand_in.faults.inject(fault, times=100)
    with pytest.raises(error_class, match=said):
        compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output) == {}
    assert sagemaker_stand_in.calls.count(CREATE) == 2


def test_an_error_that_waiting_does_not_mend_is_raised_at_once(compute, folders, sagemaker_stand_in, naps):
    inputs, output = folders
    with pytest.raises(Exception, match="enum value set"):
        compute().using(JobResources(run_as="training", instance_type="ml.none.huge")).run(
            count_words, inputs, CountParams(), output, fingerprint=PRINT
        )
    assert naps.asked == []


def test_a_job_of_the_same_name_with_its_data_elsewhere_is_left_alone(
    compute, folders, sagemaker_stand_in, bucket, clients
):
    inputs, output = folders
    with pytest.raises(KilledError):
        compute(kind="training", sleep=killed_at(1)).run(
            count_words, inputs, CountParams(factor=5), output, fingerprint=PRINT
        )
    made = OverFolders(
        SETTINGS,
        bucket=bucket,
        prefix="another/prefix",
        environment=bucket[-6:],
        default=JobResources(run_as="training"),
        sleep=Naps(),
    )
    made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output)["model/count.txt"] == b"3"


def test_what_costs_are_grouped_by_is_on_the_job(compute, folders, sagemaker_stand_in, clients):
    inputs, output = folders
    tags = {"packaging:model": "mailer|v2", "packaging:asset": "mailer/model"}
    made = compute().using(JobResources(run_as="training"), tags=tags)
    made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    job = list(sagemaker_stand_in.operations._jobs.values())[-1]
    tags = {tag["Key"]: tag["Value"] for tag in clients.sagemaker.list_tags(ResourceArn=job.arn)["Tags"]}
    assert tags["packaging:model"] == "mailer_v2"
    assert tags["packaging:asset"] == "mailer/model"
    assert tags["packaging:step"] == COUNT
    assert tags["packaging:fingerprint"] == PRINT


def test_a_job_is_isolated_encrypted_and_as_large_as_asked(compute, folders, sagemaker_stand_in, bucket):
    inputs, output = folders
    settings = dataclasses.replace(
        SETTINGS, kms_key="alias/packaging", subnets=("subnet-1",), security_groups=("sg-1",)
    )
    chosen = JobResources(
        run_as="training", instance_type="ml.m5.4xlarge", volume_gb=77, max_runtime_seconds=600, use_spot=True
    )
    made = OverFolders(settings, bucket=bucket, environment=bucket[-6:], sleep=Naps()).using(chosen)
    made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    request = list(sagemaker_stand_in.operations._jobs.values())[-1].request
    assert request["ResourceConfig"] == {
        "InstanceType": "ml.m5.4xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 77,
        "VolumeKmsKeyId": "alias/packaging",
    }
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200}
    assert (request["EnableManagedSpotTraining"], request["EnableNetworkIsolation"]) == (True, True)
    assert request["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert request["OutputDataConfig"]["KmsKeyId"] == "alias/packaging"


@pytest.mark.parametrize("kind", ["training", "processing", "transform"])
@pytest.mark.parametrize(("machine", "has_own_disks"), [("ml.g4dn.xlarge", True), ("ml.m5.xlarge", False)])
def test_a_key_is_named_for_disks_unless_the_machine_has_its_own(
    compute, folders, sagemaker_stand_in, bucket, kind, machine, has_own_disks
):
    inputs, output = folders
    settings = dataclasses.replace(SETTINGS, kms_key="alias/packaging")
    chosen = JobResources(run_as=kind, instance_type=machine)
    made = OverFolders(settings, bucket=bucket, environment=bucket[-6:], sleep=Naps(), parted_steps=PARTED)
    made.using(chosen).run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    request = list(sagemaker_stand_in.operations._jobs.values())[-1].request
    where = {"training": "ResourceConfig", "processing": "ProcessingResources", "transform": "TransformResources"}
    machines = request[where[kind]]
    machines = machines.get("ClusterConfig", machines)
    assert machines["InstanceType"] == machine
    assert machines.get("VolumeKmsKeyId") == (None if has_own_disks else "alias/packaging")
    assert files_of(output) != {}


def test_a_training_on_spare_capacity_goes_on_from_its_checkpoint(
    compute, folders, sagemaker_stand_in, clients, bucket
):
    inputs, output = folders
    sagemaker_stand_in.faults.inject("interrupted")
    said = []
    made = compute().using(JobResources(run_as="training", use_spot=True), tell=said.append)
    facts = made.run(wait_where_it_begins, inputs, WaitParams(seconds=60), output, fingerprint=PRINT)
    assert files_of(output) == {"went_on_from.txt": b"5"}
    assert sagemaker_stand_in.calls.count("CreateTrainingJob") == 1
    job = clients.sagemaker.describe_training_job(TrainingJobName=facts.name)
    steps = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert steps.count("Interrupted") == 1
    assert job["CheckpointConfig"]["S3Uri"] == f"s3://{bucket}/work/jobs/{facts.name}/checkpoints/"
    assert "Stopped by SIGTERM before the step was finished." in "\n".join(said)
    assert left_in(clients, bucket) == []


def test_what_a_job_prints_is_told_once_and_its_facts_are_given(compute, folders, bucket):
    inputs, output = folders
    said = []
    prices = {"ml.m5.large": 3600.0}
    for kind in ("training", "processing"):
        said.clear()
        chosen = JobResources(run_as=kind, instance_type="ml.m5.large")
        made = compute(usd_per_hour=prices).using(chosen, tell=said.append)
        facts = made.run(count_words, inputs, CountParams(), output, fingerprint=kind[0].replace("t", "d") * 64)
        assert said[0] == f"{kind.capitalize()} job {facts.name} is started on 1 ml.m5.large."
        text = "\n".join(said)
        assert text.count("3 words were counted") == 1
        assert "Finished in" in text
        assert (facts.kind, facts.instance_type, facts.instance_count) == (kind, "ml.m5.large", 1)
        assert facts.cost == pytest.approx(facts.seconds)
        assert facts.seconds > 0
        shutil.rmtree(output)
        output.mkdir()


def test_a_log_that_cannot_be_read_does_not_stop_a_run(compute, folders, monkeypatch):
    inputs, output = folders

    def refuse_to_read(self):
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetLogEvents")

    monkeypatch.setattr(JobLog, "new_lines", refuse_to_read)
    said = []
    made = compute().using(JobResources(run_as="training"), tell=said.append)
    made.run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert files_of(output)["model/count.txt"] == b"3"
    assert len(said) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("os:system", "nothing else may run"),
        ("packaging_assets.resources.compute:InProcessCompute", "nothing else may run"),
        ("example_steps_and_more:count_words", "nothing else may run"),
        ("example_steps:time", "is not a step"),
        ("example_steps:CountParams", "is not a step"),
        ("example_steps:_private", "is not a step"),
        ("example_steps:not_a_step", "is not a step"),
        ("packaging_assets.domain.models:read_parquet", "is not a step"),
        ("example_steps:absent", "cannot be imported"),
        ("example_steps:count_words.__globals__", "is not an import path"),
    ],
)
def test_the_container_runs_steps_of_its_packages_and_nothing_else(path, said):
    request = StepRequest(step=path, params_class="example_steps:CountParams", params={}, inputs={})
    with pytest.raises(RequestError, match=said):
        request.load_step(("packaging_assets.domain", "example_steps"))


def test_the_container_refuses_a_step_outside_its_packages(compute, folders, monkeypatch, sagemaker_stand_in):
    inputs, output = folders
    monkeypatch.setenv("PACKAGING_STEP_PACKAGES", "packaging_assets.domain")
    with pytest.raises(JobFailedError, match="nothing else may run in this container") as raised:
        compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)
    assert "exit code: 2\n" in str(raised.value)


def test_the_container_refuses_to_run_other_code_than_the_fingerprint_is_of(compute, folders, tmp_path, monkeypatch):
    inputs, output = folders
    image = tmp_path / "image"
    image.mkdir()
    text = (TESTS / "standins" / "example_steps.py").read_text()
    (image / "example_steps.py").write_text(text.replace("total * params.factor", "total * params.factor + 1"))
    monkeypatch.setenv("PYTHONPATH", f"{image}:{TESTS.parent}")
    with pytest.raises(JobFailedError, match="The image has another module example_steps"):
        compute(kind="training").run(count_words, inputs, CountParams(), output, fingerprint=PRINT)


def own_params():
    features = FeatureSet(numeric=("weight_kg", "length_cm"))
    return TrainParams(package_type="box", architecture="own_architecture:Shallow", features=features, seed=5)


def test_an_architecture_of_ones_own_is_trained_by_its_code_in_the_image(compute, tmp_path):
    inputs, output = write_train_inputs(tmp_path), tmp_path / "there"
    output.mkdir()
    compute().run(train, inputs, own_params(), output, fingerprint=PRINT, extra_modules=["own_architecture"])
    assert files_of(output) == files_of(in_process(train, inputs, own_params(), tmp_path / "here"))


@pytest.mark.parametrize(
    ("in_image", "said"),
    [("depth: 2", "The image has another module own_architecture"), (None, "The image lacks a module of")],
)
def test_an_architecture_that_the_image_has_otherwise_or_not_at_all_is_refused(
    compute, tmp_path, monkeypatch, in_image, said
):
    image = tmp_path / "image"
    image.mkdir()
    if in_image is not None:
        text = (TESTS / "standins" / "own_architecture.py").read_text()
        (image / "own_architecture.py").write_text(text.replace('"depth": 1', '"depth": 2'))
    monkeypatch.setenv("PYTHONPATH", f"{image}:{TESTS.parent}")
    output = tmp_path / "there"
    output.mkdir()
    with pytest.raises(JobFailedError, match=said) as raised:
        compute().run(
            train,
            write_train_inputs(tmp_path),
            own_params(),
            output,
            fingerprint=PRINT,
            extra_modules=["own_architecture"],
        )
    assert "exit code: 2\n" in str(raised.value)


@pytest.mark.parametrize("folder", ["../other", "/etc", "text/../../.."])
def test_an_input_cannot_be_outside_of_the_channels(folder, tmp_path):
    from packaging_assets.container.run_request import run_request

    request = StepRequest.of(count_words, CountParams(), {"text": folder})
    with pytest.raises(RequestError, match="is not below"):
        run_request(request, tmp_path / "in", tmp_path / "out", ("example_steps",))


@pytest.mark.parametrize(
    ("environment", "step", "expected"),
    [
        ("prod", count_words, f"packaging-prod-count-words-{'f' * 32}-7"),
        ("a very_long|environment of somebody", count_words, f"packaging-a-very-long-envir-{'f' * 32}-7"),
        ("", _private, f"packaging-private-{'f' * 32}-7"),
        ("packaging-prod", count_words, f"packaging-prod-count-words-{'f' * 32}-7"),
        ("packaging", count_words, f"packaging-count-words-{'f' * 32}-7"),
        ("packagings", count_words, f"packaging-packagings-count-{'f' * 32}-7"),
    ],
)
def test_job_names_are_what_sagemaker_takes(environment, step, expected):
    name = job_name(environment, step, PRINT, 7)
    assert name == expected
    assert len(job_name(environment, step, PRINT, 99)) <= 63


def test_tag_values_are_what_aws_takes():
    assert tag_value("mailer|v2 (new)") == "mailer_v2 _new_"
    assert len(tag_value("x" * 300)) == 256


def test_pauses_double_up_to_a_limit_and_differ_between_jobs():
    backoff = Backoff(5, 2.0, 10.0)
    pauses = [backoff.pause(number, "job") for number in (1, 2, 3, 4)]
    assert [0.5 * whole <= pause <= whole for whole, pause in zip((2, 4, 8, 10), pauses, strict=True)] == [True] * 4
    assert backoff.pause(1, "job") == pauses[0] != backoff.pause(1, "another")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("CapacityError: Unable to provision", "capacity"),
        ("InternalServerError: We encountered an internal error.", "service"),
        ("AlgorithmError: CapacityError: said the step, exit code: 1", None),
        ("ClientError: no objects", None),
        ("", None),
    ],
)
def test_failures_are_told_apart_by_their_code(reason, kind):
    assert kind_of_job_failure(reason) == kind


def test_what_is_not_a_step_cannot_be_sent():
    def inner(inputs, params, output):
        return None

    with pytest.raises(RequestError, match="stands inside something else"):
        StepRequest.of(inner, CountParams(), {})
    assert not_a_step(1, 2) == (1, 2)
