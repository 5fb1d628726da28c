import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_catalogue import profile_catalogue

from packaging_assets.domain import inventory_checks
from packaging_assets.domain.features import FeatureSet, feature_frame
from packaging_assets.domain.gate_policy import DEFAULT_POLICY
from packaging_assets.domain.inventory_checks import (
    INVENTORY_CHECKS,
    CheckInventoryParams,
    InventoryModel,
    check_inventory,
)
from packaging_assets.domain.json_files import write_json
from packaging_assets.domain.verdicts import CheckOutcome, Verdict, combine, verdict_of

FEATURES = FeatureSet(numeric=("weight_kg", "density_kg_per_l"), categorical=("brand",))
WORDS = [f"word{number}" for number in range(200)]


def products(rows: int, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    first, second = (np.array(WORDS)[rng.integers(0, 200, rows)] for _ in range(2))
    missing = rng.random(rows) < 0.03
    return pa.table(
        {
            "product_id": [f"p{row:06d}" for row in range(rows)],
            "weight_kg": pa.array(rng.lognormal(size=rows), mask=missing),
            "density_kg_per_l": pa.array(rng.lognormal(size=rows), mask=missing),
            "brand": pa.array([f"brand {number}" for number in rng.zipf(1.6, rows) % 500], pa.string()),
            "title": pa.array([f"{a} {b}" for a, b in zip(first, second, strict=True)], pa.string()),
        }
    )


def write(folder: Path, table: pa.Table, rows_per_part: int = 3000) -> Path:
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, max(len(table), 1), rows_per_part)):
        pq.write_table(table.slice(start, rows_per_part), folder / f"part-{number:05d}.parquet")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_json(
        folder / "catalogue_profile.json", profile_catalogue(write(folder / "features", products(10_000)), FEATURES)
    )
    return folder


def check(inventory: Path, output: Path, **models: Path) -> Verdict:
    output.mkdir()
    params = CheckInventoryParams(
        models=tuple(InventoryModel(name=name, input_name=f"model_{name}", policy=DEFAULT_POLICY) for name in models)
    )
    inputs = {"inventory": inventory, **{f"model_{name}": path for name, path in models.items()}}
    check_inventory(inputs, params, output)
    return Verdict.model_validate_json((output / "verdict.json").read_text())


def failed(verdict: Verdict) -> dict[str, str]:
    return {outcome.name: outcome.severity for outcome in verdict.checks if not outcome.is_passed}


def test_products_like_those_trained_on_pass_every_check(model: Path, tmp_path: Path):
    verdict = check(write(tmp_path / "inventory", products(8000, seed=2)), tmp_path / "out", box=model, bag=model)

    assert failed(verdict) == {}
    assert [outcome.name for outcome in verdict.checks] == [definition.name for definition in INVENTORY_CHECKS]
    assert verdict.checks[0].sentence.startswith("box: ")
    drift = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert drift["box"] == drift["bag"]
    assert drift["box"]["rows"] == 8000


@pytest.mark.parametrize("rows", [0, 1, 5, 40, 300])
def test_quiet_days_raise_no_alarm(model: Path, tmp_path: Path, rows: int):
    for seed in range(10):
        inventory = write(tmp_path / f"inventory{seed}", products(rows, seed=100 + seed))
        assert failed(check(inventory, tmp_path / f"out{seed}", box=model)) == {}, seed


def test_three_products_in_ten_in_inches_are_stopped(model: Path, tmp_path: Path):
    table = products(8000, seed=3)
    density = np.where(np.arange(8000) % 10 < 3, 2.54**3, 1) * table["density_kg_per_l"].to_numpy(zero_copy_only=False)
    inventory = write(
        tmp_path / "inventory", table.set_column(2, "density_kg_per_l", pa.array(density, from_pandas=True))
    )

    verdict = check(inventory, tmp_path / "out", box=model)

    assert failed(verdict)["density_is_stable"] == "ERROR"
    assert verdict.failures[0].startswith(
        "density_is_stable: box: density_kg_per_l has a population stability index of"
    )


def test_forty_products_all_in_inches_are_stopped(model: Path, tmp_path: Path):
    table = products(40, seed=3)
    density = 2.54**3 * table["density_kg_per_l"].to_numpy(zero_copy_only=False)
    inventory = write(
        tmp_path / "inventory", table.set_column(2, "density_kg_per_l", pa.array(density, from_pandas=True))
    )

    assert failed(check(inventory, tmp_path / "out", box=model))["density_is_stable"] == "ERROR"


def test_three_titles_in_ten_in_another_language_are_stopped_and_named(model: Path, tmp_path: Path):
    table = products(2000, seed=4)
    titles = [title if row % 10 >= 3 else "Blaue Kiste" for row, title in enumerate(table["title"].to_pylist())]
    inventory = write(tmp_path / "inventory", table.set_column(4, "title", pa.array(titles)))

    verdict = check(inventory, tmp_path / "out", box=model)

    assert failed(verdict) == {"title_words_are_known": "ERROR"}
    assert "(blaue, kiste)" in verdict.failures[0]
    assert verdict.checks[-1].value == pytest.approx(0.3, abs=0.01)


def test_a_column_that_is_gone_and_new_brands_are_stopped(model: Path, tmp_path: Path):
    table = products(2000, seed=5).set_column(3, "brand", pa.array(["new"] * 2000))
    table = table.set_column(1, "weight_kg", pa.nulls(2000, pa.float64())).drop_columns(["title"])

    assert failed(check(write(tmp_path / "inventory", table), tmp_path / "out", box=model)) == {
        "no_column_went_missing": "ERROR",
        "categories_are_known": "ERROR",
        "title_words_are_known": "WARN",
    }


def test_each_model_is_compared_with_its_own_training(model: Path, tmp_path: Path):
    narrow = FeatureSet(numeric=("density_kg_per_l",))
    other = tmp_path / "other"
    other.mkdir()
    features = write(tmp_path / "features", products(5000, seed=6))
    write_json(other / "catalogue_profile.json", profile_catalogue(features, narrow))
    table = products(2000, seed=7).set_column(3, "brand", pa.array(["new"] * 2000))

    verdict = check(write(tmp_path / "inventory", table), tmp_path / "out", bag=other, box=model)

    assert failed(verdict) == {"categories_are_known": "ERROR"}
    assert verdict.failures[0].startswith("categories_are_known: box: ")


NARROW_SETS = {
    "measures_only": FeatureSet(numeric=("weight_kg",)),
    "categories": FeatureSet(categorical=("brand",)),
    "texts": FeatureSet(text=("title",)),
}


@pytest.mark.parametrize("features", NARROW_SETS.values(), ids=NARROW_SETS)
@pytest.mark.parametrize("rows", [0, 300, 2000])
def test_a_model_that_lacks_density_numbers_or_all_columns_stops_no_inventory(
    tmp_path: Path, features: FeatureSet, rows: int
):
    write_json(tmp_path / "catalogue_profile.json", profile_catalogue(write(tmp_path / "f", products(5000)), features))

    verdict = check(write(tmp_path / "inventory", products(rows, seed=2)), tmp_path / "out", box=tmp_path)

    assert failed(verdict) == {}
    assert json.loads((tmp_path / "out" / "drift.json").read_text())["box"]["rows"] == rows


def test_titles_in_another_language_are_stopped_for_a_model_of_texts_only(tmp_path: Path):
    profile = profile_catalogue(write(tmp_path / "features", products(5000)), FeatureSet(text=("title",)))
    write_json(tmp_path / "catalogue_profile.json", profile)
    titles = [title if row % 10 >= 3 else "Blaue Kiste" for row, title in enumerate(products(300)["title"].to_pylist())]
    inventory = write(tmp_path / "inventory", products(300).set_column(4, "title", pa.array(titles)))

    verdict = check(inventory, tmp_path / "out", box=tmp_path)

    assert failed(verdict) == {"title_words_are_known": "ERROR"}


EMBEDDING = FeatureSet(numeric=("density_kg_per_l",), embedding=tuple(f"image_embedding_{n:02d}" for n in range(64)))


def pictured_products(rows: int, share: float, seed: int, shift: float = 0.0) -> pa.Table:
    """Products of which so many have an image, whose embedding is `shift` standard deviations up."""
    rng, table = np.random.default_rng(seed), products(rows, seed)
    has_no_image = rng.random(rows) >= share
    for name in EMBEDDING.embedding:
        table = table.append_column(name, pa.array(rng.normal(shift, size=rows), mask=has_no_image))
    return table


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5, 1.0])
def test_products_without_an_image_raise_no_alarm_and_changed_images_do(tmp_path: Path, share: float):
    features = write(tmp_path / "features", pictured_products(10_000, share, seed=1), rows_per_part=10_000)
    write_json(tmp_path / "catalogue_profile.json", profile_catalogue(features, EMBEDDING))

    for seed in range(8):
        inventory = write(tmp_path / f"inventory{seed}", pictured_products(200, share, seed=100 + seed))
        assert failed(check(inventory, tmp_path / f"out{seed}", box=tmp_path)) == {}, seed

    changed = write(tmp_path / "changed", pictured_products(200, share, seed=9, shift=1.5))
    found = failed(check(changed, tmp_path / "out", box=tmp_path))
    assert found == ({"feature_distributions_are_stable": "ERROR"} if share >= 0.2 else {})


def test_parts_do_not_matter(model: Path, tmp_path: Path):
    table = products(1000, seed=8)

    check(write(tmp_path / "one", table), tmp_path / "out1", box=model)
    check(write(tmp_path / "many", table, rows_per_part=7), tmp_path / "out2", box=model)

    for name in ("drift.json", "verdict.json"):
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()


def test_of_many_products_row_groups_in_even_distances_are_looked_at(model: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(inventory_checks, "CHECKED_ROWS", 2500)
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    table = products(10_000, seed=9)
    for number in range(5):  # 2 row groups each: every fourth of ten is the first, the fifth and the ninth
        pq.write_table(table.slice(number * 2000, 2000), inventory / f"part-0000{number}.parquet", row_group_size=1000)

    looked_at = []
    monkeypatch.setattr(
        inventory_checks, "feature_frame", lambda part, given: looked_at.append(len(part)) or feature_frame(part, given)
    )
    verdict = check(inventory, tmp_path / "out", box=model)
    assert looked_at == [1000, 1000, 1000]  # two parts have none of them, and are not read

    assert failed(verdict) == {}
    sampled = pa.concat_tables([table.slice(first, 1000) for first in (0, 4000, 8000)])
    monkeypatch.setattr(inventory_checks, "CHECKED_ROWS", 250_000)
    check(write(tmp_path / "sampled", sampled), tmp_path / "out2", box=model)
    assert (tmp_path / "out" / "drift.json").read_bytes() == (tmp_path / "out2" / "drift.json").read_bytes()


OUTCOMES = st.builds(
    lambda is_passed, severity, value: CheckOutcome(
        name="c", is_passed=is_passed, severity=severity, value=value, limit=1.0, standard_error=None, rows=None,
        sentence="s", remedy="r.",
    ),
    st.booleans(), st.sampled_from(["ERROR", "WARN"]), st.one_of(st.none(), st.floats(0, 9)),
)  # fmt: skip


@given(st.lists(OUTCOMES, min_size=1, max_size=4))
@settings(deadline=None)
def test_together_models_are_as_bad_as_the_worst_of_them(outcomes: list[CheckOutcome]):
    rank = {"approve": 0, "pending": 1, "reject": 2}
    verdicts = {f"m{number}": verdict_of([outcome]) for number, outcome in enumerate(outcomes)}

    together = combine(verdicts)

    assert rank[together.outcome] == max(rank[verdict.outcome] for verdict in verdicts.values())
