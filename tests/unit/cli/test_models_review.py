"""`packaging models review`, `roll-back` and `undo`."""

import getpass
import json

import dagster as dg
import pytest
from click.testing import CliRunner
from test_models_command import register

from packaging_assets import champion_events
from packaging_assets.cli.models import models
from packaging_assets.components.assets.champion import DATA_VERSION_TAG
from packaging_assets.home import prepare_home
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.settings import load_settings

BY_ADA = ("--reason", "checked by hand", "--actor", "ada")
KEY = dg.AssetKey(["mailer", "champion"])


@pytest.fixture
def home(tmp_path):
    register(tmp_path, "2025-01-06", "approve", pr_auc=0.41)
    register(
        tmp_path, "2025-01-13", "pending", reasons=("Volume is low.",), pr_auc=0.43, champion={"difference": -0.004}
    )
    register(tmp_path, "2025-01-13", "pending", model="bag", reasons=("Drift.",))
    return tmp_path


@pytest.fixture
def run(home):
    def run_command(*arguments, code=0, answers=None):
        result = CliRunner().invoke(models, [*arguments, "--home", str(home)], input=answers)
        assert result.exit_code == code, result.output
        return result

    return run_command


def registry_of(home):
    return SqliteModelRegistry(home / "registry.db")


def statuses(home):
    return [(version.model, version.version, version.status.value) for version in registry_of(home).versions()]


def test_what_waits_is_listed_with_its_reasons_and_how_to_decide(run, home):
    text = run("review").stdout
    assert "mailer version 2, week of 2025-01-13: PendingManualApproval" in text
    assert "PR-AUC 0.4300, to champion -0.0040" in text
    assert "  - Volume is low.\n" in text
    assert f'packaging models review bag 1 --approve --reason "..." --home {home}  (or --reject)' in text
    assert "bag version" not in run("review", "mailer").stdout


def test_a_brand_in_a_reason_makes_no_line_of_its_own_and_commands_no_terminal(run, home):
    register(home, "2025-01-20", "pending", reasons=("brand A\n  - forged\x1b[2J: worse.",))
    registry_of(home).reject("mailer", 3, actor="ada", reason="seen\x1b[2J")

    texts = [run(*command).stdout for command in (["review", "mailer", "3"], ["list"], ["show", "mailer", "3"])]

    assert "\n  - brand A - forged [2J: worse.\n" in texts[0]
    assert "mailer 3: brand A - forged [2J: worse.\n" in texts[1]
    assert "\n  - brand A - forged [2J: worse.\n" in texts[2]
    assert "seen [2J" in texts[2]
    assert "\x1b" not in "".join(texts)


def test_a_shadow_waits_for_nobody(home, run):
    register(home, "2025-01-13", "approve", model="mailer_text", package_type="mailer", stage="shadow")
    assert ("mailer_text", 1, "PendingManualApproval") in statuses(home)
    assert "mailer_text" not in run("review").stdout
    shown = run("review", "mailer_text", "1", "--list").stdout
    assert "mailer_text version 1" in shown
    assert "Decide:" not in shown


def test_a_version_that_was_decided_is_shown_without_asking_to_decide(run):
    run("review", "bag", "1", "--reject", *BY_ADA)
    shown = run("review", "bag", "1", "--list").stdout
    assert "bag version 1, week of 2025-01-13: Rejected\n" in shown
    assert "Decide:" not in shown


def test_the_list_as_json_names_the_card(run):
    listed = json.loads(run("review", "--json").stdout)
    assert [(item["model"], item["version"], item["model_card"]) for item in listed] == [
        ("bag", 1, None),
        ("mailer", 2, None),
    ]


def test_nothing_to_review_is_said(run, home):
    run("review", "mailer", "2", "--reject", *BY_ADA)
    run("review", "bag", "1", "--approve", *BY_ADA)
    assert run("review").stdout == (
        "Nothing waits for a person.\n"
        f"To look at a version that was decided: packaging models review MODEL VERSION --list --home {home}\n"
    )
    assert run("review", "mailer").stdout.endswith(f" mailer VERSION --list --home {home}\n")


def test_a_decision_by_flags_is_recorded_under_its_name_and_reason(run, home):
    assert run("review", "mailer", "2", "--approve", *BY_ADA).stdout == (
        "mailer version 2 is Approved, and is the champion.\n"
    )
    line = registry_of(home).history("mailer")[-1]
    assert (line.actor, line.reason, line.from_champion, line.to_champion) == ("ada", "checked by hand", 1, 2)


def test_answers_decide_one_after_the_other(run, home, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "grace")
    run("review", "--interactive", answers="reject\ntoo little data\nskip\n")
    assert statuses(home) == [
        ("bag", 1, "Rejected"),
        ("mailer", 1, "Approved"),
        ("mailer", 2, "PendingManualApproval"),
    ]
    line = registry_of(home).history("bag")[-1]
    assert (line.actor, line.reason) == ("grace", "too little data")


def test_what_another_decided_while_one_was_reading_is_told_and_left_alone(run, home, monkeypatch):
    class Watched(SqliteModelRegistry):
        """Between the list and the answer, somebody else rejects."""

        def versions(self, model=None, status=None):
            found = super().versions(model, status)
            SqliteModelRegistry(home / "registry.db").reject("bag", 1, actor="bob", reason="drift")
            return found

    monkeypatch.setattr(
        "packaging_assets.cli.models_options.open_registry", lambda settings: Watched(settings.registry_path)
    )
    result = run("review", "--interactive", "--actor", "ada", answers="approve\nfine\napprove\nfine\n")
    assert "no longer PendingManualApproval: bob made it Rejected" in result.stderr
    assert statuses(home)[0] == ("bag", 1, "Rejected")
    assert statuses(home)[2] == ("mailer", 2, "Approved")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["review", "--approve", "--reason", "x"], 2, "needs a model and a version"),
        (["review", "mailer", "2", "--approve"], 2, "needs a --reason"),
        (["review", "mailer", "2", "--approve", "--reject", *BY_ADA], 2, "Give one of --approve, --reject, "),
        (["review", "mailer", "2", "--list", "--approve", *BY_ADA], 2, "Give one of --approve, --reject, "),
        (["review", "sack"], 1, "known models: bag, mailer"),
        (["review", "mailer", "9"], 1, "mailer has no version 9"),
        (["roll-back", "mailer", "1", *BY_ADA], 1, "No approved version of mailer served before version 1"),
        (["undo", "sack", *BY_ADA], 1, "known models: bag, mailer"),
        (["undo", "mailer", "--reason", "x", "--actor", "gates"], 1, "'gates' cannot undo"),
    ],
)
def test_an_error_is_one_sentence_and_nothing_is_decided(run, arguments, code, said):
    assert said in run(*arguments, code=code).stderr.replace("\n", " ")
    assert json.loads(run("show", "mailer", "2", "--json").stdout)["decisions_about_model"] == 0


def test_rolling_back_and_undoing_say_what_serves(run):
    run("approve", "mailer", "2", *BY_ADA)
    said = [
        run("roll-back", "mailer", "2", *BY_ADA).stdout,
        run("roll-back", "mailer", "2", *BY_ADA).stdout,
        run("undo", "mailer", *BY_ADA).stdout,
        run("undo", "mailer", *BY_ADA).stdout,
    ]
    assert said == [
        "mailer is rolled back and pinned; its champion is version 1 (2025-01-06).\n",
        "version 2 of mailer did not serve; its champion is version 1 (2025-01-06).\n",
        "the decision 'roll-back' about version 1 is undone; its champion is version 2 (2025-01-13).\n",
        "there is nothing to undo; its champion is version 2 (2025-01-13).\n",
    ]
    assert json.loads(run("undo", "mailer", *BY_ADA, "--json").stdout)["champion"]["version"] == 2


def recorded(home):
    """Data versions of the champion as Dagster was told, oldest first."""
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        records = instance.fetch_materializations(KEY, limit=10, ascending=True).records
        return [record.asset_materialization.tags[DATA_VERSION_TAG] for record in records]


def test_the_graph_is_told_of_every_move_of_the_champion_and_of_nothing_else(run, home):
    prepare_home(load_settings(home))
    run("approve", "mailer", "2", *BY_ADA)
    run("approve", "mailer", "2", *BY_ADA)
    run("pin", "mailer", "1", *BY_ADA)
    run("undo", "mailer", *BY_ADA)
    run("reject", "mailer", "2", *BY_ADA)
    run("reject", "mailer", "1", *BY_ADA)
    assert recorded(home) == ["2", "1", "2", "1", "none"]


def test_a_home_without_dagster_stays_without(run, home):
    run("approve", "mailer", "2", *BY_ADA)
    assert not (home / "dagster").exists()


def test_an_announcement_that_was_cut_off_is_made_by_the_same_decision_again(run, home):
    registry_of(home).approve("mailer", 2, actor="ada", reason="checked by hand")  # and the process dies here
    prepare_home(load_settings(home))
    run("review", "mailer", "2", "--approve", *BY_ADA)
    assert recorded(home) == ["2"]
    assert len(registry_of(home).history("mailer")) == 3


def test_of_two_decisions_at_once_the_graph_shows_what_both_come_to(run, home, monkeypatch):
    prepare_home(load_settings(home))
    opened = champion_events.open_instance

    def while_somebody_else_decides(folder):
        monkeypatch.setattr(champion_events, "open_instance", opened)
        run("pin", "mailer", "1", *BY_ADA)
        return opened(folder)

    monkeypatch.setattr(champion_events, "open_instance", while_somebody_else_decides)
    run("approve", "mailer", "2", *BY_ADA)
    assert recorded(home) == ["1", "2", "1"]
    assert json.loads(run("show", "mailer", "champion", "--json").stdout)["version"] == 1
