"""The orchestrators that are compared: how each is started, started again and resumed, by its own documentation."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PIPELINES = HERE / "pipelines"
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".peers"
"""One virtual environment each, made by `make bench-peers-install` at the versions of requirements/*.txt."""

OFF: Mapping[str, str] = {
    "DAGSTER_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "METAFLOW_USER": "benchmark",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "ZENML_ANALYTICS_OPT_IN": "false",
}
"""Telemetry, off by the switch that each documents; Metaflow has none, and wants a user."""

Words = tuple[str | Path, ...]


@dataclass(frozen=True, kw_only=True)
class Orchestrator:
    """How one is run. Commands are words; `prepare` creates its storage, unmeasured, so that no run pays for that."""

    name: str
    distribution: str
    """Whose version is reported."""

    python: Path
    run: Words
    resume: Words
    again: Words | None = None
    """With nothing changed; None if by `run`."""

    prepare: Words | None = None
    cwd: Path | None = None
    """Where it runs; None for the work folder."""

    configured: str
    """What was set other than by default, for the documentation."""


def environment_of(work: Path) -> dict[str, str]:
    """What every command gets: all state below the work folder, telemetry off, no proxy or credential of ours."""
    home = work / "home"
    return {
        **OFF,
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PYTHONPATH": str(ROOT),
        "PEER_WORK": str(work),
        "HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(home / "metaflow"),
        "PREFECT_HOME": str(home / "prefect"),
        # Its server takes longer than the default of 20 s to start where others use the machine.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
        "ZENML_CONFIG_PATH": str(home / "zenml"),
    }


def _python(name: str) -> Path:
    return ENVIRONMENTS / name / "bin" / "python"


def _dagster(name: str, configured: str, *options: str | Path) -> Orchestrator:
    program, assets = ENVIRONMENTS / "dagster" / "bin" / "dagster", PIPELINES / "dagster_assets.py"
    return Orchestrator(
        name=name,
        distribution="dagster",
        python=_python("dagster"),
        prepare=(program, "instance", "info"),
        run=(program, "job", "execute", "-f", assets, "-j", "packaging", *options),
        resume=(_python("dagster"), assets, "resume"),
        configured=configured,
    )


def _script(name: str, script: str, configured: str, *, prepare: Words | None = None) -> Orchestrator:
    python = _python(name.lower())
    command = (python, PIPELINES / script)
    return Orchestrator(
        name=name,
        distribution=name.lower(),
        python=python,
        run=command,
        resume=command,
        prepare=prepare,
        configured=configured,
    )


PLATFORM = Orchestrator(
    name="this platform",
    distribution="dagster",
    python=Path(sys.executable),
    run=(sys.executable, PIPELINES / "platform_assets.py"),
    resume=(sys.executable, PIPELINES / "platform_assets.py", "resume"),
    configured="its step cache, runner, storage and executor (steps in threads); assets without checks",
)

METAFLOW = (_python("metaflow"), PIPELINES / "metaflow_flow.py")
KEDRO = ENVIRONMENTS / "kedro" / "bin" / "kedro"

ORCHESTRATORS = (
    PLATFORM,
    _dagster(
        "Dagster, in process", "executor `in_process` in the run's config", "-c", PIPELINES / "dagster_in_process.yaml"
    ),
    _dagster("Dagster, default", "nothing: a process for each step"),
    Orchestrator(
        name="Metaflow",
        distribution="metaflow",
        python=METAFLOW[0],
        run=(*METAFLOW, "--quiet", "run"),
        resume=(*METAFLOW, "--quiet", "resume"),
        configured="nothing: a process for each task, `resume` as documented",
    ),
    Orchestrator(
        name="Kedro",
        distribution="kedro",
        python=_python("kedro"),
        run=(KEDRO, "run"),
        again=(KEDRO, "run", "--only-missing-outputs"),
        resume=(KEDRO, "run", "--only-missing-outputs"),
        cwd=PIPELINES / "kedro_project",
        configured="`--only-missing-outputs` for re-runs: an output that is there counts, whatever it was made from",
    ),
    _script(
        "ZenML",
        "zenml_pipeline.py",
        "caching as by default, on the local stack",
        prepare=(_python("zenml").with_name("zenml"), "stack", "list"),
    ),
    _script(
        "Prefect",
        "prefect_flow.py",
        "`cache_policy=INPUTS + TASK_SOURCE` and `persist_result`, off by default; its temporary local server, "
        "with 300 s to start in instead of 20",
        prepare=(_python("prefect").with_name("prefect"), "server", "database", "upgrade", "--yes"),
    ),
)
