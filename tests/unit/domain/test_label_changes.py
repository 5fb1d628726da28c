import datetime as dt
import math

import pytest

from packaging_assets.domain.label_changes import compare_label_rates, compare_volume

WEEKS = [dt.date(2025, 1, 6) + dt.timedelta(weeks=number) for number in range(7)]


def test_a_label_rate_that_rises_from_5_to_7_5_percent_is_significant_at_20_000_rows():
    change = compare_label_rates(0.075, 20_000, 0.05, 20_000)

    assert change["logit_difference"] == pytest.approx(0.432, abs=0.001)
    assert change["z"] == pytest.approx(10.3, abs=0.1)
    assert (change["rows"], change["champion_rows"]) == (20_000, 20_000)


def test_a_rate_of_one_has_a_finite_logit():
    assert compare_label_rates(1.0, 10, 0.5, 10)["logit_difference"] == pytest.approx(math.log(21))


def test_volume_is_held_against_the_median_of_the_four_weeks_before():
    rows = dict(zip(WEEKS, [9999, 200, 240, 220, 260, 115, 7], strict=True))

    volume = compare_volume(rows, WEEKS[5])

    assert volume == compare_volume(dict(reversed(rows.items())), WEEKS[5])

    assert (volume["rows"], volume["weeks"], volume["median"]) == (115, 4, 230.0)
    assert volume["log_ratio"] == pytest.approx(math.log(0.5), abs=0.01)
    assert volume["z"] == pytest.approx(-6.8, abs=0.1)


def test_a_week_without_evidence_is_a_volume_of_nothing():
    volume = compare_volume(dict.fromkeys(WEEKS[:4], 200), WEEKS[4])

    assert volume["rows"] == 0
    assert volume["log_ratio"] == pytest.approx(math.log(0.5 / 200.5))
    assert volume["z"] == pytest.approx(math.log(0.5 / 200.5) / math.sqrt(1 / 0.5 + math.pi / 2 / 4 / 200.5))


@pytest.mark.parametrize(
    ("before", "weeks", "median"),
    [
        ([0, 0, 0, 0], 0, None),
        ([0, 0, 0, 180], 1, 180.0),
        ([0, 0, 180, 220], 2, 200.0),
        ([0, 180, 0, 220], 3, 180.0),
        ([180, 0, 0, 220], 4, 90.0),
        ([180, 190, 220, 0], 4, 185.0),
    ],
)
def test_usual_weeks_begin_with_the_first_that_has_evidence(before: list[int], weeks: int, median: float | None):
    volume = compare_volume(dict(zip(WEEKS[:5], [*before, 200], strict=True)), WEEKS[4])

    assert (volume["rows"], volume["weeks"], volume["median"]) == (200, weeks, median)


def test_the_first_week_has_no_usual_volume():
    assert compare_volume({WEEKS[0]: 16_000}, WEEKS[0]) == {
        "rows": 16_000,
        "weeks": 0,
        "median": None,
        "log_ratio": None,
        "z": None,
    }
