import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from packaging_assets.resources.built_days import (
    MissingDaysError,
    built_fingerprints,
    day_fingerprints,
    dbt_project_hash,
    forget_built_days,
    record_built_days,
    version_before,
)
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse

FIRST = dt.date(2025, 1, 6)
DAYS = [FIRST + dt.timedelta(days=number) for number in range(4)]
END = dt.datetime(2025, 1, 10)  # noqa: DTZ001 - naive UTC


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", "500MB", 1)
    warehouse.create_tables()
    return warehouse


def deliver(warehouse: DuckDBWarehouse, delivery: str, *days: str, table: str = "products") -> None:
    insert = "insert into raw.delivery_days values ($delivery, $table, cast($day as date), 1)"
    warehouse.load({}, [(insert, {"delivery": delivery, "table": table, "day": day}) for day in days])


def fingerprints(
    warehouse: DuckDBWarehouse, days: Sequence[dt.date] = DAYS, project: str = "sql"
) -> dict[dt.date, str]:
    return day_fingerprints(warehouse, days, first_day=FIRST, project_hash=project)


def changed(before: dict[dt.date, str], after: dict[dt.date, str]) -> list[dt.date]:
    return [day for day in before if before[day] != after[day]]


def test_a_delivery_changes_the_days_it_has_rows_of_and_no_others(warehouse: DuckDBWarehouse) -> None:
    before = fingerprints(warehouse)
    deliver(warehouse, "a", "2025-01-07", "2025-01-09")
    assert changed(before, fingerprints(warehouse)) == [DAYS[1], DAYS[3]]


def test_the_first_day_stands_for_everything_before_it(warehouse: DuckDBWarehouse) -> None:
    before = fingerprints(warehouse)
    deliver(warehouse, "history", "2024-03-01", "2025-01-05")
    assert changed(before, fingerprints(warehouse)) == [FIRST]


def test_what_comes_later_changes_nothing_earlier(warehouse: DuckDBWarehouse) -> None:
    before = fingerprints(warehouse)
    deliver(warehouse, "a", "2025-01-10", "2025-03-01")
    assert changed(before, fingerprints(warehouse)) == []


def test_other_sql_changes_every_day(warehouse: DuckDBWarehouse) -> None:
    assert changed(fingerprints(warehouse), fingerprints(warehouse, project="other sql")) == DAYS


def test_the_order_of_arrival_does_not_matter(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    other = DuckDBWarehouse(tmp_path / "other.duckdb", "500MB", 1)
    other.create_tables()
    for delivery in ("a", "b"):
        deliver(warehouse, delivery, "2025-01-07")
    for delivery in ("b", "a"):
        deliver(other, delivery, "2025-01-07")
    assert fingerprints(warehouse) == fingerprints(other)


def test_a_fingerprint_is_of_the_project_and_the_sorted_deliveries(warehouse: DuckDBWarehouse) -> None:
    for delivery in "hbfadgce":
        deliver(warehouse, delivery, "2025-01-06")
    expected = hashlib.sha256(b"sql\na\nb\nc\nd\ne\nf\ng\nh").hexdigest()
    assert fingerprints(warehouse, DAYS[:1]) == {FIRST: expected}


def test_no_days_have_no_fingerprints(warehouse: DuckDBWarehouse) -> None:
    assert fingerprints(warehouse, days=[]) == {}


def test_recording_replaces_what_was_recorded(warehouse: DuckDBWarehouse) -> None:
    record_built_days(warehouse, {DAYS[0]: "a", DAYS[1]: "b"})
    record_built_days(warehouse, {DAYS[1]: "c"})
    assert warehouse.fetch("select count(*) as n from ops.built_days", {}) == [{"n": 2}]
    assert built_fingerprints(warehouse, before=END) == {DAYS[0]: "a", DAYS[1]: "c"}
    assert built_fingerprints(warehouse, before=dt.datetime(2025, 1, 7)) == {DAYS[0]: "a"}  # noqa: DTZ001


def test_a_version_depends_on_the_days_before_and_no_others(warehouse: DuckDBWarehouse) -> None:
    record_built_days(warehouse, dict.fromkeys(DAYS, "a"))
    version = version_before(warehouse, END, needed=DAYS)
    record_built_days(warehouse, {dt.date(2025, 1, 10): "later"})
    assert version_before(warehouse, END, needed=DAYS) == version
    record_built_days(warehouse, {DAYS[2]: "again"})
    assert version_before(warehouse, END, needed=DAYS) != version


def test_a_version_does_not_depend_on_the_order_in_which_days_were_built(warehouse: DuckDBWarehouse) -> None:
    built = {day: f"of {day}" for day in DAYS}
    for days in (DAYS, DAYS[::-1]):
        forget_built_days(warehouse, DAYS)
        for day in days:
            record_built_days(warehouse, {day: built[day]})
        expected = "\n".join(f"{day} of {day}" for day in DAYS)
        assert version_before(warehouse, END, needed=DAYS) == hashlib.sha256(expected.encode()).hexdigest()


def test_other_days_built_from_the_same_are_another_version(warehouse: DuckDBWarehouse) -> None:
    record_built_days(warehouse, {DAYS[0]: "a", DAYS[1]: "a"})
    version = version_before(warehouse, END, needed=[])
    forget_built_days(warehouse, [DAYS[1]])
    record_built_days(warehouse, {DAYS[2]: "a"})
    assert version_before(warehouse, END, needed=[]) != version


def test_forgetting_days_leaves_those_around_them(warehouse: DuckDBWarehouse) -> None:
    record_built_days(warehouse, dict.fromkeys(DAYS, "a"))
    forget_built_days(warehouse, [DAYS[2], DAYS[1]])
    assert built_fingerprints(warehouse, before=END) == {DAYS[0]: "a", DAYS[3]: "a"}


def test_missing_days_are_named_with_the_command_that_builds_them(warehouse: DuckDBWarehouse) -> None:
    record_built_days(warehouse, {DAYS[1]: "a"})
    with pytest.raises(MissingDaysError) as error:
        version_before(warehouse, END, needed=DAYS)
    assert str(error.value) == (
        "3 day(s) before 2025-01-10 are not in the warehouse yet, from 2025-01-06 to 2025-01-09. Run `packaging run "
        "warehouse --from 2025-01-06 --to 2025-01-09`, or materialize product_features and package_evidence for them "
        "in the UI."
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("models/a.sql", "models/a.yml", "seeds/s.csv", "dbt_project.yml"):
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "project"


@pytest.mark.parametrize(
    "name",
    ["models/a.sql", "models/a.yml", "models/new.yaml", "seeds/s.csv", "dbt_project.yml", "macros/new.sql"],
)
def test_the_project_hash_changes_with_every_source(project: Path, name: str) -> None:
    before = dbt_project_hash(project)
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("changed")
    assert dbt_project_hash(project) != before


def test_a_moved_source_is_a_changed_project(project: Path) -> None:
    before = dbt_project_hash(project)
    (project / "models/a.sql").rename(project / "models/b.sql")
    assert dbt_project_hash(project) != before


def test_the_order_in_which_the_disk_lists_sources_does_not_matter(project: Path, monkeypatch) -> None:
    before, listed = dbt_project_hash(project), list(project.rglob("*"))
    for order in (listed, listed[::-1]):
        monkeypatch.setattr(Path, "rglob", lambda _folder, _pattern, order=order: iter(order))
        assert dbt_project_hash(project) == before


@pytest.mark.parametrize("name", ["target/run.sql", "logs/x.yml", "dbt_packages/p/m.sql", "README.md"])
def test_what_dbt_writes_is_no_source(project: Path, name: str) -> None:
    before = dbt_project_hash(project)
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text("built")
    assert dbt_project_hash(project) == before
