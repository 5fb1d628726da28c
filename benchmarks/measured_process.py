"""Runs one command as its only child and writes what it used: `measuring.run_command` starts it, nobody else.

A process of its own, and a small one: Linux counts the memory of the process that started a command as the command's,
and a harness that has imported pyarrow would be in every figure. It is also the reaper of everything that the command
leaves behind, so that a process that went on in the background is ended, and its CPU seconds are counted.

Usage: python -I -S measured_process.py RESULT_FILE COMMAND [ARGUMENT ...]
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2): what the command leaves behind becomes a child of this process rather than of init."""

_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""Back to their defaults for the command, which would inherit that this process ignores them."""

GRACE_SECONDS = 5.0
KIB_PER_MB = 1024


def main(result_file: str, *command: str) -> None:
    """Write {exit_code, wall_seconds, cpu_seconds, peak_rss_mb, left_behind} as JSON."""
    _become_reaper()
    started = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, setsigdef=_IGNORED_BY_PYTHON)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(process, signal.SIGKILL))
    _, status = os.waitpid(process, 0)
    wall = time.perf_counter() - started
    left_behind = _end_what_is_left()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "wall_seconds": wall,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_rss_mb": used.ru_maxrss / KIB_PER_MB,
        "left_behind": left_behind,
    }
    with open(result_file, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib is 10 ms of start-up
        json.dump(figures, file)


def _become_reaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_what_is_left() -> int:
    """How many processes the command left running: each is asked to end, then made to."""
    _reap()
    first = remaining = _children()
    deadline = time.monotonic() + GRACE_SECONDS
    while remaining:
        _signal(remaining, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.05)
        _reap()
        remaining = _children()
    return len(first)


def _children() -> list[int]:
    """Processes that have become children of this one; none where there is no /proc."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:  # noqa: PTH123
            return [int(number) for number in file.read().split()]
    except FileNotFoundError:
        return []


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        os.kill(process, number)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
