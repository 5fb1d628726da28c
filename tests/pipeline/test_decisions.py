"""What people decide about models is what inference uses, and the graph shows that it has moved."""

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from small_retailer import Home, materialize

from packaging_assets.runner import JobRunner

PREDICTIONS = dg.AssetKey(["daily", "predictions"])
DAY = "2025-01-19"
"""The last day before the incident, whose products no champion scores."""


def status(runner: JobRunner) -> StaleStatus:
    """Whether the day's predictions are fresh, as the UI would show it."""
    graph = runner.definitions.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(runner.instance, graph, LoadingContextForTest(runner.instance))
    return resolver.get_status(PREDICTIONS, DAY)


def versions_used(home: Home) -> dict[str, int]:
    query = "select distinct package_type, model_version from ml.predictions where cadence = 'daily' "
    return dict(home.rows(f"{query} and partition_start = $day", day=DAY))


def test_inference_follows_approvals_and_pins(home: Home) -> None:
    runner = home.runner()
    assert versions_used(home) == {"mailer": 1, "bag": 1, "box": 1, "sioc": 1}
    assert materialize(runner, "daily/predictions", partition=DAY) == {"daily/predictions": "hit"}
    home.registry.approve("bag", 2, actor="ann", reason="compared by hand")
    materialize(runner, "bag/champion")
    assert materialize(runner, "daily/predictions", partition=DAY) == {"daily/predictions": "miss"}
    assert versions_used(home) == {"mailer": 1, "bag": 2, "box": 1, "sioc": 1}
    home.registry.pin("bag", 1, actor="ann", reason="waits for the new scales")
    assert materialize(runner, "daily/predictions", partition=DAY) == {"daily/predictions": "hit"}
    assert versions_used(home) == {"mailer": 1, "bag": 1, "box": 1, "sioc": 1}


def test_predictions_go_stale_when_the_champion_moves(home: Home) -> None:
    runner = home.runner()
    materialize(runner, "daily/predictions", partition=DAY)
    assert status(runner) == StaleStatus.FRESH
    home.registry.approve("bag", 2, actor="ann", reason="compared by hand")
    materialize(runner, "bag/champion")
    assert status(runner) == StaleStatus.STALE
    materialize(runner, "daily/predictions", partition=DAY)
    assert status(runner) == StaleStatus.FRESH


def test_predictions_go_stale_when_a_person_decides_at_the_terminal(home: Home) -> None:
    runner = home.runner()
    materialize(runner, "daily/predictions", partition=DAY)
    assert status(runner) == StaleStatus.FRESH
    for decision, expected in (("reject", StaleStatus.STALE), ("approve", StaleStatus.FRESH)):
        command = home.start("models", decision, "box", "1", "--reason", "compared by hand", "--actor", "ann")
        _, err = command.communicate(timeout=60)
        assert command.returncode == 0, err
        assert status(runner) == expected


def test_a_rejected_champion_gives_way_to_nobody_but_the_others_go_on(home: Home) -> None:
    home.registry.reject("bag", 1, actor="ann", reason="damage reports doubled")
    materialize(home.runner(), "daily/predictions", partition=DAY)
    assert versions_used(home) == {"mailer": 1, "box": 1, "sioc": 1}
