"""The files: contract, determinism, growth, times."""

import datetime as dt
import hashlib
import itertools
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain.package_types import PACKAGE_TYPES
from packaging_assets.simulator import RetailerConfig, SimulationError, TruthError, read_truth, simulate
from packaging_assets.simulator.tables import TABLES


def _hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _all_rows(retailer, table, columns=None):
    paths = [delivery.files[table] for delivery in retailer.deliveries]
    return pa.concat_tables([pq.read_table(path, columns=columns) for path in paths]).to_pandas()


def test_same_config_gives_identical_bytes(quiet_retailer, small_config, tmp_path):
    again = simulate(small_config, tmp_path / "again")
    assert _hashes(again.folder) == _hashes(quiet_retailer.folder)
    simulate(small_config, again.folder)
    assert _hashes(again.folder) == _hashes(quiet_retailer.folder)


def test_a_simulation_whose_removal_was_cut_off_is_replaced_all_the_same(small_config, tmp_path, monkeypatch):
    def cut_off(folder):
        (folder / "retailer.json").unlink(missing_ok=True)
        raise KeyboardInterrupt

    before = _hashes(simulate(small_config, tmp_path / "out").folder)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(KeyboardInterrupt):
            simulate(small_config, tmp_path / "out")
    assert _hashes(simulate(small_config, tmp_path / "out").folder) == before


def test_a_file_that_cannot_be_removed_is_named_with_its_folder(small_config, tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied", "products.parquet")  # as shutil tells it

    simulate(small_config, tmp_path / "out")
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(SimulationError, match=rf"^{tmp_path}/out/.* cannot be removed \(Permission denied\)"):
        simulate(small_config, tmp_path / "out")


def test_another_seed_gives_other_products(quiet_retailer, small_config, tmp_path):
    other = simulate(small_config.model_copy(update={"seed": 12}), tmp_path)
    first, second = (_all_rows(each, "products", ["title"]) for each in (quiet_retailer, other))
    assert not first["title"].iloc[:100].equals(second["title"].iloc[:100])


def test_deliveries_come_in_order_with_every_table(quiet_retailer):
    weeks = ["history", "2025-01-06", "2025-01-13", "2025-01-20"]
    assert [delivery.week for delivery in quiet_retailer.deliveries] == weeks
    assert all(set(delivery.files) == set(TABLES) for delivery in quiet_retailer.deliveries)
    received = [delivery.received_on.isoformat() for delivery in quiet_retailer.deliveries]
    assert received == ["2025-01-06", "2025-01-13", "2025-01-20", "2025-01-27"]
    assert quiet_retailer.last_day == dt.date(2025, 1, 26)


@pytest.mark.parametrize("table", TABLES)
def test_files_have_the_contract_s_columns_and_types(quiet_retailer, table):
    for delivery in quiet_retailer.deliveries:
        assert pq.read_schema(delivery.files[table]).remove_metadata().equals(TABLES[table])


@pytest.mark.parametrize(
    ("table", "time"), [("products", "updated_at"), ("package_tests", "tested_at"), ("customer_feedback", "shipped_at")]
)
def test_rows_lie_in_the_window_of_their_delivery(quiet_retailer, table, time):
    for delivery in quiet_retailer.deliveries:
        times = pq.read_table(delivery.files[table], columns=[time]).to_pandas()[time]
        assert (times < pd.Timestamp(delivery.received_on)).all()
        if delivery.week != "history":
            assert (times >= pd.Timestamp(delivery.week)).all()


def test_keys_are_unique_and_values_within_the_contract(quiet_retailer):
    products = _all_rows(quiet_retailer, "products")
    tests = _all_rows(quiet_retailer, "package_tests")
    feedback = _all_rows(quiet_retailer, "customer_feedback")
    assert not products.duplicated(["product_id", "updated_at"]).any()
    assert tests["test_id"].is_unique
    assert feedback["feedback_id"].is_unique
    assert not products.isna().any().any()
    assert (products["created_at"] <= products["updated_at"]).all()
    assert products["product_id"].nunique() == quiet_retailer.config.products
    assert products["product_id"].str.fullmatch(r"P\d{10}").all()
    assert set(tests["product_id"]) | set(feedback["product_id"]) <= set(products["product_id"])
    assert feedback["damage_reports"].between(0, feedback["shipments"]).all()
    assert (feedback["shipments"] >= 1).all()


def test_no_evidence_is_older_than_its_product(quiet_retailer):
    created = _all_rows(quiet_retailer, "products", ["product_id", "created_at"]).groupby("product_id").min()
    for table, time in (("package_tests", "tested_at"), ("customer_feedback", "shipped_at")):
        rows = _all_rows(quiet_retailer, table, ["product_id", time]).merge(created, on="product_id")
        assert (rows[time] >= rows["created_at"]).all()


def test_corrections_touch_title_price_or_weight_only(small_config, tmp_path):
    retailer = simulate(small_config.model_copy(update={"weekly_corrections": 0.02}), tmp_path)
    products = _all_rows(retailer, "products").sort_values(["product_id", "updated_at"])
    corrected = products[products.duplicated("product_id", keep=False)].set_index("product_id")
    first, last = corrected[::2], corrected[1::2]
    assert len(first) > 500
    changed = {name for name in products.columns.drop("product_id") if not (first[name] == last[name]).all()}
    assert changed == {"updated_at", "title", "price_usd", "weight_kg"}


def test_catalogue_and_tests_grow_steadily(tmp_path):
    retailer = simulate(RetailerConfig(products=20_000), tmp_path)
    created = _all_rows(retailer, "products", ["product_id", "created_at"]).drop_duplicates("product_id")["created_at"]
    tests = _all_rows(retailer, "package_tests")
    monday = pd.Timestamp(retailer.first_week)
    weeks = [monday + pd.Timedelta(weeks=week) for week in range(-5, 7)]
    volume = [int(tests["tested_at"].between(a, b, inclusive="left").sum()) for a, b in itertools.pairwise(weeks)]
    assert all(abs(np.log(after / before)) < np.log(1.12) for before, after in itertools.pairwise(volume))
    assert tests["product_id"].nunique() / 20_000 == pytest.approx(0.8, abs=0.005)
    assert (~tests["is_random_sample"]).mean() == pytest.approx(0.03, abs=0.005)
    per_day = created.dt.date.value_counts()
    assert all(per_day[(monday + pd.Timedelta(days=day)).date()] > 20 for day in range(42))
    assert (created < monday).mean() == pytest.approx(1.015**-6, abs=0.001)


def test_even_a_tiny_retailer_has_a_new_product_on_the_last_day(tmp_path):
    retailer = simulate(RetailerConfig(products=5, weeks=2), tmp_path)
    created = _all_rows(retailer, "products", ["created_at"])["created_at"]
    assert created.max() >= pd.Timestamp(retailer.last_day)
    assert all(path.is_file() for delivery in retailer.deliveries for path in delivery.files.values())


def test_tests_are_noisy_as_specified(quiet_retailer):
    tests = _all_rows(quiet_retailer, "package_tests")
    truth = read_truth(quiet_retailer.truth).to_pandas().melt("product_id")
    truth = truth[truth["variable"].str.startswith("true_")]
    truth["package_type"] = truth["variable"].str.removeprefix("true_")
    rows = tests.merge(truth, on=["product_id", "package_type"])
    passed = rows.groupby(rows["value"].astype(bool))["is_passed"].mean()
    assert passed[True] == pytest.approx(0.97, abs=0.01)
    assert passed[False] == pytest.approx(0.05, abs=0.01)


def test_a_product_is_tested_in_all_four_types(quiet_retailer):
    tests = _all_rows(quiet_retailer, "package_tests")
    random = tests[tests["is_random_sample"]]
    assert (random.groupby("product_id")["package_type"].agg(set) == set(PACKAGE_TYPES)).all()


def test_feedback_over_represents_suitable_products(tmp_path):
    retailer = simulate(RetailerConfig(products=8000, weeks=2, feedback_share=1.0), tmp_path)
    feedback = _all_rows(retailer, "customer_feedback")
    truth = read_truth(retailer.truth).to_pandas().set_index("product_id")
    shipped = feedback.drop_duplicates("product_id")
    for name, population in (("bag", 0.39), ("sioc", 0.20)):
        of_type = shipped.loc[shipped["package_type"] == name, "product_id"]
        assert truth.loc[of_type, f"true_{name}"].mean() > population + 0.15
    total = feedback.groupby("product_id")["shipments"].sum()
    assert total.mean() == pytest.approx(12 * np.exp(0.5), rel=0.1)
    suits = truth[[f"true_{name}" for name in PACKAGE_TYPES]].to_numpy()[
        truth.index.get_indexer(feedback["product_id"]),
        [PACKAGE_TYPES.index(name) for name in feedback["package_type"]],
    ]
    rates = feedback.groupby(suits)[["damage_reports", "shipments"]].sum()
    rates = rates["damage_reports"] / rates["shipments"]
    assert rates[True] == pytest.approx(0.002, abs=0.0005)
    assert rates[False] == pytest.approx(0.05, abs=0.003)


def test_truth_is_read_in_the_order_asked_for(quiet_retailer):
    table = read_truth(quiet_retailer.truth, ["P0000002999", "P0000000000", "P0000001500"])
    assert table["product_id"].to_pylist() == ["P0000002999", "P0000000000", "P0000001500"]
    assert read_truth(quiet_retailer.truth).num_rows == 3000
    with pytest.raises(TruthError, match="'P77' is not one of its 3000 products"):
        read_truth(quiet_retailer.truth, ["P0000000000", "P77"])


def test_a_folder_with_other_files_is_refused(tmp_path, small_config):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SimulationError, match="name an empty folder"):
        simulate(small_config, tmp_path)
    with pytest.raises(SimulationError, match="is a file"):
        simulate(small_config, tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_progress_counts_products(tmp_path, small_config):
    calls = []
    simulate(small_config, tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [("products", done, 3000) for done in (1000, 2000, 3000)]
