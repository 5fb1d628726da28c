"""dagster-aws's run launcher as `deploy/dagster.yaml` sets it up, against moto: what it starts and asks AWS for."""

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher.base import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.test_utils import instance_for_test
from iam_policies import ACCOUNT, REGION, Roles
from stacks import TEMPLATES, resources

DEPLOY = TEMPLATES.parent
CLUSTER = "packaging-live"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """An account in moto with the stack's cluster, in which this process is the daemon's task."""
    from moto import mock_aws
    from moto.core.models import responses_mock

    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
        "DAGSTER_RUN_TASK_DEFINITION": "packaging-live-run",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws(), metadata_server() as metadata:
        responses_mock.add_passthru("http://127.0.0.1")
        made = daemon_task()
        metadata.answer.update(Cluster=CLUSTER, TaskARN=made.daemon, Name="daemon")
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", metadata.url)
        yield made


def daemon_task() -> SimpleNamespace:
    import boto3

    ec2, ecs = boto3.client("ec2"), boto3.client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
    ecs.create_cluster(clusterName=CLUSTER)
    for task in ("Daemon", "Run"):
        (written,) = resources("platform")[f"{task}Task"]["Properties"]["ContainerDefinitions"]
        ecs.register_task_definition(
            family=f"packaging-live-{written['Name']}",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="512",
            memory="2048",
            containerDefinitions=[
                {"name": written["Name"], "image": "image", "entryPoint": list(written["EntryPoint"]), "memory": 2048}
            ],
        )
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
    started = ecs.run_task(
        cluster=CLUSTER,
        taskDefinition="packaging-live-daemon",
        launchType="FARGATE",
        networkConfiguration=network,
    )
    return SimpleNamespace(ecs=ecs, daemon=started["tasks"][0]["taskArn"], subnet=subnet, group=group)


class metadata_server:  # noqa: N801 - used as a function
    """Where a task on Fargate asks who it is."""

    def __init__(self) -> None:
        self.answer: dict[str, str] = {}

    def __enter__(self) -> "metadata_server":
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def instance(account: SimpleNamespace) -> Iterator[dg.DagsterInstance]:
    written = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
    with instance_for_test(overrides={"run_launcher": written["run_launcher"]}) as made:
        yield made


def launch(instance: dg.DagsterInstance) -> dg.DagsterRun:
    repository = RepositoryPythonOrigin(
        executable_path="/opt/venv/bin/python",
        code_pointer=ModuleCodePointer("packaging_assets.definitions", "definitions", None),
        container_image=None,
        entry_point=["dagster"],
        container_context={},
    )
    origin = JobPythonOrigin("daily_inference", repository)
    run = dg.DagsterRun(job_name="daily_inference", run_id=str(uuid.uuid4()), job_code_origin=origin)
    instance.add_run(run)
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


def test_a_run_is_a_task_of_the_stacks_definition_where_the_daemon_is(
    account: SimpleNamespace, instance: dg.DagsterInstance
):
    run = launch(instance)

    (task,) = account.ecs.describe_tasks(cluster=CLUSTER, tasks=[run.tags["ecs/task_arn"]])["tasks"]
    (override,) = task["overrides"]["containerOverrides"]
    place = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    assert task["taskDefinitionArn"].endswith(":task-definition/packaging-live-run:1")
    assert override["name"] == "run"
    assert override["command"][:3] == ["dagster", "api", "execute_run"]
    assert place["subnetId"] == account.subnet
    definitions = account.ecs.list_task_definitions()["taskDefinitionArns"]
    assert len(definitions) == 2, "the launcher registers none of its own"


def test_the_launcher_asks_for_nothing_that_the_daemon_may_not_do(
    account: SimpleNamespace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
):
    asked: set[str] = set()
    from botocore.client import BaseClient

    call = BaseClient._make_api_call

    def recorded(self: Any, operation: str, arguments: Any) -> Any:
        asked.add(f"{self.meta.service_model.service_name}:{operation}")
        if arguments.get("tags"):
            asked.add("ecs:TagResource")
        return call(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    run = launch(instance)
    instance.run_launcher.check_run_worker_health(run)
    instance.run_launcher.terminate(run.run_id)

    assert asked == {
        "ec2:DescribeNetworkInterfaces",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeTasks",
        "ecs:RunTask",
        "ecs:StopTask",
        "ecs:TagResource",
    }
    allowed = {action for actions, _ in daemon_role().statements("DaemonRole") for action in actions}
    assert asked <= allowed


def daemon_role() -> Roles:
    names = ("bucket", "key", "errors", "warnings", "trigger-queue")
    exports = {f"packaging-live-{name}": f"arn:aws:x:{REGION}:{ACCOUNT}:{name}" for name in names}
    return Roles(Path(TEMPLATES) / "roles.yaml", {"Environment": "live"}, exports)
