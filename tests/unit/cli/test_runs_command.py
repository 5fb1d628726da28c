"""`packaging runs list` over a home whose runs are given."""

from pathlib import Path

import click
import dagster as dg
import pytest
from click.testing import CliRunner

from packaging_assets.cli.main import main
from packaging_assets.home import prepare_home
from packaging_assets.settings import load_settings

TERMINAL_OF_80_COLUMNS = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}
FIRST, RETRY = "aaaa0001-0000-4000-8000-000000000000", "bbbb0002-0000-4000-8000-000000000000"
DAYS = {"dagster/asset_partition_range_start": "2025-01-06", "dagster/asset_partition_range_end": "2025-01-12"}


@dg.job
def warehouse() -> None: ...


@pytest.fixture
def home(tmp_path: Path) -> Path:
    prepare_home(load_settings(tmp_path))
    return tmp_path


def put_run(home: Path, run_id: str, retry_of: str | None = None) -> None:
    with dg.DagsterInstance.from_config(str(load_settings(home).dagster_home)) as instance:
        instance.create_run_for_job(
            warehouse,
            run_id=run_id,
            status=dg.DagsterRunStatus.FAILURE,
            tags=DAYS,
            parent_run_id=retry_of,
            root_run_id=retry_of,
        )


def shown(home: Path) -> list[str]:
    result = CliRunner().invoke(main, ["runs", "list", "--home", str(home)], env=TERMINAL_OF_80_COLUMNS, color=True)
    assert result.exit_code == 0, result.output
    return click.unstyle(result.stdout).splitlines()


def test_a_run_is_a_line_that_80_columns_hold(home: Path) -> None:
    put_run(home, FIRST)
    heading, rule, line = shown(home)
    assert heading.split() == ["run", "job", "partition", "status", "started", "(UTC)", "seconds"]
    assert line.split() == ["aaaa0001", "warehouse", "2025-01-06..2025-01-12", "FAILURE", "-", "-"]
    assert len(rule) <= 80


def test_no_cell_is_cut_short_where_a_retry_has_a_column(home: Path) -> None:
    put_run(home, FIRST)
    put_run(home, RETRY, retry_of=FIRST)
    heading, _, line, other = shown(home)
    assert heading.split()[-2:] == ["retry", "of"]
    assert line.split() == ["bbbb0002", "warehouse", "2025-01-06..2025-01-12", "FAILURE", "-", "-", "aaaa0001"]
    assert other.split() == ["aaaa0001", "warehouse", "2025-01-06..2025-01-12", "FAILURE", "-", "-"]


def test_a_home_in_which_nothing_was_run_has_an_empty_list_and_stays_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = [CliRunner().invoke(main, ["runs", "list", *options, "--home", str(home)]) for options in ([], ["--json"])]
    assert [(result.exit_code, result.stdout) for result in said] == [(0, f"No such runs in {home}.\n"), (0, "[]\n")]
    assert not home.exists()


def test_the_help_of_retry_calls_the_run_by_one_name() -> None:
    said = CliRunner().invoke(main, ["runs", "retry", "--help"]).stdout
    assert "retry [OPTIONS] RUN_ID|last" in said
    assert "Go on with the run RUN_ID from the step that failed" in said
