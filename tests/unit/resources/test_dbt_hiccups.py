"""Which failures of dbt are tried again, and how often."""

from types import SimpleNamespace

import pytest

from packaging_assets.resources import dbt_builder
from packaging_assets.resources.dbt_builder import DbtBuilder
from packaging_assets.resources.dbt_hiccups import PAUSES_SECONDS, will_pass
from packaging_assets.settings import load_settings

CONFLICT = "Database Error in model product_features (models/features/product_features.sql)\n  1023"
LOST = "Runtime Error in model product_features\n  TLS/SSL connection has been closed (EOF) (_ssl.c:2427)"
CUT = (
    "Runtime Error in model product_features\n  BrokenPipe: server socket closed. Please check that client side "
    "networking configurations such as Proxies, firewalls, VPN, etc. are not affecting your network connection."
)
WRONG = 'Database Error in model product_features\n  column "titel" does not exist'
IN_PASSING = "Database Error in model product_features\n  value 1023 out of range"
UPSET = (
    "Database Error in model prediction_outcomes\n  could not complete because of conflict with concurrent transaction",
    "Database Error in model prediction_outcomes\n  table 3380474 dropped by concurrent transaction",
    "Database Error\n  could not open relation with OID 6134794",
    "Database Error in model product_features\n  deadlock detected",
    "Database Error in model product_features\n  1018",
)
"""What Redshift says of a table that another transaction made, replaced or dropped meanwhile."""


def ended(*nodes, exception=None):
    results = [SimpleNamespace(status=status, message=message, node=NODE) for status, message in nodes]
    return SimpleNamespace(
        success=not exception and all(status == "success" for status, _ in nodes),
        exception=exception,
        result=None if exception else SimpleNamespace(results=results),
    )


NODE = SimpleNamespace(unique_id="model.packaging.product_features")
GOOD = ended(("success", "INSERT 0 1"))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ended(("error", CONFLICT)), True),
        (ended(("error", LOST)), True),
        (ended(("error", CUT)), True),
        (ended(("success", ""), ("error", LOST), ("error", CONFLICT)), True),
        (ended(("error", CONFLICT), ("error", WRONG)), False),
        (ended(("error", CONFLICT), ("fail", "Got 3 results, configured to fail if != 0")), False),
        (ended(("error", WRONG)), False),
        (ended(("error", IN_PASSING)), False),
        (ended(("error", None)), False),
        (ended(exception=ConnectionResetError("Connection reset by peer")), True),
        (ended(exception=ValueError("no such selector")), False),
    ],
)
def test_what_passes_is_told_from_what_is_wrong(result, expected):
    assert will_pass(result) is expected


@pytest.mark.parametrize("said", UPSET)
def test_what_another_transaction_upsets_passes(said):
    assert will_pass(ended(("error", said)))
    assert will_pass(ended(exception=RuntimeError(said)))  # of dbt's own look at what there is


def test_a_failure_is_told_in_one_line_with_what_the_database_said():
    said = (
        "Runtime Error in model package_evidence (models/labels/package_evidence.sql)\n  Catalog Error: Table with "
        'name stg_tests does not exist!\n  Did you mean "raw.tests"?\n  \n  LINE 17: select\n           ^^^^\n'
    )
    assert dbt_builder._reason(ended(("error", said), ("success", "INSERT 0 1"), ("fail", None))) == (
        "dbt failed: model.packaging.product_features: Runtime Error in model package_evidence "
        "(models/labels/package_evidence.sql) Catalog Error: Table with name stg_tests does not exist! "
        'Did you mean "raw.tests"?; model.packaging.product_features: '
    )


@pytest.mark.parametrize(
    ("answers", "naps"),
    [
        ([GOOD], []),
        ([ended(("error", CONFLICT)), ended(("error", LOST)), GOOD], list(PAUSES_SECONDS[:2])),
        ([ended(("error", WRONG))], []),
        ([ended(("error", CONFLICT))] * (len(PAUSES_SECONDS) + 1), list(PAUSES_SECONDS)),
    ],
)
def test_only_what_passes_is_tried_again_and_the_last_try_counts(monkeypatch, tmp_path, answers, naps):
    left, slept = list(enumerate(answers)), []

    def invoke(settings, command, *, manifest, on_event):
        number, answer = left.pop(0)
        on_event(number)
        return answer

    monkeypatch.setattr(dbt_builder, "invoke", invoke)
    monkeypatch.setattr(dbt_builder, "parse", lambda _settings: "manifest")
    result, events = DbtBuilder(load_settings(tmp_path), sleep=slept.append)._run(["build"])
    assert (result, events, left, slept) == (answers[-1], [len(answers) - 1], [], naps)


def test_a_project_that_is_edited_between_two_builds_of_a_process_is_parsed_again(monkeypatch, tmp_path):
    """What is built counts as built by the files as they are by then."""
    states, parsed, used = iter(["before", "before", "after", "after"]), iter(["manifest", "new manifest"]), []

    def invoke(settings, command, *, manifest, on_event):
        used.append(manifest)
        return GOOD

    monkeypatch.setattr(dbt_builder, "invoke", invoke)
    monkeypatch.setattr(dbt_builder, "parse", lambda _settings: next(parsed))
    monkeypatch.setattr(dbt_builder, "sources_hash", lambda _project: next(states))
    builder = DbtBuilder(load_settings(tmp_path))
    for _ in range(4):
        builder._run(["build"])
    assert used == ["manifest", "manifest", "new manifest", "new manifest"]
