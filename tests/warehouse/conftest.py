"""The tiny retailer's warehouse as fixtures: built once; tests that change it work on a copy."""

import shutil
from pathlib import Path

import pytest
from tiny_retailer import FEEDBACK, FIRST_LOAD, PRODUCT_COLUMNS, PRODUCTS, TESTS, Home


@pytest.fixture(scope="session")
def empty_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, str]]:
    """Everything built in an empty warehouse, unit tests included."""
    home = Home(tmp_path_factory.mktemp("empty"))
    home.warehouse.create_tables()
    return home, home.dbt("build")


@pytest.fixture(scope="session")
def filled_build(
    empty_build: tuple[Home, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, dict[str, str]]:
    """The same after the tiny retailer's first deliveries and predictions."""
    home = Home(tmp_path_factory.mktemp("filled") / "home")
    shutil.copytree(empty_build[0].folder, home.folder)
    home.run(
        f'insert into "raw".products ({PRODUCT_COLUMNS}) values {PRODUCTS}',
        f'insert into "raw".package_tests values {TESTS}',
        f'insert into "raw".customer_feedback values {FEEDBACK}',
        f"insert into ml.predictions values {FIRST_LOAD}",
    )
    return home, home.dbt("build", "--exclude", "resource_type:unit_test", variables={"damage_weight": 1.0})


@pytest.fixture(scope="session")
def filled(filled_build: tuple[Home, dict[str, str]]) -> Home:
    """For tests that only read."""
    return filled_build[0]


@pytest.fixture
def home(filled: Home, tmp_path: Path) -> Home:
    """A copy to change."""
    shutil.copytree(filled.folder, tmp_path / "home")
    return Home(tmp_path / "home")
