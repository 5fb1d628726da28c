"""The alert sensor of the real definitions: switched on, with every resource it needs, knowing real owners."""

import dagster as dg
import pytest

from packaging_assets.defs.alerts.sensor import owners_in


def test_the_sensor_is_on_and_has_what_it_needs(definitions: dg.Definitions) -> None:
    sensor = definitions.resolve_sensor_def("alerts")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 30
    assert sensor.required_resource_keys <= set(definitions.resources or {})


@pytest.mark.parametrize(
    ("asset", "owners"),
    [
        ("bag/metrics", ("team:packaging-science",)),
        ("product_features", ("team:packaging-data",)),
        ("raw/products", ()),
        ("there/is/none", ()),
    ],
)
def test_owners_are_those_of_the_assets(definitions: dg.Definitions, asset: str, owners: tuple[str, ...]) -> None:
    assert owners_in(definitions.get_repository_def())(dg.AssetKey(asset.split("/"))) == owners
