import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from packaging_assets.domain.splits import SplitError, SplitParams, hash_to_unit_interval, split

WEEK = dt.date(2025, 2, 3)


def write_inputs(folder: Path, labels, features) -> dict[str, Path]:
    """Labels: (product, type, label, first seen); features: (product, does it fit into a box or bag)."""
    inputs = {"labels": folder / "labels", "features": folder / "features"}
    for path in inputs.values():
        path.mkdir(parents=True)
    rows = [
        {
            "product_id": product_id,
            "package_type": package_type,
            "label": label,
            "weight": 1.0,
            "is_random_test": label == 1,
            "first_evidence_at": first_seen,
        }
        for product_id, package_type, label, first_seen in labels
    ]
    pq.write_table(pa.Table.from_pylist(rows), inputs["labels"] / "labels.parquet")
    without_family = pa.schema([("product_id", pa.string()), ("fits_box", pa.bool_()), ("fits_bag", pa.bool_())])
    with_family = without_family.append(pa.field("family", pa.string())).append(pa.field("volume_l", pa.float64()))
    for number, (product_id, does_fit, *family) in enumerate(features):
        row = {"product_id": product_id, "fits_box": does_fit, "fits_bag": does_fit}
        row |= {"family": family[0], "volume_l": 1.0} if family else {}
        table = pa.Table.from_pylist([row], schema=with_family if family else without_family)
        pq.write_table(table, inputs["features"] / f"part-{number:05d}.parquet")
    return inputs


def run_split(inputs, output: Path, **params):
    output.mkdir()
    split(inputs, SplitParams(**{"package_type": "box", **params}), output)
    sides = [pq.read_table(output / f"{side}.parquet").to_pylist() for side in ("train", "validation")]
    return *sides, json.loads((output / "split.json").read_text())


def ids(rows) -> list[str]:
    return [row["product_id"] for row in rows]


def many(package_types=("box",), count=40):
    seen = dt.datetime.fromisoformat("2025-01-06")
    labels = [(f"p{i:03d}", name, (i // 2) % 2, seen) for i in range(count) for name in package_types]
    return labels, [(f"p{i:03d}", True) for i in range(count)]


def test_every_fitting_product_is_on_one_side(tmp_path):
    train, validation, summary = run_split(write_inputs(tmp_path, *many()), tmp_path / "out")

    assert sorted(ids(train) + ids(validation)) == [f"p{i:03d}" for i in range(40)]
    assert ids(train) == sorted(ids(train))
    assert set(train[0]) == {"product_id", "label", "weight", "is_random_test"}
    assert summary["train"]["rows"] + summary["validation"]["rows"] == 40
    assert summary["train"]["positives"] + summary["validation"]["positives"] == 20
    assert summary["train"]["label_rate"] == summary["train"]["positives"] / len(train)
    assert summary["validation"]["random_tests"] == summary["validation"]["positives"]


def test_a_product_is_on_the_same_side_for_every_type_and_week(tmp_path):
    inputs = write_inputs(tmp_path, *many(("box", "bag")))

    of_box = run_split(inputs, tmp_path / "box")
    of_bag = run_split(inputs, tmp_path / "bag", package_type="bag", week=WEEK)

    assert ids(of_box[1]) == ids(of_bag[1])


def test_the_same_split_has_the_same_bytes(tmp_path):
    inputs = write_inputs(tmp_path, *many())
    for name in ("a", "b"):
        run_split(inputs, tmp_path / name)

    for file in ("train.parquet", "validation.parquet", "split.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def in_families(*, alone=()) -> tuple[list, list]:
    """Four products in a row are one family, and have one label; those of `alone` are in none."""
    seen = dt.datetime.fromisoformat("2025-01-06")
    labels = [(f"p{i:03d}", name, (i // 4) % 2, seen) for i in range(40) for name in ("box", "bag")]
    return labels, [(f"p{i:03d}", True, None if i in alone else f"f{i // 4}") for i in range(40)]


def sides_of(rows_by_side) -> dict[str, str]:
    return {row["product_id"]: side for side, rows in rows_by_side.items() for row in rows}


@pytest.mark.parametrize("package_type", ["box", "bag"])
def test_products_of_one_group_are_on_one_side_which_the_groups_hash_decides(tmp_path, package_type):
    inputs = write_inputs(tmp_path, *in_families(alone=(5,)))

    train, validation, summary = run_split(inputs, tmp_path / "out", group_by="family", package_type=package_type)

    sides = sides_of({"train": train, "validation": validation})
    groups = {row["product_id"]: row["group"] for row in (*train, *validation)}
    assert groups == {f"p{i:03d}": "p005" if i == 5 else f"f{i // 4}" for i in range(40)}
    is_validation = hash_to_unit_interval(pa.chunked_array([list(groups.values())]), 20250106) < 0.25
    assert sides == {name: "validation" if here else "train" for name, here in zip(groups, is_validation, strict=True)}
    assert {summary[side]["groups"] for side in ("train",)} == {len({groups[row["product_id"]] for row in train})}
    assert summary["group_by"] == "family"
    assert summary["validation"]["groups"] + summary["train"]["groups"] == 11


def test_without_groups_nothing_is_said_of_them(tmp_path):
    train, _, summary = run_split(write_inputs(tmp_path, *in_families()), tmp_path / "out")

    assert "group" not in train[0]
    assert "group_by" not in summary
    assert "groups" not in summary["train"]


@pytest.mark.parametrize(("column", "found"), [("parent", "is not there"), ("volume_l", "is of type double")])
def test_groups_need_a_column_of_texts(tmp_path, column, found):
    with pytest.raises(SplitError, match=rf"column '{column}', which {found}.*; name one of family, or name"):
        run_split(write_inputs(tmp_path, *in_families()), tmp_path / "out", group_by=column)


def test_groups_do_not_go_with_time():
    with pytest.raises(ValidationError, match="`group_by` belongs to the split method 'hash'"):
        SplitParams(package_type="box", method="time", week=WEEK, group_by="family")


def test_labels_that_cannot_be_used_are_counted_by_reason(tmp_path):
    labels, features = many()
    features = [(product_id, i % 4 != 3) for i, (product_id, _) in enumerate(features)][:-2]

    train, validation, summary = run_split(write_inputs(tmp_path, labels, features), tmp_path / "out")

    assert summary["excluded"] == {"no_features": 2, "does_not_fit": 9}
    assert len(train) + len(validation) == 29


def test_by_time_the_products_first_seen_lately_validate(tmp_path):
    boundary = dt.datetime.fromisoformat("2025-01-27")  # two weeks before the end of the week, Monday 10 February
    before = boundary - dt.timedelta(microseconds=1)
    labels = [
        ("a", "box", 0, before),
        ("b", "box", 1, before),
        ("c", "box", 0, boundary),
        ("d", "box", 1, boundary),
        ("e", "box", 1, boundary),
        ("e", "bag", 1, before),
    ]
    inputs = write_inputs(tmp_path, labels, [(name, True) for name in "abcde"])

    train, validation, _ = run_split(inputs, tmp_path / "out", method="time", validation_weeks=2, week=WEEK)

    assert (ids(train), ids(validation)) == (["a", "b", "e"], ["c", "d"])


def test_by_time_needs_the_week():
    with pytest.raises(ValidationError, match="'time' needs `week`"):
        SplitParams(package_type="box", method="time")


def test_an_unknown_package_type_is_refused():
    with pytest.raises(ValidationError, match="'crate' is not a package type; use one of mailer, bag, box, sioc"):
        SplitParams(package_type="crate")


def test_an_empty_side_is_refused(tmp_path):
    labels, features = many(count=4)

    with pytest.raises(SplitError, match=r"the validation side of box has no rows .* change `validation_fraction`"):
        run_split(write_inputs(tmp_path, labels, features), tmp_path / "out", validation_fraction=1e-9)


@pytest.mark.parametrize("label", [0, 1])
def test_a_single_class_is_refused(tmp_path, label):
    labels = [(product_id, "box", label, seen) for product_id, _, _, seen in many()[0]]
    inputs = write_inputs(tmp_path, labels, many()[1])

    with pytest.raises(SplitError, match=rf"the train side of box has \d+ rows, all with the label {label}"):
        run_split(inputs, tmp_path / "out")


def test_by_time_the_remedy_is_the_number_of_weeks(tmp_path):
    with pytest.raises(SplitError, match="change `validation_weeks`"):
        run_split(write_inputs(tmp_path, *many()), tmp_path / "out", method="time", week=WEEK)


PRODUCT_IDS = st.lists(st.text(max_size=12), min_size=1, max_size=30, unique=True)


@settings(deadline=None)
@given(PRODUCT_IDS, st.integers(0, 10**16 - 1))
def test_the_hash_of_a_product_depends_on_nothing_but_its_id_and_the_seed(product_ids, seed):
    together = hash_to_unit_interval(pa.chunked_array([product_ids], pa.string()), seed)
    alone = [hash_to_unit_interval(pa.chunked_array([[name]], pa.string()), seed)[0] for name in product_ids]

    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


def test_the_hash_is_uniform_and_another_seed_draws_others():
    names = pa.chunked_array([[f"p{i}" for i in range(10_000)]])

    first, second = hash_to_unit_interval(names, 1) < 0.25, hash_to_unit_interval(names, 2) < 0.25

    assert first.mean() == pytest.approx(0.25, abs=0.015)
    assert (first & second).mean() == pytest.approx(0.0625, abs=0.01)


def test_the_hash_of_an_id_never_changes():
    hashes = hash_to_unit_interval(pa.chunked_array([["p1", "p2"]]), 20250106)

    assert hashes.tolist() == [0.6835623294857543, 0.4206206302871872]
