"""One package per product, by hand: of the suitable the cheapest, and only where a new load has something to say."""

import pytest
from tiny_retailer import Home

COLUMNS = "product_id, package_type, reason, runner_up_package_type, model, model_version, load_id, expected_cost_usd"


def recommendations(home: Home) -> dict[str, tuple[object, ...]]:
    rows = home.warehouse.fetch(f"select {COLUMNS} from marts.package_recommendations", {})
    return {row["product_id"]: tuple(row.values())[1:] for row in rows}


def test_each_product_gets_the_cheapest_suitable_type_or_the_strongest_that_fits(filled: Home) -> None:
    # The mug (1 l, 1 kg, $10): bag 0.14 + 2.95 + 0.55 + 0.014 + 10 x 0.1, box 0.78 + 3.20 + 0.60 + 0.022 + 10 x 0.02.
    # The lamp (3 l, 2 kg, $20) suits nothing: box 0.78 + 3.20 + 1.20 + 0.066 + 20 x 0.6.
    assert recommendations(filled) == {
        "mug": ("bag", "cheapest_suitable", "box", "bag", 3, 1, pytest.approx(4.654)),
        "lamp": ("box", "no_suitable_type", None, "box", 4, 1, pytest.approx(17.246)),
    }


def test_a_new_load_changes_its_products_only_and_a_full_refresh_all(home: Home) -> None:
    home.run(
        "insert into ml.predictions values "
        "('daily', '2025-02-01', 'mug', 'bag', 0.2, 0.8, false, 3, '2025-02-02', 2, 'bag'), "
        # As of earlier than what is known of the box: a backfilled day, looked at once and not believed.
        "('daily', '2025-01-09', 'mug', 'box', 0.1, 0.9, false, 4, '2025-01-10', 2, 'box_text')",
        "update marts.package_recommendations set reason = 'untouched' where product_id = 'lamp'",
    )
    select = ("--select", "package_recommendations")
    weight = {"damage_weight": 1.0}
    assert home.dbt("run", *select, variables=weight) == {"package_recommendations": "success"}
    mug = ("box", "cheapest_suitable", None, "box", 4, 2, pytest.approx(4.802))
    assert recommendations(home) == {"mug": mug, "lamp": ("box", "untouched", None, "box", 4, 1, pytest.approx(17.246))}

    assert home.dbt("run", *select, "--full-refresh", variables=weight) == {"package_recommendations": "success"}
    assert recommendations(home) == {
        "mug": mug,
        "lamp": ("box", "no_suitable_type", None, "box", 4, 1, pytest.approx(17.246)),
    }


def test_the_latest_prediction_stands(filled: Home) -> None:
    rows = filled.warehouse.fetch("select product_id, package_type, load_id from marts.latest_predictions", {})
    assert sorted(tuple(row.values()) for row in rows) == [
        ("lamp", "box", 1),
        ("lamp", "mailer", 1),
        ("mug", "bag", 1),
        ("mug", "box", 1),
    ]
