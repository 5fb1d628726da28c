"""`packaging ingest` on the terminal and as JSON."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from packaging_assets.cli.ingest import ingest
from packaging_assets.ingestion.staging import staging_folder
from packaging_assets.resources.duckdb_warehouse import DuckDBWarehouse

HEADER = "test_id,product_id,package_type,tested_at,is_passed,is_random_sample\n"


def run(home: Path, *arguments: object) -> Result:
    return CliRunner().invoke(ingest, ["--home", str(home), *(str(argument) for argument in arguments)])


@pytest.fixture
def tests_file(tmp_path: Path) -> Path:
    path = tmp_path / "tests.csv"
    rows = [f"T{number},P1,box,2025-01-{number % 3 + 6:02d},t,t\n" for number in range(9)]
    path.write_text(HEADER + "".join(rows) + "T9,P1,crate [bold],2025-01-06,t,t\n")
    return path


def test_counts_bad_rows_and_what_comes_next(tmp_path: Path, tests_file: Path) -> None:
    result = run(tmp_path / "home", "--tests", tests_file, "--max-bad-rows", "0.1")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "package_tests tests.csv 9 0 1" in lines
    assert any(line.startswith("tests.csv 11 package_type crate [bold] must be one of") for line in lines)
    assert "The bad rows are in the table raw.quarantine; deliver them again when corrected." in lines
    added, _, following = lines[-1].partition(" Next: ")
    assert added == "Rows were added for 3 days from 2025-01-06 to 2025-01-08."
    assert following == f"packaging run warehouse --from 2025-01-06 --to 2025-01-08 --home {tmp_path / 'home'}"


def test_what_comes_next_names_no_home_that_is_the_usual_one(
    tmp_path: Path, tests_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKAGING_HOME", str(tmp_path / "home"))
    result = CliRunner().invoke(ingest, ["--tests", str(tests_file), "--max-bad-rows", "0.1"])
    assert result.stdout.splitlines()[-1].endswith("Next: packaging run warehouse --from 2025-01-06 --to 2025-01-08")


def test_the_same_file_again_says_so(tmp_path: Path, tests_file: Path) -> None:
    run(tmp_path / "home", "--tests", tests_file, "--max-bad-rows", "0.1")
    result = run(tmp_path / "home", "--tests", tests_file, "--max-bad-rows", "0.1")
    assert result.exit_code == 0
    assert "came before" in result.stdout
    assert result.stdout.splitlines()[-2] == "No row was added: the warehouse is as it was."


def test_who_delivers_again_learns_which_days_to_build(tmp_path: Path, tests_file: Path) -> None:
    home = tmp_path / "home"
    # A process that is killed where the rows of the file are in, and nothing is printed yet.
    killed = (
        "import os, signal; from packaging_assets.cli import ingest_report; "
        "ingest_report._print = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        "from packaging_assets.cli.ingest import ingest; "
        f"ingest(['--home', {str(home)!r}, '--tests', {str(tests_file)!r}, '--max-bad-rows', '1'])"
    )
    ended = subprocess.run([sys.executable, "-c", killed], check=False, capture_output=True)  # noqa: S603 - our own
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, b"")
    more = tmp_path / "more.csv"
    more.write_text(HEADER + "T20,P1,box,2025-01-08,t,t\nT21,P1,box,2025-01-09,t,t\n")
    build = "packaging run warehouse --from 2025-01-{:02d} --to 2025-01-{:02d} --home " + str(home)
    before = "What came before has rows of 3 days from 2025-01-06 to 2025-01-08. If they were not built since: "
    assert run(home, "--tests", tests_file).stdout.splitlines()[-2:] == [
        "No row was added: the warehouse is as it was.",
        before + build.format(6, 8),
    ]
    assert run(home, "--tests", more).stdout.splitlines()[-1].endswith(f" Next: {build.format(8, 9)}")


def test_json(tmp_path: Path, tests_file: Path) -> None:
    result = run(tmp_path / "home", "--tests", tests_file, "--max-bad-rows", "0.1", "--json")
    answer = json.loads(result.stdout)
    assert (answer["days"], answer["error"], answer["refused"]) == (
        ["2025-01-06", "2025-01-07", "2025-01-08"],
        None,
        None,
    )
    (delivery,) = answer["deliveries"]
    assert (delivery["accepted"], delivery["quarantined"], delivery["days"]) == (9, 1, answer["days"])
    assert delivery["bad_rows"] == [
        {
            "line": 11,
            "field": "package_type",
            "value": "crate [bold]",
            "reason": "must be one of mailer, bag, box, sioc",
        }
    ]


def test_a_refused_file_exits_with_1_and_shows_why(tmp_path: Path, tests_file: Path) -> None:
    home = tmp_path / "home"
    result = run(home, "--tests", tests_file)
    assert result.exit_code == 1
    assert "refused" in result.stdout
    assert "refused whole, since 1 of its 10 rows are bad: 10.0%, and at most 1.0% may be." in result.stderr
    assert DuckDBWarehouse(home / "warehouse.duckdb").fetch("select * from raw.package_tests", {}) == []
    as_json = json.loads(run(home, "--tests", tests_file, "--json").stdout)
    assert (as_json["deliveries"], as_json["refused"]["quarantined"]) == ([], 1)
    assert as_json["error"].startswith(f"{tests_file}: refused whole")


def test_a_failure_names_what_went_in_before_and_what_was_not_looked_at(tmp_path: Path, tests_file: Path) -> None:
    result = run(tmp_path / "home", "--products", tests_file, "--tests", tests_file, "--max-bad-rows", "1")
    assert result.exit_code == 1
    assert "lacks the columns updated_at, created_at, title" in result.stderr
    assert result.stderr.endswith("Not looked at: package_tests.\n")
    result = run(tmp_path / "home", "--tests", tests_file, "--feedback", tmp_path / "none.csv", "--max-bad-rows", "1")
    assert result.exit_code == 1
    assert result.stderr.endswith("check the path and its permissions. Taken in before: package_tests.\n")
    assert "package_tests" in result.stdout


def test_nothing_given_teaches_the_usage(tmp_path: Path) -> None:
    result = run(tmp_path / "home")
    assert result.exit_code == 2
    assert "give at least one of --products FILE, --tests FILE, --feedback FILE" in result.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("share", ["-0.1", "1.5", "few"])
def test_an_impossible_share_is_a_usage_error(tmp_path: Path, tests_file: Path, share: str) -> None:
    assert run(tmp_path / "home", "--tests", tests_file, "--max-bad-rows", share).exit_code == 2


def test_a_name_that_is_not_utf_8_is_refused_before_the_file_is_read(tmp_path: Path, tests_file: Path) -> None:
    named = tests_file.rename(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe4d.csv"))
    result = run(tmp_path / "home", "--tests", named, "--max-bad-rows", "0.1")
    said = f"Error: '{tmp_path}/b\\udce4d.csv': its name is not UTF-8; rename the file.\n"
    assert (result.exit_code, result.stderr) == (1, said)
    assert not (tmp_path / "home").exists()


def test_a_pipe_is_refused_as_what_it_is(tmp_path: Path, tests_file: Path) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, tests_file.read_bytes())
        os.close(writing)
        result = run(tmp_path / "home", "--tests", f"/dev/fd/{reading}")
    finally:
        os.close(reading)
    said = f"Error: /dev/fd/{reading}: is a pipe, and a delivery is read more than once; deliver it as a file.\n"
    assert (result.exit_code, result.stderr) == (1, said)


def test_what_comes_next_covers_the_days_that_can_be_built_and_no_others(tmp_path: Path, tests_file: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text("last_day = 2025-01-07\n")
    said = run(home, "--tests", tests_file, "--max-bad-rows", "0.1").stdout.splitlines()[-2:]
    assert said == [
        (
            "Rows were added for 3 days from 2025-01-06 to 2025-01-08. "
            f"Next: packaging run warehouse --from 2025-01-06 --to 2025-01-07 --home {home}"
        ),
        "Days after 2025-01-07 can be built once they are over.",
    ]


def test_rows_that_are_in_are_reported_though_dagster_cannot_be_told(tmp_path: Path, tests_file: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster").write_text("not a folder")
    result = run(home, "--tests", tests_file, "--max-bad-rows", "0.1", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["deliveries"][0]["accepted"] == 9
    assert result.stderr.startswith("The rows are in, but Dagster's graph does not show it: ")


def test_what_a_killed_ingestion_left_goes_with_the_next_one(tmp_path: Path, tests_file: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    temporary.mkdir()
    # A process that is killed where the rows of the file are staged and not yet appended.
    killed = (
        "import os, signal; from packaging_assets.cli.ingest import ingest; "
        "from packaging_assets.ingestion import delivery; "
        "delivery.append_delivery = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL); "
        f"ingest(['--home', {str(home)!r}, '--tests', {str(tests_file)!r}, '--max-bad-rows', '1'])"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    ended = subprocess.run([sys.executable, "-c", killed], env=environment, check=False)  # noqa: S603 - our own
    assert ended.returncode == -signal.SIGKILL
    assert list(temporary.iterdir()) == []
    (left,) = (home / "ingesting").iterdir()
    assert sum(pq.read_metadata(part).num_rows for part in (left / "good").iterdir()) == 9
    with staging_folder(home / "ingesting") as living:  # of an ingestion beside it, which removes what is left
        assert not left.exists()
        assert run(home, "--tests", tests_file, "--max-bad-rows", "1").exit_code == 0
        assert list((home / "ingesting").iterdir()) == [living]
    assert list((home / "ingesting").iterdir()) == []


def test_a_damaged_warehouse_is_told_in_one_sentence(tmp_path: Path, tests_file: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "warehouse.duckdb").write_bytes(b"garbage" * 1000)
    result = run(home, "--tests", tests_file, "--json")
    assert result.exit_code == 1
    assert str(home / "warehouse.duckdb") in json.loads(result.stdout)["error"]
    assert result.stderr.startswith("Error: ")
