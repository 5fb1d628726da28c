"""Whether a process that was seen some time ago is still there, and is still the same one."""

import os
from pathlib import Path

PROC = Path("/proc")
STATE, START = 0, 19
"""Places in `/proc/<pid>/stat` after the command's name (proc(5), fields 3 and 22)."""

CLOCK_SLACK_SECONDS = 5.0
"""The start of a process is known to a second, and clocks are set now and then."""


def is_running(pid: int, *, seen_at: float) -> bool:
    """Whether the process that had this number at `seen_at` (seconds since 1970) still runs.

    Numbers are used again: a process that started later than that is another one. One that has ended and that its
    parent has not asked about yet (a zombie) does not run.
    """
    if not PROC.is_dir():
        return _exists(pid)
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[STATE] not in "ZX" and _started_at(int(fields[START])) <= seen_at + CLOCK_SLACK_SECONDS


def _started_at(ticks_after_boot: int) -> float:
    boot = next(line for line in (PROC / "stat").read_text().splitlines() if line.startswith("btime"))
    return float(boot.split()[1]) + ticks_after_boot / os.sysconf("SC_CLK_TCK")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
