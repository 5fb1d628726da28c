"""What the models see: everything known before a time, nothing from then on."""

import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny_retailer import Home

from packaging_assets.resources.queries import BEGINNING, NAMES, inventory_parameters, inventory_slices, query
from packaging_assets.resources.warehouse import WarehouseError


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def evidence_by(home: Home, as_of: str, maturity_days: int) -> list[tuple[object, ...]]:
    rows = home.warehouse.fetch(query("evidence"), {"as_of": at(as_of), "maturity_days": maturity_days})
    return [tuple(row.values()) for row in rows]


def versions_by(home: Home, name: str, **parameters: str) -> list[tuple[str, dt.datetime]]:
    rows = home.warehouse.fetch(query(name), {key: at(value) for key, value in parameters.items()})
    return [(row["product_id"], row["updated_at"]) for row in rows]


MUG_BAG = ("mug", "bag", "kitchen")
LAMP = ("lamp", at("2025-01-06 08:00"))
OLD_MUG = ("mug", at("2025-01-05 08:00"))
NEW_MUG = ("mug", at("2025-01-08 08:00"))


def test_evidence_counts_from_the_day_it_is_known(filled: Home) -> None:
    # Shipped on December 30, mature 14 days later: on January 13, not the day before.
    mug_box = ("mug", "box", "kitchen", 1, 1, 1, 0, 0, 0, at("2025-01-07"), at("2025-01-12"))
    assert evidence_by(filled, "2025-01-13", 14) == [
        (*MUG_BAG, 0, 0, 0, 0, 30, 2, at("2024-12-30"), at("2024-12-30")),
        mug_box,
    ]
    # A day earlier the mug's second test was not made.
    assert evidence_by(filled, "2025-01-12", 14) == [(*mug_box[:4], 0, 1, 0, 0, 0, at("2025-01-07"), at("2025-01-07"))]
    # A week later the test in a bag counts too, and the lamp's shipments; the late product is still unknown.
    assert evidence_by(filled, "2025-01-20", 14) == [
        ("lamp", "mailer", "home", 0, 0, 0, 0, 40, 0, at("2025-01-06"), at("2025-01-06")),
        (*MUG_BAG, 1, 0, 0, 0, 30, 2, at("2024-12-30"), at("2025-01-13")),
        mug_box,
    ]
    assert [row[0] for row in evidence_by(filled, "2025-01-21", 14)] == ["lamp", "late", "mug", "mug"]


def test_evidence_of_the_day_itself_is_not_yet_known_however_short_the_maturity(filled: Home) -> None:
    assert evidence_by(filled, "2025-01-06", 0) == [
        ("mug", "bag", "home", 0, 0, 0, 0, 30, 2, at("2024-12-30"), at("2024-12-30"))
    ]


def test_the_volume_of_five_weeks_has_every_package_type(filled: Home) -> None:
    rows = filled.warehouse.fetch(query("evidence_volume"), {"as_of": at("2025-01-20"), "maturity_days": 14})
    assert [row["package_type"] for row in rows] == [
        name for name in ("bag", "box", "mailer", "sioc") for _ in range(5)
    ]
    assert [str(row["week"]) for row in rows[:5]] == [
        "2024-12-16",
        "2024-12-23",
        "2024-12-30",
        "2025-01-06",
        "2025-01-13",
    ]
    counts = {(row["package_type"], str(row["week"])): row["evidence_rows"] for row in rows if row["evidence_rows"]}
    # The mug's shipments of December 30 are mature at the end of January 12, the lamp's of January 6 a week later.
    assert counts == {
        ("bag", "2025-01-06"): 1,
        ("bag", "2025-01-13"): 1,
        ("box", "2025-01-06"): 3,
        ("mailer", "2025-01-13"): 1,
    }


@pytest.mark.parametrize(("maturity_days", "week"), [(0, "2025-01-06"), (6, "2025-01-06"), (8, "2025-01-13")])
def test_volume_and_evidence_agree_when_feedback_counts(filled: Home, maturity_days: int, week: str) -> None:
    parameters = {"as_of": at("2025-01-20"), "maturity_days": maturity_days}
    rows = filled.warehouse.fetch(query("evidence_volume"), parameters)
    assert [str(row["week"]) for row in rows if row["package_type"] == "mailer" and row["evidence_rows"]] == [week]
    week_end = dt.date.fromisoformat(week) + dt.timedelta(days=7)
    assert "lamp" in {row[0] for row in evidence_by(filled, str(week_end), maturity_days)}
    assert "lamp" not in {row[0] for row in evidence_by(filled, week, maturity_days)}


def test_labelled_features_are_the_newest_version_of_before(filled: Home) -> None:
    assert versions_by(filled, "labelled_features", as_of="2025-01-06") == [OLD_MUG]
    assert versions_by(filled, "labelled_features", as_of="2025-01-08") == [LAMP, OLD_MUG]
    assert versions_by(filled, "labelled_features", as_of="2025-01-13") == [LAMP, NEW_MUG]


def inventory(home: Home, start: str, end: str) -> list[tuple[str, dt.datetime]]:
    rows = home.warehouse.fetch(query("inventory"), inventory_parameters(at(start), at(end)))
    return [(row["product_id"], row["updated_at"]) for row in rows]


def test_the_daily_inventory_is_what_changed_in_the_window(filled: Home) -> None:
    assert inventory(filled, "2025-01-08", "2025-01-09") == [NEW_MUG]
    assert inventory(filled, "2025-01-07", "2025-01-08") == []
    assert inventory(filled, "1900-01-01", "2025-01-07") == [OLD_MUG, LAMP]
    assert inventory(filled, "1900-01-01", "2025-01-09") == [LAMP, NEW_MUG]


def test_the_monthly_inventory_is_every_product_known_by_the_time_of_its_last_change(filled: Home) -> None:
    assert inventory(filled, "1900-01-01", "2025-01-08") == [OLD_MUG, LAMP]
    assert [product for product, _ in inventory(filled, "1900-01-01", "2025-02-01")] == ["lamp", "mug", "late"]


def test_an_inventory_has_every_column_of_the_features_with_plain_types(filled: Home, tmp_path: Path) -> None:
    parameters = inventory_parameters(BEGINNING, at("2025-02-01"))
    slices = inventory_slices()
    assert filled.warehouse.unload(query("inventory"), parameters, tmp_path, rows_per_file=2, slices=slices) == 3
    schema = pq.read_schema(tmp_path / "part-00000.parquet")
    types = [str(field.type) for field in schema]
    assert {name: types.count(name) for name in set(types)} == {
        "string": 7,
        "timestamp[us]": 2,
        "double": 15,
        "float": 64,
        "bool": 4,
    }
    assert schema.names[:2] == ["product_id", "updated_at"]


@pytest.mark.parametrize("window_start", [BEGINNING, at("2025-01-06")])
def test_an_inventory_is_the_same_bytes_in_slices_as_all_at_once(
    filled: Home, tmp_path: Path, window_start: dt.datetime
) -> None:
    parameters = inventory_parameters(window_start, at("2025-02-01"))
    for name, slices in (("whole", None), ("sliced", inventory_slices())):
        (tmp_path / name).mkdir()
        filled.warehouse.unload(query("inventory"), parameters, tmp_path / name, rows_per_file=2, slices=slices)
    for part in ("part-00000.parquet", "part-00001.parquet"):
        assert (tmp_path / "whole" / part).read_bytes() == (tmp_path / "sliced" / part).read_bytes()


def test_a_query_is_asked_for_by_name_and_with_all_its_parameters(filled: Home) -> None:
    with pytest.raises(ValueError, match="There is no query 'products'; there are evidence, "):
        query("products")
    for name in NAMES:
        with pytest.raises(WarehouseError, match=r"(?i)parameter"):
            filled.warehouse.fetch(query(name), {})
