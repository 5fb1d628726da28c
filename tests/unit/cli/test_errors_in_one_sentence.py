"""What a person can do something about reaches the terminal as a sentence, from every command."""

import errno

import click
import pytest
from click.testing import CliRunner

from packaging_assets import promotion
from packaging_assets.artifacts.store import ArtifactError
from packaging_assets.cli.main import main
from packaging_assets.cli.options import home_option
from packaging_assets.cli.runs import runs
from packaging_assets.domain.feature_sets import FeatureSetError
from packaging_assets.domain.registry import RegistryError
from packaging_assets.home import prepare_dagster_home
from packaging_assets.resources.dbt_project import DbtProjectError
from packaging_assets.resources.warehouse import WarehouseError
from packaging_assets.settings import SettingsError, load_settings


def run(error, home):
    @click.command()
    @home_option
    def command(settings):
        raise error

    return CliRunner().invoke(command, ["--home", str(home)])


def test_a_setting_that_is_missing(tmp_path):
    result = run(SettingsError("PACKAGING_ENV = 'aws' needs PACKAGING_S3_BUCKET"), tmp_path)
    assert (result.exit_code, result.stderr) == (1, "Error: PACKAGING_ENV = 'aws' needs PACKAGING_S3_BUCKET\n")


def test_what_aws_answers(tmp_path):
    exceptions = pytest.importorskip("botocore.exceptions")
    refused = exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
    assert run(refused, tmp_path).stderr == (
        "Error: AWS: An error occurred (AccessDenied) when calling the GetObject operation: no. `packaging doctor` "
        "looks at every service and says what to do.\n"
    )
    assert run(exceptions.NoCredentialsError(), tmp_path).stderr.startswith("Error: AWS: Unable to locate credentials.")


@pytest.mark.parametrize(
    "error",
    [
        WarehouseError("it is locked"),
        RegistryError("it is damaged"),
        ArtifactError("it is gone"),
        FeatureSetError("it is a list"),
    ],
    ids=type,
)
def test_what_the_platform_itself_says(tmp_path, error):
    result = run(error, tmp_path)
    assert (result.exit_code, result.stderr) == (1, f"Error: {error}\n")


def test_what_went_wrong_while_dagster_loaded_the_project(tmp_path, monkeypatch):
    def refuse(_settings):
        raise DbtProjectError("The dbt project does not parse: unexpected '}' in models/stg_products.sql")

    monkeypatch.setattr("packaging_assets.components.dbt_specs.dbt_manifest", refuse)
    result = CliRunner().invoke(main, ["run", "weekly@2025-01-06", "--home", str(tmp_path)])
    said = "Error: The dbt project does not parse: unexpected '}' in models/stg_products.sql\n"
    assert (result.exit_code, result.stderr.splitlines(keepends=True)[-1]) == (1, said)


def test_a_file_that_cannot_be_read(tmp_path):
    result = run(PermissionError(13, "Permission denied", "/somewhere/registry.db"), tmp_path)
    said = "Error: /somewhere/registry.db: Permission denied. Check the path and its permissions.\n"
    assert (result.exit_code, result.stderr) == (1, said)


def test_a_disk_that_is_full(tmp_path):
    result = run(OSError(errno.ENOSPC, "No space left on device"), tmp_path)
    said = "No space left on device. Make room on the home's disk (packaging cache prune), and run the command again."
    assert (result.exit_code, result.stderr) == (1, f"Error: {said}\n")


def test_a_damaged_record_of_runs(tmp_path):
    settings = load_settings(tmp_path)
    prepare_dagster_home(settings)
    history = settings.dagster_home / "history"
    history.mkdir()
    (history / "runs.db").write_bytes(b"garbage" * 1000)
    result = CliRunner().invoke(runs, ["list", "--home", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: Dagster's storage cannot be used (file is not a database): check that its disk has room, and that the "
        "files in the home's dagster/ are whole and may be written. Without it history and schedules' switches are "
        "lost.\n"
    )


def test_a_mistake_of_the_program_keeps_its_trace(tmp_path):
    assert isinstance(run(ZeroDivisionError("no"), tmp_path).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "list", "--home", ""],
        ["demo", "--home", ""],
        ["simulate", "--out", ""],
        ["models", "promote", "mailer", "1", "--from", "", "--to", "live", "--reason", "x"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_empty_name_is_no_home(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith("it is empty: name a folder (is a variable not set?).")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["cache", "prune", "--older-than", "nan"],
        ["cache", "prune", "--grace", "nan"],
        ["ingest", "--tests", "tests.csv", "--max-bad-rows", "nan"],
        ["experiment", "tune", "mailer", "--timeout", "nan"],
        ["experiment", "tune", "mailer", "--hold-out", "nan"],
    ],
    ids=lambda arguments: arguments[-2],
)
def test_what_is_not_a_number_is_not_taken_for_one_within_bounds(tmp_path, arguments):
    result = CliRunner().invoke(main, [*arguments, "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for '{arguments[-2]}': 'nan' is not a number."


@pytest.mark.parametrize("group", ["runs", "alerts"])
def test_a_limit_that_no_database_takes_is_refused(tmp_path, group):
    result = CliRunner().invoke(main, [group, "list", "--limit", "9" * 20, "--home", str(tmp_path)])
    assert result.exit_code == 2
    said = f"Error: Invalid value for '--limit': {'9' * 20} is not in the range 1<=x<=1000000."
    assert result.stderr.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("option", "most"), [("--weeks", "1<=x<=520"), ("--products", "1<=x<=1000000000")], ids=["weeks", "products"]
)
def test_a_retailer_that_is_too_large_is_refused_by_the_option(tmp_path, option, most):
    result = CliRunner().invoke(main, ["simulate", "--out", str(tmp_path / "out"), option, "10000000000"])
    assert result.exit_code == 2
    said = f"Error: Invalid value for '{option}': 10000000000 is not in the range {most}."
    assert result.stderr.splitlines()[-1] == said


def is_full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "--out", "{file}/out", "--products", "500", "--weeks", "1"],
        ["demo", "--home", "{file}/home", "--products", "500", "--weeks", "1"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_without_a_home_that_is_there_say_it_too(tmp_path, arguments):
    (tmp_path / "file").touch()
    given = [argument.format(file=tmp_path / "file") for argument in arguments]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == f"Error: {given[2]}: Not a directory. Check the path and its permissions."


def test_a_demo_whose_deliveries_cannot_be_written_says_so(tmp_path):
    (tmp_path / "simulated").mkdir()
    (tmp_path / "simulated" / "thesis.txt").write_text("mine")
    result = CliRunner().invoke(main, ["demo", "--home", str(tmp_path), "--products", "500", "--weeks", "1"])
    said = f"Error: {tmp_path}/simulated holds files that are not a simulated retailer's: name an empty folder."
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, said)


def test_a_disk_that_is_full_where_a_version_is_promoted_to(tmp_path, monkeypatch):
    monkeypatch.setattr(promotion, "promote", is_full)
    monkeypatch.setattr("packaging_assets.cli.models_promote.find_version", lambda *_: None)
    homes = ["--from", str(tmp_path), "--to", str(tmp_path)]
    result = CliRunner().invoke(main, ["models", "promote", "mailer", "1", *homes, "--reason", "x", "--actor", "ann"])
    assert (result.exit_code, result.stderr[:39]) == (1, "Error: No space left on device. Make ro")


def test_a_project_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("packaging_assets.components.new_model.write_new_model", is_full)
    result = CliRunner().invoke(main, ["models", "new", "bag_two", "--package-type", "bag"])
    assert (result.exit_code, result.stderr[:39]) == (1, "Error: No space left on device. Make ro")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "weekly@2025-01-06"],
        ["runs", "retry", "last"],
        ["triggers", "run"],
        ["experiment", "compare", "0123456789"],
        ["models", "approve", "mailer", "1", "--reason", "x", "--actor", "ada"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_mistyped_home_is_refused_and_not_made(tmp_path, arguments):
    home = tmp_path / "hmoe"
    result = CliRunner().invoke(main, [*arguments, "--home", str(home)])
    assert result.exit_code == 1
    assert str(home) in result.stderr
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "retry", "\udcff"],
        ["experiment", "run", "mailer", "--name", "\udcff"],
        ["experiment", "run", "mailer", "--set", "description=\udcff"],
    ],
    ids=lambda arguments: " ".join(arguments[:-1]),
)
def test_an_argument_that_is_not_utf_8_is_refused(tmp_path, arguments):
    prepare_dagster_home(load_settings(tmp_path))
    result = CliRunner().invoke(main, [*arguments, "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith("\\udcff' is not UTF-8: write it again.")
