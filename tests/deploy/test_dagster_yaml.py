"""Dagster's production configuration, by Dagster's own schema.

Launcher and compute logs are checked by the schema of their classes, and not started: they need an account. Storage is
used, against a PostgreSQL on this machine.
"""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from dagster._config import process_config
from dagster._config.field_utils import convert_potential_field
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.ref import InstanceRef
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.workspace.config_schema import process_workspace_config
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import class_from_code_pointer
from redshift_standin.postgres_server import PostgresServer
from stacks import resources

from packaging_assets.components.instance_spec import MAX_RUNTIME_MINUTES, InstanceSpec
from packaging_assets.home import DAGSTER_YAML

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
WRITTEN = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
ECS_TAKES = 8192
"""Characters of a task's overrides, of which the run's command is one."""

MAX_PROCESSING_SECONDS = 777_600
"""Of CreateProcessingJob; training and transform jobs may take longer."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def variables(value: Any) -> Iterator[str]:
    """Every environment variable that a configuration reads."""
    if isinstance(value, dict):
        if set(value) == {"env"}:
            yield value["env"]
        else:
            for item in value.values():
                yield from variables(item)
    elif isinstance(value, list):
        for item in value:
            yield from variables(item)


def given_to_tasks() -> set[str]:
    (container,) = resources("platform")["DaemonTask"]["Properties"]["ContainerDefinitions"]
    return {given["Name"] for given in [*container["Environment"], *container["Secrets"]] if "Name" in given}


@pytest.fixture
def task_environment(monkeypatch: pytest.MonkeyPatch):
    for name in given_to_tasks():
        monkeypatch.setenv(name, "5432" if name == "PGPORT" else "x")


def test_dagster_takes_every_field(home: Path):
    config, _ = dagster_instance_config(str(home))

    assert config["run_retries"] == {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "op"}
    assert config["telemetry"] == {"enabled": False}
    assert config["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


def test_the_queue_is_the_configured_one(home: Path):
    ref = InstanceRef.from_dir(str(home))
    coordinator = ref.run_coordinator

    assert isinstance(coordinator, QueuedRunCoordinator)
    assert ref.settings["concurrency"]["runs"]["max_concurrent_runs"] == 10
    limits = ref.settings["concurrency"]["runs"]["tag_concurrency_limits"]
    assert {"key": "dagster/backfill", "limit": 1} in limits
    assert {"key": "packaging/trigger", "value": {"applyLimitPerUniqueValue": True}, "limit": 1} in limits


def test_weeks_are_queued_as_in_a_home_of_ones_own():
    assert (
        WRITTEN["concurrency"]["runs"]["tag_concurrency_limits"]
        == (yaml.safe_load(DAGSTER_YAML)["concurrency"]["runs"]["tag_concurrency_limits"])
    )


def test_the_longest_job_fits_in_a_run_and_is_one_that_sagemaker_takes():
    longest = InstanceSpec(max_runtime_minutes=MAX_RUNTIME_MINUTES).resources.max_runtime_seconds
    hours_for_machines_and_data = 4

    assert longest + hours_for_machines_and_data * 3600 == WRITTEN["run_monitoring"]["max_runtime_seconds"]
    assert longest <= MAX_PROCESSING_SECONDS
    with pytest.raises(ValueError, match="less than or equal to 1200"):
        InstanceSpec(max_runtime_minutes=MAX_RUNTIME_MINUTES + 1)


@pytest.mark.parametrize("part", ["run_launcher", "compute_logs"])
def test_classes_of_dagster_aws_take_their_config(part: str, task_environment: None):
    given = WRITTEN[part]
    schema = convert_potential_field(class_from_code_pointer(given["module"], given["class"]).config_type())

    result = process_config(schema.config_type, given["config"])

    assert result.success, result.errors


def test_every_variable_that_dagster_reads_is_in_the_tasks():
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text(encoding="utf-8"))
    read = {*variables(WRITTEN), *variables(workspace)}

    assert read == {
        "DAGSTER_CODE_SERVER",
        "DAGSTER_RUN_TASK_DEFINITION",
        "PACKAGING_S3_BUCKET",
        "PGDATABASE",
        "PGHOST",
        "PGPASSWORD",
        "PGPORT",
        "PGUSER",
    }
    assert read <= given_to_tasks() | {"PGUSER", "PGPASSWORD"}


def test_no_password_is_written_into_it():
    assert WRITTEN["storage"]["postgres"]["postgres_db"]["password"] == {"env": "PGPASSWORD"}


def test_the_workspace_is_the_code_server_of_the_stack(task_environment: None):
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text(encoding="utf-8"))

    result = process_workspace_config(workspace)

    assert result.success, result.errors
    (server,) = result.value["load_from"]
    assert (server["grpc_server"]["port"], server["grpc_server"]["location_name"]) == (4266, "packaging_assets")


def test_the_launcher_uses_the_stacks_task_and_its_container():
    config = WRITTEN["run_launcher"]["config"]
    task = resources("platform")["RunTask"]["Properties"]
    (container,) = task["ContainerDefinitions"]

    assert config["task_definition"] == {"env": "DAGSTER_RUN_TASK_DEFINITION"}
    assert task["Family"] == {"Fn::Sub": "packaging-${Environment}-run"}
    assert container["Name"] == config["container_name"] == "run"


def test_a_runs_command_fits_into_what_ecs_takes(home: Path):
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

    repository = RepositoryPythonOrigin(
        executable_path="/opt/venv/bin/python",
        code_pointer=ModuleCodePointer("packaging_assets.definitions", "definitions", "/opt/packaging-assets"),
        container_image="0" * 150,
        entry_point=["dagster"],
        container_context={},
    )
    arguments = ExecuteRunArgs(
        job_origin=JobPythonOrigin("weekly_training", repository),
        run_id=dg.DagsterRun(job_name="x").run_id,
        instance_ref=InstanceRef.from_dir(str(home)),
    )

    # Quotes are escaped once more in the JSON of the overrides.
    assert len("".join(arguments.get_command_args()).replace('"', '\\"').replace("\\\\", "\\\\\\\\")) < ECS_TAKES


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where a PostgreSQL listens, into which only the variables of a task let one."""
    with PostgresServer() as server:
        with contextlib.closing(server.connect("postgres")) as administrator, administrator.cursor() as cursor:
            cursor.execute("create role packaging login password 'given'")
            cursor.execute("create database packaging owner packaging")
        for name in given_to_tasks():
            monkeypatch.setenv(name, "x")
        for name, value in {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGDATABASE": "packaging",
            "PGUSER": "packaging",
            "PGPASSWORD": "given",
            "PGSSLMODE": "disable",
        }.items():
            monkeypatch.setenv(name, value)
        yield f"127.0.0.1:{server.port}"


def test_dagster_keeps_its_runs_in_the_database_of_the_tasks(database: str, home: Path):
    path = home / "dagster.yaml"
    # PostgreSQL as it is tested with has no certificate.
    path.write_text(path.read_text(encoding="utf-8").replace("sslmode: require", "sslmode: disable"), encoding="utf-8")
    run = dg.DagsterRun(job_name="daily_inference", run_id=str(uuid.uuid4()))

    for storage in (InstanceRef.from_dir(str(home)).storage, InstanceRef.from_dir(str(home)).storage):
        assert type(storage).__name__ == "DagsterPostgresStorage"
        if not storage.run_storage.has_run(run.run_id):
            storage.run_storage.add_run(run)
        found = storage.run_storage.get_runs()
        storage.event_log_storage.dispose()

    assert [(stored.run_id, stored.job_name) for stored in found] == [(run.run_id, "daily_inference")]


def test_the_address_of_the_state_database_needs_no_user_and_no_password(database: str):
    engine = sa.create_engine(f"postgresql+psycopg2://{database}/packaging")

    with engine.connect() as connection:
        who = connection.execute(sa.text("select current_user, current_database()")).one()
    engine.dispose()

    assert tuple(who) == ("packaging", "packaging")
