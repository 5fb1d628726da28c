"""Jobs read artifacts where they are: what the process that drives the run fetches, counted request by request."""

import time

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aws_fixtures import IMAGE, REGION, ROLE
from example_steps import CountParams, count_words

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.artifacts.job import JobResources
from packaging_assets.artifacts.run_step import run_step
from packaging_assets.artifacts.s3_store import S3ArtifactStore
from packaging_assets.artifacts.store import ArtifactInput
from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.models import TrainParams, train
from packaging_assets.domain.prediction_checks import check_predictions
from packaging_assets.domain.predictions import PredictModel, PredictParams, predict
from packaging_assets.resources import sagemaker_work
from packaging_assets.resources.sagemaker_compute import SageMakerCompute
from packaging_assets.resources.sagemaker_jobs import JobSettings
from packaging_assets.resources.sagemaker_work import GivenInputs, how_to_run

PARTS, ROWS = 3, 60


def nap(seconds):
    time.sleep(0.03)


class Driver:
    """A store and a compute, and the keys of all objects that are fetched for them."""

    def __init__(self, bucket, session):
        self.fetched = []
        session.events.register("provide-client-params.s3.GetObject", self._note)
        session.events.register("provide-client-params.s3.HeadObject", self._note)
        self._client = session.client("s3")
        self.store = S3ArtifactStore(bucket, "artifacts", client=self._client)
        self.compute = SageMakerCompute(
            JobSettings(role_arn=ROLE, image=IMAGE, region=REGION),
            bucket=bucket,
            environment=bucket[-6:],
            session=session,
            sleep=nap,
        )

    def _note(self, params, **_):
        self.fetched.append(params["Key"])

    def close(self):
        self._client.close()

    def commit(self, key, write):
        with self.store.scratch() as scratch:
            write(scratch)
            parts = FingerprintParts(step=f"m:{key}", modules={}, libraries={}, params={}, inputs={})
            artifact = self.store.commit(key, None, scratch, parts=parts, provenance={})
        return ArtifactInput(self.store, artifact)

    def run(self, step, inputs, params, **resources):
        """The result, and the names of the inputs' files that were fetched."""
        self.fetched.clear()
        result = run_step(
            self.store,
            step,
            asset_key=f"result/{resources.get('run_as', 'default')}",
            partition=None,
            inputs=inputs,
            params=params,
            provenance={},
            compute=self.compute.using(JobResources(**resources)),
        )
        uris = [source.artifact.uri for source in inputs.values()]
        fetched = {key.rpartition("/")[2] for key in self.fetched for uri in uris if f"artifacts/{uri}/" in key}
        return result, fetched


@pytest.fixture
def driver(sagemaker_stand_in, bucket):
    made = Driver(bucket, boto3.Session("test", "test", region_name=REGION))
    yield made
    made.close()


def write_inventory(folder):
    random = np.random.default_rng(0)
    for number in range(PARTS):
        table = pa.table(
            {
                "product_id": [f"p{number}{row:04d}" for row in range(ROWS)],
                "updated_at": pa.array(np.full(ROWS, np.datetime64("2025-01-06")), pa.timestamp("us")),
                "weight_kg": random.normal(size=ROWS),
                "fits_box": [row % 7 != 0 for row in range(ROWS)],
            }
        )
        pq.write_table(table, folder / f"part-{number:05d}.parquet")


def write_split(folder):
    ids = [f"p{number}{row:04d}" for number in range(PARTS) for row in range(ROWS)]
    labels = np.array([row % 2 for row in range(len(ids))], np.int8)
    pq.write_table(
        pa.table({"product_id": ids, "label": labels, "weight": np.ones(len(ids))}), folder / "train.parquet"
    )


def test_neither_training_nor_scoring_fetches_what_it_reads(driver, tmp_path):
    inventory, split = driver.commit("inventory", write_inventory), driver.commit("split", write_split)
    params = TrainParams(
        package_type="box", parameters={"iterations": 3}, features=FeatureSet(numeric=("weight_kg",)), seed=1
    )
    trained, fetched = driver.run(train, {"features": inventory, "split": split}, params, run_as="training")
    assert fetched == {"manifest.json"}
    assert (trained.job.kind, trained.job.instance_count) == ("training", 1)
    assert trained.job.seconds >= 1

    chosen = PredictModel(package_type="box", model="box", version=1, threshold=0.5, input_name="box")
    scoring = PredictParams(models=(chosen,), as_of="2025-01-13T00:00:00")
    inputs = {"inventory": inventory, "box": ArtifactInput(driver.store, trained.artifact)}
    here, _ = driver.run(predict, inputs, scoring, run_as="driver")
    assert here.job is None
    there, fetched = driver.run(predict, inputs, scoring, run_as="processing")
    assert fetched == {"manifest.json"}
    assert (there.is_cache_hit, there.artifact.files) == (False, here.artifact.files)
    assert there.artifact.total_rows == PARTS * ROWS


def test_scoring_over_several_machines_or_by_requests_does_not_fetch_the_inventory(driver, tmp_path):
    """A transform job's server starts with the models, in an archive that is made here; the inventory stays in S3."""
    inventory, split = driver.commit("inventory", write_inventory), driver.commit("split", write_split)
    params = TrainParams(
        package_type="box", parameters={"iterations": 3}, features=FeatureSet(numeric=("weight_kg",)), seed=1
    )
    trained, _ = driver.run(train, {"features": inventory, "split": split}, params, run_as="driver")
    chosen = PredictModel(package_type="box", model="box", version=1, threshold=0.5, input_name="box")
    scoring = PredictParams(models=(chosen,), as_of="2025-01-13T00:00:00")
    inputs = {"inventory": inventory, "box": ArtifactInput(driver.store, trained.artifact)}
    sharded, fetched = driver.run(predict, inputs, scoring, run_as="processing", instance_count=2)
    assert fetched == {"manifest.json"}
    assert sharded.job.instance_count == 2
    asked, fetched = driver.run(predict, inputs, scoring, run_as="transform", instance_count=5)
    assert not any(name.startswith("part-") for name in fetched)
    assert asked.artifact.files == sharded.artifact.files
    assert asked.job.instance_count == PARTS  # more machines than parts have nothing to do


def test_an_extract_is_opened_once_for_the_job_that_needs_it(driver):
    class Query:
        content_hash = "1"
        opened = 0

        def open(self, scratch):
            self.opened += 1
            (scratch / "a.txt").write_text("one two three")
            return scratch

    query = Query()
    result = run_step(
        driver.store,
        count_words,
        asset_key="count",
        partition=None,
        inputs={"text": query},
        params=CountParams(),
        provenance={},
        compute=driver.compute,
    )
    assert (query.opened, result.job.kind) == (1, "processing")
    assert set(result.artifact.files) == {"model/count.txt", "names.txt"}


def test_steps_of_seconds_run_in_the_driver_unless_they_would_fetch_much(driver, tmp_path, monkeypatch):
    def given():
        inputs = {name: driver.commit(name, write_inventory) for name in ("inventory", "predictions")}
        return GivenInputs(inputs, tmp_path)

    bytes_of_both = given().stored_bytes()
    for step, asked, limit, kind in (
        (check_predictions, None, bytes_of_both, "driver"),
        (check_predictions, None, bytes_of_both - 1, "processing"),
        (check_predictions, "driver", 0, "driver"),
        (check_predictions, "processing", bytes_of_both, "processing"),
        (predict, None, bytes_of_both, "processing"),
        (train, None, bytes_of_both, "training"),
        (train, "driver", 0, "driver"),
    ):
        monkeypatch.setattr(sagemaker_work, "MAX_DRIVER_BYTES", limit)
        assert how_to_run(step, given(), JobResources(run_as=asked)) == kind
