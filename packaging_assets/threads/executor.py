"""An executor that runs the independent steps of a run at the same time, in threads of this one process.

What takes time in a step is outside Python (CatBoost, Arrow, DuckDB) and lets other threads run meanwhile: two models
of two types side by side, one thread each, take a seventh less time than one after the other with two threads each. A
process per step would have to import everything again, which takes as long as many a step (docs/adr/0016).
"""

import os
import queue
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.executor.base import Executor
from dagster._utils.error import serializable_error_info_from_exc_info

from packaging_assets.threads.machine import usable_cores, usable_memory
from packaging_assets.threads.pools import PromptPools
from packaging_assets.threads.priorities import order_of_steps
from packaging_assets.threads.step_thread import Ended, StepThread, end_all

BYTES_PER_STEP = 2 * 1024**3
"""Memory to be had for each step at the same time: training on 200,000 products of 84 features takes 0.5."""

POLL_SECONDS = 0.25
"""How often to look for an interruption, a free slot of a pool, or a step whose time to be tried again has come."""

CONFIG = {
    "max_concurrent": dg.Field(
        dg.Noneable(int),
        default_value=None,
        description="Steps that run at the same time; by default as many as there are cores, and 2 GB of memory each.",
    ),
    "retries": get_retries_config(),
}


@dg.executor(name="threads", config_schema=CONFIG)
def threaded_executor(context: dg.InitExecutorContext) -> "ThreadedExecutor":
    """Runs independent steps at the same time, in threads of the run's process."""
    config: Any = context.executor_config
    retries = RetryMode.from_config(config["retries"]) or RetryMode.ENABLED
    most = config["max_concurrent"] or default_concurrency()
    if most < 1:  # no step would ever begin
        raise dg.DagsterInvariantViolationError(
            f"max_concurrent is {most}; at least 1 step has to run, and null means as many as there are cores"
        )
    return ThreadedExecutor(retries, most)


def default_concurrency() -> int:
    """As many steps as there are cores, if each has `BYTES_PER_STEP`; at least one."""
    return max(1, min(usable_cores(), usable_memory() // BYTES_PER_STEP))


class ThreadedExecutor(Executor):
    """See the module.

    A step that fails takes those with it that need it, and no others. An interruption (SIGINT, SIGTERM, a run cancelled
    in the UI) starts no further step, and ends those under way as soon as they run Python again: `StepThread` says how.

    Args:
        retries: whether steps that ask for it are tried again.
        max_concurrent: how many steps run at the same time.
    """

    def __init__(self, retries: RetryMode, max_concurrent: int) -> None:
        self._retries = retries
        self._max_concurrent = max_concurrent

    @property
    def retries(self) -> RetryMode:
        """Whether steps that ask for it are tried again."""
        return self._retries

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Run the plan, yielding what happens in the order in which it is heard of."""
        started = time.perf_counter()
        steps = execution_plan.step_keys_to_execute
        process = EngineEventData.in_process(os.getpid(), steps)
        what = f"Executing steps in up to {self._max_concurrent} threads of this process (pid: {os.getpid()})"
        yield dg.DagsterEvent.engine_event(plan_context, what, event_specific_data=process)
        yield from iter(
            ExecuteRunWithPlanIterable(
                execution_plan=execution_plan,
                iterator=self._run_steps,
                execution_context_manager=PlanExecutionContextManager(
                    job=plan_context.job,
                    retry_mode=plan_context.retry_mode,
                    execution_plan=execution_plan,
                    run_config=plan_context.run_config,
                    dagster_run=plan_context.dagster_run,
                    instance=plan_context.instance,
                    raise_on_error=plan_context.raise_on_error,
                    output_capture=plan_context.output_capture,
                ),
            )
        )
        what = f"Finished steps after {time.perf_counter() - started:.1f} s (pid: {os.getpid()})"
        yield dg.DagsterEvent.engine_event(plan_context, what, event_specific_data=process)

    def _run_steps(
        self, job_context: PlanExecutionContext, execution_plan: ExecutionPlan
    ) -> Generator[dg.DagsterEvent]:
        with ExitStack() as stack:
            pools = stack.enter_context(PromptPools(job_context.instance, job_context.dagster_run))
            active = stack.enter_context(
                execution_plan.start(
                    retry_mode=self._retries,
                    sort_key_fn=order_of_steps(job_context.instance, execution_plan),  # pyright: ignore[reportArgumentType]
                    max_concurrent=self._max_concurrent,
                    instance_concurrency_context=pools,
                )
            )
            yield from _capture_output(stack, job_context, execution_plan)
            run = _Run(job_context, active)
            stack.callback(end_all, run.threads)
            yield from run.events()


def _capture_output(
    stack: ExitStack, job_context: PlanExecutionContext, plan: ExecutionPlan
) -> Generator[dg.DagsterEvent]:
    """Have what the process prints go to the run's log, of all steps together; a run goes on without if need be."""
    logs = job_context.instance.compute_log_manager
    key = logs.build_log_key_for_run(job_context.run_id, create_compute_log_file_key())
    try:
        captured = stack.enter_context(logs.capture_logs(key))
    except Exception:  # noqa: BLE001 - whatever is wrong with the log, it is not the steps' fault
        error = EngineEventData(error=serializable_error_info_from_exc_info(sys.exc_info()))
        yield dg.DagsterEvent.engine_event(job_context, "The steps' output cannot be captured", error)
    else:
        yield dg.DagsterEvent.capture_logs(job_context, plan.step_keys_to_execute, key, captured)


class _Run:
    """The steps of one run that are under way, and what they report."""

    def __init__(self, job_context: PlanExecutionContext, active: ActiveExecution) -> None:
        self._job_context = job_context
        self._active = active
        self.threads: set[StepThread] = set()
        self._reports: queue.SimpleQueue[tuple[StepThread, dg.DagsterEvent | Ended]] = queue.SimpleQueue()
        self._error: BaseException | None = None

    @property
    def _is_stopping(self) -> bool:
        return self._error is not None

    def events(self) -> Generator[dg.DagsterEvent]:
        """Run all steps.

        Raises:
            DagsterExecutionInterruptedError: the run was interrupted.
            BaseException: what a step raised, if the run is to raise it; every step under way has ended first.
        """
        yield from self._active.plan_events_iterator(self._job_context)
        while self.threads or not (self._is_stopping or self._active.is_complete):
            if not self._is_stopping and self._active.check_for_interrupts():
                yield from self._interrupt()
            if not self._is_stopping:
                yield from self._start_ready()
            yield from self._hear()
        if self._error is not None:
            raise self._error

    def _interrupt(self) -> Generator[dg.DagsterEvent]:
        self._error = DagsterExecutionInterruptedError()
        self._active.mark_interrupted()
        yield dg.DagsterEvent.engine_event(
            self._job_context,
            "Interrupted: ending the steps under way",
            EngineEventData.interrupted(sorted(thread.step_key for thread in self.threads)),
        )
        end_all(self.threads)

    def _start_ready(self) -> Generator[dg.DagsterEvent]:
        for step in self._active.get_steps_to_execute():
            state = self._active.get_known_state()
            # The set goes on changing here while the step's thread reads it.
            state = state._replace(ready_outputs=set(state.ready_outputs))
            thread = StepThread(self._job_context.for_step(step, state), self._report)
            self.threads.add(thread)
            thread.start()
        yield from self._active.concurrency_event_iterator(self._job_context)

    def _report(self, thread: StepThread, what: dg.DagsterEvent | Ended) -> None:
        self._reports.put((thread, what))

    def _hear(self) -> Generator[dg.DagsterEvent]:
        try:
            report = self._reports.get(timeout=POLL_SECONDS)
        except queue.Empty:
            yield from self._hear_of_the_dead()
        else:
            yield from self._take(*report)

    def _hear_of_the_dead(self) -> Generator[dg.DagsterEvent]:
        """End the steps of threads that said no last word, since an interruption hit them in it.

        What a thread reported just before it died is there by the time it is seen to be dead, and is heard first.
        """
        dead = [thread for thread in self.threads if not thread.is_alive()]
        while dead and not self._reports.empty():
            yield from self._take(*self._reports.get_nowait())
        for thread in self.threads.intersection(dead):
            yield from self._ended(thread, Ended(None))

    def _take(self, thread: StepThread, what: dg.DagsterEvent | Ended) -> Generator[dg.DagsterEvent]:
        if isinstance(what, Ended):
            yield from self._ended(thread, what)
        else:
            yield what
            if what.step_key == thread.step_key:
                self._active.handle_event(what)

    def _ended(self, thread: StepThread, how: Ended) -> Generator[dg.DagsterEvent]:
        self.threads.discard(thread)
        thread.join()
        if self._error is None:
            self._error = how.error
        # A step that is tried again may already be under way in another thread.
        if not any(other.step_key == thread.step_key for other in self.threads):
            self._active.verify_complete(self._job_context, thread.step_key)
        yield from self._active.plan_events_iterator(self._job_context)
