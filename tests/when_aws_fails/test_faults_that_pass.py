"""The jobs while a service of AWS is slow, throttles, fails for a moment, loses an answer or answers twice.

Each case is a run of one model's week and of the day's scoring in a copy of the same warehouse. What is there in the
end is what an undisturbed case leaves: the same artifacts, versions, jobs, loads and rows, each once.
"""

from collections.abc import Collection

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

TRANSIENT: dict[str, Collection[str]] = {**dict.fromkeys(CALL_FAULTS, SERVICES), "limit": ["sagemaker"]}


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_passes_leaves_no_trace(case: Case, undisturbed: Undisturbed, kind: str) -> None:
    """In all services at a time: each fault is in a call of its own, and each call is asked for again by itself."""
    times = 2 if kind in {"throttle", "error", "limit"} else 1
    for service in TRANSIENT[kind]:
        SERVICES[service](case, kind, times, SLOW_SECONDS)

    case.train()
    assert case.trained() == undisturbed.trained
    case.score()
    assert case.scored() == undisturbed.scored
    assert _waiting(case) <= {"UpdateModelPackage"}  # which a version that is approved at once does not need
    assert gist(case.look()) == undisturbed.alerts
    left = case.leftovers()
    # An upload that was given up and asked for again may arrive after what it was for has been tidied away.
    assert [key for key in left if kind != "slow" or not key.startswith("exchange/load/")] == []


def _waiting(case: Case) -> set[str]:
    """The places of what was to go wrong and did not."""
    servers = (case.aws.moto, case.aws.redshift, case.aws.sagemaker)
    return {fault.get("operation") or fault["matching"] for server in servers for fault in server.faults.waiting()}


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
