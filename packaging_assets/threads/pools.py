"""A run's claims on pools, whose slots the steps of all runs share."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

_look: ContextVar[Callable[[], object] | None] = ContextVar("kept_waiting", default=None)


@contextmanager
def when_kept_waiting(look: Callable[[], object]) -> Generator[None]:
    """Inside the block, `look` is called each time a run is refused a slot: who holds it may have been killed."""
    token = _look.set(look)
    try:
        yield
    finally:
        _look.reset(token)


class PromptPools(InstanceConcurrencyContext):
    """Claims of a run; a slot that the run itself gives back is tried for at once, not some seconds later."""

    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        """Whether the step has a slot now; between two tries, which are seconds apart, nothing is asked."""
        refusals = self._pending_claim_counts[step_key]
        is_claimed = super().claim(concurrency_key, step_key, step_priority)
        look = _look.get()
        if look is not None and self._pending_claim_counts[step_key] > refusals:
            look()
        return is_claimed

    def free_step(self, step_key: str) -> None:
        """Give the step's slot back."""
        super().free_step(step_key)
        self._pending_timeouts.update(dict.fromkeys(self._pending_timeouts, 0.0))
