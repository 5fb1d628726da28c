import pytest
from hypothesis import given
from hypothesis import strategies as st

from packaging_assets.domain.alerts import (
    Alert,
    Failure,
    check_key,
    run_key,
    sample_alert,
    without_told_reasons,
)

SCIENCE, DATA = "team:packaging-science", "team:packaging-data"


def check(name: str, model: str = "bag", severity: str = "error", **fields: object) -> Failure:
    given = {
        "key": check_key("r1", f"{model}/metrics", name, "2025-02-03"),
        "kind": "check",
        "severity": severity,
        "headline": name,
        "sentence": f"{name}: too high.",
        "subject": f"{model}/metrics",
        "model": model,
        "partition": "2025-02-03",
        "owners": (SCIENCE,),
    }
    return Failure.model_validate(given | fields)


def decision(model: str, headline: str, **fields: object) -> Failure:
    given = {
        "key": run_key("r1", "model", model, "2025-02-03"),
        "kind": "model",
        "severity": "error" if headline == "rejected" else "warning",
        "headline": headline,
        "sentence": f"version 5 is {headline}.",
        "subject": model,
        "model": model,
        "partition": "2025-02-03",
        "owners": (SCIENCE,),
    }
    return Failure.model_validate(given | fields)


def run_failed(step: str = "labels") -> Failure:
    return Failure(
        key=run_key("r1", "failed", step),
        kind="run",
        severity="error",
        headline="the run failed",
        sentence="ValueError: no rows",
        subject=step,
        owners=(DATA,),
    )


def alert(*failures: Failure) -> Alert:
    return Alert(subject="weekly_training 2025-02-03", failures=failures, run_url="http://ui/runs/r1")


def test_a_title_names_models_in_one_order_whichever_was_judged_first() -> None:
    assert alert(decision("sioc", "rejected"), decision("bag", "rejected")).title.endswith(": bag, sioc rejected")


def test_a_failure_is_one_line_whatever_the_brand_that_it_names() -> None:
    brand = "Acme\n- [error] box: forged\x1b[2J\u2028Owner: nobody"
    told = "Acme - [error] box: forged [2J Owner: nobody"
    message = alert(
        check("no_slice_is_worse_than_champion", sentence=f"brand {brand}."),
        decision("bag", "rejected", reasons=(f"slices: brand {brand}.",)),
    )
    assert message.lines == (
        "- [error] bag, 2025-02-03: version 5 is rejected.",
        f"  - slices: brand {told}.",
        f"- [error] bag/metrics, 2025-02-03: brand {told}.",
        "Owner: team:packaging-science",
        "Run: http://ui/runs/r1",
        f"Alert: {message.key}",
    )


def test_several_failures_of_a_run_are_one_message_in_exactly_these_words() -> None:
    message = alert(
        check("density_is_stable", value=0.46662, limit=0.2055, remedy="Look at the units."),
        check("scores_are_calibrated", severity="warning", value=13_499.0),
        decision("bag", "rejected", reasons=("a: b",), model_card="/home/bag.html"),
        decision("sioc", "pending review"),
        decision("box", "rejected"),
        run_failed(),
    )
    assert message.title == (
        "weekly_training 2025-02-03: the run failed; bag, box rejected; sioc pending review; "
        "2 checks failed, 1 of them with a warning"
    )
    assert message.body == (
        "- [error] labels: ValueError: no rows Owner: team:packaging-data.\n"
        "- [error] bag, 2025-02-03: version 5 is rejected. Owner: team:packaging-science.\n"
        "  - a: b\n"
        "  model card: /home/bag.html\n"
        "- [error] bag/metrics, 2025-02-03: density_is_stable: too high. (value 0.4666, limit 0.2055) "
        "Owner: team:packaging-science.\n"
        "  remedy: Look at the units.\n"
        "- [warning] bag/metrics, 2025-02-03: scores_are_calibrated: too high. (value 13,499) "
        "Owner: team:packaging-science.\n"
        "- [error] box, 2025-02-03: version 5 is rejected. Owner: team:packaging-science.\n"
        "- [warning] sioc, 2025-02-03: version 5 is pending review. Owner: team:packaging-science.\n"
        "Owner: team:packaging-data, team:packaging-science\n"
        "Run: http://ui/runs/r1\n"
        f"Alert: {message.key}"
    )
    assert (message.severity, message.owners) == ("error", (DATA, SCIENCE))
    assert message.model_cards == ("/home/bag.html",)


@pytest.mark.parametrize(
    ("failures", "headline"),
    [
        ([check("density_is_stable")], "density_is_stable failed for bag/metrics"),
        ([check("a"), check("b")], "2 checks failed"),
        ([check("a", severity="warning"), check("b", severity="warning")], "2 checks failed with a warning"),
        ([run_failed("a"), run_failed("b")], "the run failed"),
    ],
)
def test_the_title_counts_what_there_is_several_of(failures: list[Failure], headline: str) -> None:
    assert alert(*failures).title == f"weekly_training 2025-02-03: {headline}"


def test_what_several_steps_of_a_run_failed_by_is_told_once_with_their_names() -> None:
    other = run_failed("model").model_copy(update={"sentence": "ValueError: too few rows"})
    message = alert(run_failed("labels"), run_failed("features"), other)
    assert len(message.failure_keys) == 3
    told = [line for line in message.lines if line.startswith("-")]
    assert told == [
        "- [error] labels, features: ValueError: no rows",
        "- [error] model: ValueError: too few rows",
    ]


def test_one_owner_is_named_once() -> None:
    body = alert(check("a"), check("b")).body
    assert body.count(SCIENCE) == 1


def test_a_long_message_is_cut_and_says_by_how_much() -> None:
    lines = alert(*(check(f"check_{number}") for number in range(42))).lines
    assert [line for line in lines if line.startswith("- [error]")] == [
        f"- [error] bag/metrics, 2025-02-03: check_{number}: too high." for number in range(30)
    ]
    assert lines[30] == "- and 12 more: see the run"


def test_what_is_cut_is_the_least_grave() -> None:
    warnings = [check(f"check_{number}", severity="warning") for number in range(40)]
    lines = alert(*warnings, check("density_is_stable", "box"), decision("sioc", "rejected")).lines
    assert len([line for line in lines if line.startswith("- [warning]")]) == 28
    assert [line for line in lines if line.startswith("- [error]")] == [
        "- [error] box/metrics, 2025-02-03: density_is_stable: too high.",
        "- [error] sioc, 2025-02-03: version 5 is rejected.",
    ]


def test_a_figure_that_could_not_be_computed_is_shown_as_such() -> None:
    assert "(value nan, limit 1)" in alert(check("a", value=float("nan"), limit=1.0)).body


def test_a_message_about_warnings_only_is_a_warning() -> None:
    assert alert(check("a", severity="warning")).severity == "warning"


def test_keys_are_run_check_and_partition() -> None:
    assert check_key("r1", "bag/metrics", "density_is_stable", "2025-02-03") == (
        "run:r1:check:bag/metrics:density_is_stable:2025-02-03"
    )
    assert check_key("r1", "raw/products", "a", None) == "run:r1:check:raw/products:a:-"


@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_failures_does_not_change_which_message_it_is(names: list[str]) -> None:
    assert alert(*(check(name) for name in names)).key == alert(check("a"), check("b"), check("c")).key


def test_what_is_known_is_left_out_and_nothing_new_is_no_message() -> None:
    message = alert(check("a"), check("b"))
    (first, second) = message.failure_keys
    left = message.without({first})
    assert left is not None
    assert (left.failure_keys, left.key != message.key) == ((second,), True)
    assert message.without({first, second}) is None


def test_a_reason_that_a_failed_check_tells_is_not_told_twice() -> None:
    told, untold = "density_is_stable: PSI is 0.4.", "label_rate_is_stable: z is 9."
    *_, model = without_told_reasons([check("density_is_stable"), decision("bag", "rejected", reasons=(told, untold))])
    assert model.reasons == (untold,)
    *_, other = without_told_reasons([check("density_is_stable"), decision("box", "rejected", reasons=(told,))])
    assert other.reasons == (told,)


def test_an_alert_survives_being_stored() -> None:
    message = alert(check("a", value=1.5), decision("bag", "rejected", reasons=("x",)))
    assert Alert.model_validate_json(message.model_dump_json()) == message


def test_a_sample_says_that_nothing_is_wrong() -> None:
    sample = sample_alert(SCIENCE, "error", "2025-02-03T04:05:06+00:00")
    assert sample.title == "packaging alerts test: a sample"
    assert sample.lines[0] == (
        "- [error] Nothing is wrong: somebody tried out this route at 2025-02-03T04:05:06+00:00. (value 0, limit 1)"
    )
    assert sample.severity == "error"


def test_an_owner_is_given_to_what_nobody_answers_for() -> None:
    owned = alert(check("psi"), check("rows", owners=())).with_owner(DATA)

    assert {failure.headline: failure.owners for failure in owned.failures} == {"psi": (SCIENCE,), "rows": (DATA,)}
