"""The real dbt-redshift builds the real project in the stand-in, and the platform's queries find what DuckDB finds."""

import datetime as dt
import io
import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
import yaml
from dagster._core.errors import DagsterExecutionInterruptedError, raise_execution_interrupts
from dbt.cli.main import dbtRunner
from redshift_fixtures import DataApi
from tiny_retailer import FEEDBACK, FIRST_LOAD, PRODUCT_COLUMNS, PRODUCTS, PROJECT, Home
from tiny_retailer import TESTS as PACKAGE_TESTS

from packaging_assets.domain.parquet_files import read_parquet
from packaging_assets.resources.dbt_builder import DbtBuilder
from packaging_assets.resources.queries import NAMES, inventory_parameters, query
from packaging_assets.resources.warehouse import TABLES_SQL
from packaging_assets.settings import Settings, load_settings

# redshift_connector makes its TLS settings in a way that Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning")

RAW_ROWS = (
    f'insert into "raw".products ({PRODUCT_COLUMNS}) values {PRODUCTS}',
    f'insert into "raw".package_tests values {PACKAGE_TESTS}',
    f'insert into "raw".customer_feedback values {FEEDBACK}',
    f"insert into ml.predictions values {FIRST_LOAD}",
)
# dbt always builds in one database of the same name: another would have it parse the project again.
DATABASE, BUILT = "packaging_dbt", "packaging_dbt_built"
AS_OF = dt.datetime(2025, 1, 20)  # noqa: DTZ001 - UTC without saying so, as everywhere in the warehouse
PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "evidence": {"as_of": AS_OF, "maturity_days": 14},
    "evidence_volume": {"as_of": AS_OF, "maturity_days": 14},
    "labelled_features": {"as_of": AS_OF},
    "inventory": inventory_parameters(dt.datetime(2025, 1, 8), AS_OF),  # noqa: DTZ001 - as above
    "live_outcomes": {"week": "2025-02-03"},
}
# Outcomes of the predictions as of February 1: a test that settles the mug's box in the week of February 3.
LATER_TESTS = "insert into \"raw\".package_tests values ('t5', 'mug', 'box', '2025-02-04 10:00:00', true, true)"


@dataclass(frozen=True)
class Warehouse:
    """The database of the stand-in in which dbt builds, and the folder that dbt keeps its parse in."""

    stand_in: Any
    target: Path

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.stand_in.run(";".join(statements), DATABASE)

    def dbt(self, *arguments: str, **environment: str) -> dict[str, str]:
        """Run dbt in this process; the status of each node by its name, or what went wrong as "error"."""
        from redshift_standin.server import PASSWORD, USER

        variables = {
            "PACKAGING_REDSHIFT_METHOD": "database",
            "PACKAGING_REDSHIFT_HOST": "127.0.0.1",
            "PACKAGING_REDSHIFT_PORT": str(self.stand_in.port),
            "PACKAGING_REDSHIFT_DATABASE": DATABASE,
            "PACKAGING_REDSHIFT_USER": USER,
            "DBT_ENV_SECRET_REDSHIFT_PASSWORD": PASSWORD,
            "DBT_TARGET_PATH": str(self.target),
            **self.stand_in.environment,
            **environment,
        }
        folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", "redshift"]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            result = dbtRunner().invoke([*arguments, "--quiet", "--log-level-file", "none", *folders])
        if result.exception is not None:
            return {"error": str(result.exception)}
        if not hasattr(result.result, "results"):
            return {"success": str(result.result)}
        return {node.node.name: str(node.status) for node in result.result.results}


@dataclass(frozen=True)
class Build:
    """How each node of the first build ended, and the clauses that PostgreSQL was not shown."""

    warehouse: Warehouse
    statuses: Mapping[str, str]
    clauses: list[str]


@pytest.fixture(scope="session")
def built(redshift_session: Any, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The tiny retailer built from nothing."""
    redshift_session.create_database(DATABASE)
    warehouse = Warehouse(redshift_session, tmp_path_factory.mktemp("target"))
    warehouse.run(TABLES_SQL.read_text(), *RAW_ROWS, LATER_TESTS)
    before = len(redshift_session.served.clauses)
    statuses = warehouse.dbt("build", "--exclude", "resource_type:unit_test")
    redshift_session.copy_database(DATABASE, BUILT)
    return Build(warehouse, statuses, redshift_session.served.clauses[before:])


@pytest.fixture
def warehouse(redshift: Any, built: Build) -> Warehouse:
    """As it was after the first build."""
    redshift.drop_database(DATABASE)
    redshift.copy_database(BUILT, DATABASE)
    return built.warehouse


@pytest.fixture(scope="session")
def duckdb_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same rows built by DuckDB."""
    home = Home(tmp_path_factory.mktemp("duckdb"))
    home.warehouse.create_tables()
    home.run(*RAW_ROWS, LATER_TESTS)
    statuses = home.dbt("build", "--exclude", "resource_type:unit_test", "resource_type:test")
    assert set(statuses.values()) == {"success"}, statuses
    return home


def test_every_model_and_seed_builds_and_every_check_holds(built: Build) -> None:
    assert set(built.statuses.values()) == {"success", "pass"}, built.statuses
    assert built.statuses.keys() >= {"package_types", "product_features", "package_evidence", "package_recommendations"}


def test_tables_are_made_with_their_dist_and_sort_keys(built: Build) -> None:
    sorted_by = {clause for clause in built.clauses if "sortkey" in clause}
    assert built.clauses.count("distkey (product_id)") == 4
    assert built.clauses.count("diststyle all") == 1
    keys = ("updated_at", "evidence_on", "outcome_week", "product_id")
    assert sorted_by == {f"compound sortkey({name})" for name in keys}


def test_views_are_bound_late(built: Build) -> None:
    views = {"stg_products", "stg_package_tests", "stg_customer_feedback", "latest_predictions"}
    late = [clause for clause in built.clauses if clause.endswith("with no schema binding")]
    assert {name for name in views if any(f'"{name}' in clause for clause in late)} == views


def test_the_unit_tests_hold(warehouse: Warehouse) -> None:
    statuses = warehouse.dbt("test", "--select", "resource_type:unit_test")
    assert set(statuses.values()) == {"pass"}, statuses


def test_a_build_replaces_its_window_whole_and_nothing_else(warehouse: Warehouse) -> None:
    warehouse.run(
        "delete from \"raw\".package_tests where test_id in ('t1', 't4')",
        "update marts.product_features set title = 'kept'",
        "update marts.product_features set updated_at = '2025-01-07 00:00:00' where product_id = 'late'",
    )
    window = "{window_start: '2025-01-07T00:00:00', window_end: '2025-01-08T00:00:00'}"
    statuses = warehouse.dbt("run", "--select", "product_features", "package_evidence", "--vars", window)
    assert statuses == {"product_features": "success", "package_evidence": "success"}
    versions = warehouse.run(
        "select product_id, cast(updated_at as date), title from marts.product_features order by 1, 2"
    )
    assert versions == [
        ("lamp", dt.date(2025, 1, 6), "kept"),
        ("mug", dt.date(2025, 1, 5), "kept"),
        ("mug", dt.date(2025, 1, 8), "kept"),
    ]
    days = warehouse.run("select product_id, evidence_on from marts.package_evidence where evidence_on = '2025-01-07'")
    assert days == []


@pytest.mark.parametrize("kind", ["failed_statement", "conflict", "disconnected"])
def test_an_insert_that_fails_leaves_the_rows_that_were_to_be_replaced(warehouse: Warehouse, kind: str) -> None:
    rows = "select * from marts.product_features order by product_id, updated_at"
    before = warehouse.run(rows)
    # Once is enough: the profile's `retries` are for opening a connection, not for what was lost with one.
    warehouse.stand_in.faults.inject(kind, matching=r"insert into .*product_features")
    assert warehouse.dbt("run", "--select", "product_features") == {"product_features": "error"}
    assert warehouse.run(rows) == before


@pytest.mark.parametrize(("times", "status"), [(1, "success"), (10, "error")])
def test_what_dbt_itself_tries_again_on_another_connection_is_one_transaction_there(
    warehouse: Warehouse, times: int, status: str
) -> None:
    rows = "select * from marts.product_features order by product_id, updated_at"
    before = warehouse.run(rows)
    # Upon these words dbt's adapter opens a new connection, on which nothing of the transaction so far is known.
    said = "could not complete because of conflict with concurrent transaction"
    warehouse.stand_in.faults.inject(
        "failed_statement", matching=r"insert into .*product_features", message=said, times=times
    )
    assert warehouse.dbt("run", "--select", "product_features") == {"product_features": status}
    assert warehouse.run(rows) == before


WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
PATIENCE_SECONDS = 60.0


def settings_of(warehouse: Warehouse, home: Path) -> Settings:
    """Of a home whose dbt signs in to the stand-in by password."""
    from redshift_standin.server import PASSWORD, USER

    return load_settings(
        home,
        env="aws",
        redshift_method="database",
        redshift_host="127.0.0.1",
        redshift_port=warehouse.stand_in.port,
        redshift_database=DATABASE,
        redshift_user=USER,
        redshift_password=PASSWORD,
    )


def test_a_cancelled_run_ends_what_dbt_has_under_way_and_is_not_called_failed(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    def cancel_what_waits() -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while warehouse.run(WAITING) == [(0,)] and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)  # as Dagster does with the process of a run that is cancelled

    rows = "select * from marts.product_features order by product_id, updated_at"
    before = warehouse.run(rows)
    builder = DbtBuilder(settings_of(warehouse, tmp_path))
    with closing(warehouse.stand_in._postgres.connect(DATABASE)) as other:
        other.autocommit = False
        other.cursor().execute("update marts.product_features set title = title")  # which dbt's delete waits for
        cancelling = threading.Thread(target=cancel_what_waits)
        cancelling.start()
        with pytest.raises(DagsterExecutionInterruptedError), raise_execution_interrupts():
            builder._run(["run", "--select", "product_features"])
        cancelling.join()
        assert warehouse.run(WAITING) == [(0,)]
    assert warehouse.run(rows) == before
    result, _ = builder._run(["run", "--select", "product_features"])
    assert result.success


def inlined(name: str) -> str:
    """The platform's query with its parameters as literals."""
    text = query(name)
    for parameter, value in PARAMETERS[name].items():
        text = text.replace(f"${parameter}", str(value) if isinstance(value, int) else f"'{value}'")
    return text


@pytest.fixture
def api(redshift: Any, built: Build) -> Iterator[DataApi]:
    """The Data API of what was built."""
    api = DataApi(BUILT)
    yield api
    api.client.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_query_finds_what_duckdb_finds(
    api: DataApi, bucket: str, duckdb_home: Home, tmp_path: Path, name: str
) -> None:
    text = inlined(name).replace("'", "''")
    to = f"s3://{bucket}/{name}/"
    assert api.outcome(f"unload ('{text}') to '{to}' iam_role default format parquet parallel off") == "FINISHED"
    with closing(boto3.client("s3")) as s3:
        content = s3.get_object(Bucket=bucket, Key=f"{name}/000.parquet")["Body"].read()
    found = pq.read_table(io.BytesIO(content))
    duckdb_home.warehouse.unload(query(name), PARAMETERS[name], tmp_path, rows_per_file=1000)
    expected = read_parquet(tmp_path / "part-00000.parquet")
    assert found.num_rows > 0
    assert found.column_names == expected.column_names
    assert found.to_pylist() == expected.to_pylist()
    other_types = {field.name: str(field.type) for field in found.schema if expected.schema.field(field.name) != field}
    assert other_types == {}


# What the two databases could take differently: unknown sides, blanks, other alphabets, sums of whole numbers, times at
# a day's end, costs that are equal, and measures so small that their products and ratios leave a double's range.
ODD_PRODUCTS = """
('flat', '2025-01-09 23:59:59.999999', '2025-01-09', 'two  blanks, ß 📦', 'Ä', 'b', 'c', 'd', 3, 2, 1, 0.1, 7, true),
('sides', '2025-01-10 00:00:00', '2025-01-10', 'sides', 'a', 'b', 'c', 'd', 30, null, 5, 2, 20, false),
('blank', '2025-01-10 00:00:00', '2025-01-10', ' ', 'a', 'b', 'c', 'd', null, null, null, null, null, null),
('Case', '2025-01-10 00:00:00', '2025-01-10', 'case', 'a', 'b', 'c', 'd', 10, 10, 10, 1, 10, false),
('case', '2025-01-10 00:00:00', '2025-01-10', 'Case', 'a', 'b', 'c', 'd', 10, 10, 10, 1, 10, false),
('small', '2025-01-10 00:00:00', '2025-01-10', 'small', 'a', 'b', 'c', 'd', 1e-200, 1e-200, 1e-200, 1e-200, 1, false),
('light', '2025-01-10 00:00:00', '2025-01-10', 'light', 'a', 'b', 'c', 'd', 10, 10, 1e-306, 1e-306, 1000, false)
"""
ODD_FEEDBACK = """
('o1', 'Case', 'box', '2025-01-10 23:59:59.999999', 4000000000, 1),
('o2', 'Case', 'box', '2025-01-10 00:00:00', 4000000000, 1),
('o3', 'case', 'bag', '2025-01-11 00:00:00', 29, 0),
('o4', 'case', 'bag', '2025-02-03 00:00:00', 30, 0)
"""
ODD_LOAD = """
('monthly', '2025-01-01', 'Case', 'bag', 0.9, 0.1, true, 3, '2025-02-01', 1, null),
('daily', '2025-01-31', 'Case', 'bag', 0.8, 0.1, true, 3, '2025-02-01', 2, 'other'),
('monthly', '2025-01-01', 'case', 'bag', 0.9, null, true, 3, '2025-02-01', 1, null),
('monthly', '2025-01-01', 'case', 'box', 0.9, null, true, 3, '2025-02-01', 1, null),
('monthly', '2025-01-01', 'small', 'box', 0.9, 0.1, true, 3, '2025-02-01', 1, null),
('monthly', '2025-01-01', 'unknown', 'box', 0.9, 0.1, true, 3, '2025-02-01', 1, null)
"""
ODD_ROWS = (
    f'insert into "raw".products ({PRODUCT_COLUMNS}) values {ODD_PRODUCTS}',
    f'insert into "raw".customer_feedback values {ODD_FEEDBACK}',
    f"insert into ml.predictions values {ODD_LOAD}",
    "insert into \"raw\".package_tests values ('o5', 'Case', 'bag', '2025-02-04 10:00:00', false, true)",
)
BUILT_TABLES = {
    "product_features": "product_id, updated_at",
    "package_evidence": "product_id, package_type, evidence_on",
    "latest_predictions": "product_id, package_type",
    "prediction_outcomes": "cadence, partition_start, product_id, package_type, stage, model",
    "package_recommendations": "product_id",
}


def test_odd_rows_are_built_as_by_duckdb(warehouse: Warehouse, duckdb_home: Home, tmp_path: Path) -> None:
    shutil.copytree(duckdb_home.folder, tmp_path / "home")
    home = Home(tmp_path / "home")
    home.run(*ODD_ROWS)
    warehouse.run(*ODD_ROWS)
    assert set(home.dbt("run", "--full-refresh").values()) == {"success"}
    assert set(warehouse.dbt("run", "--full-refresh").values()) == {"success"}
    for table, order in BUILT_TABLES.items():
        rows = home.warehouse.fetch(f"select * from marts.{table} order by {order}", {})
        columns = ", ".join(rows[0])
        found = warehouse.run(f"select {columns} from marts.{table} order by {order}")
        assert found == [tuple(row.values()) for row in rows], table
        numbers = [value for row in rows for value in row.values() if isinstance(value, float)]
        assert all(math.isfinite(number) for number in numbers), table


def test_dbt_gets_temporary_credentials_by_iam(warehouse: Warehouse, moto_url: str) -> None:
    cluster = {"ClusterIdentifier": "packaging", "NodeType": "ra3.large"}
    with closing(boto3.client("redshift", endpoint_url=moto_url)) as client:
        client.create_cluster(**cluster, MasterUsername="admin1", MasterUserPassword="Let-me-in-1")
    select, passed = ("debug", "--connection"), {"success": "True"}
    iam = {"PACKAGING_REDSHIFT_METHOD": "iam", "DBT_ENV_SECRET_REDSHIFT_PASSWORD": ""}
    assert warehouse.dbt(*select, **iam, PACKAGING_REDSHIFT_CLUSTER="packaging") == passed
    assert warehouse.dbt(*select, **iam, PACKAGING_REDSHIFT_WORKGROUP="packaging", PACKAGING_REDSHIFT_USER="") == passed
    assert warehouse.stand_in.calls == ["GetCredentials"]
    assert warehouse.dbt(*select, **iam, PACKAGING_REDSHIFT_WORKGROUP="elsewhere") == {"success": "False"}


def test_the_profile_sets_no_time_limit_to_statements() -> None:
    # redshift_connector keeps the time limit of connecting for every answer that it waits for.
    profile = yaml.safe_load((PROJECT / "profiles.yml").read_text())
    assert "connect_timeout" not in profile["packaging"]["outputs"]["redshift"]
