"""The jobs while a service of AWS is slow, throttles, fails for a moment, loses an answer or answers twice.

Each case is a run of one model's week and of the day's scoring in a copy of the same warehouse. What is there in the
end is what an undisturbed case leaves: the same artifacts, versions, jobs, loads and rows, each once.
"""

import pytest
from aws_faults import (
    CALL_FAULTS,
    EXPECTED_WARNINGS,
    INSERTION,
    SERVICES,
    SLOW_SECONDS,
    Undisturbed,
    gist,
)
from small_cloud import Case, Cloud

from packaging_assets.resources import dbt_builder

pytestmark = EXPECTED_WARNINGS

TRANSIENT = [(service, kind) for service in SERVICES for kind in CALL_FAULTS] + [("sagemaker", "limit")]


@pytest.mark.parametrize(("service", "kind"), TRANSIENT)
def test_what_passes_leaves_no_trace(case: Case, undisturbed: Undisturbed, service: str, kind: str) -> None:
    times = 2 if kind in {"throttle", "error", "limit"} else 1
    SERVICES[service](case, kind, times, SLOW_SECONDS)

    case.train()
    assert case.trained() == undisturbed.trained
    case.score()
    assert case.scored() == undisturbed.scored
    assert _waiting(case, service) <= {"UpdateModelPackage"}  # which a version that is approved at once does not need
    assert gist(case.look()) == undisturbed.alerts
    left = case.leftovers()
    # An upload that was given up and asked for again may arrive after what it was for has been tidied away.
    assert [key for key in left if kind != "slow" or not key.startswith("exchange/load/")] == []


def _waiting(case: Case, service: str) -> set[str]:
    """The places of what was to go wrong and did not."""
    faults = {"s3": case.aws.moto, "redshift": case.aws.redshift, "sagemaker": case.aws.sagemaker}[service].faults
    return {fault.get("operation") or fault["matching"] for fault in faults.waiting()}


@pytest.mark.parametrize("kind", ["slow_statement", "conflict", "disconnected"])
def test_what_passes_while_dbt_builds_leaves_the_same_rows(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(dbt_builder, "PAUSES_SECONDS", (0.01, 0.01))
    before = cloud.built()
    cloud.aws.redshift.faults.inject(kind, matching=INSERTION, seconds=SLOW_SECONDS)

    cloud.build_day()

    assert cloud.aws.redshift.faults.waiting() == []
    assert cloud.built() == before
    assert all(before.values())
