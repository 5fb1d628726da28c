"""A real account, in minutes and cents: each service once, by the platform's own ways. See README.md here."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.live

WEEK = "2025-01-13"


class Folder:
    """A folder of this machine as the input of a step."""

    def __init__(self, path: Path) -> None:
        self.content_hash = str(path)
        self._path = path

    def open(self, scratch: Path) -> Path:  # noqa: ARG002 - it is at hand
        return self._path


def test_the_doctor_finds_no_fault(live_settings):
    from packaging_assets.doctor.examination import examine
    from packaging_assets.doctor.parts import checks_for

    checks = [check for check in checks_for(live_settings) if check.part != "dbt project"]  # the same everywhere
    faults = [finding for finding in examine(live_settings, checks) if finding.is_ok is False]
    assert [f"{fault.part}: {fault.found} -> {fault.remedy}" for fault in faults] == []


def test_an_artifact_is_committed_once_by_many_and_comes_back_whole(scratch_settings, tmp_path):
    from packaging_assets.artifacts.fingerprint import FingerprintParts
    from packaging_assets.resources.aws_environment import s3_artifact_store

    store = s3_artifact_store(scratch_settings("exchange"))
    parts = FingerprintParts(step="live:test", modules={}, libraries={}, params={}, inputs={})

    def commit(number):
        folder = tmp_path / f"commit-{number}"
        (folder / "model").mkdir(parents=True)
        (folder / "who.txt").write_text(f"{number}\n")
        (folder / "model" / "weights.bin").write_bytes(bytes(1000))
        return store.commit("mailer/model", WEEK, folder, parts=parts, provenance={"run_id": str(number)})

    with ThreadPoolExecutor(4) as pool:
        committed = list(pool.map(commit, range(4)))
    assert len({artifact.content_hash for artifact in committed}) == 1
    store.point(committed[0])
    current = store.current("mailer/model", WEEK)
    assert current == committed[0]
    store.verify(current)
    folder = store.local_path(current, tmp_path / "read")
    assert (folder / "who.txt").read_text() == f"{current.provenance['run_id']}\n"
    assert (folder / "model" / "weights.bin").read_bytes() == bytes(1000)
    assert [artifact.uri for artifact in store.committed("mailer/model", WEEK)] == [current.uri]


def test_a_step_runs_as_a_job_and_writes_what_it_writes_here(scratch_settings, unique, tmp_path):
    from packaging_assets.artifacts.job import JobResources
    from packaging_assets.domain.splits import SplitParams, split
    from packaging_assets.resources.aws_environment import sagemaker_compute

    write_labels(tmp_path / "labels", tmp_path / "features")
    inputs = {"labels": Folder(tmp_path / "labels"), "features": Folder(tmp_path / "features")}
    params = SplitParams(package_type="mailer")
    machines = JobResources(run_as="processing", instance_type="ml.t3.medium", volume_gb=1, max_runtime_seconds=300)
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()

    facts = (
        sagemaker_compute(scratch_settings("jobs"))
        .using(machines)
        .run(
            split,
            inputs,
            params,
            there,
            scratch=tmp_path / "scratch",
            fingerprint=hashlib.sha256(unique.encode()).hexdigest(),
        )
    )

    split({name: tmp_path / name for name in inputs}, params, here)
    assert digests(there) == digests(here)
    assert facts is not None
    assert (facts.kind, facts.instance_type) == ("processing", "ml.t3.medium")


def test_versions_are_registered_approved_and_rejected(scratch_settings, live_settings, unique, deleting):
    from packaging_assets.doctor.parts import quick_clients
    from packaging_assets.domain.registry import Registration, Status
    from packaging_assets.resources.aws_environment import sagemaker_registry

    beginning = f"{live_settings.model_groups or live_settings.environment_name}-{unique}"[:40].rstrip("-")
    settings = scratch_settings("exchange").model_copy(update={"model_groups": beginning})
    sagemaker = quick_clients(settings)("sagemaker")
    deleting.append((f"model package groups {beginning}-*", lambda: delete_groups(sagemaker, beginning)))
    registry = sagemaker_registry(settings)

    def register(week, verdict):
        return registry.register(
            Registration(
                model="mailer",
                package_type="mailer",
                training_week=week,
                fingerprint=f"fingerprint of {week}",
                verdict=verdict,
                artifact_uri=f"mailer/model/{week}/f",
                metrics_uri=f"mailer/metrics/{week}/f",
                content_hash="c1",
                code_version="0.1.0",
                metrics={"pr_auc": 0.41},
                reasons=("Volume is low.",) if verdict == "pending" else (),
            )
        )

    first, second = register("2025-01-06", "approve"), register("2025-01-13", "pending")
    assert (first.status, second.status) == (Status.APPROVED, Status.PENDING)
    assert registry.champion("mailer").version == 1
    approved = registry.approve("mailer", 2, actor="live test", reason="looked at it", expected_status=Status.PENDING)
    assert (approved.status, registry.champion("mailer").version) == (Status.APPROVED, 2)
    rejected = registry.reject("mailer", 2, actor="live test", reason="looked again", expected_status=Status.APPROVED)
    assert (rejected.status, registry.champion("mailer").version) == (Status.REJECTED, 1)
    assert [version.metrics["pr_auc"] for version in registry.versions("mailer")] == [0.41, 0.41]


def test_rows_go_to_the_warehouse_and_back_as_they_are(scratch_settings, unique, deleting, tmp_path):
    from packaging_assets.doctor.data_api_statement import Statements
    from packaging_assets.domain.parquet_files import list_parts, read_parquet
    from packaging_assets.resources.aws_environment import redshift_warehouse
    from packaging_assets.resources.aws_session import client

    settings = scratch_settings("exchange")
    statements = Statements(settings, client(settings, "redshift-data"))
    warehouse = redshift_warehouse(settings)
    warehouse.create_tables()  # what is there stays; loads wait for one another at one of them
    schema = unique.replace("-", "_")
    deleting.append((f"schema {schema}", lambda: statements.run(f"drop schema if exists {schema} cascade")))
    statements.run(
        f"create schema {schema}",
        f"create table {schema}.parcels (id varchar(20), weight_kg double precision, tests int, is_liquid boolean)",
    )
    rows = pa.table(
        {
            "id": ["a", "b\u00e9'", None],
            "weight_kg": [0.1, 46.95, None],
            "tests": pa.array([1, 2**31 - 1, None], pa.int32()),
            "is_liquid": [True, False, None],
        }
    )
    warehouse.load({"arrived": rows}, [(f"insert into {schema}.parcels select * from arrived", {})])
    (tmp_path / "parcels").mkdir()
    count = warehouse.unload(
        f"select id, weight_kg, tests, is_liquid from {schema}.parcels order by id nulls last",
        {},
        tmp_path / "parcels",
        rows_per_file=2,
    )
    back = pa.concat_tables(read_parquet(path) for path in list_parts(tmp_path / "parcels"))
    assert count == 3
    assert back.to_pylist() == rows.to_pylist()


def test_the_topic_of_warnings_takes_a_message(live_settings):
    from packaging_assets.domain.alerts import sample_alert
    from packaging_assets.resources.aws_session import client
    from packaging_assets.resources.sns_notifier import SnsNotifier

    assert live_settings.warning_topic_arn, "PACKAGING_WARNING_TOPIC_ARN is not set"
    notifier = SnsNotifier(
        client(live_settings, "sns"), live_settings.warning_topic_arn, environment=live_settings.environment_name
    )
    notifier.send(sample_alert("team:live-test", "warning", "a live test"), may_be_repeat=False)


def write_labels(labels: Path, features: Path) -> None:
    """Two hundred labelled products, all of which fit."""
    import datetime as dt

    ids = [f"P{number:06}" for number in range(200)]
    seen = dt.datetime(2025, 1, 2)  # noqa: DTZ001 - the column has no zone
    labels.mkdir()
    features.mkdir()
    pq.write_table(
        pa.table(
            {
                "product_id": ids,
                "package_type": ["mailer"] * 200,
                "label": pa.array([int(number % 3 == 0) for number in range(200)], pa.int8()),
                "weight": [1.0] * 200,
                "is_random_test": [number % 7 == 0 for number in range(200)],
                "first_evidence_at": pa.array([seen] * 200, pa.timestamp("us")),
            }
        ),
        labels / "labels.parquet",
    )
    pq.write_table(pa.table({"product_id": ids, "fits_mailer": [True] * 200}), features / "part-0.parquet")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def delete_groups(sagemaker, beginning: str) -> None:
    """Versions first: a group that has any cannot be deleted."""
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=beginning)
    for group in [group["ModelPackageGroupName"] for page in pages for group in page["ModelPackageGroupSummaryList"]]:
        versions = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        for arn in [each["ModelPackageArn"] for page in versions for each in page["ModelPackageSummaryList"]]:
            sagemaker.delete_model_package(ModelPackageName=arn)
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
