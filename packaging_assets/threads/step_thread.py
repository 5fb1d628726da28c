"""One step of a run in a thread of its own, which can be interrupted."""

import contextvars
import ctypes
import threading
import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan import execute_plan

from packaging_assets.domain.interruptions import interruptible

COOPERATION_SECONDS = 2.0
"""How long a step that was asked to end may take for it before it is interrupted wherever it is."""


@dataclass(frozen=True)
class Ended:
    """The last report of a step's thread, with what the whole run is to end with, if so."""

    error: BaseException | None


class StepThread(threading.Thread):
    """Runs a step and reports its events, which Dagster's storage has by then, and at last `Ended`.

    Args:
        context: the step's.
        report: called in this thread, with it.
    """

    def __init__(
        self,
        context: StepExecutionContext,
        report: Callable[["StepThread", dg.DagsterEvent | Ended], None],
    ) -> None:
        super().__init__(name=context.step.key, daemon=True)
        self.step_key = context.step.key
        self._context = context
        self._report = report
        self._sign = threading.Event()
        # A thread begins with no context: settings in use, log configuration and the like are those of its starter.
        self._variables = contextvars.copy_context()
        self._lock = threading.Lock()
        self._is_in_step = True

    def run(self) -> None:
        """Run the step."""
        error = None
        try:
            try:
                self._variables.run(self._run_step)
            finally:
                with self._lock:
                    self._is_in_step = False
        except BaseException as raised:  # noqa: BLE001 - the run decides, in its own thread
            error = raised
        self._report(self, Ended(error))

    def ask_to_end(self) -> None:
        """Give the sign that computations look for (`domain.interruptions`): CatBoost does after each tree."""
        self._sign.set()

    def interrupt(self) -> None:
        """Raise an interruption in the step where it next runs Python: at once, or when a call into a library returns.

        What holds something outside, such as a SageMaker job, gives it up on that.
        """
        with self._lock:
            if self._is_in_step and self.ident is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.ident), ctypes.py_object(DagsterExecutionInterruptedError)
                )

    def _run_step(self) -> None:
        with interruptible(self._sign):
            for event in self._events():
                self._report(self, event)

    def _events(self) -> Generator[dg.DagsterEvent]:
        absent = sorted(set(self._context.required_resource_keys) - set(self._context.resources._asdict()))
        if absent:
            raise dg.DagsterInvariantViolationError(
                f"step {self.step_key} needs the resources {', '.join(absent)}, which there are not: bind them in the "
                "definitions"
            )
        events: list[dg.DagsterEvent] = []
        for event in execute_plan.dagster_event_sequence_for_step(self._context):
            events.append(event)
            yield event
        yield from execute_plan._trigger_hook(self._context, events)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def end_all(threads: Collection[StepThread]) -> None:
    """Have steps end, and wait until they have."""
    for thread in threads:
        thread.ask_to_end()
    deadline = time.monotonic() + COOPERATION_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for thread in threads:
        thread.interrupt()
    for thread in threads:
        thread.join()
