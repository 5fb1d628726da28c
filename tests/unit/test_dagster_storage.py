"""A home whose `dagster.yaml` is wrong: every command says where and what to do."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from packaging_assets.cli.main import main
from packaging_assets.dagster_storage import REMEDY, DagsterYamlError, instance_ref, open_instance
from packaging_assets.doctor.check import ProblemError
from packaging_assets.doctor.databases import checks
from packaging_assets.home import prepare_dagster_home
from packaging_assets.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load_settings(tmp_path / "home")
    prepare_dagster_home(settings)
    return settings


WRONG = [
    ("telemetry:\n  enabled: [\n", " is not valid YAML: while parsing a flow node expected the node content"),
    (
        "nux:\n  enabled: false\ntelemetri:\n  enabled: false\n",
        ':3: Received unexpected config entry "telemetri" at the',
    ),
    ("run_monitoring:\n  enabled: 3\n", ":2: Invalid scalar at path root:run_monitoring:enabled. Value "),
    ("# mine\nrun_launcher:\n  module: x\n", ':2: Missing required config entry "class" at path root:run_launcher.'),
    ("- a list\n", " is nothing that Dagster can read ("),
    ("storage:\n", " is nothing that Dagster can read ("),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_is_wrong_is_told_with_file_line_and_remedy(settings: Settings, text: str, problem: str) -> None:
    file = settings.dagster_home / "dagster.yaml"
    file.write_text(text)
    with pytest.raises(DagsterYamlError) as caught:
        instance_ref(settings.dagster_home)
    assert str(caught.value).startswith(f"{file}{problem}")
    assert str(caught.value).endswith(f"; {REMEDY}")
    assert "Expected: " not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_its_wrong_fields_are_told(settings: Settings) -> None:
    file = settings.dagster_home / "dagster.yaml"
    file.write_text("nux:\n  enabled: 3\nrun_monitoring:\n  start: 1\n")
    with pytest.raises(DagsterYamlError) as caught:
        open_instance(settings.dagster_home)
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [f"{file}:2", f"{file}:4"]


@pytest.mark.parametrize("command", ["runs list", "run weekly --partition 2025-01-06", "ui"])
def test_commands_tell_it_in_a_sentence(settings: Settings, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.execve", lambda *_: pytest.fail("the UI was started"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = ["--port", str(free.getsockname()[1])] if command == "ui" else []
    file = settings.dagster_home / "dagster.yaml"
    file.write_text("telemetri: {}\n")
    result = CliRunner().invoke(main, [*command.split(), *port, "--home", str(settings.home)])
    assert (result.exit_code, result.stderr.splitlines()[-1].partition(" Received")[0]) == (1, f"Error: {file}:1:")


def test_the_doctor_tells_it_with_its_remedy(settings: Settings) -> None:
    file = settings.dagster_home / "dagster.yaml"
    file.write_text("telemetri: {}\n")
    with pytest.raises(ProblemError) as caught:
        checks(settings)[0].run()
    assert str(caught.value).startswith("Dagster's storage does not open: ")
    assert str(caught.value).endswith(f': {file}:1: Received unexpected config entry "telemetri" at the root.')
    assert caught.value.remedy == f"{REMEDY.capitalize()}."


def test_the_file_that_a_home_gets_is_one_that_dagster_takes(settings: Settings) -> None:
    with open_instance(settings.dagster_home) as instance:
        assert (instance.telemetry_enabled, instance.run_monitoring_enabled) == (False, True)
