"""Every incident that the simulator can inject, end to end: what catches it, what becomes of the week, who is told.

`docs/incidents.md` shows this table to readers.
"""

import fcntl
from pathlib import Path
from typing import NamedTuple

import pytest
from incident_runs import MODELS, WEEK, Aftermath, IncidentHome

from packaging_assets.domain.gates import CHECKS
from packaging_assets.simulator.incidents import INCIDENTS

ROOT = Path(__file__).parents[2]

# 8,000 products are too few to decide on PR-AUC without a person, whatever happens: with or without an incident.
OF_FEW_ROWS = {"enough_minority_rows", "pr_auc_not_below_champion", "no_slice_is_worse_than_champion"}


class Case(NamedTuple):
    """What must become of an incident: which check catches it for every model, how gravely, and the verdict."""

    incident: str
    caught_by: str
    severity: str
    verdict: str
    is_load_stopped: bool


CASES = (
    Case("cm_to_inch:0.1", "density_is_stable", "WARN", "pending", is_load_stopped=False),
    Case("cm_to_inch:0.3", "density_is_stable", "ERROR", "reject", is_load_stopped=True),
    Case("null_column:0.3", "no_column_went_missing", "ERROR", "reject", is_load_stopped=True),
    Case("foreign_titles:0.3", "title_words_are_known", "ERROR", "reject", is_load_stopped=True),
    Case("embedding_zeroed:0.3", "feature_distributions_are_stable", "ERROR", "reject", is_load_stopped=True),
    Case("unseen_categories:0.3", "categories_are_known", "ERROR", "reject", is_load_stopped=True),
    Case("label_rate_shift:0.3", "label_rate_is_stable", "ERROR", "reject", is_load_stopped=False),
    Case("volume_halved:0.5", "label_volume_is_usual", "ERROR", "reject", is_load_stopped=False),
    Case("late_delivery", "label_volume_is_usual", "ERROR", "reject", is_load_stopped=False),
)
NOT_CAUGHT_BY_GATES = {"missing_column", "duplicated_delivery"}


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> IncidentHome:
    """The first week's home, run once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    root = base if worker_id == "master" else base.parent
    home = IncidentHome(tmp_path_factory.mktemp("incident"), root / "first_week")
    with (root / "first_week.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "first_week").exists():
            home.prepare_base()
    return home


def told(aftermath: Aftermath) -> str:
    """Everything that people are told."""
    return "\n".join(f"{alert.title}\n{alert.body}" for alert in aftermath.alerts)


def assert_the_old_champion_serves(aftermath: Aftermath) -> None:
    assert aftermath.champions == dict.fromkeys(MODELS, 1)
    assert aftermath.served_by == dict.fromkeys(MODELS, (1,))


def test_the_table_has_every_incident_there_is() -> None:
    assert {case.incident.partition(":")[0] for case in CASES} | NOT_CAUGHT_BY_GATES == set(INCIDENTS)
    assert {case.caught_by for case in CASES} <= {check.name for check in CHECKS}


def test_a_week_without_incident_fails_no_gate_but_those_of_few_rows(home: IncidentHome) -> None:
    quiet = home.suffer("")
    assert quiet.refused == ()
    assert set(quiet.fired) <= {f"{model}/metrics" for model in MODELS}
    assert all(set(quiet.gates(model)) <= OF_FEW_ROWS for model in MODELS)
    assert quiet.verdicts == dict.fromkeys(MODELS, "pending")
    assert not quiet.is_load_stopped


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.incident)
def test_the_incident_is_caught_and_the_old_champion_serves(home: IncidentHome, case: Case) -> None:
    aftermath = home.suffer(case.incident)
    for model in MODELS:
        assert aftermath.gates(model).get(case.caught_by) == case.severity, model
    assert aftermath.verdicts == dict.fromkeys(MODELS, case.verdict)
    assert_the_old_champion_serves(aftermath)
    assert aftermath.is_load_stopped == case.is_load_stopped
    assert case.caught_by in told(aftermath)
    decision = "rejected" if case.verdict == "reject" else "waits for review"
    assert f"box, mailer {decision}" in told(aftermath)


def test_a_file_that_lacks_a_column_is_refused_and_the_week_goes_on_without_it(home: IncidentHome) -> None:
    aftermath = home.suffer("missing_column")
    (message,) = aftermath.refused
    assert f"{WEEK}/products.parquet: lacks the column weight_kg" in message
    # The tests of products that did not arrive have nothing to belong to; the warehouse says so.
    assert aftermath.fired["package_evidence"] == {"package_evidence_is_of_known_products": "WARN"}
    assert all(set(aftermath.gates(model)) <= OF_FEW_ROWS for model in MODELS)
    assert "package_evidence_is_of_known_products" in told(aftermath)
    assert_the_old_champion_serves(aftermath)


def test_files_delivered_twice_change_nothing(home: IncidentHome) -> None:
    aftermath, quiet = home.suffer("duplicated_delivery"), home.suffer("")
    assert aftermath.refused == ()
    assert aftermath.content == quiet.content
    assert aftermath.fired == quiet.fired
    assert aftermath.verdicts == quiet.verdicts
    assert aftermath.served_by == quiet.served_by


def test_the_page_for_readers_has_the_same_table() -> None:
    page = (ROOT / "docs" / "incidents.md").read_text(encoding="utf-8")
    for case in CASES:
        kind, _, share = case.incident.partition(":")
        size = f"{float(share):.0%}" if share else "all"
        load = "stopped" if case.is_load_stopped else "goes on"
        row = f"| `{kind}` | {size} | `{case.caught_by}` | {case.severity} | {case.verdict} | {load} |"
        assert row in page, row
