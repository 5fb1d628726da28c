"""`packaging doctor` on one machine: versions, the home, the clock, databases."""

import datetime as dt
import errno
import json
import subprocess
import sys

import dagster as dg
import pytest
from click.testing import CliRunner

from packaging_assets.cli.main import main
from packaging_assets.doctor import databases, given_settings, local_home, versions
from packaging_assets.doctor.check import ProblemError
from packaging_assets.home import DAGSTER_YAML
from packaging_assets.settings import Settings

NOON = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
REQUIRED = ["duckdb>=2.0", "dagster==1.13.27", 'boto3>=1.40; extra == "aws"', 'torch>=2.6; extra == "torch"']
INSTALLED = {"duckdb": "2.0.0", "dagster": "1.13.27", "boto3": "1.43.117"}


def doctor(home, *options, code=0):
    result = CliRunner().invoke(main, ["doctor", "--home", str(home), *options])
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_names_of_settings_are_shown_whole_in_a_narrow_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PACKAGING_ENV", "aws")
    monkeypatch.setattr("packaging_assets.cli.doctor._checks", lambda _: [])
    shown = doctor(tmp_path)
    assert {f"PACKAGING_{name.upper()}" for name in Settings.model_fields} <= set(shown.split())


@pytest.fixture
def without_dbt(monkeypatch):
    """Parsing the dbt project takes seconds."""
    monkeypatch.setattr("packaging_assets.doctor.dbt_connection._project", lambda _: "not looked at: it takes long")


def test_a_home_that_does_not_exist_yet_is_in_order_and_is_not_made(tmp_path):
    checks = json.loads(doctor(tmp_path / "new", "--json"))["checks"]
    found = {check["part"]: check["found"] for check in checks}
    assert found["home"].startswith(f"there is none yet at {tmp_path / 'new'}; {tmp_path} can be written to; ")
    assert found["dbt project"] == "it parses"
    assert [(check["part"], check["is_ok"]) for check in checks] == [
        (part, True)
        for part in (
            *("versions", "environment", "home", "clock", "warehouse", "artifacts", "registry"),
            *("dbt project", "Dagster storage", "alerts"),
        )
    ]
    assert not (tmp_path / "new").exists()


def test_failures_are_printed_with_their_remedy_and_are_the_exit_code(tmp_path, without_dbt):
    (tmp_path / "file").write_text("not a folder")
    text = doctor(tmp_path / "file" / "home", code=1)
    assert f"FAIL home: {tmp_path / 'file'} is not a folder\n" in text
    assert "     -> Move it away, or choose another home (--home, PACKAGING_HOME).\n" in text
    assert "ok   versions: Python 3." in text


def test_settings_of_aws_are_shown_where_they_are_read_or_set(tmp_path, without_dbt):
    assert "PACKAGING_S3_PREFIX" not in doctor(tmp_path)
    (tmp_path / "settings.toml").write_text('s3_prefix = "live"\n')
    assert "PACKAGING_S3_PREFIX" in doctor(tmp_path)
    assert "[[alert_routes]]" in doctor(tmp_path)


def test_a_mistyped_variable_fails_and_the_setting_that_is_meant_is_named(tmp_path, without_dbt, monkeypatch):
    monkeypatch.setenv("PACKAGING_FRIST_WEEK", "2025-01-13")
    monkeypatch.setenv("PACKAGING_XYZ", "a secret")
    text = doctor(tmp_path, code=1)
    found = "no such setting: PACKAGING_FRIST_WEEK; did you mean 'first_week'?, PACKAGING_XYZ"
    assert f"FAIL environment: {found}\n     -> Correct the name, or unset the variable.\n" in text
    assert "a secret" not in text


def test_variables_that_are_settings_in_any_case_or_of_dbt_and_containers_are_in_order():
    names = ["PACKAGING_HOME", "packaging_env", "PACKAGING_WAREHOUSE_PATH", "PACKAGING_ML_ROOT", "PATH"]
    assert given_settings.variables(Settings(), names) == "4 variables PACKAGING_..., all known"
    assert given_settings.variables(Settings(), names[:1]) == "1 variable PACKAGING_..., which is known"
    assert given_settings.variables(Settings(), ["PATH"]) == "no variable PACKAGING_..."


def test_versions_that_are_as_required():
    told = versions.versions("local", REQUIRED, INSTALLED.get)
    here = ".".join(map(str, sys.version_info[:3]))
    assert told == f"Python {here}; 2 packages as required: dagster 1.13.27, duckdb 2.0.0"
    assert versions.versions("aws", REQUIRED, INSTALLED.get).endswith(
        "3 packages as required: dagster 1.13.27, boto3 1.43.117"
    )


@pytest.mark.parametrize(
    ("env", "installed", "found", "remedy"),
    [
        ("aws", {"boto3": None}, "boto3 >=1.40 (missing)", "uv sync --locked --inexact --extra aws"),
        ("local", {"dagster": "1.12.0"}, "dagster ==1.13.27 (here is 1.12.0)", "uv sync --locked --inexact"),
        (
            *("local", {"duckdb": None, "dagster": "2.0"}),
            *("duckdb >=2.0 (missing), dagster ==1.13.27 (here is 2.0)", "uv sync --locked --inexact"),
        ),
    ],
)
def test_versions_that_are_not(env, installed, found, remedy):
    with pytest.raises(ProblemError) as caught:
        versions.versions(env, REQUIRED, {**INSTALLED, **installed}.get)
    assert str(caught.value) == f"required and not installed: {found}"
    assert caught.value.remedy == f"Install what uv.lock says: {remedy}"


def test_a_disk_that_is_nearly_full(tmp_path):
    settings = Settings(home=tmp_path)
    assert local_home.home(settings, lambda _: 5e9) == f"{tmp_path} can be written to; 5 GB are free"
    with pytest.raises(ProblemError, match=r"^1\.2 GB are free at .*, fewer than 2$") as caught:
        local_home.home(settings, lambda _: 1.2e9)
    assert caught.value.remedy.startswith("Make room: packaging cache prune")
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_to(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(ProblemError) as caught:
        local_home.home(Settings(home=tmp_path / "not" / "yet"), lambda _: 5e9)
    assert str(caught.value) == f"{tmp_path} cannot be written to: Permission denied"
    assert caught.value.remedy.startswith("Make it yours (chown -R ")


def test_a_clock_that_is_behind_the_code():
    assert local_home.clock(NOON, NOON - dt.timedelta(days=1)) == "2026-03-02 12:00 UTC"
    with pytest.raises(ProblemError) as caught:
        local_home.clock(NOON, NOON + dt.timedelta(days=1))
    assert str(caught.value) == (
        "it is 2026-03-02 12:00 UTC for this machine, and its own code was written at 2026-03-03 12:00"
    )


def test_dagsters_storage(tmp_path):
    settings = Settings(home=tmp_path)
    (check,) = databases.checks(settings)
    assert check.run() == f"none yet in {tmp_path}/dagster: what is run first makes it"
    settings.dagster_home.mkdir()
    (settings.dagster_home / "dagster.yaml").write_text(DAGSTER_YAML)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)):
        assert check.run() == f"0 runs in SqliteRunStorage of {tmp_path}/dagster"
    (check, _) = databases.checks(Settings(home=tmp_path, env="aws"))
    assert check.run().remedy.startswith("SQLite files serve one machine")
    (settings.dagster_home / "dagster.yaml").write_text("nonsense: true\n")
    found = check.find()
    assert found.is_ok is False
    assert found.found.startswith("Dagster's storage does not open: ")


def state(tmp_path, url):
    (_, check) = databases.checks(Settings(home=tmp_path, env="aws", state_database_url=url))
    return check.find()


def test_the_state_database_and_what_is_wrong_with_it_without_its_password(tmp_path):
    assert state(tmp_path, f"sqlite:///{tmp_path}/state.db").found == f"sqlite:///{tmp_path}/state.db"
    none = state(tmp_path, None)
    assert (none.is_ok, none.found) == (True, f"none: alerts are kept in {tmp_path}/alerts.db")
    closed = state(tmp_path, "postgresql+psycopg2://packaging:hunter2hunter2@127.0.0.1:1/state")
    assert closed.is_ok is False
    assert closed.found.startswith("postgresql+psycopg2://packaging:***@127.0.0.1:1/state does not answer: ")
    assert "hunter2hunter2" not in closed.found + closed.remedy
    plain = state(tmp_path, "postgresql://packaging:hunter2hunter2@127.0.0.1:1/state")
    assert plain.found == closed.found  # the setting is documented without a driver
    nobody = state(tmp_path, "nosuchthing://x")
    assert nobody.is_ok is False
    assert nobody.found.startswith("Alerts are kept in PostgreSQL or SQLite, and 'nosuchthing' is neither")
    assert nobody.remedy.startswith("Correct PACKAGING_STATE_DATABASE_URL")


def test_without_aws_nothing_of_it_is_imported(tmp_path):
    code = (
        "import sys; from packaging_assets.settings import Settings; "
        "from packaging_assets.doctor.parts import checks_for; "
        f"checks_for(Settings(home={str(tmp_path)!r})); "
        "print(sorted({'boto3', 'botocore', 'sagemaker', 'sqlalchemy', 'dagster', 'duckdb'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"
