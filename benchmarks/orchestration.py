"""What orchestration costs: per step, to start, to load, with many models, with nothing changed.

Floor and ours alternate, each in a fresh process, so that both meet the same machine. CPU seconds are user and system
together, of the process and the children it waited for.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import Usage, alternate, compared, limited, ratio_of, run_command, run_in_turns
from benchmarks.served_ui import ServedUi

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGING = str(BIN / "packaging")
TYPES = ("mailer", "bag", "box", "sioc")
WEEK, MONTH = "2025-01-13", "2025-01-01"
STEPS = 25
MANY_MODELS = 200
GLOBAL_GRAPH = """
query { assetNodes { id groupName isExecutable isMaterializable hasMaterializePermission jobNames graphName opNames
  opVersion description computeKind isPartitioned isObservable assetKey { path } owners { __typename }
  tags { key value } kinds repository { id name location { id name } }
  dependencyKeys { path } dependedByKeys { path } } }
"""
"""What the UI needs to draw the global asset graph: every asset with its dependencies, tags and owners."""

BARE = """
import os, sys, tempfile, time
import dagster as dg
from dagster._core.instance.ref import InstanceRef

def asset(number):
    @dg.asset(name=f"a{number}", deps=[f"a{number - 1}"] if number else [])
    def made(): return None
    return made

def cpu(count, instance):
    job = dg.define_asset_job("job")
    definitions = dg.Definitions([asset(n) for n in range(count)], jobs=[job], executor=dg.in_process_executor)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    run = definitions.resolve_job_def("job").execute_in_process
    run(instance=instance, run_config=quiet)
    before = time.process_time()
    assert run(instance=instance, run_config=quiet).success
    return time.process_time() - before

with tempfile.TemporaryDirectory() as folder:
    instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides={"telemetry": {"enabled": False}}))
    print((cpu(STEPS + 5, instance) - cpu(5, instance)) / STEPS)
""".replace("STEPS", str(STEPS))
CACHED_RUN = """
import sys, time
from pathlib import Path
import dagster as dg
from packaging_assets.runner import JobRunner
from packaging_assets.settings import load_settings

runner = JobRunner.for_home(load_settings(Path(sys.argv[1])))
runner.run("weekly", first=sys.argv[2])
before = time.process_time()
run = runner.run("weekly", first=sys.argv[2])
spent = time.process_time() - before
assert set(run.cache.values()) == {"hit"}, run.cache
steps = len(runner.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS))
print(spent / steps)
"""
LOAD = """
import sys
from pathlib import Path
from packaging_assets.definitions import build_definitions
from packaging_assets.settings import load_settings
build_definitions(load_settings(Path(sys.argv[1]))).resolve_job_def("weekly_training")
"""


def measure_step(repeats: int, home: Path) -> list[dict[str, Any]]:
    """CPU seconds of a step of the weekly job that is a cache hit, its checks included, against a bare no-op step."""
    pairs = [(float(_python(BARE)), float(_python(CACHED_RUN, str(home), WEEK))) for _ in range(repeats)]
    floor, ours = zip(*pairs, strict=True)
    note = "a step of the weekly job that is a cache hit, with its checks, against a no-op step of bare Dagster"
    name = "orchestration per step: CPU"
    return [ratio_of(name, floor, ours, goal=0.07 / 0.044, unit="CPU s", note=note).as_dict()]


def measure_help(repeats: int) -> list[dict[str, Any]]:
    """Wall seconds of `packaging --help`, of which 0.3 is the goal."""
    ours = _walls([PACKAGING, "--help"], repeats)
    return [limited("packaging --help: wall", ours, limit=0.3, unit="s").as_dict()]


def measure_load(repeats: int, home: Path) -> list[dict[str, Any]]:
    """CPU seconds of loading the definitions of a home, against importing Dagster and dagster-dbt."""
    pairs = alternate(
        _used([sys.executable, "-c", "import dagster, dagster_dbt"]),
        _used([sys.executable, "-c", LOAD, str(home)]),
        repeats,
    )
    note = "against `import dagster, dagster_dbt`, each in a fresh process"
    return [compared("load definitions: CPU", pairs, goal=1.2, of="cpu_seconds", note=note).as_dict()]


def measure_cached_job(repeats: int, home: Path) -> list[dict[str, Any]]:
    """Wall seconds of the weekly and the monthly job with nothing changed, command to exit; 4 is the goal."""
    command = [PACKAGING, "run", f"weekly@{WEEK}", f"monthly@{MONTH}", "--home", str(home)]
    ours = _walls(command, repeats)
    note = "`packaging run weekly@... monthly@...`, command to exit: every artifact is there"
    return [limited("job with nothing changed: wall", ours, limit=4.0, unit="s", note=note).as_dict()]


def measure_ui(repeats: int, home: Path) -> list[dict[str, Any]]:
    """Wall seconds from `packaging ui` until it has loaded the project and says so; 12 is the goal."""
    ours = [_first_answer(home) for _ in range(repeats)]
    return [limited("first UI response: wall", ours, limit=12.0, unit="s").as_dict()]


def measure_many_models(repeats: int) -> list[dict[str, Any]]:
    """CPU seconds of loading 200 models against 4, and wall seconds of the UI's asset graph; 1 is the goal."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = _project(Path(folder) / "few", 0), _project(Path(folder) / "many", MANY_MODELS - len(TYPES))
        loads = [_used([sys.executable, "-c", LOAD, str(project / "home")], cwd=project) for project in (few, many)]
        pairs = alternate(*loads, repeats)  # dbt's project is parsed in the unmeasured run
        graph = [_graph_seconds(many) for _ in range(repeats)]
    return [
        compared("load 200 models against 4: CPU", pairs, goal=2.0, of="cpu_seconds").as_dict(),
        limited("asset graph of 200 models: wall", graph, limit=1.0, unit="s").as_dict(),
    ]


def _project(folder: Path, added: int) -> Path:
    """A copy of the project with so many shadow models more; only YAML is added."""
    folder.mkdir(parents=True)
    for name in ("packaging_assets", "dbt_project"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("target", "__pycache__"))
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for number in range(added):
        like = TYPES[number % len(TYPES)]
        text = (folder / "packaging_assets" / "defs" / like / "defs.yaml").read_text()
        name = f"{like}_{number:03d}"
        asked = re.sub(r"^attributes:\n", f"attributes:\n  name: {name}\n  stage: shadow\n", text, flags=re.MULTILINE)
        target = folder / "packaging_assets" / "defs" / name
        target.mkdir()
        (target / "defs.yaml").write_text(asked)
    return folder


def _graph_seconds(project: Path) -> float:
    """Wall seconds of the asset graph's query, once the UI has loaded the project, the second time it is asked."""
    with ServedUi(project / "home", cwd=project, env=_environment(project)) as ui:
        ui.ask(GLOBAL_GRAPH)
        started = time.perf_counter()
        answer = ui.ask(GLOBAL_GRAPH)
        seconds = time.perf_counter() - started
    if len(answer["data"]["assetNodes"]) < 5 * MANY_MODELS:
        raise ValueError(f"the UI's asset graph lacks models: {answer}")
    return seconds


def _first_answer(home: Path) -> float:
    started = time.perf_counter()
    with ServedUi(home, cwd=ROOT, env=_environment(ROOT)):
        return time.perf_counter() - started


def _environment(cwd: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PACKAGING_", "DAGSTER_"))}
    return {**kept, "PYTHONPATH": str(cwd), "DAGSTER_DISABLE_TELEMETRY": "true"}


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=_environment(ROOT),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.splitlines()[-1]


def _used(command: Sequence[str], cwd: Path = ROOT) -> Callable[[], Usage]:
    """A run of the command in a project's folder, without settings from outside."""
    return lambda: run_command(command, cwd=cwd, env=_environment(cwd))


def _walls(command: Sequence[str], repeats: int) -> list[float]:
    (runs,) = run_in_turns([_used(command)], repeats)
    return [run.wall_seconds for run in runs]
