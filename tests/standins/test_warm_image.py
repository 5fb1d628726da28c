"""Warm images: processes of their own, with what they were asked, that end with whoever started them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, os, sys, time
import imported
if __name__ == "__main__":
    print(json.dumps([sys.argv[1:], os.getcwd(), os.environ["ASKED"], sorted(os.environ), os.getpid(), os.getpgid(0),
                      imported.BY, sys.stdin.read()]), flush=True)
    print("and this", file=sys.stderr, flush=True)
    if sys.argv[1] == "sleep":
        time.sleep(60)
    sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Any]:
    from sagemaker_standin.warm_image import WarmImage

    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "imported.py").write_text("import os\nBY = os.getpid()\n")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    with WarmImage("program", ["imported"], environment) as warm:
        yield warm


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]


def gone(pid: int) -> bool:
    """Whether the process ends, within seconds."""
    deadline = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_a_container_is_a_process_with_what_it_was_asked_and_nothing_else(image: Any, tmp_path: Path) -> None:
    process = image.start(["3", "x y"], tmp_path, {"ASKED": "yes"})
    (line, error) = process.stdout.read().splitlines()
    arguments, folder, asked, names, pid, group, imported_by, given = json.loads(line)
    assert (arguments, folder, asked, given) == (["3", "x y"], str(tmp_path), "yes", "")
    assert [name for name in names if not name.startswith("LC_")] == ["ASKED"]
    assert pid == group == process.pid
    assert imported_by not in {pid, os.getpid()}
    assert error == "and this"
    assert (process.wait(20), process.poll()) == (3, 3)
    process.stdout.close()


def test_containers_run_side_by_side_and_end_by_signals(image: Any, tmp_path: Path) -> None:
    first, second = (image.start(["sleep"], tmp_path, {"ASKED": name}) for name in "ab")
    assert "a" in first.stdout.readline()
    assert "b" in second.stdout.readline()
    assert (first.poll(), second.poll()) == (None, None)
    with pytest.raises(subprocess.TimeoutExpired):
        first.wait(0.01)
    os.killpg(first.pid, signal.SIGTERM)
    assert first.wait(20) == -signal.SIGTERM
    os.killpg(second.pid, signal.SIGKILL)
    assert second.wait(20) == -signal.SIGKILL
    for process in (first, second):
        process.stdout.close()


def test_a_container_that_nobody_waits_for_any_more_is_killed(image: Any, tmp_path: Path) -> None:
    process = image.start(["sleep"], tmp_path, {"ASKED": "yes"})
    assert process.stdout.readline()
    process._connection.close()  # as when its starter dies
    assert gone(process.pid)
    process.stdout.close()


def test_nothing_outlives_a_starter_that_is_killed(tmp_path: Path) -> None:
    from sagemaker_standin import warm_image

    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "imported.py").write_text("import os\nBY = os.getpid()\n")
    script = (
        "import os, sys, time; from pathlib import Path; from sagemaker_standin.warm_image import WarmImage\n"
        f"image = WarmImage('program', ['imported'], dict(os.environ)); folder = Path({str(tmp_path)!r})\n"
        "process = image.start(['sleep'], folder, {'ASKED': 'yes'}); process.stdout.readline()\n"
        "print(process.pid, image._process.pid, flush=True); time.sleep(60)"
    )
    places = [str(tmp_path), str(Path(warm_image.__file__).parents[1])]
    with subprocess.Popen(  # noqa: S603 - a fixed script
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
    ) as starter:
        assert starter.stdout is not None
        started = [int(pid) for pid in starter.stdout.readline().split()]
        assert len(started) == 2
        starter.kill()
    assert all(gone(pid) for pid in started)
