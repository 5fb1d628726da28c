"""`packaging alerts` and what `packaging doctor` says of alerts."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from alert_doubles import UNREACHABLE, Inbox, make_alert
from click.testing import CliRunner, Result

from packaging_assets.cli.main import main
from packaging_assets.resources.alert_delivery import deliver
from packaging_assets.resources.alert_store import AlertStore
from packaging_assets.resources.notifier import Route

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "hunter2hunter2"  # noqa: S105 - what must not be shown
DEAD = f'[[alert_routes]]\nurl = "json://user:{SECRET}@127.0.0.1:9/x"\nowner = "team:science"\n'
NOON = dt.datetime(2025, 2, 10, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _doctor_without_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing the dbt project takes seconds and has nothing to do with alerts."""
    monkeypatch.setattr("packaging_assets.doctor.dbt_connection._project", lambda _: "not looked at")


def run(home: Path, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*arguments, "--home", str(home)])
    assert result.exit_code == code, result.output
    assert SECRET not in result.output
    return result


def keep(home: Path, *keys: str, error: Exception | None = None) -> None:
    store = AlertStore(home / "alerts.db")
    routes = [Route("log", Inbox()), Route("json to team:science", Inbox(error))]
    for number, key in enumerate(keys):
        store.add(make_alert(key), routes, now=NOON.timestamp() + number)
    deliver(store, routes, now=lambda: NOON, sleep=lambda _: None)
    deliver(store, routes, now=lambda: NOON + dt.timedelta(seconds=20), sleep=lambda _: None)


def alerts_of_doctor(home: Path, *, code: int) -> dict[str, Any]:
    checks = json.loads(run(home, "doctor", "--json", code=code).stdout)["checks"]
    (found,) = [check for check in checks if check["part"] == "alerts"]
    return found


def test_a_sample_goes_to_the_log(tmp_path: Path) -> None:
    assert "log: sent" in run(tmp_path, "alerts", "test").stdout
    run(tmp_path, "alerts", "test")
    titles = [json.loads(line)["title"] for line in (tmp_path / "alerts.log").read_text().splitlines()]
    assert titles == ["packaging alerts test: a sample"] * 2


def test_a_sample_is_not_sent_from_a_home_that_is_not_there(tmp_path: Path) -> None:
    refused = run(tmp_path / "mistyped", "alerts", "test", code=1)
    assert refused.stderr.startswith(f"Error: There is no home at {tmp_path / 'mistyped'}: name another (--home, ")
    assert list(tmp_path.iterdir()) == []


def test_a_route_that_fails_is_named_and_is_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packaging_assets.resources.alert_delivery.PAUSES_SECONDS", (0.0,))
    (tmp_path / "settings.toml").write_text(DEAD)
    result = run(tmp_path, "alerts", "test", "--json", code=1)
    outcome = json.loads(result.stdout)
    assert (outcome["log"], bool(outcome["json to team:science"])) == (None, True)
    assert "json to team:science: FAILED: " in run(tmp_path, "alerts", "test", code=1).stdout


def test_list_is_newest_first_and_says_where_each_arrived(tmp_path: Path) -> None:
    keep(tmp_path, "a", "b")
    listed = json.loads(run(tmp_path, "alerts", "list", "--json").stdout)
    assert [(alert["title"], alert["found_at"]) for alert in listed] == [
        ("weekly: b failed for None", "2025-02-10 12:00:01 UTC"),
        ("weekly: a failed for None", "2025-02-10 12:00:00 UTC"),
    ]
    assert listed[1]["routes"] == [
        {"route": "log", "attempts": 1, "sent_at": "2025-02-10 12:00:00 UTC", "error": None},
        {"route": "json to team:science", "attempts": 1, "sent_at": "2025-02-10 12:00:00 UTC", "error": None},
    ]
    text = run(tmp_path, "alerts", "list", "--limit", "1").stdout
    assert text.startswith("2025-02-10 12:00:01 UTC [error] weekly: b failed for None\n- [error] b\n")
    assert text.endswith("Routes: log at 2025-02-10 12:00:20 UTC; json to team:science at 2025-02-10 12:00:20 UTC\n")
    assert run(tmp_path, "alerts", "list", "--unsent").stdout == f"No unsent alerts in {tmp_path}.\n"


def test_list_of_nothing_makes_no_file(tmp_path: Path) -> None:
    assert run(tmp_path, "alerts", "list").stdout == f"No alerts in {tmp_path}.\n"
    assert list(tmp_path.iterdir()) == []


def test_unsent_alerts_say_why(tmp_path: Path) -> None:
    keep(tmp_path, "a", error=UNREACHABLE)
    text = run(tmp_path, "alerts", "list", "--unsent").stdout
    assert text.endswith(
        "Routes: log at 2025-02-10 12:00:00 UTC; json to team:science NOT YET (1 attempts: connection refused)\n"
    )


def test_the_doctor_knows_a_home_without_alerts(tmp_path: Path) -> None:
    found = run(tmp_path, "doctor", "--json", code=0)
    (alerts,) = [check for check in json.loads(found.stdout)["checks"] if check["part"] == "alerts"]
    assert alerts["found"] == "1 route, the log; no alerts yet: the sensor has not run (packaging ui)"


def test_the_doctor_names_a_route_that_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(DEAD)
    keep(tmp_path, "a", "b", error=UNREACHABLE)
    found = alerts_of_doctor(tmp_path, code=1)
    assert found["is_ok"] is False
    assert found["remedy"] == (
        "Correct alert_routes and try them: packaging alerts test. What waits: packaging alerts list --unsent."
    )
    assert found["found"] == (
        "json to team:science cannot be reached: connection refused; 2 alerts wait, next try 2025-02-10 12:00:30 UTC"
    )


def test_the_doctor_names_alerts_that_nobody_sends(tmp_path: Path) -> None:
    AlertStore(tmp_path / "alerts.db").add(make_alert("a"), [Route("log", Inbox())], now=NOON.timestamp())
    found = alerts_of_doctor(tmp_path, code=1)["found"]
    assert found == "log: 1 alert waits and nobody sends: start the daemon (packaging ui)"


def test_the_doctor_names_a_route_that_is_gone_and_a_url_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'[[alert_routes]]\nurl = "pigeon://{SECRET}"\n')
    keep(tmp_path, "a", error=UNREACHABLE)
    found = alerts_of_doctor(tmp_path, code=1)["found"]
    assert "pigeon to everybody: apprise does not understand this pigeon:// URL" in found
    assert "json to team:science: 1 alert waits for a route that the settings no longer have" in found


def test_the_doctor_shows_routes_without_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(DEAD)
    shown = json.loads(run(tmp_path, "doctor", "--json").stdout)["settings"]["alert_routes"]
    assert shown == "(json to team:science (warning, json://**********),)"
    assert "**********" in run(tmp_path, "doctor").stdout
