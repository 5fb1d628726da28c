"""The log file, apprise, and how routes come from settings; no secret is ever shown."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from alert_doubles import MovableClock, make_alert
from pydantic import SecretStr

from packaging_assets.resources.apprise_notifier import AppriseNotifier
from packaging_assets.resources.environment import alert_routes_for
from packaging_assets.resources.log_notifier import LogNotifier
from packaging_assets.resources.notifier import NotifierError
from packaging_assets.settings import SettingsError, load_settings

SECRET = "hunter2hunter2"  # noqa: S105 - what must not be shown

# apprise looks for modules that newer Pythons no longer have.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def log(path: Path) -> tuple[LogNotifier, list[str]]:
    shown: list[str] = []
    return LogNotifier(path, clock=MovableClock().now, echo=shown.append), shown


def test_the_log_has_a_line_of_json_for_each_alert(tmp_path: Path) -> None:
    notifier, shown = log(tmp_path / "new" / "alerts.log")
    for key in "ab":
        notifier.send(make_alert(key), may_be_repeat=False)
    lines = [json.loads(line) for line in (tmp_path / "new" / "alerts.log").read_text().splitlines()]
    assert [line["title"] for line in lines] == ["weekly: a failed for None", "weekly: b failed for None"]
    assert {name: lines[0][name] for name in ("alert", "at", "severity", "owners", "run_url")} == {
        "alert": make_alert("a").key,
        "at": "2025-02-10T12:00:00+00:00",
        "severity": "error",
        "owners": ["team:science"],
        "run_url": "http://ui/runs/1",
    }
    assert lines[0]["failures"][0]["key"] == "a"
    assert shown[0].startswith("[error] weekly: a failed for None\n- [error] a\n")


def test_the_log_has_each_alert_once(tmp_path: Path) -> None:
    notifier, shown = log(tmp_path / "alerts.log")
    for is_repeat in (False, True, False):
        notifier.send(make_alert("a"), may_be_repeat=is_repeat)
    assert (len((tmp_path / "alerts.log").read_text().splitlines()), len(shown)) == (1, 1)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_line_cut_short_by_a_kill_is_written_again_on_a_line_of_its_own(tmp_path: Path, share: float) -> None:
    path = tmp_path / "alerts.log"
    notifier, _ = log(path)
    notifier.send(make_alert("a"), may_be_repeat=False)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    notifier.send(make_alert("a"), may_be_repeat=True)
    assert path.read_bytes().splitlines(keepends=True)[-1] == whole
    assert path.read_bytes().count(b"\n") == 2


def test_a_log_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "alerts.log").mkdir()
    with pytest.raises(NotifierError, match=r"alerts\.log cannot be written"):
        log(tmp_path / "alerts.log")[0].send(make_alert("a"), may_be_repeat=False)


def test_a_closed_terminal_does_not_matter(tmp_path: Path) -> None:
    def closed(_: str) -> None:
        raise ValueError("I/O operation on closed file")

    path = tmp_path / "alerts.log"
    LogNotifier(path, clock=MovableClock().now, echo=closed).send(make_alert("a"), may_be_repeat=False)
    assert path.read_text().count("\n") == 1


class Service(BaseHTTPRequestHandler):
    """Takes JSON notifications and answers with `status`."""

    status = 200
    received: ClassVar[list[dict]] = []

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def service():
    Service.status, Service.received = 200, []
    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("is_repeat", [False, True])
def test_apprise_delivers_title_and_body(service: int, *, is_repeat: bool) -> None:
    AppriseNotifier(SecretStr(f"json://user:{SECRET}@127.0.0.1:{service}/x")).send(
        make_alert("a", severity="warning"), may_be_repeat=is_repeat
    )
    (message,) = Service.received
    assert (message["title"], message["type"]) == ("weekly: a failed for None", "warning")
    assert message["message"].startswith("- [warning] a\n")
    assert ("may be a repeat" in message["message"]) is is_repeat


def test_apprise_refused_says_why_without_the_secret(service: int) -> None:
    Service.status = 401
    with pytest.raises(NotifierError) as caught:
        AppriseNotifier(SecretStr(f"json://user:{SECRET}@127.0.0.1:{service}/{SECRET}")).send(
            make_alert("a"), may_be_repeat=False
        )
    assert "401" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_apprise_does_not_tell_a_secret_that_its_url_has_in_percent_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("login of user with p@ss/word refused")

    monkeypatch.setattr("apprise.Apprise.notify", refuse)
    with pytest.raises(NotifierError) as caught:
        AppriseNotifier(SecretStr("json://user:p%40ss%2Fword@localhost")).send(make_alert("a"), may_be_repeat=False)
    assert str(caught.value) == "OSError: login of *** with *** refused"


def test_apprise_unreachable_is_an_error() -> None:
    with pytest.raises(NotifierError) as caught:
        AppriseNotifier(SecretStr(f"json://user:{SECRET}@127.0.0.1:9/x")).send(make_alert("a"), may_be_repeat=False)
    assert SECRET not in str(caught.value)


def test_a_url_that_apprise_does_not_know_is_named_by_its_service() -> None:
    with pytest.raises(NotifierError, match=r"does not understand this pigeon:// URL") as caught:
        AppriseNotifier(SecretStr(f"pigeon://{SECRET}")).check()
    assert SECRET not in str(caught.value)
    assert AppriseNotifier(SecretStr(f"json://user:{SECRET}@localhost")).check() is None


SETTINGS = f"""
[[alert_routes]]
url = "slack://{SECRET}/a/b"
owner = "team:packaging-science"
severity = "error"

[[alert_routes]]
url = "mailtos://user:{SECRET}@example.org"
name = "everything by mail"
"""


def test_routes_come_from_the_settings_after_the_log(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    settings = load_settings(tmp_path)
    routes = [(route.name, route.owner, route.severity) for route in alert_routes_for(settings)]
    assert routes == [
        ("log", None, "warning"),
        ("slack to team:packaging-science", "team:packaging-science", "error"),
        ("everything by mail", None, "warning"),
    ]
    for shown in (str(settings.alert_routes), repr(settings), settings.model_dump_json()):
        assert SECRET not in shown
    assert str(settings.alert_routes[0]) == ("slack to team:packaging-science (error, slack://**********)")


@pytest.mark.parametrize(
    ("route", "says"),
    [
        (f'url = "{SECRET}"', "url must begin with a service"),
        (f'ulr = "slack://{SECRET}"', "alert_routes.0.ulr"),
        (f'url = "slack://{SECRET}"\nseverity = "grave"', "alert_routes.0.severity"),
        (f'url = "slack://{SECRET}"\n[[alert_routes]]\nurl = "slack://{SECRET}"', "two routes are called"),
        (f'url = "slack://{SECRET}"\nname = "log"', "two routes are called 'log'"),
        (f'url = "slack://{SECRET}"\nowner = ""', "alert_routes.0.owner = (not shown): String should have at least 1"),
        (f'url = "slack://{SECRET}"\nname = "sns errors"', "two routes are called 'sns errors'"),
        (f'url = "slack://{SECRET}"\nname = "sns warnings"', "two routes are called 'sns warnings'"),
    ],
)
def test_unusable_routes_are_refused_without_showing_the_secret(tmp_path: Path, route: str, says: str) -> None:
    (tmp_path / "settings.toml").write_text(f"[[alert_routes]]\n{route}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
