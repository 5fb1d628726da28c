"""Redshift on this machine: the stand-in, a database of one's own in it, and clients that find it."""

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aws_fixtures import REGION

from packaging_assets.artifacts.s3_objects import S3Objects, encryption_arguments
from packaging_assets.resources.backoff import Backoff
from packaging_assets.resources.redshift_data_api import RedshiftDataApi
from packaging_assets.resources.redshift_tables import LOCK_TABLE
from packaging_assets.resources.redshift_warehouse import RedshiftWarehouse
from packaging_assets.resources.warehouse import TABLES_SQL

COPY_ROLE = "arn:aws:iam::123456789012:role/packaging-warehouse"


@pytest.fixture(scope="session")
def redshift_session(moto_url: str) -> Iterator[Any]:
    """One Redshift for all tests; its UNLOAD and COPY use moto's S3."""
    pytest.importorskip("psycopg2")
    from redshift_standin.server import RedshiftStandIn

    with RedshiftStandIn(moto_url, region=REGION, rows_per_page=3) as stand_in:
        yield stand_in


@pytest.fixture
def redshift(aws: None, redshift_session: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The Redshift stand-in, with nothing going wrong yet and nothing seen."""
    for name, value in redshift_session.environment.items():
        monkeypatch.setenv(name, value)
    redshift_session.faults.clear()
    redshift_session.calls.clear()
    redshift_session.served.statements.clear()
    redshift_session.served.clauses.clear()
    yield redshift_session
    redshift_session.faults.clear()


@pytest.fixture
def database(redshift: Any) -> Iterator[str]:
    """The name of an empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    redshift.create_database(name)
    yield name
    redshift.drop_database(name)


@pytest.fixture
def snapshot_database(redshift: Any) -> Iterator[str]:
    """The name of an empty database in which transactions do not see one another, and may both commit."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    redshift.create_database(name, isolation="snapshot")
    yield name
    redshift.drop_database(name)


class DataApi:
    """boto3's client of the Data API, and what tests do with it again and again."""

    def __init__(self, database: str) -> None:
        import boto3
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 3, "mode": "standard"})
        self.client = boto3.client("redshift-data", region_name=REGION, config=config)
        self.target = {"WorkgroupName": "packaging", "Database": database}

    def submit(self, *statements: str, is_batch: bool = False, **settings: Any) -> str:
        """Start a statement, or several as a batch; returns its id."""
        if is_batch or len(statements) > 1:
            return self.client.batch_execute_statement(Sqls=list(statements), **self.target, **settings)["Id"]
        return self.client.execute_statement(Sql=statements[0], **self.target, **settings)["Id"]

    def ended(self, statement_id: str) -> Mapping[str, Any]:
        """How it ended."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            described = self.client.describe_statement(Id=statement_id)
            if described["Status"] in {"FINISHED", "FAILED", "ABORTED"}:
                return described
            time.sleep(0.02)
        raise TimeoutError(f"statement {statement_id} did not end within 20 s")

    def outcome(self, *statements: str, **settings: Any) -> str:
        """Run to the end; FINISHED, or the error."""
        described = self.ended(self.submit(*statements, **settings))
        return described["Status"] if described["Status"] == "FINISHED" else described["Error"]

    def rows(self, sql: str, parameters: Mapping[str, str] | None = None) -> list[list[Any]]:
        """The rows of a query, each field as the one value it has."""
        given = [{"name": name, "value": value} for name, value in (parameters or {}).items()]
        statement_id = self.submit(sql, **({"Parameters": given} if given else {}))
        described = self.ended(statement_id)
        assert described["Status"] == "FINISHED", described["Error"]
        pages = self.client.get_paginator("get_statement_result").paginate(Id=statement_id)
        return [[plain(field) for field in record] for page in pages for record in page["Records"]]


def plain(field: Mapping[str, Any]) -> Any:
    """The value of a field."""
    ((kind, value),) = field.items()
    return None if kind == "isNull" else value


@pytest.fixture
def data_api(redshift: Any, database: str) -> Iterator[DataApi]:
    """The Data API of the empty database."""
    api = DataApi(database)
    yield api
    api.client.close()


class MadeWarehouse(RedshiftWarehouse):
    """The production warehouse in a database of the stand-in, and what tests look at behind its back."""

    def __init__(self, stand_in: Any, database: str, objects: S3Objects, client: Any, **settings: Any) -> None:
        self.stand_in, self.database, self.exchange = stand_in, database, objects
        api = {
            "workgroup": "packaging",
            "first_poll_seconds": 0.005,
            "longest_poll_seconds": 0.05,
            "calls": Backoff(4, 0.01, 0.02),
            "conflicts": Backoff(8, 0.01, 0.1),
            **settings,
        }
        self.data_api = RedshiftDataApi(client, database=database, **api)
        super().__init__(self.data_api, objects, COPY_ROLE, sleep=lambda _: None)
        self._earlier = len(stand_in.operations.statements)

    def batches(self) -> list[Any]:
        """What the stand-in keeps of the loads into this database since this was made."""
        since = self.stand_in.operations.statements[self._earlier :]
        return [entry for entry in since if entry.is_batch and entry.target["Database"] == self.database]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, without the warehouse under test."""
        return self.stand_in.run(sql, self.database)

    def empty(self) -> None:
        """Empty the platform's tables, and drop the others of its schemas."""
        own = dict.fromkeys(re.findall(r"create table if not exists (\S+)", TABLES_SQL.read_text()))
        found = self.rows(
            "select case when nspname = 'raw' then '\"raw\"' else nspname end || '.' || relname "
            "from pg_class inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid "
            "where nspname in ('raw', 'ml', 'ops') and relkind = 'r'"
        )
        statements = [f"delete from {name}" if name in own else f"drop table {name}" for (name,) in found]
        self.stand_in.run(";".join(name for name in statements if LOCK_TABLE not in name), self.database)

    def left_behind(self) -> list[str]:
        """What is left in the bucket."""
        return [entry.key for entry in self.exchange.entries()]


@pytest.fixture
def redshift_client(redshift: Any) -> Iterator[Any]:
    """boto3's client of the Data API, which tries everything once."""
    import boto3

    client = boto3.client("redshift-data", region_name=REGION)
    yield client
    client.close()


@pytest.fixture
def made_warehouse(redshift: Any, database: str, bucket: str, s3: Any, redshift_client: Any) -> MadeWarehouse:
    """The production warehouse in an empty database, with an empty bucket."""
    objects = S3Objects(s3, bucket, "env/exchange", encryption_arguments(None))
    return MadeWarehouse(redshift, database, objects, redshift_client)


@pytest.fixture(scope="session")
def kept_database(redshift_session: Any) -> Iterator[str]:
    """The name of a database that tests share: making one takes longer than most tests."""
    redshift_session.create_database("kept")
    yield "kept"
    redshift_session.drop_database("kept")


@pytest.fixture
def emptied_warehouse(redshift: Any, kept_database: str, bucket: str, s3: Any, redshift_client: Any) -> MadeWarehouse:
    """The production warehouse with empty tables, in a database that was used before, and an empty bucket."""
    objects = S3Objects(s3, bucket, "env/exchange", encryption_arguments(None))
    used = MadeWarehouse(redshift, kept_database, objects, redshift_client)
    used.create_tables()
    used.empty()
    redshift.calls.clear()
    redshift.served.statements.clear()
    return MadeWarehouse(redshift, kept_database, objects, redshift_client)
