"""What a figure was measured on: cores, memory, versions."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

LIBRARIES = ("catboost", "dagster", "dbt-core", "dbt-duckdb", "duckdb", "numpy", "pandas", "pyarrow")

CPUINFO, MEMINFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")


def describe_machine() -> dict[str, Any]:
    """Cores this process may use, the processor, memory in GB, and the versions of Python and the libraries."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _value_of("model name", CPUINFO) or platform.processor() or platform.machine(),
        "memory_gb": _memory_gb(),
        "system": platform.platform(terse=True),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
    }


def load_per_core() -> float:
    """How many processes wanted a core over the last minute, per core; above 0.5, figures are not to be trusted."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _memory_gb() -> float | None:
    kib = _value_of("MemTotal", MEMINFO)
    return round(int(kib.split()[0]) / 1024**2, 1) if kib else None


def _value_of(key: str, file: Path) -> str | None:
    if not file.exists():
        return None
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None
