"""Predictions refuse products, and scores, that are unlike those the champions learned from and were judged by."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from shell_runs import Run, error_of
from shop import DAY, Shop, products

from packaging_assets.domain.inventory_checks import INVENTORY_CHECKS
from packaging_assets.domain.prediction_checks import PREDICTION_CHECKS
from packaging_assets.settings import Settings


@pytest.fixture
def shop(tmp_path: Path, home: Settings) -> Shop:
    shop = Shop(tmp_path, home)
    shop.register(shop.scores)
    return shop


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    events = [event for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    return {event.asset_check_evaluation_data.check_name: event.asset_check_evaluation_data.passed for event in events}


def metadata_of(result: dg.ExecuteInProcessResult, *names: str) -> list[Any]:
    (materialization,) = result.asset_materializations_for_node("daily__predictions")
    return [materialization.metadata[name].value for name in names]


def test_products_like_those_trained_on_are_scored_and_loaded(shop: Shop, materialize: Run) -> None:
    shop.receive(products(1000, 5))

    result = shop.predict(materialize)

    assert result.success
    assert evaluations(result) == {check.name: True for check in PREDICTION_CHECKS}
    assert shop.loaded()[0]["n"] == 1000
    assert metadata_of(result, "types_without_approved_model", "models", "load") == [
        ["bag", "mailer", "sioc"],
        {"box": 1},
        "replaced the partition",
    ]
    dated = shop.warehouse.fetch("select distinct partition_start, as_of from ml.predictions", {})
    assert dated == [{"partition_start": dt.date(2025, 2, 16), "as_of": dt.datetime.fromisoformat("2025-02-17")}]
    again = shop.predict(materialize)
    assert metadata_of(again, "load") == ["the warehouse already held these rows"]


def test_products_in_other_units_are_refused_and_the_last_predictions_stay(shop: Shop, materialize: Run) -> None:
    shop.receive(products(1000, 5))
    assert shop.predict(materialize).success
    before = shop.loaded()
    good = shop.store.current("daily/predictions", DAY)
    shop.receive(products(1000, 6, litres_too_small=2.54**3))

    result = shop.predict(materialize)

    name, message = error_of(result)
    assert (result.success, name) == (False, "FailedCheckError")
    assert f"daily/inventory for {DAY} failed" in message
    assert "no predictions were loaded and the last ones keep serving" in message
    assert "Check density_is_stable: box: density_kg_per_l has a population stability index of" in message
    assert "Look for deliveries in other units" in message
    assert shop.loaded() == before
    assert shop.store.current("daily/predictions", DAY) == good


def test_scores_unlike_those_it_was_judged_by_are_recorded_and_not_loaded(shop: Shop, materialize: Run) -> None:
    shop.receive(products(1000, 5))
    assert shop.predict(materialize).success
    before, good = shop.loaded(), shop.store.current("daily/predictions", DAY)
    shop.register(shop.scores**4, week="2025-02-17")
    shop.receive(products(1000, 7))

    result = shop.predict(materialize)

    assert error_of(result)[0] == "FailedCheckError"
    assert evaluations(result)["scores_are_distributed_as_before"] is False
    assert not [event for event in result.all_events if event.is_step_materialization]
    assert shop.loaded() == before
    assert shop.store.current("daily/predictions", DAY) == good


def test_predictions_whose_damaged_folder_was_deleted_as_told_are_made_again(shop: Shop, materialize: Run) -> None:
    shop.receive(products(1000, 5))
    assert shop.predict(materialize).success
    before, good = shop.loaded(), shop.store.current("daily/predictions", DAY)
    assert good is not None
    folder = Path(shop.store.location) / good.uri
    (folder / "part-00000.parquet").chmod(0o644)
    (folder / "part-00000.parquet").write_bytes(b"PAR1")

    name, message = error_of(shop.predict(materialize))
    assert (name, f"Delete the folder {folder} and materialize" in message) == ("ArtifactError", True)
    shutil.rmtree(folder)

    assert shop.predict(materialize).success
    assert shop.store.current("daily/predictions", DAY) == good
    assert shop.loaded() == before


def test_the_first_predictions_can_be_refused_too(shop: Shop, materialize: Run) -> None:
    shop.register(shop.scores**4, week="2025-02-17")
    shop.receive(products(1000, 5))

    assert error_of(shop.predict(materialize))[0] == "FailedCheckError"
    assert shop.loaded()[0]["n"] == 0


@pytest.mark.parametrize("cadence", ["daily", "monthly"])
def test_every_check_is_on_its_asset(graph: Any, cadence: str) -> None:
    for asset, checks in (("inventory", INVENTORY_CHECKS), ("predictions", PREDICTION_CHECKS)):
        found = graph.get_check_keys_for_assets({dg.AssetKey([cadence, asset])})
        assert {check.name for check in found} == {check.name for check in checks}
