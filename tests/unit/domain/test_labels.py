import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packaging_assets.domain.labels import COUNT_COLUMNS, LabelError, LabelParams, resolve_labels

SEEN = dt.datetime.fromisoformat("2025-01-07T12:00:00")


def evidence_row(product_id="p1", package_type="box", category="toys", **counts):
    return {
        "product_id": product_id,
        "package_type": package_type,
        "category": category,
        **dict.fromkeys(COUNT_COLUMNS, 0),
        "first_evidence_at": SEEN,
        "last_evidence_at": SEEN + dt.timedelta(days=1),
        **counts,
    }


def write_evidence(folder: Path, rows, *, volume=()):
    (folder / "volume").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "part-00000.parquet")
    volume = list(volume) or [{"package_type": "box", "week": dt.date(2025, 1, 6), "evidence_rows": 1}]
    pq.write_table(pa.Table.from_pylist(volume), folder / "volume" / "part-00000.parquet")
    return folder


def labels_of(folder: Path, rows, params=None) -> pd.DataFrame:
    evidence = write_evidence(folder / "evidence", rows)
    output = folder / "output"
    output.mkdir()
    resolve_labels({"evidence": evidence}, params or LabelParams(), output)
    return pq.read_table(output / "labels.parquet").to_pandas()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"tests_passed": 1}, (1, "test")),
        ({"tests_failed": 1}, (0, "test")),
        ({"tests_passed": 2, "tests_failed": 1}, (1, "test")),
        ({"tests_passed": 1, "tests_failed": 2}, (0, "test")),
        ({"tests_passed": 1, "tests_failed": 1}, (0, "test")),
        ({"tests_passed": 1, "shipments": 500, "damage_reports": 9}, (1, "test")),
        ({"tests_failed": 1, "shipments": 500}, (0, "test")),
        ({"shipments": 2, "damage_reports": 2}, (0, "feedback")),
        ({"shipments": 1000, "damage_reports": 2}, (0, "feedback")),
        ({"shipments": 30}, (1, "feedback")),
        ({"shipments": 29}, None),
        ({"shipments": 30, "damage_reports": 1}, None),
        ({"shipments": 1000, "damage_reports": 1}, None),
        ({}, None),
    ],
)
def test_tests_outrank_feedback_and_the_rest_has_no_label(tmp_path, counts, expected):
    labels = labels_of(tmp_path, [evidence_row(**counts)])

    assert [tuple(row) for row in labels[["label", "source"]].to_numpy()] == ([expected] if expected else [])


def test_thresholds_are_parameters(tmp_path):
    rows = [evidence_row("p1", shipments=5), evidence_row("p2", shipments=5, damage_reports=2)]

    labels = labels_of(tmp_path, rows, LabelParams(min_shipments=5, min_damage_reports=3))

    assert labels["product_id"].tolist() == ["p1"]


def test_labels_are_sorted_and_keep_counts_and_times(tmp_path):
    rows = [
        evidence_row("p2", "sioc", tests_passed=3, random_tests_passed=1),
        evidence_row("p2", "box", tests_failed=1),
        evidence_row("p1", "mailer", tests_failed=1, random_tests_failed=1),
    ]

    labels = labels_of(tmp_path, rows)

    assert list(zip(labels["product_id"], labels["package_type"], strict=True)) == [
        ("p1", "mailer"),
        ("p2", "box"),
        ("p2", "sioc"),
    ]
    assert labels["is_random_test"].tolist() == [True, False, True]
    assert labels["tests_passed"].tolist() == [0, 0, 3]
    assert labels["first_evidence_at"].tolist() == [pd.Timestamp(SEEN)] * 3
    assert labels["last_evidence_at"].tolist() == [pd.Timestamp(SEEN) + pd.Timedelta(days=1)] * 3


def test_feedback_is_weighted_by_how_unusual_its_package_type_is_in_the_category(tmp_path):
    rows = [
        evidence_row("p1", "box", "toys", shipments=50),
        evidence_row("p2", "box", "toys", shipments=50),
        evidence_row("p3", "bag", "toys", shipments=50),
        evidence_row("p4", "box", "tools", tests_passed=1),
    ]

    weights = labels_of(tmp_path, rows).set_index("product_id")["weight"]

    # box: shipped for 2 of 4 products, for 2 of 3 toys; bag: for 1 of 4 products, for 1 of 3 toys.
    assert weights.to_dict() == pytest.approx({"p1": 0.75, "p2": 0.75, "p3": 0.75, "p4": 1.0})


def test_weights_are_clipped_on_both_sides(tmp_path):
    rows = [evidence_row(f"toy{i}", "box", "toys", shipments=50) for i in range(9)]
    rows += [evidence_row("tool0", "box", "tools", shipments=50)]
    rows += [evidence_row(f"tool{i}", "bag", "tools", shipments=50) for i in range(1, 10)]

    labels = labels_of(tmp_path, rows, LabelParams(max_propensity_weight=1.5))

    weights = labels.set_index("product_id")["weight"]
    assert weights["tool0"] == 1.5  # 10/19 over 1/10
    assert weights["toy0"] == 1 / 1.5  # 10/19 over 9/9
    assert weights["tool1"] == 1 / 1.5  # 9/19 over 9/10


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from(["box", "bag"]),
            st.integers(0, 2),
            st.integers(0, 2),
            st.integers(0, 60),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=10,
        unique_by=lambda row: row[:2],
    )
)
def test_no_row_is_doubled_and_every_weight_is_within_the_clip(tmp_path_factory, drawn):
    rows = [
        evidence_row(
            f"p{product}",
            package_type,
            f"category {product % 2}",
            tests_passed=passed,
            tests_failed=failed,
            shipments=shipments,
            damage_reports=reports,
        )
        for product, package_type, passed, failed, shipments, reports in drawn
    ]

    labels = labels_of(tmp_path_factory.mktemp("labels"), rows)

    assert not labels.duplicated(["product_id", "package_type"]).any()
    assert labels["weight"].between(1 / 20, 20).all()
    assert set(zip(labels["product_id"], labels["package_type"], strict=True)) <= {
        (row["product_id"], row["package_type"]) for row in rows
    }


def test_no_evidence_gives_no_labels(tmp_path):
    evidence = write_evidence(tmp_path / "evidence", [evidence_row()])
    table = pq.read_table(evidence / "part-00000.parquet")
    pq.write_table(table.slice(0, 0), evidence / "part-00000.parquet")
    output = tmp_path / "output"
    output.mkdir()

    resolve_labels({"evidence": evidence}, LabelParams(), output)

    assert pq.read_table(output / "labels.parquet").num_rows == 0


def test_volume_is_kept_in_order(tmp_path):
    weeks = [dt.date(2025, 1, 13), dt.date(2025, 1, 6)]
    volume = [
        {"package_type": package_type, "week": week, "evidence_rows": 7}
        for week in weeks
        for package_type in ("box", "bag")
    ]
    evidence = write_evidence(tmp_path / "evidence", [evidence_row()], volume=volume)

    resolve_labels({"evidence": evidence}, LabelParams(), tmp_path)

    kept = pq.read_table(tmp_path / "volume.parquet").to_pylist()
    assert [(row["package_type"], row["week"]) for row in kept] == [
        ("bag", weeks[1]),
        ("bag", weeks[0]),
        ("box", weeks[1]),
        ("box", weeks[0]),
    ]


def test_equal_evidence_in_another_order_gives_equal_bytes(tmp_path):
    rows = [evidence_row(f"p{i}", tests_passed=i % 2, shipments=40) for i in range(20)]
    written = []
    for name, ordered in (("a", rows), ("b", rows[::-1])):
        labels_of(tmp_path / name, ordered)
        written.append((tmp_path / name / "output" / "labels.parquet").read_bytes())

    assert written[0] == written[1]


def test_a_repeated_row_is_refused(tmp_path):
    with pytest.raises(LabelError, match="more than one row for product 'p1' in 'box'"):
        labels_of(tmp_path, [evidence_row(), evidence_row()])


def test_an_absent_column_is_named(tmp_path):
    row = evidence_row()
    del row["shipments"]

    with pytest.raises(LabelError, match=r"part-00000.parquet lacks the column 'shipments'"):
        labels_of(tmp_path, [row])


def test_a_null_count_is_refused(tmp_path):
    with pytest.raises(LabelError, match="has nulls in 'shipments'"):
        labels_of(tmp_path, [evidence_row(), evidence_row("p2", shipments=None)])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(LabelError, match="holds no Parquet file"):
        resolve_labels({"evidence": tmp_path}, LabelParams(), tmp_path)


def test_feedback_may_weigh_more_or_less_than_tests(tmp_path):
    rows = [evidence_row("p1", "box", tests_passed=1), evidence_row("p2", "box", shipments=50)]

    labels = labels_of(tmp_path, rows, LabelParams(feedback_weight=0.25))

    # Feedback: shipped for 1 of 2 products, in both of which category is the same; hence a propensity weight of 1.
    assert labels.set_index("product_id")["weight"].to_dict() == {"p1": 1.0, "p2": 0.25}
