"""What of the machine this process may use: its cores and its memory, a container's limits among them."""

import os
from collections.abc import Iterable
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux shows a container the limits it runs under (https://docs.kernel.org/admin-guide/cgroup-v2.html)."""


def usable_cores(cgroup: Path = CGROUP) -> int:
    """How many cores the process may use at the same time: by its affinity and its container's share, at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = _numbers(cgroup / "cpu.max", count=2)
    return max(1, min(affinity, int(quota / period) if quota and period else affinity))


def usable_memory(cgroup: Path = CGROUP) -> int:
    """Bytes of memory of the machine, or of its container if that has fewer."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    (limit,) = _numbers(cgroup / "memory.max", count=1)
    return min(machine, limit) if limit else machine


def _numbers(file: Path, *, count: int) -> Iterable[int]:
    """The numbers in a file of the cgroup; 0 for each where there is no such file, or no limit ("max")."""
    try:
        words = file.read_text(encoding="ascii").split()
    except OSError:
        words = []
    return [int(word) if word.isdigit() else 0 for word in (*words, *[""] * count)][:count]
