"""How incidents are asked for, and what each does to the files."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from packaging_assets.simulator import INCIDENTS, Incident, IncidentError, RetailerConfig, parse_incident, simulate

PRODUCT_FAULT_COLUMNS = {
    "cm_to_inch": ["length_cm", "width_cm", "height_cm"],
    "null_column": ["weight_kg"],
    "foreign_titles": ["title"],
    "embedding_zeroed": [f"image_embedding_{index:02d}" for index in range(64)],
    "unseen_categories": ["category", "subcategory", "product_type"],
}

CORRECTED_COLUMNS = {"updated_at", "title", "price_usd", "weight_kg"}
"""What an ordinary correction may change between the faulty and the repaired version."""


def _with(small_config, tmp_path, *texts):
    incidents = tuple(parse_incident(text) for text in texts)
    return simulate(RetailerConfig.model_validate(small_config.model_dump() | {"incidents": incidents}), tmp_path)


def _read(retailer, folder, table):
    return pq.read_table(retailer.folder / folder / f"{table}.parquet").to_pandas()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cm_to_inch@5:0.25", ("cm_to_inch", 5, 0.25)),
        ("cm_to_inch@5", ("cm_to_inch", 5, 0.3)),
        ("volume_halved@1", ("volume_halved", 1, 0.5)),
        ("late_delivery@2", ("late_delivery", 2, 1.0)),
    ],
)
def test_parse(text, expected):
    incident = parse_incident(text)
    assert (incident.kind, incident.week, incident.share) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flood@5", "unknown kind 'flood'; the kinds are label_rate_shift, cm_to_inch"),
        ("cm_to_inch", "write kind@week"),
        ("cm_to_inch@", "write kind@week"),
        ("cm_to_inch@2:", "write kind@week"),
        ("cm_to_inch@two", "week 'two'"),
        ("cm_to_inch@0", "week '0'"),
        ("cm_to_inch@2:1.5", "share '1.5'"),
    ],
)
def test_parse_names_what_is_wrong(text, message):
    with pytest.raises(IncidentError) as caught:
        parse_incident(text)
    assert message in str(caught.value)
    assert text in str(caught.value)


def test_config_refuses_incidents_that_cannot_happen():
    late = Incident(kind="cm_to_inch", week=4)
    with pytest.raises(ValidationError, match="in week 4 of 3 weeks"):
        RetailerConfig(weeks=3, incidents=(late,))
    with pytest.raises(ValidationError, match="twice in week 4"):
        RetailerConfig(weeks=5, incidents=(late, late))
    with pytest.raises(ValidationError, match="unknown incident 'flood'"):
        Incident(kind="flood", week=1)
    with pytest.raises(ValidationError, match="Tuesday"):
        RetailerConfig.model_validate({"first_week": "2025-01-07"})


@pytest.mark.parametrize("kind", PRODUCT_FAULT_COLUMNS)
def test_product_faults_are_redelivered_and_repaired(small_config, quiet_retailer, tmp_path, kind):
    retailer = _with(small_config, tmp_path, f"{kind}@2:0.4")
    faulty_columns = PRODUCT_FAULT_COLUMNS[kind]
    before = pd.concat([_read(retailer, folder, "products") for folder in ("history", "2025-01-06")])
    quiet = [_read(quiet_retailer, week, "products") for week in ("2025-01-13", "2025-01-20")]
    faulty, repaired = (
        week.merge(known[["product_id", "updated_at"]], how="left", indicator=True).query("_merge == 'left_only'")
        for week, known in zip(
            (_read(retailer, "2025-01-13", "products"), _read(retailer, "2025-01-20", "products")), quiet, strict=True
        )
    )
    known = before.drop_duplicates("product_id", keep="last").set_index("product_id")
    assert len(faulty) == pytest.approx(0.4 * len(known), rel=0.1)
    assert list(faulty["product_id"]) == list(repaired["product_id"])
    known = known.loc[faulty["product_id"]].reset_index()
    same = [name for name in known.columns if name not in {*faulty_columns, *CORRECTED_COLUMNS}]
    assert faulty[same].reset_index(drop=True).equals(known[same])
    assert repaired[same].reset_index(drop=True).equals(known[same])
    for name in faulty_columns:
        assert (repaired[name].to_numpy() == known[name].to_numpy()).mean() > 0.98
        _assert_spoilt(kind, faulty[name].to_numpy(), known[name].to_numpy())


def _assert_spoilt(kind, faulty, known):
    if kind == "cm_to_inch":
        np.testing.assert_allclose(faulty * 2.54, known, atol=0.02)
    elif kind == "null_column":
        assert pd.isna(faulty).all()
    elif kind == "embedding_zeroed":
        assert (faulty == 0).all()
    elif kind == "unseen_categories":
        assert list(faulty) == [f"New {name}" for name in known]
    else:
        words = [set(title.split()[1:]) for title in faulty]
        assert not any(found & set(title.split()[1:]) for found, title in zip(words, known, strict=True))


def test_a_fault_in_the_last_week_stays(small_config, tmp_path):
    retailer = _with(small_config, tmp_path, "null_column@3")
    assert _read(retailer, "2025-01-20", "products")["weight_kg"].isna().sum() > 700


def test_an_incident_changes_only_its_own_weeks(small_config, quiet_retailer, tmp_path):
    retailer = _with(small_config, tmp_path, "cm_to_inch@2", "label_rate_shift@2", "volume_halved@2")
    for delivery in quiet_retailer.deliveries[:2]:
        for table, path in delivery.files.items():
            assert (retailer.folder / delivery.folder / f"{table}.parquet").read_bytes() == path.read_bytes()
    truth = "truth/truth.parquet"
    assert (retailer.folder / truth).read_bytes() == (quiet_retailer.folder / truth).read_bytes()


def test_missing_column_lacks_it_and_is_sent_again(small_config, quiet_retailer, tmp_path):
    retailer = _with(small_config, tmp_path, "missing_column@2")
    path = retailer.folder / "2025-01-13" / "products.parquet"
    expected = pq.read_table(quiet_retailer.folder / "2025-01-13" / "products.parquet")
    assert pq.read_table(path).equals(expected.drop_columns(["weight_kg"]))
    folders = [delivery.folder for delivery in retailer.deliveries]
    assert folders == ["history", "2025-01-06", "2025-01-13", "2025-01-20/resent", "2025-01-20"]
    assert pq.read_table(retailer.deliveries[3].files["products"]).equals(expected)


def test_late_delivery_comes_with_the_next_week(small_config, quiet_retailer, tmp_path):
    retailer = _with(small_config, tmp_path / "middle", "late_delivery@2")
    folders = [delivery.folder for delivery in retailer.deliveries]
    assert folders == ["history", "2025-01-06", "2025-01-13", "2025-01-20/late", "2025-01-20"]
    assert set(retailer.deliveries[2].files) == {"products", "customer_feedback"}
    late = retailer.deliveries[3]
    expected = quiet_retailer.deliveries[2].files["package_tests"]
    assert late.files["package_tests"].read_bytes() == expected.read_bytes()
    assert late.received_on == retailer.deliveries[4].received_on
    last = _with(small_config, tmp_path / "last", "late_delivery@3")
    assert set(last.deliveries[-1].files) == {"products", "customer_feedback"}


def test_duplicated_delivery_repeats_bytes_and_rows(small_config, quiet_retailer, tmp_path):
    retailer = _with(small_config, tmp_path, "duplicated_delivery@2")
    folders = [delivery.folder for delivery in retailer.deliveries]
    assert folders[2:5] == ["2025-01-13", "2025-01-13/again", "2025-01-13/renamed"]
    first, again, renamed = retailer.deliveries[2:5]
    assert set(first.files) == set(again.files) == set(renamed.files)
    for table, path in first.files.items():
        assert again.files[table].read_bytes() == path.read_bytes()
        assert renamed.files[table].name == f"{table}-export.parquet"
        assert renamed.files[table].read_bytes() != path.read_bytes()
        assert pq.read_table(renamed.files[table]).equals(pq.read_table(path))


def test_volume_halved_loses_half_of_the_evidence(small_config, quiet_retailer, tmp_path):
    retailer = _with(small_config, tmp_path, "volume_halved@2")
    whole = _read(quiet_retailer, "2025-01-13", "package_tests")
    half = _read(retailer, "2025-01-13", "package_tests")
    assert set(half["test_id"]) < set(whole["test_id"])
    assert len(half) / len(whole) == pytest.approx(0.5, abs=0.15)
    assert len(_read(retailer, "2025-01-13", "customer_feedback")) < len(
        _read(quiet_retailer, "2025-01-13", "customer_feedback")
    )


def test_label_rate_shift_turns_labels_and_the_next_week_turns_them_back(small_config, quiet_retailer, tmp_path):
    retailer = _with(small_config, tmp_path, "label_rate_shift@2:0.3")

    def rate(which, weeks):
        tests = pd.concat([_read(which, folder, "package_tests") for folder in weeks])
        return (tests.groupby(["product_id", "package_type"])["is_passed"].mean() > 0.5).mean()

    weeks = ["history", "2025-01-06", "2025-01-13", "2025-01-20"]
    assert rate(retailer, weeks[:2]) == rate(quiet_retailer, weeks[:2])
    assert rate(retailer, weeks[:3]) == pytest.approx(0.7 * rate(quiet_retailer, weeks[:3]), rel=0.05)
    assert rate(retailer, weeks) == pytest.approx(rate(quiet_retailer, weeks), abs=0.015)


def test_every_kind_can_happen_together(small_config, tmp_path):
    retailer = _with(small_config, tmp_path, *(f"{kind}@2" for kind in INCIDENTS))
    assert [delivery.folder for delivery in retailer.deliveries] == [
        "history",
        "2025-01-06",
        "2025-01-13",
        "2025-01-13/again",
        "2025-01-13/renamed",
        "2025-01-20/late",
        "2025-01-20/resent",
        "2025-01-20",
    ]
