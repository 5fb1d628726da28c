"""What one delivered file does to the warehouse."""

import datetime as dt

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from fixed_clock import FixedClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packaging_assets.domain.features import EMBEDDING_COLUMNS
from packaging_assets.ingestion.contract import TABLES, table_contract
from packaging_assets.ingestion.delivery import ingest_files
from packaging_assets.ingestion.errors import IngestionError
from packaging_assets.ingestion.reading import open_delivery
from packaging_assets.ingestion.report import BadRow, DeliveryRefusedError
from packaging_assets.ingestion.validation import check_chunk
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse
from packaging_assets.settings import PROJECT_ROOT

GOOD_TEST = "T1,P1,box,2025-01-06T09:00:00,true,false"
PRODUCT = {
    "product_id": "P1",
    "updated_at": "2025-01-07T00:00:00",
    "created_at": "2025-01-06",
    "title": "Mug",
    "category": "home",
    "subcategory": "kitchen",
    "product_type": "mug",
    "brand": "Acme",
    "length_cm": "10",
    "width_cm": "8.5",
    "height_cm": "",
    "weight_kg": "0.3",
    "price_usd": "12.99",
    "is_liquid": "false",
    **{name: f"0.{index:02d}" for index, name in enumerate(EMBEDDING_COLUMNS)},
}
FEEDBACK_HEADER = "feedback_id,product_id,package_type,shipped_at,shipments,damage_reports"


def product_csv(*changes):
    """The lines of a product file: for each dict, the mug with these values changed."""
    rows = [{**PRODUCT, **change} for change in changes]
    return [",".join(PRODUCT), *(",".join(row.values()) for row in rows)]


def moment(*parts):
    return dt.datetime(*parts)  # noqa: DTZ001 - the warehouse's times are naive UTC


def test_rows_reach_the_warehouse_typed_and_recorded(shop) -> None:
    report = shop.ingest_tests(GOOD_TEST, "T2,P1,bag,2025-01-07T01:30:00+02:00,0,1")
    assert (report.table, report.file_name) == ("package_tests", "tests.csv")
    assert (report.accepted, report.duplicates, report.quarantined, report.row_count) == (2, 0, 0, 2)
    assert report.days == (dt.date(2025, 1, 6),)
    assert (report.is_already_delivered, report.warnings, report.bad_rows) == (False, (), ())
    assert shop.rows("select * from raw.package_tests order by test_id") == [
        ("T1", "P1", "box", moment(2025, 1, 6, 9), True, False),
        ("T2", "P1", "bag", moment(2025, 1, 6, 23, 30), False, True),
    ]
    identity = (report.delivery_id, "package_tests")
    assert shop.rows("select * from raw.deliveries") == [(*identity, "tests.csv", 2, 0, 0, moment(2025, 2, 3, 12))]
    assert shop.rows("select * from raw.delivery_days") == [(*identity, dt.date(2025, 1, 6), 2)]


def test_products_keep_every_version(shop) -> None:
    first = shop.ingest("products", shop.write("p1.csv", product_csv({})))
    second = shop.ingest("products", shop.write("p2.csv", product_csv({}, {"updated_at": "2025-01-08", "brand": "B"})))
    assert (first.accepted, second.accepted, second.duplicates, second.quarantined) == (1, 1, 1, 0)
    assert second.days == (dt.date(2025, 1, 8),)
    rows = shop.rows("select updated_at, brand, height_cm, image_embedding_63 from raw.products order by updated_at")
    assert [row[:3] for row in rows] == [(moment(2025, 1, 7), "Acme", None), (moment(2025, 1, 8), "B", None)]
    assert rows[0][3] == pytest.approx(0.63, rel=1e-6)


def test_the_same_file_again_changes_nothing(shop) -> None:
    first = shop.ingest_tests(GOOD_TEST, "T2,P1,crate,2025-01-06,t,t")
    before = shop.counts()
    again = shop.ingest_tests(GOOD_TEST, "T2,P1,crate,2025-01-06,t,t", name="renamed.csv")
    assert shop.counts() == before
    assert again.is_already_delivered
    assert again.delivery_id == first.delivery_id
    assert (again.accepted, again.duplicates, again.quarantined, again.days) == (1, 0, 1, first.days)
    assert again.warnings == ("The same file was delivered at 2025-02-03 12:00 UTC; nothing changed.",)


def test_the_same_rows_in_another_format_are_duplicates(shop) -> None:
    path = shop.write("p.csv", product_csv({}, {"product_id": "P2"}, {"product_id": "P3", "weight_kg": ""}))
    shop.ingest("products", path)
    contract = table_contract("products", moment(2025, 2, 3))
    types = {name: contract.arrow_type(name) for name in contract.column_names}
    pq.write_table(
        arrow_csv.read_csv(path, convert_options=arrow_csv.ConvertOptions(column_types=types)),
        shop.folder / "p.parquet",
    )
    report = shop.ingest("products", shop.folder / "p.parquet")
    assert (report.accepted, report.duplicates, report.quarantined, report.days) == (0, 3, 0, ())
    assert shop.counts()["products"] == 3
    assert shop.rows("select accepted_rows, duplicate_rows from raw.deliveries order by 1") == [(0, 3), (3, 0)]


@pytest.mark.parametrize(
    ("row", "field", "value", "reason"),
    [
        (",P,box,2025-01-06,t,t", "test_id", None, "is missing"),
        ("T,P,crate,2025-01-06,t,t", "package_type", "crate", "must be one of mailer, bag, box, sioc"),
        ("T,P,box,yesterday,t,t", "tested_at", "yesterday", "is not an ISO 8601 timestamp"),
        ("T,P,box,2025-01-06,maybe,t", "is_passed", "maybe", "is not one of true, false, t, f, 1, 0"),
        ("T,P,box,1899-12-31,t,t", "tested_at", "1899-12-31", "must not be before 1900-01-01"),
        (
            "T,P,box,2025-02-04T12:00:01,t,t",
            "tested_at",
            "2025-02-04T12:00:01",
            "must not be more than 1 day after the delivery was received",
        ),
        (f"{'é' * 33},P,box,2025-01-06,t,t", "test_id", "é" * 33, "must be at most 64 bytes long in UTF-8"),
        ("T,P,box,2025-01-06,t", None, "T,P,box,2025-01-06,t", "has 5 values where the header has 6"),
        (f"T,P,{'x' * 300},2025-01-06,t,t", "package_type", "x" * 200, "must be one of mailer, bag, box, sioc"),
        ("T,,crate,never,,", "product_id", None, "is missing"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_first_offence(shop, row, field, value, reason) -> None:
    report = shop.ingest_tests(GOOD_TEST, row)
    assert (report.accepted, report.quarantined) == (1, 1)
    assert report.bad_rows == (BadRow(3, field, value, reason),)
    assert shop.quarantined() == [(3, field, value, reason)]
    assert shop.rows("select delivery_id, table_name, file_name from raw.quarantine") == [
        (report.delivery_id, "package_tests", "tests.csv")
    ]
    assert shop.rows("select test_id from raw.package_tests") == [("T1",)]


@pytest.mark.parametrize("row", ["T2,P,box,2025-02-04T12:00:00,t,t", f"{'é' * 32},P,box,1900-01-01,t,t"])
def test_the_limits_themselves_are_allowed(shop, row) -> None:
    assert shop.ingest_tests(row).accepted == 1


@pytest.mark.parametrize(
    ("change", "field", "value", "reason"),
    [
        ({"weight_kg": "0"}, "weight_kg", "0", "must be above 0 and at most 2000 kg"),
        ({"length_cm": "1000.5"}, "length_cm", "1000.5", "must be above 0 and at most 1000 cm"),
        ({"price_usd": "free"}, "price_usd", "free", "is not a finite number"),
        ({"created_at": "2025-01-08"}, "created_at", "2025-01-08", "must not be later than updated_at"),
        ({"image_embedding_07": "inf"}, "image_embedding_07", "inf", "is not a finite number"),
        (
            {"image_embedding_07": ""},
            "image_embedding_00",
            "0.00",
            "must be given with all 64 components of the embedding or with none",
        ),
    ],
)
def test_bad_products(shop, change, field, value, reason) -> None:
    report = shop.ingest("products", shop.write("p.csv", product_csv({"product_id": "P0"}, change)))
    assert (report.accepted, report.bad_rows) == (1, (BadRow(3, field, value, reason),))


def test_an_embedding_may_be_missing_from_a_row_or_from_the_file(shop) -> None:
    none = dict.fromkeys(EMBEDDING_COLUMNS, "")
    assert shop.ingest("products", shop.write("p.csv", product_csv(none))).accepted == 1
    short = [line.rsplit(",", 64)[0] for line in product_csv({"product_id": "P2"})]
    report = shop.ingest("products", shop.write("short.csv", short))
    assert report.warnings == ("image_embedding_00 to image_embedding_63 are left out and will be null.",)
    assert shop.rows("select count(*) as n from raw.products where image_embedding_00 is null") == [(2,)]


def test_bad_feedback(shop) -> None:
    rows = ["F1,P,box,2025-01-06,10,10", "F2,P,box,2025-01-06,10,11", "F3,P,box,2025-01-06,0,0"]
    rows += ["F4,P,box,2025-01-06,2.5,0", "F5,P,box,2025-01-06,5,-1", "F6,P,box,2025-01-06,5.0,"]
    report = shop.ingest("customer_feedback", shop.write("f.csv", [FEEDBACK_HEADER, *rows]))
    assert report.accepted == 1
    assert shop.quarantined() == [
        (3, "damage_reports", "11", "must not be above shipments"),
        (4, "shipments", "0", "must be at least 1"),
        (5, "shipments", "2.5", "is not a whole number"),
        (6, "damage_reports", "-1", "must be at least 0"),
        (7, "damage_reports", None, "is missing"),
    ]


def test_texts_that_a_warehouse_cannot_hold_cost_their_rows_only(shop) -> None:
    rows = [f"T{number},P1,box,2025-01-06,true,false" for number in range(3000)]  # beyond what tells CSV from others
    report = shop.ingest_tests(*rows, "T,P\0,box,2025-01-06,true,false", "T\0,P")
    assert (report.accepted, report.quarantined) == (3000, 2)
    reason = "is not text in UTF-8 without null characters"
    few = (3003, None, "T\N{REPLACEMENT CHARACTER},P", "has 2 values where the header has 6")
    assert shop.quarantined() == [(3002, "product_id", "P\N{REPLACEMENT CHARACTER}", reason), few]


def test_blanks_around_a_text_are_no_part_of_it(shop) -> None:
    report = shop.ingest_tests(
        GOOD_TEST, GOOD_TEST.replace("T1", " T1 "), "T2 ,P1 , bag,2025-01-06,t,t", "T3, ,box,2025-01-06,t,t"
    )
    assert (report.accepted, report.duplicates, report.quarantined) == (2, 1, 1)
    assert shop.quarantined() == [(5, "product_id", " ", "is missing")]
    rows = shop.rows("select test_id, product_id, package_type from raw.package_tests order by 1")
    assert rows == [("T1", "P1", "box"), ("T2", "P1", "bag")]


def test_a_title_whose_quote_is_not_closed_loses_no_product(shop) -> None:
    titles = {"P1": '"Mug', "P2": '"Blue mug"', "P3": '"Mug ""blue"""'}
    lines = product_csv(*({"product_id": product, "title": title} for product, title in titles.items()))
    with pytest.raises(
        IngestionError, match=r"p\.csv, line 2: a quote that opens there closes within a value, on line 3"
    ):
        shop.ingest("products", shop.write("p.csv", lines))
    assert shop.counts() == dict.fromkeys(shop.counts(), 0)
    assert shop.ingest("products", shop.write("p.csv", [*lines[:1], *lines[2:]])).accepted == 2
    assert shop.rows("select title from raw.products order by product_id") == [("Blue mug",), ('Mug "blue"',)]


def test_parquet_text_that_is_not_utf8_costs_its_row_only(shop) -> None:
    ids = pa.array([b"T1", b"T\xff", b"T\0"], pa.binary()).view(pa.string())
    kinds = pa.array(["box"] * 3).dictionary_encode()
    times = pa.array([moment(2025, 1, 6)] * 3)
    columns = [ids, pa.array(["P1"] * 3), kinds, times, pa.array([True] * 3), pa.array([True] * 3)]
    names = table_contract("package_tests", moment(2025, 2, 3)).column_names
    pq.write_table(pa.Table.from_arrays(columns, names=list(names)), shop.folder / "t.parquet")
    report = shop.ingest("package_tests", shop.folder / "t.parquet")
    assert (report.accepted, report.quarantined) == (1, 2)
    reason = "is not text in UTF-8 without null characters"
    shown = "T\N{REPLACEMENT CHARACTER}"
    assert shop.quarantined() == [(2, "test_id", shown, reason), (3, "test_id", shown, reason)]
    assert shop.rows("select test_id from raw.package_tests") == [("T1",)]


def test_a_decimal_is_the_same_row_as_its_text(shop) -> None:
    shop.ingest("products", shop.write("p.csv", product_csv({"length_cm": "5.10", "weight_kg": "0.07"})))
    types = {name: pa.string() for name in PRODUCT}
    table = arrow_csv.read_csv(shop.folder / "p.csv", convert_options=arrow_csv.ConvertOptions(column_types=types))
    for name in ("length_cm", "weight_kg"):
        column = table.schema.get_field_index(name)
        table = table.set_column(column, name, table[name].cast(pa.decimal128(10, 2)))
    pq.write_table(table, shop.folder / "p.parquet")
    report = shop.ingest("products", shop.folder / "p.parquet")
    assert (report.accepted, report.duplicates, report.quarantined) == (0, 1, 0)


def test_keys_repeated_in_the_file(shop) -> None:
    report = shop.ingest_tests(GOOD_TEST, GOOD_TEST.replace("09:00", "09:30"), GOOD_TEST, "T2,P1,box,2025-01-06,t,t")
    assert (report.accepted, report.duplicates, report.quarantined) == (2, 1, 1)
    reason = "conflicts with line 2, which has the same test_id"
    assert shop.quarantined() == [(3, "tested_at", "2025-01-06 09:30:00", reason)]
    assert shop.rows("select test_id, tested_at from raw.package_tests order by 1") == [
        ("T1", moment(2025, 1, 6, 9)),
        ("T2", moment(2025, 1, 6)),
    ]


def test_keys_that_the_warehouse_has(shop) -> None:
    shop.ingest_tests(GOOD_TEST)
    contradiction = GOOD_TEST.replace("true", "false")
    report = shop.ingest_tests(contradiction, GOOD_TEST, contradiction, "T2,P1,box,2025-01-09,t,t", name="again.csv")
    assert (report.accepted, report.duplicates, report.quarantined) == (1, 1, 2)
    assert report.days == (dt.date(2025, 1, 9),)
    reason = "conflicts with an earlier delivery, which has the same test_id"
    assert shop.quarantined() == [(2, "is_passed", "false", reason), (4, "is_passed", "false", reason)]
    assert shop.rows("select test_id, is_passed from raw.package_tests order by 1") == [("T1", True), ("T2", True)]
    tables = "select table_name from information_schema.tables where table_name like 'known%'"
    assert shop.rows(tables) == []


def test_too_many_bad_rows_refuse_the_file_whole(shop) -> None:
    shop.ingest_tests(GOOD_TEST)
    before = shop.counts()
    rows = [f"N{number},P1,{'box' if number > 1 else 'crate'},2025-01-06,t,t" for number in range(100)]
    with pytest.raises(DeliveryRefusedError) as refusal:
        shop.ingest_tests(*rows, name="bad.csv", max_bad_row_share=0.01)
    assert shop.counts() == before
    assert str(refusal.value) == (
        f"{shop.folder / 'bad.csv'}: refused whole, since 2 of its 100 rows are bad: 2.0%, and at most 1.0% may be. "
        "The first: line 2: package_type ('crate') must be one of mailer, bag, box, sioc; "
        "line 3: package_type ('crate') must be one of mailer, bag, box, sioc. "
        "Correct the file, or allow more with --max-bad-rows."
    )
    report = refusal.value.report
    assert (report.accepted, report.quarantined, len(report.bad_rows)) == (98, 2, 2)
    accepted = shop.ingest_tests(*rows, name="bad.csv", max_bad_row_share=0.02)
    assert (accepted.accepted, accepted.quarantined) == (98, 2)


def test_contradicting_the_warehouse_counts_as_bad(shop) -> None:
    shop.ingest_tests(GOOD_TEST)
    before = shop.counts()
    with pytest.raises(DeliveryRefusedError, match=r"1 of its 1 rows are bad: 100\.0%"):
        shop.ingest_tests(GOOD_TEST.replace("true", "false"), name="other.csv", max_bad_row_share=0.5)
    assert shop.counts() == before


def test_a_report_carries_the_first_ten_bad_rows_by_line(shop) -> None:
    report = shop.ingest_tests(*[f"T{number},P,crate,2025-01-06,t,t" for number in range(12)], "T,P")
    assert [row.line for row in report.bad_rows] == list(range(2, 12))
    assert (report.quarantined, len(shop.quarantined())) == (13, 13)


def test_a_file_without_rows_is_recorded_with_a_warning(shop) -> None:
    report = shop.ingest_tests()
    assert (report.accepted, report.days, report.warnings) == (0, (), ("The file has no rows.",))
    assert shop.counts()["deliveries"] == 1


def test_files_go_in_by_table_and_a_failure_keeps_those_before_it(shop) -> None:
    files = {
        "customer_feedback": shop.write("f.csv", [FEEDBACK_HEADER, "F1,P1,box,2025-01-06,10,1"]),
        "package_tests": shop.write("t.csv", ["test_id", "T1"]),
        "products": shop.write("p.csv", product_csv({})),
    }
    clock = FixedClock(dt.datetime(2025, 2, 3, tzinfo=dt.UTC))
    reports = ingest_files(shop.warehouse, files, max_bad_row_share=0.01, clock=clock)
    assert next(reports).table == "products"
    with pytest.raises(IngestionError, match=r"t\.csv: lacks the columns product_id, package_type"):
        next(reports)
    assert [shop.counts()[table] for table in TABLES] == [1, 0, 0]


def test_a_failed_append_leaves_nothing(shop, monkeypatch) -> None:
    shop.ingest_tests(GOOD_TEST)
    before = shop.counts()
    load = DuckDBWarehouse.load

    def failing(self, staged, statements):
        broken = [*statements, ("select no_such_column from raw.products", {})] if "bad_rows" in staged else statements
        load(self, staged, broken)

    monkeypatch.setattr(DuckDBWarehouse, "load", failing)
    with pytest.raises(Exception, match="no_such_column"):
        shop.ingest_tests("T2,P1,box,2025-01-06,t,t", "T3,P1,crate,2025-01-06,t,t", name="new.csv")
    assert shop.counts() == before


def test_the_sample_is_clean_but_for_one_row(shop) -> None:
    files = {table: PROJECT_ROOT / "samples" / f"{table}.csv" for table in TABLES}
    clock = FixedClock(dt.datetime(2025, 2, 3, tzinfo=dt.UTC))
    reports = list(ingest_files(shop.warehouse, files, max_bad_row_share=0.01, clock=clock))
    assert [(report.table, report.duplicates, report.quarantined) for report in reports] == [
        ("products", 0, 0),
        ("package_tests", 0, 1),
        ("customer_feedback", 0, 0),
    ]
    assert shop.quarantined() == [(232, "package_type", "envelope", "must be one of mailer, bag, box, sioc")]
    assert sum(path.stat().st_size for path in files.values()) < 300_000


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    head=st.sampled_from([b"", b"PAR1", b"test_id,product_id,", b"\xef\xbb\xbf"]),
    content=st.binary(max_size=200),
    tail=st.sampled_from([b"", b"PAR1"]),
    table=st.sampled_from(TABLES),
)
def test_garbage_is_an_ingestion_error_and_changes_nothing(shop, head, content, tail, table) -> None:
    before = shop.counts() if shop.warehouse.path.exists() else None
    with pytest.raises(IngestionError):
        shop.ingest(table, shop.write("garbage", head + content + tail))
    assert (shop.counts() if shop.warehouse.path.exists() else None) == before


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.one_of(st.binary(max_size=120), st.text(max_size=60).map(str.encode)))
def test_garbage_below_a_good_header_is_bad_rows_or_an_error(shop, content) -> None:
    header = b"test_id,product_id,package_type,tested_at,is_passed,is_random_sample\n"
    contract = table_contract("package_tests", moment(2025, 2, 3))
    try:
        chunks = list(open_delivery(shop.write("garbage.csv", header + content)).chunks(contract.column_names))
    except IngestionError:
        return
    checked = [check_chunk(contract, chunk) for chunk in chunks]
    assert sum(len(outcome.accepted) for outcome in checked) == 0
    assert [len(outcome.bad) for outcome in checked] == [len(chunk.rows) + len(chunk.malformed) for chunk in chunks]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(keys=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12), cut=st.integers(0, 12))
def test_deliveries_in_any_pieces_give_the_same_rows(fresh_shop, keys, cut) -> None:
    rows = [f"T{key},P,box,2025-01-06,{'t' if is_passed else 'f'},t" for key, is_passed in keys]
    whole, pieces = fresh_shop(), fresh_shop()
    whole.ingest_tests(*rows)
    pieces.ingest_tests(*rows[:cut])
    pieces.ingest_tests(*rows[cut:], name="rest.csv")
    pieces.ingest_tests(*rows, name="all.csv")
    first = {}
    for key, is_passed in keys:
        first.setdefault(f"T{key}", is_passed)
    query = "select test_id, is_passed from raw.package_tests order by test_id"
    assert whole.rows(query) == pieces.rows(query) == sorted(first.items())
