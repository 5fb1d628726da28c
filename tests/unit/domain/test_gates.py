import copy
import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from packaging_assets.domain.gate_policy import DEFAULT_POLICY, GatePolicy
from packaging_assets.domain.gates import CHECKS, judge
from packaging_assets.domain.label_changes import MAX_VOLUME_WEEKS, compare_volume
from packaging_assets.domain.verdicts import CheckOutcome, Verdict


def slice_row(dimension: str, value: str, relative_change: float, p_value_holm: float = 0.8) -> dict[str, Any]:
    return {
        "dimension": dimension,
        "value": value,
        "rows": 300,
        "minority_rows": 40,
        "relative_change": relative_change,
        "z": 10 * relative_change,
        "p_value_holm": p_value_holm,
    }


GOOD: dict[str, Any] = {
    "is_first_model": False,
    "validation_rows": 4000,
    "minority_rows": 500,
    "evaluation": {"source": "random_tests", "sentence": "The rows that judge are the random tests."},
    "slices": {"rows": [slice_row("category", "toys", 0.01), slice_row("brand", "Acme", -0.01)]},
    "scores": {"psi": 0.001, "rows": 4000, "reference_rows": 3900},
    "pr_auc": 0.70,
    "pr_auc_standard_error": 0.02,
    "constant_baseline": {"pr_auc": 0.125},
    "calibration": {"expected": 505.0, "observed": 500, "ratio": 0.99, "z": -0.3},
    "champion": {"version": 3, "difference": 0.001, "standard_error": 0.003},
    "label_rate": {"candidate": 0.88, "champion": 0.875, "rows": 16_000, "logit_difference": 0.05, "z": 1.5},
    "volume": {"rows": 240, "weeks": 4, "median": 236.0, "log_ratio": 0.017, "z": 0.2},
    "columns_without_values": [],
    "drift": {
        "rows": 16_000,
        "reference_rows": 12_000,
        "psi": {"density_kg_per_l": 0.001, "weight_kg": 0.002},
        "missing": {
            "weight_kg": {"share": 0.03, "reference_share": 0.029, "increase": 0.001, "z": 0.6},
            "density_kg_per_l": {"share": 0.03, "reference_share": 0.029, "increase": 0.001, "z": 0.6},
            "brand": {"share": 0.0, "reference_share": 0.0, "increase": 0.0, "z": 0.0},
            "category": {"share": 0.0, "reference_share": 0.0, "increase": 0.0, "z": 0.0},
        },
        "unseen": {
            "brand": {"share": 0.01, "expected_share": 0.008, "excess": 0.002},
            "category": {"share": 0.0, "expected_share": 0.0, "excess": 0.0},
        },
        "title_words": {"share": 0.01, "expected_share": 0.008, "excess": 0.002, "examples": ["zinc"]},
    },
    "leakage": {"shared_products": 0, "average_precision": 0.70, "max_feature_auc": 0.8, "feature": "weight_kg"},
}
FIRST_MODEL = {**GOOD, "is_first_model": True} | dict.fromkeys(("champion", "label_rate", "drift", "slices", "scores"))
NOISE = 30 * (1 / 15_520 + 1 / 11_652)  # of the rows with a value
SCORE_NOISE = 30 * (1 / 4000 + 1 / 3900)
MISSING_NOISE = 16 / 16_000
SHARE_NOISE = 3.29 * math.sqrt(0.008 * 0.992 / 16_000) + 3.29**2 / 16_000


COMPARED_ON_ENOUGH_ROWS = ("pr_auc_not_below_champion", "no_slice_is_worse_than_champion")


def changed(metrics: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(metrics)
    *parents, last = path.split("/")
    place = copied
    for parent in parents:
        place = place[parent]
    place[last] = value
    return copied


def check(verdict: Verdict, name: str) -> CheckOutcome:
    return next(check for check in verdict.checks if check.name == name)


def leaves(metrics: dict[str, Any], prefix: str = "") -> list[str]:
    """Paths of everything in the metrics that is not a map, and of the maps themselves."""
    paths: list[str] = []
    for key, value in metrics.items():
        paths.append(prefix + key)
        if isinstance(value, dict):
            paths += leaves(value, f"{prefix}{key}/")
    return paths


def test_a_good_candidate_passes_every_check():
    verdict = judge(GOOD, DEFAULT_POLICY)

    assert verdict.outcome == "approve"
    assert [outcome.name for outcome in verdict.checks] == [definition.name for definition in CHECKS]
    assert all(outcome.is_passed for outcome in verdict.checks)
    assert (verdict.failures, verdict.warnings) == ((), ())


def test_a_first_model_is_judged_without_a_champion():
    verdict = judge(FIRST_MODEL, DEFAULT_POLICY)

    assert verdict.outcome == "approve"
    for name in ("pr_auc_not_below_champion", "label_rate_is_stable", "density_is_stable", "categories_are_known"):
        assert "no champion" in check(verdict, name).sentence


def test_a_champion_that_got_lost_is_not_a_first_model():
    verdict = judge(changed(GOOD, "champion", None), DEFAULT_POLICY)

    assert verdict.outcome == "reject"
    assert verdict.failures == ("pr_auc_not_below_champion: Evidence is missing: the metrics lack champion.",)


@pytest.mark.parametrize(
    ("difference", "standard_error", "minority_rows", "outcome", "severity"),
    [
        (0.0, 0.0, 500, "approve", "ERROR"),
        (0.0, 0.006, 500, "approve", "ERROR"),  # at worst -.00987
        (0.0, 0.0062, 500, "pending", "WARN"),  # at worst -.0102
        (-0.009, 0.0, 500, "reject", "ERROR"),
        (-0.020, 0.009, 500, "reject", "ERROR"),  # at best -.0052
        (-0.020, 0.0092, 500, "pending", "WARN"),  # at best -.0049
        (-0.020, 0.009, 400, "reject", "ERROR"),
        (-0.020, 0.009, 399, "pending", "WARN"),
        (-0.005, 0.0, 500, "approve", "ERROR"),
        (0.05, 0.001, 399, "pending", "ERROR"),  # the comparison passes, there are too few rows to trust it
    ],
)
def test_the_paired_verdict(difference: float, standard_error: float, minority_rows: int, outcome: str, severity: str):
    metrics = changed(GOOD, "champion/difference", difference)
    metrics = changed(metrics, "champion/standard_error", standard_error)

    verdict = judge(changed(metrics, "minority_rows", minority_rows), DEFAULT_POLICY)

    assert verdict.outcome == outcome
    assert check(verdict, "pr_auc_not_below_champion").severity == severity


@pytest.mark.parametrize(("model", "said"), [("mailer", "mailer version 3"), (None, "version 3")])
def test_the_champion_is_told_with_its_model_which_may_be_another_than_the_candidates(model: str | None, said: str):
    verdict = judge(changed(GOOD, "champion/model", model), DEFAULT_POLICY)
    sentence = check(verdict, "pr_auc_not_below_champion").sentence
    assert sentence.startswith(f"PR-AUC minus that of champion {said} is +0.0010 (standard error 0.0030, ")


@pytest.mark.parametrize(
    ("changes", "name", "severity"),
    [
        ({"minority_rows": 399}, "enough_minority_rows", "WARN"),
        ({"minority_rows": 400}, "enough_minority_rows", None),
        ({"pr_auc": 0.299}, "pr_auc_above_floor", "ERROR"),
        ({"pr_auc": 0.3}, "pr_auc_above_floor", None),
        ({"constant_baseline/pr_auc": 0.668}, "pr_auc_above_constant_baseline", "ERROR"),
        ({"calibration/ratio": 1.11, "calibration/z": 3.3}, "scores_are_calibrated", "WARN"),
        ({"calibration/ratio": 0.89, "calibration/z": -3.3}, "scores_are_calibrated", "WARN"),
        ({"calibration/ratio": 1.11, "calibration/z": 3.2}, "scores_are_calibrated", None),
        ({"calibration/ratio": 1.09, "calibration/z": 9.0}, "scores_are_calibrated", None),
        ({"leakage/shared_products": 1}, "train_and_validation_are_disjoint", "ERROR"),
        ({"leakage/average_precision": 0.981}, "average_precision_is_credible", "ERROR"),
        ({"leakage/average_precision": 0.98}, "average_precision_is_credible", None),
        ({"leakage/max_feature_auc": 0.971}, "no_feature_gives_the_label_away", "ERROR"),
        ({"label_rate/logit_difference": 0.21, "label_rate/z": 3.3}, "label_rate_is_stable", "WARN"),
        ({"label_rate/logit_difference": -0.21, "label_rate/z": -3.3}, "label_rate_is_stable", "WARN"),
        ({"label_rate/logit_difference": 0.49, "label_rate/z": 3.3}, "label_rate_is_stable", "WARN"),
        ({"label_rate/logit_difference": 0.51, "label_rate/z": 3.3}, "label_rate_is_stable", "ERROR"),
        ({"label_rate/logit_difference": 0.51, "label_rate/z": 3.2}, "label_rate_is_stable", None),
        ({"volume/log_ratio": math.log(1.26), "volume/z": 3.3}, "label_volume_is_usual", "WARN"),
        ({"volume/log_ratio": math.log(1.49), "volume/z": 6.0}, "label_volume_is_usual", "WARN"),
        ({"volume/log_ratio": math.log(0.5), "volume/z": -6.0}, "label_volume_is_usual", "ERROR"),
        ({"volume/log_ratio": math.log(0.5), "volume/z": -2.0}, "label_volume_is_usual", None),
        ({"volume/log_ratio": math.log(0.1), "volume/z": -9.0, "volume/weeks": 3}, "label_volume_is_usual", None),
        (
            {"drift/missing/weight_kg/increase": 0.0101 + MISSING_NOISE, "drift/missing/weight_kg/z": 4.1},
            "no_column_went_missing",
            "WARN",
        ),
        (
            {"drift/missing/weight_kg/increase": 0.0501 + MISSING_NOISE, "drift/missing/weight_kg/z": 4.1},
            "no_column_went_missing",
            "ERROR",
        ),
        ({"drift/missing/weight_kg/increase": 0.051, "drift/missing/weight_kg/z": 3.9}, "no_column_went_missing", None),
        ({"columns_without_values": ["weight_kg"]}, "no_column_went_missing", "ERROR"),
        ({"drift/psi/weight_kg": 0.0299 + NOISE}, "feature_distributions_are_stable", None),
        ({"drift/psi/weight_kg": 0.0301 + NOISE}, "feature_distributions_are_stable", "WARN"),
        ({"drift/psi/weight_kg": 0.1999 + NOISE}, "feature_distributions_are_stable", "WARN"),
        ({"drift/psi/weight_kg": 0.2001 + NOISE}, "feature_distributions_are_stable", "ERROR"),
        ({"drift/unseen/brand/excess": 0.0199 + SHARE_NOISE}, "categories_are_known", None),
        ({"drift/unseen/brand/excess": 0.0201 + SHARE_NOISE}, "categories_are_known", "WARN"),
        ({"drift/unseen/brand/excess": 0.0999 + SHARE_NOISE}, "categories_are_known", "WARN"),
        ({"drift/unseen/brand/excess": 0.1001 + SHARE_NOISE}, "categories_are_known", "ERROR"),
        ({"drift/title_words/excess": 0.0199 + SHARE_NOISE}, "title_words_are_known", None),
        ({"drift/title_words/excess": 0.0201 + SHARE_NOISE}, "title_words_are_known", "WARN"),
        ({"drift/title_words/excess": 0.0999 + SHARE_NOISE}, "title_words_are_known", "WARN"),
        ({"drift/title_words/excess": 0.1001 + SHARE_NOISE}, "title_words_are_known", "ERROR"),
        ({"drift/title_words": None}, "title_words_are_known", "WARN"),
        ({"scores/psi": 0.0199 + SCORE_NOISE}, "scores_are_distributed_as_before", None),
        ({"scores/psi": 0.0201 + SCORE_NOISE}, "scores_are_distributed_as_before", "WARN"),
        ({"scores/psi": 0.0999 + SCORE_NOISE}, "scores_are_distributed_as_before", "WARN"),
        ({"scores/psi": 0.1001 + SCORE_NOISE}, "scores_are_distributed_as_before", "ERROR"),
        ({"scores/psi": None}, "scores_are_distributed_as_before", "WARN"),
        ({"slices/rows": [slice_row("brand", "Acme", 0.03, 0.009)]}, "no_slice_is_worse_than_champion", "ERROR"),
        ({"slices/rows": [slice_row("brand", "Acme", 0.03, 0.011)]}, "no_slice_is_worse_than_champion", None),
        ({"slices/rows": [slice_row("brand", "Acme", 0.019, 0.001)]}, "no_slice_is_worse_than_champion", None),
        ({"slices/rows": [slice_row("brand", "Acme", 0.02, 0.001)]}, "no_slice_is_worse_than_champion", None),
        ({"slices/rows": []}, "no_slice_is_worse_than_champion", None),
    ],
)
def test_each_limit_fails_its_own_check_and_no_other(changes: dict[str, Any], name: str, severity: str | None):
    metrics = GOOD
    for path, value in changes.items():
        metrics = changed(metrics, path, value)

    verdict = judge(metrics, DEFAULT_POLICY)

    failed = {outcome.name: outcome.severity for outcome in verdict.checks if not outcome.is_passed}
    assert failed == ({name: severity} if severity else {})
    assert verdict.outcome == {"ERROR": "reject", "WARN": "pending", None: "approve"}[severity]


@pytest.mark.parametrize("first_week", range(1, 5))
def test_the_first_weeks_with_evidence_are_not_unusual(first_week: int):
    """An installation whose evidence begins in its first trained week; the query gives the weeks before as 0."""
    weeks = [dt.date(2025, 1, 6) + dt.timedelta(weeks=number) for number in range(-5, first_week)]
    rows = {week: 200 if week >= dt.date(2025, 1, 6) else 0 for week in weeks[-5:]}

    verdict = judge({**GOOD, "volume": compare_volume(rows, weeks[-1])}, DEFAULT_POLICY)

    assert verdict.outcome == "approve"


@pytest.mark.parametrize(("rows", "severity"), [(200, None), (100, "ERROR"), (0, "ERROR")])
def test_in_the_fifth_week_volume_is_judged(rows: int, severity: str | None):
    weeks = [dt.date(2025, 1, 6) + dt.timedelta(weeks=number) for number in range(5)]
    volume = compare_volume(dict(zip(weeks, [200] * 4 + [rows], strict=True)), weeks[-1])

    verdict = judge({**GOOD, "volume": volume}, DEFAULT_POLICY)

    failed = {outcome.name: outcome.severity for outcome in verdict.checks if not outcome.is_passed}
    assert failed == ({"label_volume_is_usual": severity} if severity else {})


def test_a_worse_slice_is_named_with_its_figures():
    rows = [slice_row("category", "toys", 0.01), slice_row("brand", "Acme", 0.031, 0.002)]

    verdict = judge(changed(GOOD, "slices/rows", rows), DEFAULT_POLICY)

    outcome = check(verdict, "no_slice_is_worse_than_champion")
    assert (outcome.value, outcome.limit, outcome.rows) == (0.031, 0.02, 300)
    assert outcome.sentence.startswith("1 of 2 slices are worse, the worst is brand Acme: log-loss +3.1% against")


def test_of_several_worse_slices_the_worst_is_named():
    rows = [
        {**slice_row("brand", name, change, p_value), "z": 0.1 / change}  # the largest is the least certain
        for name, change, p_value in (
            ("Acme", 0.04, 0.002),
            ("Bolt", 0.05, 0.002),
            ("Cog", 0.03, 0.002),
            ("Dot", 0.9, 0.5),
        )
    ]

    outcome = check(judge(changed(GOOD, "slices/rows", rows), DEFAULT_POLICY), "no_slice_is_worse_than_champion")

    assert outcome.value == 0.05
    assert outcome.sentence.startswith("3 of 4 slices are worse, the worst is brand Bolt: log-loss +5.0% against")


def test_where_no_slice_is_worse_the_one_is_named_that_is_most_certainly_so():
    rows = [slice_row("brand", "Acme", 0.01), {**slice_row("brand", "Bolt", 0.005), "z": 1.5}]

    outcome = check(judge(changed(GOOD, "slices/rows", rows), DEFAULT_POLICY), "no_slice_is_worse_than_champion")

    assert (outcome.is_passed, outcome.value) == (True, 0.005)
    assert outcome.sentence.startswith("None of 2 slices is worse; the least favourable is brand Bolt: log-loss +0.5%")


@pytest.mark.parametrize(("minority_rows", "outcome"), [(399, "pending"), (400, "reject")])
def test_with_few_minority_rows_a_worse_slice_is_for_a_person(minority_rows: int, outcome: str):
    metrics = changed(GOOD, "slices/rows", [slice_row("brand", "Acme", 0.3, 0.0)])

    assert judge(changed(metrics, "minority_rows", minority_rows), DEFAULT_POLICY).outcome == outcome


@pytest.mark.parametrize(("groups", "outcome"), [(400, "reject"), (399, "pending")])
def test_where_the_split_has_groups_they_are_counted_in_place_of_rows(groups: int, outcome: str):
    worse = changed(GOOD, "slices/rows", [slice_row("brand", "Acme", 0.05, p_value_holm=0.001)])
    worse = changed(worse, "champion/difference", -0.05)

    verdict = judge({**worse, "minority_rows": 4000, "minority_groups": groups}, DEFAULT_POLICY)

    assert verdict.outcome == outcome
    severities = {check(verdict, name).severity for name in COMPARED_ON_ENOUGH_ROWS}
    assert severities == {"ERROR" if outcome == "reject" else "WARN"}
    enough = check(verdict, "enough_minority_rows")
    assert (enough.is_passed, enough.value, enough.limit) == (groups == 400, groups, 400)
    assert enough.sentence == (
        f"The rows that judge are the random tests. They hold 4,000 of the rarer label in {groups} groups; 400 groups "
        "are needed to compare it with the champion without a person."
    )


def test_a_slice_that_has_too_few_groups_is_told_to_have_these():
    metrics = changed(GOOD, "slices/rows", [])

    assert [
        check(judge(each, DEFAULT_POLICY), "no_slice_is_worse_than_champion").sentence
        for each in (metrics, {**metrics, "minority_groups": 500})
    ] == [f"No slice has 20 {what} the rarer label: there is none to compare." for what in ("rows of", "groups with")]


def test_a_ratio_that_chance_explains_is_not_told_to_be_beyond_the_limit():
    metrics = changed(changed(GOOD, "calibration/ratio", 1.3), "calibration/z", 1.0)
    outcome = check(judge(metrics, DEFAULT_POLICY), "scores_are_calibrated")
    assert outcome.is_passed
    assert outcome.sentence.endswith(
        "a ratio of 1.300 (z +1.0), which may differ from 1 by 0.10, and by more where z is within 3.29."
    )


@pytest.mark.parametrize(("ratio", "limit"), [(1.2, 1.1), (0.8, 0.9), (0.95, 0.9)])
def test_calibration_is_held_against_the_limit_on_its_own_side(ratio: float, limit: float):
    outcome = check(judge(changed(GOOD, "calibration/ratio", ratio), DEFAULT_POLICY), "scores_are_calibrated")

    assert (outcome.value, outcome.limit) == (ratio, pytest.approx(limit))


def test_no_product_at_all_may_be_on_both_sides():
    outcome = check(
        judge(changed(GOOD, "leakage/shared_products", 2), DEFAULT_POLICY), "train_and_validation_are_disjoint"
    )

    assert (outcome.value, outcome.limit) == (2, 0)


@pytest.mark.parametrize(("area", "word"), [(0.99, "above"), (0.97, "within")])
def test_a_limit_is_said_to_be_kept_or_not(area: float, word: str):
    outcome = check(
        judge(changed(GOOD, "leakage/average_precision", area), DEFAULT_POLICY), "average_precision_is_credible"
    )

    assert outcome.sentence == f"PR-AUC is {area:.4f}, {word} the credible maximum of 0.9800."


def test_unknown_words_are_named():
    metrics = changed(
        GOOD, "drift/title_words", {"share": 0.2, "expected_share": 0.0, "excess": 0.2, "examples": ["aus"]}
    )

    assert (
        "20.00% of the words of titles are unknown to the champion (aus)" in judge(metrics, DEFAULT_POLICY).failures[0]
    )


def test_words_that_are_known_are_told_with_their_limit():
    outcome = check(judge(GOOD, DEFAULT_POLICY), "title_words_are_known")

    assert outcome.sentence == (
        "1.00% of the words of titles are unknown to the champion (zinc), +0.20 percentage points against what is "
        f"expected, limit {100 * (0.02 + SHARE_NOISE):.2f}."
    )


@pytest.mark.parametrize("index", [0.01, 0.05])
def test_an_index_is_said_to_be_within_its_limit_or_above(index: float):
    metrics = changed(changed(GOOD, "drift/psi/density_kg_per_l", index), "scores/psi", index)

    density = check(judge(metrics, DEFAULT_POLICY), "density_is_stable")
    scores = check(judge(metrics, DEFAULT_POLICY), "scores_are_distributed_as_before")

    word = "within" if index == 0.01 else "above"
    assert (density.is_passed, scores.is_passed) == (index == 0.01, index == 0.01)
    assert f"{word} the limit of {0.03 + NOISE:.4f} (15,520 and 11,652 rows" in density.sentence
    assert f"{word} the limit of {0.02 + SCORE_NOISE:.4f} (4,000 and 3,900 rows" in scores.sentence


def test_the_limit_on_missing_values_allows_for_the_few_of_a_small_sample():
    missing = {"share": 0.06, "reference_share": 0.0, "increase": 0.06, "z": 9.0}
    metrics = changed(changed(GOOD, "drift/missing/weight_kg", missing), "drift/rows", 400)

    outcome = check(judge(metrics, DEFAULT_POLICY), "no_column_went_missing")

    assert (outcome.severity, outcome.limit) == ("WARN", pytest.approx(0.01 + 4.0**2 / 400))


def test_a_handful_of_products_raises_no_alarm():
    metrics = changed(GOOD, "drift/rows", 5)
    missing = {"share": 0.4, "reference_share": 0.0, "increase": 0.4, "z": 9.0}
    metrics = changed(metrics, "drift/missing/weight_kg", missing)
    metrics = changed(metrics, "drift/unseen/brand", {"share": 0.4, "expected_share": 0.01, "excess": 0.39})
    words = {"share": 0.4, "expected_share": 0.0, "excess": 0.4, "examples": []}

    assert judge(changed(metrics, "drift/title_words", words), DEFAULT_POLICY).outcome == "approve"


def test_the_rows_that_judge_are_named():
    outcome = check(judge(GOOD, DEFAULT_POLICY), "enough_minority_rows")

    assert outcome.sentence.startswith(
        "The rows that judge are the random tests. They hold 500 of the rarer label; 400"
    )


def test_wrong_units_fail_the_density_check_by_name():
    verdict = judge(changed(GOOD, "drift/psi/density_kg_per_l", 0.43), DEFAULT_POLICY)

    outcome = check(verdict, "density_is_stable")
    assert (outcome.is_passed, outcome.severity, outcome.value, outcome.rows) == (False, "ERROR", 0.43, 15_520)
    assert outcome.limit == pytest.approx(0.2 + NOISE)
    assert "0.4300" in outcome.sentence
    assert "0.2045 (15,520 and 11,652 rows with a value)" in outcome.sentence
    assert "inches" in outcome.remedy
    assert verdict.outcome == "reject"


def test_a_champion_without_categorical_features_knows_every_category():
    numeric = {name: value for name, value in GOOD["drift"]["missing"].items() if name in GOOD["drift"]["psi"]}

    verdict = judge({**GOOD, "drift": {**GOOD["drift"], "unseen": {}, "missing": numeric}}, DEFAULT_POLICY)

    assert verdict.outcome == "approve"
    assert check(verdict, "categories_are_known").sentence == "The champion has no categorical features."


def without_features(*names: str) -> dict[str, Any]:
    """The good candidate's drift, the champion not reading these."""
    parts = ("psi", "missing", "unseen")
    left = {part: {name: found for name, found in GOOD["drift"][part].items() if name not in names} for part in parts}
    return {**GOOD["drift"], **left}


def test_a_champion_that_does_not_read_the_density_cannot_be_held_against_it():
    verdict = judge({**GOOD, "drift": without_features("density_kg_per_l")}, DEFAULT_POLICY)

    assert verdict.outcome == "approve"
    assert check(verdict, "density_is_stable").sentence == "The champion does not read density_kg_per_l."


def test_a_champion_of_categories_only_has_no_distribution_to_compare():
    verdict = judge({**GOOD, "drift": without_features("density_kg_per_l", "weight_kg")}, DEFAULT_POLICY)

    assert verdict.outcome == "approve"
    outcome = check(verdict, "feature_distributions_are_stable")
    assert (outcome.sentence, outcome.rows) == ("The champion has no numeric features.", 16_000)


def test_of_a_champion_of_texts_only_the_words_are_compared():
    texts = {**GOOD, "drift": without_features("density_kg_per_l", "weight_kg", "brand", "category")}
    other_words = {"share": 0.3, "expected_share": 0.01, "excess": 0.29, "examples": []}

    assert judge(texts, DEFAULT_POLICY).outcome == "approve"
    assert judge(changed(texts, "drift/title_words", None), DEFAULT_POLICY).outcome == "pending"
    rejected = judge(changed(texts, "drift/title_words", other_words), DEFAULT_POLICY)
    assert [reason.split(":")[0] for reason in rejected.failures] == ["title_words_are_known"]


@pytest.mark.parametrize("part", ["psi", "missing"])
def test_an_index_or_a_count_that_got_lost_is_no_feature_that_is_not_read(part: str):
    drift = copy.deepcopy(GOOD["drift"])
    del drift[part]["density_kg_per_l"]

    assert judge({**GOOD, "drift": drift}, DEFAULT_POLICY).outcome == "reject"


@pytest.mark.parametrize(
    ("part", "feature", "name"),
    [
        ("psi", "weight_kg", "feature_distributions_are_stable"),
        ("unseen", "brand", "categories_are_known"),
        ("missing", "brand", "no_column_went_missing"),
    ],
)
def test_what_got_lost_of_a_feature_is_missing_evidence(part: str, feature: str, name: str):
    drift = copy.deepcopy(GOOD["drift"])
    del drift[part][feature]

    outcome = check(judge({**GOOD, "drift": drift}, DEFAULT_POLICY), name)

    assert outcome.sentence == f"Evidence is missing: the metrics lack drift.{part}.{feature}."


def test_a_candidate_of_texts_only_has_no_feature_that_gives_the_label_away():
    leakage = {**GOOD["leakage"], "feature": None, "max_feature_auc": None}

    verdict = judge({**GOOD, "leakage": leakage}, DEFAULT_POLICY)

    assert verdict.outcome == "approve"
    assert "sees texts only" in check(verdict, "no_feature_gives_the_label_away").sentence


def drift_of_a_sparse_feature(index: float, share: float, reference_share: float) -> dict[str, Any]:
    drift = {**without_features("weight_kg", "brand", "category"), "rows": 200, "reference_rows": 50_000}
    missing = {"share": share, "reference_share": reference_share, "increase": 0.0, "z": 0.0}
    return drift | {
        "psi": {"density_kg_per_l": 0.0, "image_embedding_00": index},
        "missing": {"image_embedding_00": missing, "density_kg_per_l": {**missing, "share": 0.0}},
    }


@pytest.mark.parametrize(
    ("index", "share", "reference_share", "limit", "severity"),
    [
        (0.329, 0.5, 0.4, 0.03 + 30 * (1 / 100 + 1 / 30_000), None),
        (0.332, 0.5, 0.4, 0.03 + 30 * (1 / 100 + 1 / 30_000), "WARN"),
        (0.502, 0.5, 0.4, 0.20 + 30 * (1 / 100 + 1 / 30_000), "ERROR"),
        (0.332, 0.0, 0.0, 0.03 + 30 * (1 / 200 + 1 / 50_000), "WARN"),
        (9.0, 1.0, 0.4, 0.03 + 30 * (1 + 1 / 30_000), None),
        (9.0, 0.995, 1.0, 0.03 + 30 * (1 + 1), None),
    ],
)
def test_a_feature_is_compared_by_the_rows_that_have_a_value(
    index: float, share: float, reference_share: float, limit: float, severity: str | None
):
    metrics = {**GOOD, "drift": drift_of_a_sparse_feature(index, share, reference_share)}

    verdict = judge(metrics, DEFAULT_POLICY)

    failed = {outcome.name: outcome.severity for outcome in verdict.checks if not outcome.is_passed}
    assert failed == ({"feature_distributions_are_stable": severity} if severity else {})
    policy = GatePolicy.model_validate({"density_feature": "image_embedding_00"})
    outcome = check(judge(metrics, policy), "density_is_stable")
    assert outcome.limit == pytest.approx(limit)
    assert outcome.rows == round(200 * (1 - share))


def test_the_feature_is_named_that_is_furthest_beyond_its_own_limit():
    drift = drift_of_a_sparse_feature(0.5, 0.8, 0.0)
    drift["psi"]["density_kg_per_l"] = 0.2

    outcome = check(judge({**GOOD, "drift": drift}, DEFAULT_POLICY), "feature_distributions_are_stable")

    assert (outcome.value, outcome.rows, outcome.severity) == (0.2, 200, "WARN")
    assert outcome.sentence.startswith("density_kg_per_l has a population stability index of 0.2000")


def test_the_category_is_named_that_is_furthest_beyond_its_own_limit():
    """New brands are usual, and their share is noisy: the limit for them is wider than that for categories."""
    unseen = {
        "brand": {"share": 0.37, "expected_share": 0.3, "excess": 0.07},
        "category": {"share": 0.06, "expected_share": 0.0, "excess": 0.06},
    }

    verdict = judge({**GOOD, "drift": {**GOOD["drift"], "rows": 1000, "unseen": unseen}}, DEFAULT_POLICY)

    outcome = check(verdict, "categories_are_known")
    assert (outcome.is_passed, outcome.severity, outcome.value) == (False, "WARN", 0.06)
    assert outcome.limit == pytest.approx(0.02 + 3.29**2 / 1000)
    assert outcome.sentence.startswith("6.00% of the rows have a category that the champion never saw, +6.00")


@pytest.mark.parametrize(("excess", "is_passed"), [(0.0784, True), (0.0786, False)])
def test_the_limit_on_unknown_values_allows_for_the_noise_of_the_expected_ones(excess: float, *, is_passed: bool):
    brand = {"share": 0.3 + excess, "expected_share": 0.3, "excess": excess}
    drift = {**GOOD["drift"], "rows": 1000, "unseen": {**GOOD["drift"]["unseen"], "brand": brand}}

    outcome = check(judge({**GOOD, "drift": drift}, DEFAULT_POLICY), "categories_are_known")

    assert outcome.is_passed is is_passed
    assert outcome.limit == pytest.approx(0.02 + 3.29 * math.sqrt(0.3 * 0.7 / 1000) + 3.29**2 / 1000)


def test_where_missing_values_were_not_counted_all_rows_are_compared():
    drift = {name: found for name, found in GOOD["drift"].items() if name != "missing"}

    outcome = check(judge({**GOOD, "drift": drift}, DEFAULT_POLICY), "density_is_stable")

    assert (outcome.is_passed, outcome.rows) == (True, 16_000)
    assert outcome.limit == pytest.approx(0.03 + 30 * (1 / 16_000 + 1 / 12_000))


def test_a_first_model_with_an_empty_column_is_rejected():
    assert judge({**FIRST_MODEL, "columns_without_values": ["brand"]}, DEFAULT_POLICY).outcome == "reject"


def test_an_error_outweighs_a_warning():
    verdict = judge(changed(changed(GOOD, "minority_rows", 10), "pr_auc", 0.1), DEFAULT_POLICY)

    assert verdict.outcome == "reject"
    assert [reason.split(":")[0] for reason in verdict.failures] == [
        "pr_auc_above_floor",
        "pr_auc_above_constant_baseline",
    ]
    assert [reason.split(":")[0] for reason in verdict.warnings] == ["enough_minority_rows"]


def test_nothing_at_all_is_rejected_with_every_check_failed():
    verdict = judge({}, DEFAULT_POLICY)

    assert verdict.outcome == "reject"
    assert not any(outcome.is_passed for outcome in verdict.checks)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pr_auc", math.nan, "pr_auc is nan, not a finite number"),
        ("pr_auc", math.inf, "pr_auc is inf, not a finite number"),
        ("pr_auc", "0.9", "pr_auc is '0.9', not a finite number"),
        ("pr_auc", True, "pr_auc is True, not a finite number"),
        ("drift/psi", {}, "the metrics lack drift.psi.density_kg_per_l"),
        ("drift/psi", [], "drift.psi is [], not a map by feature"),
        ("drift/missing", {}, "the metrics lack drift.missing.brand"),
        ("drift", {"rows": 9, "psi": {}, "missing": {}, "unseen": {}}, "the metrics lack drift.title_words"),
        ("drift/missing/weight_kg/reference_share", None, "the metrics lack drift.missing.weight_kg.reference_share"),
        ("leakage/max_feature_auc", None, "the metrics lack leakage.max_feature_auc"),
        ("leakage/feature", None, "the metrics lack leakage.feature"),
        ("columns_without_values", "none", "columns_without_values is 'none', not a list of columns"),
        ("slices", "none", "slices.rows is None, not a list of slices"),
        ("slices/rows", {}, "slices.rows is {}, not a list of slices"),
        ("columns_without_values", 0, "columns_without_values is 0, not a list of columns"),
    ],
)
def test_what_is_not_evidence_fails_with_a_sentence(path: str, value: Any, said: str):
    verdict = judge(changed(GOOD, path, value), DEFAULT_POLICY)

    assert verdict.outcome == "reject"
    assert any(said in reason for reason in verdict.failures)


TOLD_NOT_JUDGED = (
    "leakage/feature",
    "evaluation/source",
    "evaluation/sentence",
    "drift/title_words/examples",
    "drift/missing/brand/reference_share",
    "drift/missing/category/reference_share",
)


# False and absent mean the same for the flag.
@given(
    st.sampled_from([path for path in leaves(GOOD) if path not in ("is_first_model", *TOLD_NOT_JUDGED)]),
    st.sampled_from(["absent", None, math.nan, "?"]),
)
@settings(max_examples=300, deadline=None)
def test_a_hole_anywhere_in_the_evidence_is_never_approved(path: str, hole: Any):
    metrics = changed(GOOD, path, hole)
    if hole == "absent":
        *parents, last = path.split("/")
        place = metrics
        for parent in parents:
            place = place[parent]
        del place[last]

    assert judge(metrics, DEFAULT_POLICY).outcome != "approve"


@given(
    st.floats(-0.1, 0.1),
    st.floats(0, 0.05),
    st.floats(0, 0.1),
    st.integers(1, 2000),
)
def test_a_better_candidate_is_never_judged_worse(difference: float, error: float, gain: float, minority_rows: int):
    rank = {"reject": 0, "pending": 1, "approve": 2}
    base = changed(changed(GOOD, "champion/standard_error", error), "minority_rows", minority_rows)

    worse, better = (
        judge(changed(base, "champion/difference", value), DEFAULT_POLICY) for value in (difference, difference + gain)
    )

    assert rank[worse.outcome] <= rank[better.outcome]


@given(st.sampled_from(["density_kg_per_l", "weight_kg"]), st.floats(0, 1), st.floats(0, 1))
def test_more_drift_is_never_judged_better(feature: str, index: float, more: float):
    rank = {"reject": 0, "pending": 1, "approve": 2}

    little, much = (
        judge(changed(GOOD, f"drift/psi/{feature}", value), DEFAULT_POLICY) for value in (index, index + more)
    )

    assert rank[much.outcome] <= rank[little.outcome]


def test_a_verdict_survives_json():
    verdict = judge({**GOOD, "minority_rows": 3}, DEFAULT_POLICY)

    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_names_are_distinct_and_every_check_says_what_to_do():
    assert len({definition.name for definition in CHECKS}) == len(CHECKS) == 17
    assert all(definition.description.endswith(".") for definition in CHECKS)
    assert all(check.remedy.endswith(".") for check in judge(GOOD, DEFAULT_POLICY).checks)
    assert {definition.name for definition in CHECKS if definition.severity == "WARN"} == {
        "enough_minority_rows",
        "scores_are_calibrated",
    }


def test_a_policy_refuses_unknown_keys_bad_values_and_limits_in_the_wrong_order():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        GatePolicy.model_validate({"psi_wran": 0.1})
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        GatePolicy.model_validate({"min_pr_auc": 1.5})
    with pytest.raises(ValidationError, match="less than or equal to 4"):
        GatePolicy.model_validate({"min_volume_weeks": MAX_VOLUME_WEEKS + 1})
    with pytest.raises(ValidationError, match=r"psi_warn = 0\.3 lies above psi_error = 0\.2; lower the first"):
        GatePolicy.model_validate({"psi_warn": 0.3})


def test_a_policy_of_ones_own_changes_the_verdict():
    assert judge(GOOD, GatePolicy.model_validate({"min_pr_auc": 0.8})).outcome == "reject"
    assert judge(GOOD, GatePolicy.model_validate({"min_minority_rows": 501})).outcome == "pending"
