"""Runs of single assets, and what became of them."""

from collections.abc import Callable

import dagster as dg

Run = Callable[..., dg.ExecuteInProcessResult]


def error_of(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """Class name and message of what the one failed step raised."""
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None
    while error.cause is not None:
        error = error.cause
    return str(error.cls_name), error.message
