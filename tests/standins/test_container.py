"""The container entry point by itself, without SageMaker."""

import http.client
import io
import json
import tarfile
import tempfile
import threading
from pathlib import Path

import pytest
from example_steps import CountParams, count_words, refuse

from packaging_assets.container.__main__ import main
from packaging_assets.container.ml_folders import MlFolders
from packaging_assets.container.run_request import run_request
from packaging_assets.container.server import MAX_PAYLOAD_BYTES, make_server
from packaging_assets.container.step_output import LISTING, OutputError, check_output, list_output
from packaging_assets.container.step_request import RequestError, StepRequest, step_packages

PACKAGES = ("example_steps",)


@pytest.fixture
def ask(tmp_path):
    """Asks a server of a step."""
    servers = []

    def start(step):
        request = StepRequest.of(step, CountParams(), {"text": "text"}, part_input="text")
        server = make_server(request, tmp_path, PACKAGES, ("127.0.0.1", 0))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))

        def send(method, path, body=None, headers=None):
            connection = http.client.HTTPConnection(*server.server_address, timeout=10)
            connection.putrequest(method, path)
            for name, value in (headers or {"Content-Length": str(len(body or b""))}).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            answer = response.status, response.read()
            connection.close()
            return answer

        return send

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_answers_with_what_the_step_writes(ask, tmp_path):
    send = ask(count_words)
    assert send("GET", "/ping") == (200, b"")
    status, body = send("POST", "/invocations", b"one two three")
    assert status == 200
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        archive.extractall(tmp_path / "answer", filter="data")
    check_output(tmp_path / "answer")
    assert (tmp_path / "answer" / "model" / "count.txt").read_text() == "3"
    assert (status, body) == send("POST", "/invocations", b"one two three")  # the same bytes: no times in the archive


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", None, 404),
        ("POST", "/ping", None, 404),
        ("POST", "/invocations", {"Accept": "*/*"}, 411),
        ("POST", "/invocations", {"Content-Length": "-1"}, 411),
        ("POST", "/invocations", {"Content-Length": str(MAX_PAYLOAD_BYTES + 1)}, 413),
    ],
)
def test_a_server_refuses_what_is_no_request(ask, method, path, headers, status):
    assert ask(count_words)(method, path, headers=headers)[0] == status


def test_a_step_that_raises_fails_its_request_and_not_the_server(ask):
    send = ask(refuse)
    for _ in range(2):
        assert send("POST", "/invocations", b"one") == (500, b"RuntimeError: the scales are broken")


def test_a_step_without_an_input_in_parts_cannot_be_served(tmp_path):
    request = StepRequest.of(count_words, CountParams(), {"text": "text"})
    with pytest.raises(RequestError, match="does not say which input comes in the requests"):
        make_server(request, tmp_path, PACKAGES, ("127.0.0.1", 0))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("PACKAGING_ML_ROOT", str(tmp_path / "ml"))
    monkeypatch.setenv("PACKAGING_STEP_PACKAGES", "example_steps, another")
    return tmp_path / "ml"


def write_hyperparameters(root, values):
    folder = root / "input" / "config"
    folder.mkdir(parents=True)
    (folder / "hyperparameters.json").write_text(json.dumps(values))


def test_training_reads_channels_and_writes_the_model(root):
    write_hyperparameters(
        root, StepRequest.of(count_words, CountParams(factor=3), {"text": "text"}).as_hyperparameters()
    )
    (root / "input" / "data" / "text").mkdir(parents=True)
    (root / "input" / "data" / "text" / "a.txt").write_text("one two")
    assert main(["train"]) == 0
    assert (root / "model" / "model" / "count.txt").read_text() == "6"
    check_output(root / "model")


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({}, 2, "The hyperparameters request_000, request_001, ... are missing or have a gap."),
        ({"request_000": "{", "request_002": "}"}, 2, "The hyperparameters request_000, request_001, ..."),
        ({"request_000": "{"}, 2, "The request to run a step cannot be read: the text: Invalid JSON"),
        ({"request_000": "{}"}, 2, "The request to run a step cannot be read: step: Field required"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_with_its_reason(root, values, code, said):
    write_hyperparameters(root, values)
    assert main(["train"]) == code
    assert (root / "output" / "failure").read_text().startswith(said)


def test_a_processing_job_without_a_request_is_refused_in_its_message(root):
    assert main(["process"]) == 2
    assert "request.json is missing: it must say which step to run" in (root / "output" / "message").read_text()


def test_params_that_the_step_refuses_are_told(root):
    request = StepRequest.of(count_words, CountParams(), {}).model_copy(update={"params": {"factor": "many"}})
    write_hyperparameters(root, request.as_hyperparameters())
    assert main(["train"]) == 2
    assert (
        (root / "output" / "failure")
        .read_text()
        .startswith("The params of example_steps:count_words are refused: factor: Input should be a valid integer")
    )
    with pytest.raises(RequestError, match="is not a pydantic model"):
        request.model_copy(update={"params_class": "example_steps:count_words"}).load_params(PACKAGES)


@pytest.fixture
def other_mount(tmp_path):
    """A folder on another file system: SageMaker mounts each input and output of a processing job by itself."""
    memory = Path("/dev/shm")  # noqa: S108 - it is a file system that every Linux has
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is but one file system")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_parts_are_taken_one_by_one_from_an_input_that_is_a_mount_of_its_own(tmp_path, other_mount):
    (other_mount / "text").mkdir()
    for name, words in (("a.txt", "one two"), ("b.txt", "three")):
        (other_mount / "text" / name).write_text(words)
    request = StepRequest.of(count_words, CountParams(), {"text": "text"}, part_input="text")
    run_request(request, other_mount, tmp_path / "output", PACKAGES)
    found = {folder.name: folder for folder in (tmp_path / "output").iterdir()}
    assert sorted(found) == ["a.txt", "b.txt"]
    for folder in found.values():
        check_output(folder)
    assert {name: (folder / "model" / "count.txt").read_text() for name, folder in found.items()} == {
        "a.txt": "2",
        "b.txt": "1",
    }
    assert {name: (folder / "names.txt").read_text() for name, folder in found.items()} == {
        "a.txt": "a.txt",
        "b.txt": "b.txt",
    }


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train", "now"]])
def test_there_are_three_commands(arguments):
    assert main(arguments) == 2


def test_the_image_says_whose_steps_may_run(root, monkeypatch):
    assert step_packages() == ("example_steps", "another")
    monkeypatch.delenv("PACKAGING_STEP_PACKAGES")
    assert step_packages() == ("packaging_assets.domain", "packaging_assets.experiments.holdout")


def test_reasons_are_cut_to_what_sagemaker_keeps(tmp_path):
    MlFolders(tmp_path).write_failure("x" * 2000, is_processing=False)
    assert len((tmp_path / "output" / "failure").read_text()) == 1024


def test_an_output_is_whole_or_refused(tmp_path):
    def write():
        (tmp_path / "a.txt").write_text("1")
        list_output(tmp_path)

    with pytest.raises(OutputError, match=r"has no step_output\.json, so its step did not finish"):
        check_output(tmp_path)
    write()
    with pytest.raises(OutputError, match=r"The step wrote a file called step_output\.json"):
        list_output(tmp_path)
    for spoil in (
        lambda: (tmp_path / "a.txt").write_text("2"),
        (tmp_path / "a.txt").unlink,
        lambda: (tmp_path / "b.txt").write_text("3"),
    ):
        (tmp_path / LISTING).unlink(missing_ok=True)
        write()
        spoil()
        with pytest.raises(OutputError, match=r"[ab]\.txt of the job's output is not the file that its step wrote"):
            check_output(tmp_path)
