"""Inference and labels refuse to go on without what they need; resources can be swapped."""

import dagster as dg
from shell_runs import Run, error_of

from packaging_assets.definitions import build_definitions
from packaging_assets.resources.environment import warehouse_for
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.settings import Settings


def test_inference_with_nothing_approved_fails_and_loads_nothing(materialize: Run, settings: Settings) -> None:
    for cadence, partition in (("daily", "2025-02-16"), ("monthly", "2025-02-01")):
        result = materialize(f"{cadence}/predictions", partition=partition)
        assert not result.success
        name, message = error_of(result)
        assert name == "NoApprovedModel"
        assert "No approved version of any model (bag, box, mailer, sioc): nothing can be predicted." in message
    rows = warehouse_for(settings).fetch("select count(*) as n from ml.predictions", {})
    loads = warehouse_for(settings).fetch("select count(*) as n from ml.prediction_loads", {})
    assert (rows, loads) == ([{"n": 0}], [{"n": 0}])


def test_labels_name_the_days_that_are_not_built_and_the_command_that_builds_them(materialize: Run) -> None:
    result = materialize("labels", partition="2025-01-13")
    name, message = error_of(result)
    assert name == "MissingDaysError"
    assert "14 day(s) before 2025-01-20 are not in the warehouse yet, from 2025-01-06 to 2025-01-19." in message
    assert "`packaging run warehouse --from 2025-01-06 --to 2025-01-19`" in message


def test_a_step_names_the_upstream_asset_that_is_missing(materialize: Run) -> None:
    name, message = error_of(materialize("mailer/model", partition="2025-01-13"))
    assert name == "MissingUpstreamError"
    assert "mailer/model for 2025-01-13 needs mailer/split for 2025-01-13, which has not been materialized" in message


def test_an_override_takes_the_place_of_a_resource(settings: Settings) -> None:
    class NoChampion(SqliteModelRegistry):
        def champion(self, model: str) -> None:
            raise LookupError(f"asked for {model}")

    registry = NoChampion(settings.home / "other.db")
    definitions = build_definitions(settings, resource_overrides={"model_registry": registry})
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(["bag", "champion"])], raise_on_error=False
        )
    assert error_of(result)[1].strip() == "LookupError: asked for bag"
