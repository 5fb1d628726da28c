"""What compute is asked for step by step, and what the materialization says of the jobs."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import BaseModel
from shell_runs import Run
from shop import DAY, Shop, products

from packaging_assets.artifacts.job import JobFacts, JobResources
from packaging_assets.artifacts.local_store import LocalArtifactStore
from packaging_assets.artifacts.step import open_inputs
from packaging_assets.components.instance_spec import InstanceSpec
from packaging_assets.components.step_asset import StepRunner, materialized
from packaging_assets.settings import Settings

WEEK = "2025-01-06"


class NoteParams(BaseModel):
    pass


def write_note(inputs: Any, params: NoteParams, output: Path) -> None:
    (output / "note.txt").write_text("1")


class JobsHere:
    """Runs steps in this process, and says of each that it was a job; `asked` is shared by all that `using` gives."""

    def __init__(self, asked: list[Any], how: tuple[Any, Any, Any] = (None, {}, None)) -> None:
        self.asked, self._how = asked, how

    def using(self, resources: JobResources | None, *, tags: Any = None, tell: Any = None) -> "JobsHere":
        return JobsHere(self.asked, (resources, tags, tell))

    def run(
        self, step: Any, inputs: Any, params: Any, output: Path, *, scratch: Path, fingerprint: str, **_: Any
    ) -> JobFacts:
        resources, tags, tell = self._how
        self.asked.append((step.__name__, resources, tags))
        step(open_inputs(inputs, scratch), params, output)
        tell(f"{step.__name__} says: hello")
        return JobFacts(
            name=f"job-{fingerprint[:4]}",
            kind="processing",
            instance_type="ml.m5.large",
            instance_count=2,
            seconds=90.0,
            cost=0.01,
            currency="USD",
        )

    def release(self, job: JobFacts) -> None:
        assert job.name.startswith("job-")


@pytest.fixture
def asked() -> list[Any]:
    return []


def test_scoring_asks_for_its_machines_and_the_checks_beside_it_too(
    materialize: Run, settings: Settings, tmp_path: Path, asked: list[Any]
) -> None:
    shop = Shop(tmp_path, settings)
    shop.register(shop.scores)
    shop.receive(products(500, 3))
    result = materialize("daily/predictions", partition=DAY, **{**shop.resources, "compute": JobsHere(asked)})
    assert result.success
    plain = JobResources()
    assert asked == [
        ("check_inventory", plain, {"packaging:asset": "daily/inventory_checks"}),
        ("predict", plain, {"packaging:asset": "daily/predictions"}),
        ("check_predictions", plain, {"packaging:asset": "daily/predictions_checks"}),
    ]


def test_a_job_is_in_the_metadata_and_what_it_prints_in_the_runs_log(
    instance: dg.DagsterInstance, tmp_path: Path, asked: list[Any]
) -> None:
    store = LocalArtifactStore(tmp_path)

    @dg.asset(partitions_def=dg.StaticPartitionsDefinition([WEEK]))
    def notes(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        runner = StepRunner(context, store, JobsHere(asked))
        machines = InstanceSpec(instance_type="ml.c5.large", use_spot=True)
        return materialized(runner.run(write_note, inputs={}, params=NoteParams(), instances=machines, model="mailer"))

    result = dg.materialize([notes], partition_key=WEEK, instance=instance)
    (event,) = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    assert asked == [
        (
            "write_note",
            JobResources(instance_type="ml.c5.large", use_spot=True),
            {"packaging:asset": "notes", "packaging:model": "mailer"},
        )
    ]
    assert metadata["job"].startswith("job-")
    assert {name: metadata[name] for name in ("job_kind", "instance_type", "instance_count")} == {
        "job_kind": "processing",
        "instance_type": "ml.m5.large",
        "instance_count": 2,
    }
    assert (metadata["job_seconds"], metadata["job_cost"], metadata["job_currency"]) == (90.0, 0.01, "USD")
    said = [log.user_message for log in instance.all_logs(result.run_id) if log.level == 20]
    assert said == ["write_note says: hello"]
