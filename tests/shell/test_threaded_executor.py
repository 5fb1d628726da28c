"""The executor that runs independent steps side by side: what overlaps, what waits, what fails, what is interrupted."""

import os
import queue
import signal
import threading
import time
from contextvars import ContextVar
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run, execute_run_iterator

from packaging_assets.domain.interruptions import is_interrupted, raise_if_interrupted
from packaging_assets.threads import executor
from packaging_assets.threads.executor import BYTES_PER_STEP, default_concurrency, threaded_executor
from packaging_assets.threads.machine import usable_cores, usable_memory
from packaging_assets.threads.step_thread import StepThread

PATIENCE = 60.0
"""Seconds after which a step that waits in vain for another gives up."""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAGSTER_YAML = "telemetry:\n  enabled: false\nconcurrency:\n  pools:\n    default_limit: 1\n"


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text(DAGSTER_YAML)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def step(name, work, needs=(), **options):
    return dg.op(name=name, ins={need: dg.In(dg.Nothing) for need in needs}, **options)(work)


def job_of(*steps):
    """A job whose steps need those that their inputs are named after."""

    @dg.job(executor_def=threaded_executor)
    def steps_side_by_side():
        done = {}
        for each in steps:
            done[each.name] = each(**{need: done[need] for need in each.input_dict})

    return steps_side_by_side


def create_run(instance, job, max_concurrent):
    config = {**QUIET, "execution": {"config": {"max_concurrent": max_concurrent}}}
    return instance.create_run_for_job(job, run_config=config)


def run(instance, job, max_concurrent=2):
    return execute_run(InMemoryJob(job), create_run(instance, job, max_concurrent), instance)


def happened(result, *kinds):
    return [(event.event_type_value, event.step_key) for event in result.all_events if event.event_type_value in kinds]


def test_independent_steps_run_at_the_same_time(instance):
    both = threading.Barrier(2, timeout=PATIENCE)
    names = []

    def meet(context):
        both.wait()
        names.append(threading.current_thread().name)

    result = run(instance, job_of(step("one", meet), step("other", meet)))

    assert result.success
    assert sorted(names) == ["one", "other"]


def test_no_more_steps_run_than_asked_for(instance):
    under_way, most, lock = set(), [], threading.Lock()

    def count(context):
        with lock:
            under_way.add(context.op.name)
            most.append(len(under_way))
        time.sleep(0.05)
        with lock:
            under_way.discard(context.op.name)

    steps = [step(f"step_{number}", count) for number in range(5)]

    assert run(instance, job_of(*steps), max_concurrent=1).success
    assert most == [1] * 5


def test_fewer_than_no_steps_at_the_same_time_are_refused(instance):
    job = job_of(step("one", lambda _: None))
    created = create_run(instance, job, max_concurrent=-1)

    result = execute_run(InMemoryJob(job), created, instance)

    (failure,) = [event for event in result.all_events if event.is_run_failure]
    assert "max_concurrent is -1; at least 1 step has to run, and null means as many as there are cores" in str(failure)


def test_a_pool_of_one_lets_one_step_in_and_the_next_at_once(instance):
    under_way, most, lock, times = [], [], threading.Lock(), {}

    def use(context):
        with lock:
            under_way.append(1)
            most.append(len(under_way))
        times[context.op.name] = time.monotonic()
        time.sleep(0.1)
        with lock:
            under_way.pop()

    result = run(instance, job_of(*(step(f"user_{number}", use, pool="warehouse") for number in range(3))))

    assert result.success
    assert most == [1, 1, 1]
    claims = instance.event_log_storage.get_concurrency_info("warehouse")
    assert (claims.slot_count, claims.active_slot_count, claims.pending_step_count) == (1, 0, 0)


def test_of_the_steps_that_are_ready_the_more_important_go_first(instance):
    order = []

    def note(context):
        order.append(context.op.name)

    tags = {"dagster/priority": "2"}
    steps = [
        step("light", note),
        step("middling", note, tags={"dagster/priority": "1"}),
        step("heavy", note, tags=tags),
    ]

    assert run(instance, job_of(*steps), max_concurrent=1).success
    assert order == ["heavy", "middling", "light"]


def test_a_failed_step_takes_with_it_those_that_need_it_and_no_others(instance):
    done = []

    def note(context):
        done.append(context.op.name)

    def fail(context):
        raise ValueError("no such product")

    steps = [
        step("fails", fail),
        step("works", note),
        step("after_failed", note, needs=["fails"]),
        step("after_worked", note, needs=["works"]),
    ]
    result = run(instance, job_of(*steps))

    assert not result.success
    assert sorted(done) == ["after_worked", "works"]
    assert happened(result, "STEP_FAILURE") == [("STEP_FAILURE", "fails")]
    assert instance.get_run_by_id(result.run_id).status == dg.DagsterRunStatus.FAILURE


def test_a_step_is_tried_again_beside_others_that_run(instance):
    attempts = []

    def hiccup(context):
        attempts.append(context.retry_number)
        if context.retry_number == 0:
            raise dg.RetryRequested(max_retries=1, seconds_to_wait=0.1)

    def busy(context):
        deadline = time.monotonic() + PATIENCE
        while len(attempts) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)

    result = run(instance, job_of(step("hiccups", hiccup), step("busy", busy)))

    assert result.success
    assert attempts == [0, 1]
    assert happened(result, "STEP_UP_FOR_RETRY", "STEP_RESTARTED") == [
        ("STEP_UP_FOR_RETRY", "hiccups"),
        ("STEP_RESTARTED", "hiccups"),
    ]


def test_the_log_has_every_event_of_every_thread_in_the_order_of_its_step(instance):
    def speak(context):
        for number in range(20):
            context.log.info(f"line {number}")

    result = run(instance, job_of(*(step(f"speaker_{number}", speak) for number in range(4))), max_concurrent=4)

    logged = instance.all_logs(result.run_id)
    for number in range(4):
        lines = [entry.user_message for entry in logged if entry.step_key == f"speaker_{number}"]
        assert [line for line in lines if line.startswith("line ")] == [f"line {each}" for each in range(20)]
    assert sum(entry.dagster_event_type == dg.DagsterEventType.STEP_SUCCESS for entry in logged) == 4


class LateQueue(queue.SimpleQueue):
    """Says once that nothing came, while all that a thread has to say arrives."""

    def get(self, *, timeout):
        if not hasattr(self, "threads"):
            self.threads = [thread for thread in threading.enumerate() if isinstance(thread, StepThread)]
            for thread in self.threads:
                thread.join(PATIENCE)
            raise queue.Empty
        return super().get(timeout=timeout)


def test_what_a_thread_says_in_the_moment_of_its_end_is_heard(instance, monkeypatch):
    monkeypatch.setattr(executor, "queue", SimpleNamespace(SimpleQueue=LateQueue, Empty=queue.Empty))
    job = job_of(step("first", lambda _: None), step("then", lambda _: None, needs=["first"]))

    result = run(instance, job)

    assert result.success
    assert happened(result, "STEP_SUCCESS") == [("STEP_SUCCESS", "first"), ("STEP_SUCCESS", "then")]


def test_a_steps_thread_has_the_context_variables_of_the_run(instance):
    colour = ContextVar("colour", default="none")
    seen = []

    def look(context):
        seen.append(colour.get())

    token = colour.set("blue")
    try:
        assert run(instance, job_of(step("looks", look))).success
    finally:
        colour.reset(token)

    assert seen == ["blue"]


def test_hooks_hear_of_each_step_that_ended(instance):
    heard = []

    @dg.success_hook
    def note_success(context):
        heard.append(("success", context.op.name))

    @dg.failure_hook
    def note_failure(context):
        heard.append(("failure", context.op.name))

    def fail(context):
        raise ValueError("no such product")

    steps = [step("works", lambda _: None), step("fails", fail)]
    job = job_of(*steps).with_hooks({note_success, note_failure})

    assert not run(instance, job).success
    assert sorted(heard) == [("failure", "fails"), ("success", "works")]


def test_a_run_whose_output_cannot_be_captured_goes_on_without(instance, monkeypatch):
    def refuse(_key):
        raise OSError("No space left on device")

    monkeypatch.setattr(instance.compute_log_manager, "capture_logs", refuse)
    result = run(instance, job_of(step("works", lambda _: None)))

    assert result.success
    (said,) = [event for event in result.all_events if event.message == "The steps' output cannot be captured"]
    assert said.event_specific_data.error.message == "OSError: No space left on device\n"
    assert happened(result, "LOGS_CAPTURED") == []


def interrupt_once(ready):
    def send():
        ready.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=send, daemon=True).start()


def test_an_interruption_ends_a_step_that_asks_for_it_and_starts_no_other(instance):
    ready, ended = threading.Event(), []

    def compute(context):
        ready.set()
        deadline = time.monotonic() + PATIENCE
        while not is_interrupted() and time.monotonic() < deadline:
            time.sleep(0.01)
        ended.append(is_interrupted())
        raise_if_interrupted()

    interrupt_once(ready)
    result = run(instance, job_of(step("computes", compute), step("after", compute, needs=["computes"])))

    assert ended == [True]
    assert happened(result, "STEP_START", "STEP_FAILURE") == [("STEP_START", "computes"), ("STEP_FAILURE", "computes")]
    assert instance.get_run_by_id(result.run_id).status == dg.DagsterRunStatus.FAILURE


def test_an_interrupted_run_has_failed_also_where_the_step_under_way_ends_well(instance):
    ready = threading.Event()

    def compute(context):
        ready.set()
        deadline = time.monotonic() + PATIENCE
        while not is_interrupted() and time.monotonic() < deadline:
            time.sleep(0.01)

    interrupt_once(ready)
    result = run(instance, job_of(step("computes", compute), step("after", compute, needs=["computes"])))

    assert happened(result, "STEP_START", "STEP_SUCCESS") == [("STEP_START", "computes"), ("STEP_SUCCESS", "computes")]
    assert instance.get_run_by_id(result.run_id).status == dg.DagsterRunStatus.FAILURE
    (failure,) = [event for event in result.all_events if event.is_run_failure]
    assert failure.event_specific_data.error.cls_name == "DagsterExecutionInterruptedError"


def test_an_interruption_reaches_a_step_that_never_asks_and_frees_its_pool(instance):
    ready = threading.Event()

    def never_ends(context):
        ready.set()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(0.01)

    interrupt_once(ready)
    result = run(instance, job_of(step("never_ends", never_ends, pool="other_pool")))

    failures = [event for event in result.all_events if event.is_step_failure]
    assert [event.step_failure_data.error.cls_name for event in failures] == ["DagsterExecutionInterruptedError"]
    assert instance.event_log_storage.get_concurrency_info("other_pool").active_slot_count == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "never_ends"]


def test_steps_end_when_nobody_listens_to_the_run_any_more(instance):
    def never_ends(context):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(0.01)

    job = job_of(step("abandoned", never_ends))
    events = execute_run_iterator(InMemoryJob(job), create_run(instance, job, 1), instance)
    for event in events:
        if event.event_type == dg.DagsterEventType.STEP_START:
            break
    events.close()

    assert not [thread for thread in threading.enumerate() if thread.name == "abandoned"]


def test_a_containers_limits_count(tmp_path):
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("1073741824\n")

    assert usable_cores(tmp_path) == 1
    assert usable_memory(tmp_path) == 1024**3


def test_a_container_without_limits_has_what_the_machine_has(tmp_path):
    bare = usable_cores(tmp_path), usable_memory(tmp_path)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")

    assert (usable_cores(tmp_path), usable_memory(tmp_path)) == bare
    assert bare[0] == len(os.sched_getaffinity(0))


def test_the_cores_are_those_that_this_process_may_use_or_all_where_the_system_does_not_say(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5} if process == 0 else set(), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert usable_cores(tmp_path) == 3

    (tmp_path / "cpu.max").write_text("200000 100000\n")
    assert usable_cores(tmp_path) == 2

    (tmp_path / "cpu.max").write_text("20000 100000\n")
    assert usable_cores(tmp_path) == 1

    (tmp_path / "cpu.max").unlink()
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores(tmp_path) == 64


@pytest.mark.parametrize(("cores", "steps_of_memory", "expected"), [(4, 8, 4), (4, 2.5, 2), (2, 0.5, 1)])
def test_as_many_steps_as_cores_and_memory_allow(monkeypatch, cores, steps_of_memory, expected):
    module = "packaging_assets.threads.executor"
    monkeypatch.setattr(f"{module}.usable_cores", lambda: cores)
    monkeypatch.setattr(f"{module}.usable_memory", lambda: int(steps_of_memory * BYTES_PER_STEP))

    assert default_concurrency() == expected
