"""The small home of `experiment_bench`, made once; tests that train in it get a copy."""

import shutil
from pathlib import Path

import pytest
from experiment_bench import WEEKS, bench_over, make_bench, register, train_in_main

from packaging_assets.experiments.workbench import Workbench


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("untrained")
    make_bench(home)
    return home


@pytest.fixture(scope="session")
def trained(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home with mailer trained in both weeks and approved in the first."""
    home = tmp_path_factory.mktemp("trained") / "home"
    shutil.copytree(untrained, home)
    bench = bench_over(home)
    first = register(bench, "mailer", WEEKS[0], train_in_main(bench, "mailer", WEEKS[0]))
    train_in_main(bench, "mailer", WEEKS[1], first)
    return home


@pytest.fixture
def bench(trained: Path, tmp_path: Path) -> Workbench:
    shutil.copytree(trained, tmp_path / "home")
    return bench_over(tmp_path / "home")
