"""The trigger sensor among the platform's definitions."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
import pytest
from fixed_clock import FixedClock

from packaging_assets.definitions import build_definitions
from packaging_assets.home import prepare_home
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.settings import load_settings

Tick = Callable[[], dg.SensorResult]


@pytest.fixture
def tick(tmp_path: Any, instance: dg.DagsterInstance) -> Tick:
    settings = load_settings(tmp_path, first_week=dt.date(2025, 1, 6), last_day=dt.date(2025, 2, 2))
    prepare_home(settings)
    settings.triggers_path.mkdir()
    repository = build_definitions(settings).get_repository_def()
    sensor = repository.get_sensor_def("triggers")
    resources: Mapping[str, Any] = {
        name: repository.get_top_level_resources()[name]
        for name in ("settings", "trigger_store", "alert_store", "alert_routes")
    }

    def run() -> dg.SensorResult:
        context = dg.build_sensor_context(
            instance=instance,
            repository_def=repository,
            resources={**resources, "clock": FixedClock(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))},
        )
        return sensor.evaluate_tick(context)

    run.folder = settings.triggers_path  # type: ignore[attr-defined]
    run.settings = settings  # type: ignore[attr-defined]
    return run


def test_a_file_becomes_a_run_request_of_the_job_for_its_models_only(tick: Any):
    request = {"pipeline": "train", "partition": "2025-01-13", "models": ["bag"]}
    (tick.folder / "bag.json").write_text(json.dumps(request))

    (run,) = tick().run_requests

    assert run.job_name == "weekly_training"
    assert run.partition_key == "2025-01-13"
    assert run.run_key.endswith("/2025-01-13")
    assert {key.to_user_string() for key in run.asset_selection} == {
        "labels",
        "features",
        *(f"bag/{name}" for name in ("split", "model", "metrics", "model_card", "registered_model", "champion")),
    }


def test_only_its_own_run_puts_a_trigger_away_however_often_it_was_launched(tick: Any, instance: dg.DagsterInstance):
    (tick.folder / "bag.json").write_text('{"pipeline": "train", "partition": "2025-01-13", "models": ["bag"]}')
    (request,) = tick().run_requests
    identity = request.tags["packaging/trigger"]

    asked_for(instance, "f" * 64)
    assert tick().skip_message == "No trigger files."
    assert [path.name for path in (tick.folder / "taken").glob("*.json")] == [f"{identity}.json"]

    first = asked_for(instance, identity)
    asked_for(instance, identity)  # by a person, in the UI
    assert tick().skip_message == f"1 run(s) launched for {identity[:12]}"
    (launched,) = (tick.folder / "done").glob("*.run.json")
    assert json.loads(launched.read_text())["runs"] == {"2025-01-13": first}


def asked_for(instance: dg.DagsterInstance, trigger: str) -> str:
    """A run for the week, asked for by a trigger."""

    @dg.job(name="weekly_training")
    def job() -> None: ...

    tags = {"packaging/trigger": trigger, "dagster/partition": "2025-01-13"}
    return instance.create_run_for_job(job, tags=tags).run_id


def test_daily_inference_takes_the_whole_job(tick: Any):
    (tick.folder / "day.json").write_text('{"pipeline": "daily", "partition": "2025-01-07"}')

    (run,) = tick().run_requests

    assert (run.job_name, run.partition_key, run.asset_selection) == ("daily_inference", "2025-01-07", None)


def test_a_rejected_file_is_kept_for_the_alert_sensor_and_named_in_the_tick(tick: Any, definitions: dg.Definitions):
    (tick.folder / "bad.json").write_text('{"pipeline": "train", "partition": "2025-01-14"}')

    result = tick()

    assert not result.run_requests
    assert "bad.json launched nothing: partition = '2025-01-14'" in str(result.skip_message)
    (kept,) = AlertStore(tick.settings.alerts_path).alerts()
    assert (kept.alert.owners, kept.alert.subject) == ((tick.settings.alert_owner,), "triggers")
    assert (tick.folder / "rejected" / "bad.json.error.txt").read_text().startswith("partition = '2025-01-14'")


def test_an_empty_folder_is_nothing_to_tell(tick: Any):
    assert tick().skip_message == "No trigger files."
