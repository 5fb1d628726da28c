import getpass
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from packaging_assets.artifacts.fingerprint import FingerprintParts
from packaging_assets.cli.models import models
from packaging_assets.components.model_set import ModelSet, ModelSetError
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.domain.registry import Registration
from packaging_assets.resources.environment import artifact_store_for
from packaging_assets.resources.sqlite_registry import SqliteModelRegistry
from packaging_assets.settings import load_settings


def register(home, week, verdict, *, model="mailer", package_type=None, stage="live", reasons=(), **metrics):
    return SqliteModelRegistry(home / "registry.db").register(
        Registration(
            model=model,
            package_type=package_type or model,
            stage=stage,
            training_week=week,
            fingerprint=f"fingerprint of {week}",
            verdict=verdict,
            artifact_uri=f"{model}/model/{week}/f",
            metrics_uri=f"{model}/metrics/{week}/f",
            content_hash="c1",
            code_version="0.1.0",
            metrics=metrics,
            reasons=reasons,
        )
    )


@pytest.fixture
def home(tmp_path):
    register(tmp_path, "2025-01-06", "approve", pr_auc=0.41234, champion=None)
    register(
        tmp_path,
        "2025-01-13",
        "pending",
        reasons=("Drift of [width_cm] is 0.31, over 0.2.", "Volume is low."),
        pr_auc=0.43,
        champion={"difference": -0.004, "version": 1},
        features=["a"],
        note="held",
    )
    register(tmp_path, "2025-01-06", "reject", model="bag")
    return tmp_path


@pytest.fixture
def run(home):
    def run_command(*arguments, code=0):
        result = CliRunner().invoke(models, [*arguments, "--home", str(home)])
        assert result.exit_code == code, result.output
        return result

    return run_command


def table(printed):
    """The rows of the table, its last heading first; and the lines below it."""
    above, _, below = printed.partition("\n\n")
    rows = [re.split(r" {2,}", line.strip()) for line in above.splitlines() if not line.startswith("─")]
    return rows[1:], below.splitlines()


def test_list_shows_every_version_and_marks_the_champions(run):
    rows, _ = table(run("list").stdout)
    assert rows == [
        ["model", "version", "week", "status", "PR-AUC", "champion"],
        ["bag", "1", "2025-01-06", "Rejected", "-", "-"],
        ["mailer", "1", "2025-01-06", "Approved *", "0.412", "-"],
        ["mailer", "2", "2025-01-13", "Pending", "0.430", "-0.004"],
    ]


def test_list_says_which_serves_where_several_models_of_a_type_have_a_champion(run, home, monkeypatch):
    successor = ModelSpec(name="mailer_words", package_type="mailer", replaces="mailer")
    project = ModelSet.of([ModelSpec(package_type="mailer"), ModelSpec(package_type="bag"), successor])
    monkeypatch.setattr("packaging_assets.components.model_files.load_models", lambda: project)
    assert not [line for line in run("list").stdout.splitlines() if "serves" in line]
    register(home, "2025-01-13", "approve", model="mailer_words", package_type="mailer")
    said = "mailer: mailer_words 1 serves; other champions are of models that do not."
    for narrowed in ((), ("--model", "mailer"), ("--status", "Approved")):
        assert [line for line in run("list", *narrowed).stdout.splitlines() if "serves" in line] == [said]
    assert "serves" not in run("list", "--model", "bag").stdout


def test_list_says_below_the_table_why_versions_are_not_approved(run, home):
    register(home, "2025-01-13", "reject", model="bag", reasons=("No new labels.",))
    register(home, "2025-01-20", "pending", model="box", reasons=("Seen by a person.",))
    SqliteModelRegistry(home / "registry.db").approve("box", 1, actor="ada", reason="fine")
    assert table(run("list").stdout)[1] == [
        "Why not approved",
        "bag 2: No new labels.",
        "mailer 2: Drift of [width_cm] is 0.31, over 0.2. (+1 more)",
        "All reasons of a version: packaging models show MODEL VERSION",
    ]
    assert table(run("list", "--model", "bag").stdout)[1] == ["Why not approved", "bag 2: No new labels."]
    assert table(run("list", "--status", "approved").stdout)[1] == []


def test_list_is_read_whole_in_80_columns(run, home, monkeypatch):
    long = "density_kg_per_l has a population stability index of 0.6531, above the limit of 0.2083 (9,540 rows)."
    register(home, "2025-01-13", "reject", model="mailer_words", package_type="mailer", stage="shadow", reasons=(long,))
    monkeypatch.setattr("packaging_assets.cli.models_output.PIPED_WIDTH", 80)
    printed = run("list").stdout
    rows, below = table(printed)
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    assert rows[-1] == ["mailer_words", "mailer", "1", "2025-01-13", "shadow", "Rejected", "-", "-"]
    assert below[-3:-1] == [
        "mailer_words 1: density_kg_per_l has a population stability index of 0.6531,",
        "  above the limit of 0.2083 (9,540 rows).",
    ]


def test_a_long_name_takes_two_lines_in_80_columns_and_the_rest_stays(run, home, monkeypatch):
    register(home, "2025-01-13", "pending", model="mailer_words_tuned", package_type="mailer", stage="shadow")
    monkeypatch.setattr("packaging_assets.cli.models_output.PIPED_WIDTH", 80)
    rows, _ = table(run("list").stdout)
    name, *others = rows[-2]
    assert others == ["mailer", "1", "2025-01-13", "shadow", "Pending", "-", "-"]
    assert name + rows[-1][0] == "mailer_words_tuned"


def test_list_as_json_is_one_list_and_can_be_narrowed(run):
    everything = json.loads(run("list", "--json").stdout)
    assert [(v["model"], v["version"], v["is_champion"]) for v in everything] == [
        ("bag", 1, False),
        ("mailer", 1, True),
        ("mailer", 2, False),
    ]
    assert [v["version"] for v in json.loads(run("list", "--json", "--model", "mailer").stdout)] == [1, 2]
    pending = json.loads(run("list", "--json", "--status", "pendingmanualapproval").stdout)
    assert json.loads(run("list", "--json", "--status", "Pending").stdout) == pending
    assert [v["reasons"] for v in pending] == [["Drift of [width_cm] is 0.31, over 0.2.", "Volume is low."]]
    assert json.loads(run("list", "--json", "--model", "bag", "--status", "Approved").stdout) == []


def test_shadow_models_are_listed_with_type_and_stage_and_can_be_asked_for(run, home):
    register(home, "2025-01-13", "approve", model="mailer_text", package_type="mailer", stage="shadow", pr_auc=0.5)
    rows, _ = table(run("list").stdout)
    assert rows[0] == ["model", "type", "version", "week", "stage", "status", "PR-AUC", "champion"]
    assert rows[-1] == ["mailer_text", "mailer", "1", "2025-01-13", "shadow", "Pending", "0.500", "-"]
    named = [
        [(version["model"], version["version"]) for version in json.loads(run("list", "--json", *options).stdout)]
        for options in (
            ("--stage", "shadow"),
            ("--package-type", "mailer", "--stage", "live"),
            ("--package-type", "bag"),
        )
    ]
    assert named == [[("mailer_text", 1)], [("mailer", 1), ("mailer", 2)], [("bag", 1)]]
    shown = run("show", "mailer_text", "1").stdout
    assert "package type  mailer" in shown
    assert "stage         shadow" in shown
    refused = run("approve", "mailer_text", "1", "--reason", "good", "--actor", "ada", code=1).stderr
    assert "Version 1 of mailer_text was judged as a shadow" in refused.replace("\n", " ")


def test_show_leaves_out_the_drift_of_each_feature_unless_asked(run, home):
    drift = {"missing": {"brand": {"share": 0.25, "z": 1.5}}, "unseen": {"brand": 0.125}}
    register(home, "2025-01-20", "reject", model="bag", reasons=("Too late.",), pr_auc=0.5, drift=drift)
    lines = run("show", "bag", "2").stdout.splitlines()
    texts = [line.strip() for line in lines]
    assert texts[texts.index("- Too late.") - 1].split() == ["verdict", "reject"]
    assert texts[texts.index("- Too late.") + 1 :][:4] == [
        "",
        "pr_auc  0.5",
        "and 3 figures of the drift of each feature: add --all",
        "",
    ]
    whole = [line.split() for line in run("show", "bag", "2", "--all").stdout.splitlines()]
    figures = [words for words in whole if words and words[0].startswith("drift.")]
    assert figures == [
        ["drift.missing.brand.share", "0.25"],
        ["drift.missing.brand.z", "1.5"],
        ["drift.unseen.brand", "0.125"],
    ]
    assert json.loads(run("show", "bag", "2", "--json").stdout)["metrics"]["drift"] == drift


def test_a_decision_stands_although_the_projects_models_cannot_be_read(run, home, monkeypatch):
    def unreadable():
        raise ModelSetError("two models are called 'mailer'")

    (home / "dagster").mkdir()
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setattr("packaging_assets.champion_events.load_models", unreadable)
    result = run("reject", "mailer", "2", "--reason", "drift", "--actor", "ada")
    assert result.stdout == "mailer version 2 is Rejected.\n"
    assert "The decision is recorded, but Dagster's graph does not show it yet: two models are" in result.stderr


def test_list_of_nothing_says_what_to_do(tmp_path):
    result = CliRunner().invoke(models, ["list", "--home", str(tmp_path / "new")])
    assert result.exit_code == 0
    assert result.stdout == (
        f"There are no model versions in {tmp_path / 'new'} yet; take in data (packaging ingest), or simulate a "
        "retailer (packaging demo).\n"
    )
    assert not (tmp_path / "new").exists()


def test_list_of_nothing_does_not_send_a_home_with_data_to_the_demo(tmp_path):
    (tmp_path / "warehouse.duckdb").touch()
    assert CliRunner().invoke(models, ["list", "--home", str(tmp_path)]).stdout == (
        f"There are no model versions in {tmp_path} yet; train a week: packaging run weekly --partition MONDAY "
        f"--home {tmp_path}.\n"
    )


def test_list_of_none_that_were_asked_for_says_no_more(run, home):
    assert run("list", "--model", "bag", "--status", "Approved").stdout == f"No such model versions in {home}.\n"


def test_show_tells_where_a_version_comes_from_and_why(run):
    text = run("show", "mailer", "2").stdout
    assert "  - Drift of [width_cm] is 0.31, over 0.2.\n" in text
    assert "champion.difference" in text
    assert "features" not in text
    assert "1 -> 1" in text
    assert "Model card" not in text
    assert "mailer 1 (champion)" in run("show", "mailer", "champion").stdout


def commit_card(home, week, **params):
    store = artifact_store_for(load_settings(home))
    with store.scratch() as scratch:
        (scratch / "card").mkdir()
        (scratch / "card" / "card.html").write_text("<p>good</p>")
        parts = FingerprintParts(step="m:f", modules={}, libraries={}, params=params, inputs={})
        card = store.commit("mailer/model_card", week, scratch / "card", parts=parts, provenance={"run_id": "r"})
    return Path(store.locate(card, "card.html"))


def test_show_and_review_tell_where_the_card_of_the_version_is(run, home):
    week = "2025-01-13"
    page = commit_card(home, week, fingerprint=f"fingerprint of {week}")
    assert page.read_text() == "<p>good</p>"
    assert f"Model card: {page}\n" in run("show", "mailer", "2").stdout
    assert json.loads(run("show", "mailer", "2", "--json").stdout)["model_card"] == str(page)
    assert json.loads(run("show", "mailer", "1", "--json").stdout)["model_card"] is None
    run("reject", "mailer", "2", "--reason", "drift", "--actor", "ada")
    decided = run("review", "mailer", "2", "--list").stdout
    assert "mailer version 2, week of 2025-01-13: Rejected\n" in decided
    assert "  - Drift of [width_cm] is 0.31, over 0.2.\n" in decided
    assert f"  model card: {page}\n" in decided


def test_show_as_json_has_the_record(run):
    run("approve", "mailer", "2", "--reason", "new supplier", "--actor", "ada")
    shown = json.loads(run("show", "mailer", "champion", "--json").stdout)
    assert (shown["version"], shown["status"], shown["actor"], shown["verdict"]) == (2, "Approved", "ada", "pending")
    assert shown["metrics"]["champion"] == {"difference": -0.004, "version": 1}
    assert [(line["action"], line["to_champion"]) for line in shown["history"]] == [("register", 1), ("approve", 2)]
    assert shown["history"][1]["reason"] == "new supplier"


def test_nobody_is_sent_to_approve_a_shadow(run, home):
    register(home, "2025-01-06", "approve", model="mailer_text", package_type="mailer", stage="shadow")
    said = run("show", "mailer_text", "champion", code=1).stderr
    assert said == (
        "Error: mailer_text has no champion, since all its versions were judged as shadows, and a shadow never serves: "
        "name one by its number (packaging models list --model mailer_text).\n"
    )


def test_decisions_move_the_champion_and_say_so(run):
    by_ada = ("--reason", "checked by hand", "--actor", "ada")
    said = [
        run("approve", "mailer", "2", *by_ada).stdout,
        run("approve", "mailer", "2", *by_ada).stdout,
        run("pin", "mailer", "2", *by_ada).stdout,
        run("pin", "mailer", "1", *by_ada).stdout,
        run("pin", "mailer", "1", *by_ada).stdout,
        run("unpin", "mailer", *by_ada).stdout,
        run("reject", "mailer", "2", *by_ada).stdout,
        run("reject", "mailer", "1", *by_ada).stdout,
        run("unpin", "mailer", *by_ada).stdout,
    ]
    assert said == [
        "mailer version 2 is Approved, and is the champion.\n",
        "mailer version 2 stays Approved.\n",
        "mailer is pinned; its champion is version 2 (2025-01-13).\n",
        "mailer is pinned; its champion is version 1 (2025-01-06).\n",
        "mailer is pinned; its champion is version 1 (2025-01-06).\n",
        "mailer is not pinned; its champion is version 2 (2025-01-13).\n",
        "mailer version 2 is Rejected.\n",
        "mailer version 1 is Rejected.\n",
        "mailer is not pinned; no version of it is approved.\n",
    ]


def test_decisions_as_json_print_the_version_as_it_is_now(run):
    by_ada = ("--reason", "checked by hand", "--actor", "ada", "--json")
    assert json.loads(run("reject", "mailer", "2", *by_ada).stdout)["status"] == "Rejected"
    assert json.loads(run("approve", "mailer", "2", *by_ada).stdout)["is_champion"] is True
    assert json.loads(run("pin", "mailer", "1", *by_ada).stdout)["is_champion"] is True
    unpinned = json.loads(run("unpin", "mailer", *by_ada).stdout)
    assert (unpinned["model"], unpinned["champion"]["version"]) == ("mailer", 2)


def test_the_actor_is_the_login_name_unless_given(run, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "grace")
    run("reject", "mailer", "2", "--reason", "drift")
    assert json.loads(run("show", "mailer", "2", "--json").stdout)["actor"] == "grace"

    def nobody():
        raise OSError("no username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert "say who decides with --actor NAME" in run("approve", "mailer", "2", "--reason", "x", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["list", "--model", "sack"], 1, "There is no model 'sack' in"),
        (["list", "--model", "sack"], 1, "known models: bag, mailer."),
        (["show", "sack", "champion"], 1, "known models: bag, mailer."),
        (["show", "sack", "1"], 1, "known models: bag, mailer."),
        (["unpin", "sack", "--reason", "x"], 1, "known models: bag, mailer."),
        (["show", "mialer", "1"], 1, "; did you mean 'mailer'?"),
        (["approve", "mialer", "1", "--reason", "x"], 1, "; did you mean 'mailer'?"),
        (["pin", "mialer", "1", "--reason", "x"], 1, "; did you mean 'mailer'?"),
        (["roll-back", "mialer", "1", "--reason", "x"], 1, "; did you mean 'mailer'?"),
        (["list", "--model", "mialer"], 1, "; did you mean 'mailer'?"),
        (["show", "box", "1"], 1, " yet, since it was never trained; take in data (packaging ingest), or "),
        (["show", "mailer", "7"], 1, "mailer has no version 7: it has 1 to 2"),
        (["show", "bag", "champion"], 1, "bag has no champion, since none of its versions is approved"),
        (["show", "mailer", "newest"], 2, "'newest' is neither a version's number nor 'champion'"),
        (["show", "mailer", "9" * 18], 1, f"mailer has no version {'9' * 18}: it has 1 to 2"),
        (["show", "mailer", "9" * 5000], 2, "9' is neither a version's number nor 'champion'"),
        (["compare", "mailer:1", "mailer:" + "9" * 5000], 2, "9' is neither a version's number nor 'champion'"),
        (["approve", "mailer", "2"], 2, "--reason"),
        (["approve", "mailer", "0", "--reason", "x"], 2, "0 is not in the range"),
        (["approve", "mailer", "2", "--reason", " "], 1, "needs a written reason"),
        (["approve", "mailer", "2", "--reason", "x", "--actor", "gates"], 1, "'gates' cannot approve"),
        (["pin", "mailer", "2", "--reason", "x", "--actor", "ada"], 1, "only an Approved version can be pinned"),
        (["list", "--status", "Good"], 2, "'Good' is not one of"),
    ],
)
def test_an_error_is_one_sentence_on_stderr(run, arguments, code, said):
    result = run(*arguments, code=code)
    assert said in result.stderr.replace("\n", " ")
    assert result.stdout == ""


def test_a_decision_that_came_too_late_is_told(run, home, monkeypatch):
    class Slow(SqliteModelRegistry):
        """Between this person's look and their decision, another decides."""

        def get(self, model, version):
            found = super().get(model, version)
            SqliteModelRegistry(home / "registry.db").reject(model, version, actor="bob", reason="drift")
            return found

    monkeypatch.setattr(
        "packaging_assets.cli.models_options.open_registry", lambda settings: Slow(settings.registry_path)
    )
    result = run("approve", "mailer", "2", "--reason", "fine", "--actor", "ada", code=1)
    assert "no longer PendingManualApproval: bob made it Rejected" in result.stderr


@pytest.mark.parametrize(
    "name", [None, "list", "show", "approve", "reject", "pin", "unpin", "roll-back", "undo", "review", "compare"]
)
def test_help_teaches_by_an_example(name):
    result = CliRunner().invoke(models, [*([name] if name else []), "--help"])
    assert result.exit_code == 0
    assert "Example:\n" in result.stdout
    assert "packaging models " in result.stdout.partition("Example:")[2]


def test_a_home_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "settings.toml").write_text("threads = 0\n")
    result = CliRunner().invoke(models, ["list", "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert "threads = 0" in result.stderr
