from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from packaging_assets.components.checks import check_results, six_digits
from packaging_assets.domain.verdicts import CheckOutcome, Verdict


def test_a_check_is_shown_with_a_brand_as_it_is_and_figures_of_six_digits() -> None:
    check = CheckOutcome(
        name="no_slice_is_worse_than_champion",
        is_passed=False,
        severity="ERROR",
        value=0.04273456789,
        limit=0.02,
        standard_error=None,
        rows=719,
        sentence="brand ![x](http://x.example): log-loss +4.3%.",
        remedy="Look at what changed.",
    )
    made: Any = SimpleNamespace(artifact=SimpleNamespace(fingerprint="f"))

    (result,) = check_results(Verdict(outcome="reject", checks=(check,), failures=("a",), warnings=()), made)

    assert result.description == r"brand !\[x\](http://x.example): log-loss +4.3%."
    assert {name: value.value for name, value in result.metadata.items()} == {
        "value": 0.0427346,
        "limit": 0.02,
        "rows": 719,
        "remedy": "Look at what changed.",
        "fingerprint": "f",
    }
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (0.7882473632671371, 0.788247),
        (-0.00048196769596814263, -0.000481968),
        (12.5, 12.5),
        (1_234_567.0, 1_234_567.0),
        (1_234_567, 1_234_567),
        (0.0, 0.0),
        ("Look at the units.", "Look at the units."),
    ],
)
def test_fractions_are_rounded_and_counts_are_not(figure: object, shown: object) -> None:
    assert six_digits(figure) == shown
    assert type(six_digits(figure)) is type(figure)
