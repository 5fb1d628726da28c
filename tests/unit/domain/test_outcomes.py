import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from packaging_assets.domain.average_precision import (
    average_precision,
    average_precision_at_rate,
    average_precision_error,
    paired_average_precision_difference,
)
from packaging_assets.domain.json_files import read_json
from packaging_assets.domain.outcomes import (
    DEFAULT_LIVE_POLICY,
    LIVE_CHECKS,
    LiveCheck,
    LiveParams,
    LivePolicy,
    OutcomeError,
    ServedModel,
    judge_live,
    measure_live,
    read_live_checks,
)

WEEK = dt.date(2025, 2, 10)
TRAINED_UNTIL = dt.datetime(2025, 2, 3)  # noqa: DTZ001 - naive UTC, as in the warehouse
SEEN_AT = dt.datetime(2025, 2, 4)  # noqa: DTZ001
PNG = b"\x89PNG\r\n\x1a\n"


def model(package_type: Any = "mailer", version: int = 3, **changes: Any) -> ServedModel:
    given = {
        "minority_label": 1,
        "minority_rate": 0.3,
        "pr_auc": 0.8,
        "pr_auc_standard_error": 0.01,
        "trained_until": TRAINED_UNTIL,
    }
    named: dict[str, Any] = {"stage": "live", "model": package_type, **given, **changes}
    return ServedModel(package_type=package_type, version=version, **named)


def row(label: int, score: float, **changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "package_type": "mailer",
        "stage": "live",
        "model": changes.get("package_type", "mailer"),
        "model_version": 3,
        "as_of": SEEN_AT,
        "is_random_test": True,
        "has_room": True,
        "has_earlier_evidence": False,
    }
    return {**usual, "label": label, "score": score, **changes}


def outcomes(*rows: dict[str, Any]) -> pa.Table:
    schema = pa.schema(
        [
            ("product_id", pa.string()),
            ("package_type", pa.string()),
            ("stage", pa.string()),
            ("model", pa.string()),
            ("model_version", pa.int64()),
            ("score", pa.float64()),
            ("as_of", pa.timestamp("us")),
            ("label", pa.int64()),
            ("is_random_test", pa.bool_()),
            ("has_room", pa.bool_()),
            ("has_earlier_evidence", pa.bool_()),
        ]
    )
    return pa.Table.from_pylist([{"product_id": f"P{n:05d}", **each} for n, each in enumerate(rows)], schema=schema)


def measure(folder: Path, table: pa.Table, *models: ServedModel) -> Path:
    source, output = folder / "outcomes", folder / "output"
    source.mkdir(parents=True)
    output.mkdir()
    # In two files: the warehouse may give more than one.
    pq.write_table(table.slice(0, 3), source / "part-00000.parquet")
    pq.write_table(table.slice(3), source / "part-00001.parquet")
    measure_live({"outcomes": source}, LiveParams(week=WEEK, models=models), output)
    return output


def checks_by_name(output: Path) -> dict[str, LiveCheck]:
    return {check.name: check for check in read_live_checks(output)}


def drawn(rows: int, *, quality: float, rate: float = 0.3, told: float | None = None, seed: int = 0) -> pa.Table:
    """Calibrated scores that say `told` on average where `rate` is true; `quality` in (0, 1) is how far they differ."""
    rng = np.random.default_rng(seed)
    truth = np.clip(rng.beta(rate * (1 - quality) / quality, (1 - rate) * (1 - quality) / quality, rows), 1e-6, 1)
    labels = rng.random(rows) < truth
    scores = truth * ((told or rate) / rate)
    return outcomes(*(row(int(label), float(score)) for label, score in zip(labels, scores.clip(0, 1), strict=True)))


def test_only_what_the_model_could_not_have_seen_judges_it(tmp_path: Path) -> None:
    output = measure(
        tmp_path,
        outcomes(
            row(1, 0.9),
            row(0, 0.5),
            row(1, 0.4, is_random_test=False),
            row(0, 0.1),
            row(0, 0.99, has_room=False),
            row(0, 0.99, has_room=False, has_earlier_evidence=True),
            row(0, 0.99, has_earlier_evidence=True),
            row(0, 0.99, as_of=dt.datetime(2025, 2, 2, 23)),  # noqa: DTZ001
            row(1, 0.5, as_of=TRAINED_UNTIL),
            row(1, 0.2, package_type="box", model_version=1),
            row(1, 0.3, package_type="box", model_version=3),
        ),
        model(),
        model("box", 1, minority_label=0),
        model("box", 3, minority_label=0),
    )
    found = read_json(output / "live_metrics.json")
    assert found["week"] == "2025-02-10"
    mailer, box, newer_box = found["models"]
    labels, scores = np.array([1, 0, 1, 0, 1]), np.array([0.9, 0.5, 0.4, 0.1, 0.5])
    area, error = average_precision(labels, scores), average_precision_error(labels, scores)
    weighed, weighed_error = average_precision_at_rate(labels, scores, 0.3)
    assert weighed < area
    assert mailer == {
        "package_type": "mailer",
        "stage": "live",
        "model": "mailer",
        "model_version": 3,
        "outcomes": 9,
        "left_out": {"does_not_fit": 2, "known_before": 1, "scored_in_hindsight": 1},
        "rows": 5,
        "random_test_rows": 4,
        "minority_label": 1,
        "minority_rows": 3,
        "validation_minority_rate": 0.3,
        "pr_auc": area,
        "pr_auc_standard_error": error,
        "weighed_pr_auc": weighed,
        "weighed_standard_error": weighed_error,
        "validation_pr_auc": 0.8,
        "difference": weighed - 0.8,
        "standard_error": pytest.approx(np.hypot(weighed_error, 0.01)),
        "calibration": {
            "observed": 3,
            "expected": pytest.approx(2.4),
            "ratio": pytest.approx(1.25),
            "z": pytest.approx(0.6 / np.sqrt((scores * (1 - scores)).sum())),
        },
    }
    # Its rarer label is 0, of which there is none: no PR-AUC, and none of it in the plot.
    assert (box["rows"], box["minority_rows"], box["pr_auc"], box["difference"]) == (1, 0, None, None)
    assert box["calibration"]["expected"] == pytest.approx(0.8)
    assert (newer_box["rows"], newer_box["calibration"]["expected"]) == (1, pytest.approx(0.7))


def test_the_plots_are_small_and_the_same_for_the_same_rows(tmp_path: Path) -> None:
    rows = drawn(2_000, quality=0.6)
    first, second = (measure(tmp_path / name, rows, model()) for name in ("first", "second"))
    names = ["checks.json", "live_calibration.png", "live_metrics.json", "live_pr_auc.png"]
    assert sorted(path.name for path in first.iterdir()) == names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
        if name.endswith(".png"):
            assert (first / name).read_bytes().startswith(PNG)
            assert (first / name).stat().st_size <= 40_000


@pytest.mark.parametrize("models", [(), (model(),)])
def test_few_rows_pass_and_say_so(tmp_path: Path, models: tuple[ServedModel, ...]) -> None:
    table = outcomes(*(row(1, 0.9) for _ in range(len(models))))
    output = measure(tmp_path, table, *models)
    checks = read_live_checks(output)
    assert [check.name for check in checks] == [definition.name for definition in LIVE_CHECKS]
    for check in checks:
        assert (check.is_passed, check.value, check.rows) == (True, None, len(models))
        assert check.sentence == (
            f"Too few outcomes to say: at most {len(models)} rows of the rarer label per model, 50 are needed."
        )
    # A curve needs both labels.
    assert not list(output.glob("*.png"))


def test_a_model_as_good_as_in_validation_passes(tmp_path: Path) -> None:
    table = drawn(3_000, quality=0.6)
    area = average_precision(table["label"].to_numpy(), table["score"].to_numpy())
    rate = float(table["label"].to_numpy().mean())
    checks = checks_by_name(measure(tmp_path, table, model(pr_auc=area, minority_rate=rate)))
    assert [check.is_passed for check in checks.values()] == [True, True]
    pr_auc = checks["live_pr_auc_not_below_validation"]
    assert pr_auc.value == pytest.approx(0.0, abs=1e-12)
    assert pr_auc.rows == 3_000
    assert pr_auc.limit is not None
    assert pr_auc.standard_error is not None
    assert pr_auc.limit == pytest.approx(-0.02 - 2.33 * pr_auc.standard_error)
    assert pr_auc.sentence.startswith(
        f"mailer version 3: PR-AUC is {area:.4f} on 3,000 outcomes, weighed as if {rate:.1%} had the rarer label, and "
        f"was {area:.4f} in validation, where so many had it: "
    )


def test_a_model_is_no_worse_because_the_rarer_label_is_rarer_in_a_week(tmp_path: Path) -> None:
    """Half of the rows that have it are left out: PR-AUC falls beyond the limit, and the model is what it was."""
    validation = drawn(6_000, quality=0.4, seed=1)
    y, scores = validation["label"].to_numpy(), validation["score"].to_numpy()
    week = drawn(6_000, quality=0.4, seed=2)
    is_kept = (week["label"].to_numpy() == 0) | (np.arange(6_000) % 2 == 0)
    served = model(pr_auc=average_precision(y, scores), minority_rate=float(y.mean()))

    output = measure(tmp_path, week.filter(pa.array(is_kept)), served)

    (found,) = read_json(output / "live_metrics.json")["models"]
    check = checks_by_name(output)["live_pr_auc_not_below_validation"]
    assert check.is_passed
    assert check.limit is not None
    assert found["pr_auc"] - served.pr_auc < check.limit < -0.02
    assert found["difference"] == check.value == pytest.approx(0.0, abs=0.04)


def test_a_model_that_does_worse_than_in_validation_is_named(tmp_path: Path) -> None:
    table = drawn(3_000, quality=0.3)
    checks = checks_by_name(measure(tmp_path, table, model(pr_auc=0.95), model("bag", 7)))
    check = checks["live_pr_auc_not_below_validation"]
    assert not check.is_passed
    assert check.value is not None
    assert check.limit is not None
    assert check.value < check.limit < -0.02
    assert "mailer version 3: PR-AUC is 0.6" in check.sentence
    assert "was 0.9500 in validation" in check.sentence
    assert "bag" not in check.sentence
    assert check.remedy
    assert checks["live_scores_are_calibrated"].is_passed


@pytest.mark.parametrize(("rate", "told", "ratio"), [(0.3, 0.2, 1.5), (0.2, 0.3, 0.67)])
def test_scores_that_promise_too_much_or_too_little_are_found(
    tmp_path: Path, rate: float, told: float, ratio: float
) -> None:
    table = drawn(3_000, quality=0.2, rate=rate, told=told)
    check = checks_by_name(measure(tmp_path, table, model(pr_auc=0.1)))["live_scores_are_calibrated"]
    assert not check.is_passed
    assert check.value == pytest.approx(ratio, abs=0.06)
    assert check.limit == pytest.approx(1.1 if ratio > 1 else 0.9)
    assert check.sentence.endswith(", which may differ from 1 by 0.10, and by more where z is within 3.29.")


def test_trouble_that_was_expected_and_did_not_come_is_found_too(tmp_path: Path) -> None:
    checks = checks_by_name(measure(tmp_path, outcomes(*(row(0, 0.5) for _ in range(200))), model()))
    assert checks["live_pr_auc_not_below_validation"].is_passed
    assert checks["live_scores_are_calibrated"].value == 0.0
    assert not checks["live_scores_are_calibrated"].is_passed


@pytest.mark.parametrize("limit", ["calibration_ratio", "calibration_z"])
def test_a_deviation_is_measured_in_limits_so_none_is_zero(limit: str) -> None:
    with pytest.raises(ValidationError, match=f"{limit}\n  Input should be greater than 0"):
        LivePolicy.model_validate({limit: 0})


def test_scores_without_any_doubt_have_no_significance(tmp_path: Path) -> None:
    # Expected 0, without spread: there is no ratio, and PR-AUC decides alone.
    output = measure(tmp_path, outcomes(*(row(1, 0.0) for _ in range(60))), model(pr_auc=1.0))
    (found,) = read_json(output / "live_metrics.json")["models"]
    assert found["calibration"] == {"observed": 60, "expected": 0.0, "ratio": None, "z": None}
    checks = checks_by_name(output)
    assert all(check.is_passed for check in checks.values())
    assert {check.sentence for check in checks.values()} == {
        "The outcomes cannot be compared: of up to 60 per model all have the rarer label, or scores of 0 or 1."
    }


VALIDATED = {"validation_minority_rate": 0.3}


def figures(**changes: Any) -> dict[str, Any]:
    """What is measured of a model that lies within every limit."""
    calibration = {"observed": 100, "expected": 100.0, "ratio": 1.0, "z": 0.0} | changes.pop("calibration", {})
    usual = {"model": "box", "model_version": 1, "rows": 900, "minority_rows": 100, "difference": 0.0}
    return {
        **usual,
        **VALIDATED,
        "weighed_pr_auc": 0.8,
        "validation_pr_auc": 0.8,
        "standard_error": 0.01,
        "calibration": calibration,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({}, []),
        ({"difference": -0.0432}, []),  # the limit is -.02 - 2.33 * .01
        ({"difference": -0.0434}, ["live_pr_auc_not_below_validation"]),
        ({"difference": -0.0434, "minority_rows": 50}, ["live_pr_auc_not_below_validation"]),
        ({"difference": -0.5, "minority_rows": 49}, []),
        ({"calibration": {"ratio": 1.11, "z": 3.3}}, ["live_scores_are_calibrated"]),
        ({"calibration": {"ratio": 0.89, "z": -3.3}}, ["live_scores_are_calibrated"]),
        ({"calibration": {"ratio": 1.09, "z": 9.0}}, []),
        ({"calibration": {"ratio": 1.5, "z": 3.28}}, []),
        ({"calibration": {"observed": 50, "expected": 20.0, "ratio": 2.5, "z": 9.0}}, ["live_scores_are_calibrated"]),
        ({"calibration": {"observed": 49, "expected": 49.9, "ratio": 2.5, "z": 9.0}}, []),
    ],
)
def test_each_limit_on_what_served_fails_its_own_check(changes: dict[str, Any], failed: list[str]) -> None:
    checks = judge_live([figures(**changes)], DEFAULT_LIVE_POLICY)
    assert [check.name for check in checks if not check.is_passed] == failed


def test_of_several_failing_models_each_is_named_and_the_worst_gives_the_figures() -> None:
    common = {"rows": 900, "minority_rows": 300, "validation_pr_auc": 0.9, "standard_error": 0.02, **VALIDATED}
    calibration = {"observed": 300, "expected": 300.0, "ratio": 1.0, "z": 0.0}
    metrics = [
        {
            "package_type": name,
            "stage": "live",
            "model": name,
            "model_version": 1,
            "weighed_pr_auc": 0.9 + change,
            "difference": change,
            **common,
        }
        | {"calibration": calibration}
        for name, change in (("bag", -0.2), ("box", -0.4), ("sioc", 0.0))
    ]
    check, calibrated = judge_live(metrics, DEFAULT_LIVE_POLICY)
    assert (check.is_passed, check.value) == (False, -0.4)
    assert "bag version 1" in check.sentence
    assert "box version 1" in check.sentence
    assert "sioc" not in check.sentence
    assert calibrated.is_passed


def test_outcomes_of_an_unknown_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutcomeError, match=r"week 2025-02-10: there are outcomes of mailer version 3 \(live\)"):
        measure(tmp_path, outcomes(row(1, 0.5)), model("mailer", 2))


SHADOW: dict[str, Any] = {"stage": "shadow", "model": "mailer_text", "model_version": 1}


def beside(output: Path) -> dict[str, Any]:
    (shadow,) = [each for each in read_json(output / "live_metrics.json")["models"] if each["stage"] == "shadow"]
    return shadow["beside_live"]


def test_a_shadow_is_held_against_what_served_on_the_products_that_both_scored_at_one_time(tmp_path: Path) -> None:
    later = SEEN_AT + dt.timedelta(days=1)
    live = [row(1, 0.6), row(0, 0.7), row(1, 0.8, model_version=4), row(0, 0.1, as_of=later), row(1, 0.9)]
    shadow = [row(1, 0.9, **SHADOW), row(0, 0.2, **SHADOW), row(1, 0.4, **SHADOW), row(0, 0.1, **SHADOW)]
    hidden = [row(1, 0.1, has_earlier_evidence=True, **SHADOW), row(0, 0.9, package_type="box", model_version=2)]
    table = outcomes(*live, *shadow, *hidden)
    # Numbered alike, so that the first three are the same products; the fourth was scored at another time.
    ids = [f"P{number}" for number in (0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0)]
    table = table.set_column(0, "product_id", pa.array(ids))

    output = measure(
        tmp_path,
        table,
        model(),
        model(version=4),
        model(version=1, stage="shadow", model="mailer_text"),
        model("box", 2),
    )

    found = read_json(output / "live_metrics.json")["models"]
    assert [(each["model"], each["stage"], each["rows"]) for each in found] == [
        ("mailer", "live", 4),
        ("mailer", "live", 1),
        ("mailer_text", "shadow", 4),
        ("box", "live", 1),
    ]
    assert "beside_live" not in found[0]
    labels = np.array([1, 0, 1])
    mine, theirs = np.array([0.9, 0.2, 0.4]), np.array([0.6, 0.7, 0.8])
    compared = paired_average_precision_difference(labels, theirs, mine)
    assert beside(output) == {
        "live_models": ["mailer 3", "mailer 4"],
        "rows": 3,
        "minority_rows": 2,
        "pr_auc": average_precision(labels, mine),
        "live_pr_auc": average_precision(labels, theirs),
        "difference": compared.difference,
        "standard_error": compared.standard_error,
    }


def test_a_shadow_that_shares_no_row_has_no_difference(tmp_path: Path) -> None:
    output = measure(tmp_path, outcomes(row(1, 0.5, **SHADOW)), model(version=1, stage="shadow", model="mailer_text"))
    nothing = dict.fromkeys(("pr_auc", "live_pr_auc", "difference", "standard_error"))
    assert beside(output) == {"live_models": [], "rows": 0, "minority_rows": 0, **nothing}


def test_the_checks_are_about_what_served(tmp_path: Path) -> None:
    rows = drawn(3_000, quality=0.3).to_pylist()
    table = outcomes(*({**each, **SHADOW} for each in rows))
    output = measure(tmp_path, table, model(version=1, stage="shadow", model="mailer_text", pr_auc=0.95))
    assert [(check.is_passed, check.rows) for check in read_live_checks(output)] == [(True, 0), (True, 0)]
    assert model(version=1, stage="shadow", model="mailer_text").name == "mailer_text 1 (shadow)"
